"""Gathers what pricing a moment needs from the engine's state: faults, costs, balances.

Pure reading (only the asset's cached costs are written). Called by `decision`.
"""

from __future__ import annotations

from decimal import Decimal

from arbsite.units import decimal_from_int
from feeds.market.spec import DIRECTIONS, MARK_SYMBOLS, Direction
from trading.bidding import congestion_of, priority_price
from trading.engine.asset_state import AssetState
from trading.engine.engine_state import EngineState
from trading.engine.evaluation import Scene
from trading.engine.feed_state import SOL_SYMBOL, UNSEEN
from trading.engine.terms import Odds, Terms, terms_from
from trading.intent import AssetSettings
from trading.pricing import Mark, basis_fraction, inventory_fraction
from trading.sizing import UNBOUND, Available, tick_value
from trading.windows import Snapshot


def fault_of(state: EngineState, asset: AssetState) -> str:
    """Why the asset cannot be priced now, or nothing. Ends in `UNSEEN` before first data."""
    return _book_fault(state, asset) or _pool_fault(state, asset) or _terms_fault(state, asset)


def fault_beside_pool(state: EngineState, asset: AssetState) -> str:
    """Why the asset cannot be priced even with another quote than the pool's, or nothing."""
    return _book_fault(state, asset) or _terms_fault(state, asset)


def _terms_fault(state: EngineState, asset: AssetState) -> str:
    for quote in (asset.spec.cex_quote, asset.spec.pool_quote):
        if state.feeds.mark_of(quote) is None:
            symbol = MARK_SYMBOLS.get(quote, quote)
            return f"{symbol} mark: {state.feeds.book_fault(symbol) or UNSEEN}"
    if state.feeds.mark_of("SOL") is None:
        return f"{SOL_SYMBOL} mark: {state.feeds.book_fault(SOL_SYMBOL) or UNSEEN}"
    if asset.settings is None:
        return f"settings: {UNSEEN}"
    if state.fees is None or asset.spec.cex_symbol not in state.fees.taker:
        return f"fees: {UNSEEN}"
    return ""


def _book_fault(state: EngineState, asset: AssetState) -> str:
    feeds, spec = state.feeds, asset.spec
    fault = feeds.book_fault(spec.cex_symbol)
    if fault:
        return f"{spec.cex_symbol} book: {fault}"
    book = feeds.books[spec.cex_symbol]
    if (book.price_precision, book.qty_precision) != (spec.price_precision, spec.qty_precision):
        return f"{spec.cex_symbol} book: precision changed"
    return ""


def _pool_fault(state: EngineState, asset: AssetState) -> str:
    feeds, spec = state.feeds, asset.spec
    fault = feeds.pool_fault(spec.pool)
    if fault:
        return f"pool: {fault}"
    return "" if feeds.curves[spec.pool].root > 0 else "pool: empty"


def mark_of(state: EngineState, name: str) -> Mark:
    """A mark that `fault_of` has found to exist."""
    mark = state.feeds.mark_of(name)
    assert mark is not None
    return mark


def marks_usd(state: EngineState, asset: AssetState) -> dict[str, Decimal]:
    """Marks of every asset a trade can move: both quotes, SOL for fees, the base."""
    feeds, spec = state.feeds, asset.spec
    marks = {"USD": Decimal(1), "SOL": mark_of(state, "SOL").usd}
    for quote in (spec.cex_quote, spec.pool_quote):
        marks[quote] = mark_of(state, quote).usd
    book = feeds.books[spec.cex_symbol]
    both = decimal_from_int(book.bids[0][0] + book.asks[0][0], book.price_precision)
    marks[spec.asset] = both / 2 * marks[spec.cex_quote]
    return marks


def snapshot_of(state: EngineState, asset: AssetState) -> Snapshot:
    """What names this moment of this asset; without a pool the chain's height does."""
    feeds, spec = state.feeds, asset.spec
    book, curve = feeds.books[spec.cex_symbol], feeds.curves.get(spec.pool)
    if curve is not None:
        slot = curve.updated.slot
    else:
        slot = feeds.slot.slot if feeds.slot is not None else 0
    return Snapshot(
        at_ns=state.now_ns,
        checksum=book.checksum,
        venue_at_ns=book.venue_at_ns,
        slot=slot,
    )


def scene_of(state: EngineState, asset: AssetState, direction: Direction) -> Scene:
    """Everything that finding and pricing a size needs about this moment."""
    spec, settings = asset.spec, asset.settings
    assert settings is not None
    assert asset.terms is not None
    pool_mark = mark_of(state, spec.pool_quote)
    pool_usd = float(pool_mark.usd)
    return Scene(
        spec=spec,
        settings=settings,
        terms=asset.terms,
        book=state.feeds.books[spec.cex_symbol],
        curve=state.feeds.curves.get(spec.pool),
        unit=asset.unit,
        cex_mark=mark_of(state, spec.cex_quote),
        pool_mark=pool_mark,
        sol_usd=mark_of(state, "SOL").usd,
        available=available_of(state, asset, settings, direction, pool_usd),
        now_s=state.now_ns // 1_000_000_000,
        before_bps=asset.gaps_before.get(direction),
    )


def available_of(
    state: EngineState,
    asset: AssetState,
    settings: AssetSettings,
    direction: Direction,
    pool_usd: float,
) -> Available:
    """Unpromised balances; unknown ones do not shape the size (a gate refuses then)."""
    spec, free = asset.spec, state.reservations_of(asset.spec.asset)
    used = asset.usage_of(state.mode_of(spec.asset))
    sells_on_cex = direction == "buy_dex_sell_cex"
    kraken = free.kraken_free(spec.asset if sells_on_cex else spec.cex_quote)
    solana = free.solana_free(spec.pool_quote if sells_on_cex else spec.asset)
    daily_usd, cause = settings.daily_notional_cap_usd - used.notional_usd, "daily_notional"
    room = state.desk_room_of(spec.asset)
    if room is not None and room.tightest[0] < daily_usd:
        daily_usd, cause = room.tightest
    return Available(
        cex_units=UNBOUND if kraken is None else float(kraken),
        dex_raw=UNBOUND if solana is None else float(solana),
        daily_usd=float(daily_usd),
        pool_quote_usd=pool_usd,
        daily_cause=cause,
    )


def _odds(state: EngineState, asset: AssetState, settings: AssetSettings, taker: Decimal) -> Odds:
    """The bids allowed now and their odds; without news of the chain's fees nothing is tipped."""
    known, pool = state.chain_fees, asset.spec.pool
    price = known.price.get(pool) if known else None
    usual = known.usual.get(pool, 0) if known else 0
    congestion = congestion_of(price, usual) if price is not None else "usual"
    asset.landing.fade(state.now_ns)
    ceiling = settings.tip_lamports if known and known.can_tip else 0
    return Odds(
        taker=taker,
        tiers=asset.landing.odds(congestion, ceiling),
        congestion=congestion,
        cu_price=priority_price(price, settings.cu_price_micro_lamports),
        filling=asset.filling,
        model=state.model.order,
        compute=known.compute.get(pool, {}) if known else {},
    )


def rebuild_terms(state: EngineState, asset: AssetState) -> Terms:
    """Build the costs that do not change with every tick, and keep them on the asset."""
    spec, settings, fees = asset.spec, asset.settings, state.fees
    assert settings is not None
    assert fees is not None
    holdings = state.reservations_of(spec.asset).holdings
    kraken_base = holdings.kraken.get(spec.asset, Decimal(0)) if holdings else Decimal(0)
    solana_raw = holdings.solana_raw.get(spec.asset, 0) if holdings else 0
    asset.terms = terms_from(
        settings,
        _odds(state, asset, settings, fees.taker[spec.cex_symbol]),
        base_fee_lamports=fees.base_fee_lamports,
        slack=asset.slack,
        basis=basis_fraction(spec.cex_quote, spec.pool_quote, state.feeds.marks),
        inventory={
            direction: inventory_fraction(
                direction,
                kraken_base=kraken_base,
                solana_base=Decimal(solana_raw).scaleb(-spec.base_decimals),
                band_pct=settings.inventory_band_pct,
                rebalance_bps=state.model.rebalance_bps,
            )
            for direction in DIRECTIONS
        },
    )
    asset.unit = tick_value(
        spec,
        float(mark_of(state, spec.cex_quote).usd),
        float(mark_of(state, spec.pool_quote).usd),
    )
    return asset.terms
