"""One direction with an edge, one moment: the best size, quoted exactly and priced.

Follows a `Look` that saw the first unit pay for its costs: the size walk, the exact quotes,
the PnL terms, the two limits. Pure; called by `decision` and `routed`. Not here: the tops
(`looks`), the costs that do not change with a tick (`terms`), windows, gates.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from arbsite.units import decimal_from_int
from feeds.market.events import BookUpdated
from feeds.market.pools import QuoteRefused
from feeds.market.spec import Direction, MarketSpec
from trading.bidding import best_bid
from trading.compute_units import PRIOR_LIMIT, ROUTE, ComputeLimit
from trading.engine.feed_state import PoolCurve
from trading.engine.looks import Look
from trading.engine.terms import Terms, decimal_from_float, fraction_from_float, verdict_of
from trading.intent import EVEN_SPLIT, AssetSettings, OrderVerdict, PnlTerms
from trading.legs import drift_risk_bps, unwind_if_failed_bps
from trading.openings import opening_of
from trading.pricing import (
    Costs,
    EdgeBudget,
    LegQuotes,
    Mark,
    bound_budget,
    chain_fee_usd,
    edge_budget,
    predicted_pnl,
    success_usd,
)
from trading.route_quoted import RouteQuoted
from trading.sizing import (
    UNBOUND,
    Available,
    BestSize,
    Ladder,
    best_size,
    caps_from,
    lot_raw,
    lots_floor,
    quote_exactly,
)

_OWN_CAPS: Final = (
    "inventory_kraken",
    "inventory_solana",
    "daily_notional",
    "desk_open",
    "desk_daily",
)
_ZERO: Final = Decimal(0)


class Scene(msgspec.Struct, frozen=True):
    """Everything that finding and pricing a size needs about the moment.

    `curve` is None where the pool cannot be seen: then only a route can be priced.
    `before_bps` is the direction's gross gap a slot ago, None where it could not be seen.
    """

    spec: MarketSpec
    settings: AssetSettings
    terms: Terms
    book: BookUpdated
    curve: PoolCurve | None
    unit: float
    cex_mark: Mark
    pool_mark: Mark
    sol_usd: Decimal
    available: Available
    now_s: int
    before_bps: float | None = None


class Found(msgspec.Struct, frozen=True, gc=False):
    """The size that the float walk found, in whole lots, not yet quoted.

    `worth_usd` is what it would be worth if only the certain proportional costs were paid:
    more than any value that pricing may give it. `window_only`, `capped_lots` as in `Sized`.
    """

    lots: int
    capped_lots: int
    window_only: bool
    limited_by: str
    worth_usd: float


class Sized(msgspec.Struct, frozen=True):
    """The best feasible size of one direction, quoted exactly and priced.

    `landed_value_usd` is the decision value as if the swap were certain to succeed: what
    makes a window (whoever lands could have it), while the intent must pay at our odds.
    `window_only` marks a size that our own balances or day cap do not allow: it makes a
    window (somebody could have), but never an intent; `capped_lots` is what we could do.
    """

    direction: Direction
    quotes: LegQuotes
    pnl: PnlTerms
    landed_value_usd: Decimal
    verdict: OrderVerdict
    cu_price_micro_lamports: int
    tip_lamports: int
    notional_usd: Decimal
    cex_cost: Decimal
    budget: EdgeBudget | None
    limited_by: str
    gross_bps: float
    net_bps: float
    window_only: bool
    capped_lots: int
    route: RouteQuoted | None = None
    compute: ComputeLimit | None = None


def find_size(scene: Scene, seen: Look, *, least_usd: float) -> Found | None:
    """Find the best size of a direction that has an edge, in floats.

    None where nothing feasible is worth `least_usd`, whatever pricing would add to the costs.
    """
    rising = seen.direction == "buy_dex_sell_cex"
    spec, rates = scene.spec, scene.terms.rates[seen.direction]
    levels = scene.book.bids if rising else scene.book.asks
    ladder = Ladder(levels, scene.unit, lot_raw(spec), rates.walk)
    found = _walk(scene, ladder, scene.available, rising)
    lots = capped_lots = lots_floor(found.base_raw, spec)
    window_only = capped_lots < spec.qty_min_lots and found.limited_by in _OWN_CAPS
    limited_by = found.limited_by
    if window_only:
        unbound = Available(UNBOUND, UNBOUND, UNBOUND, scene.available.pool_quote_usd)
        found = _walk(scene, ladder, unbound, rising)
        lots = lots_floor(found.base_raw, spec)
    value = found.cex_value * rates.certain - found.dex_quote
    per_usd = 10.0**spec.quote_decimals / scene.available.pool_quote_usd
    worth_usd = (value if rising else -value) / per_usd
    if lots < spec.qty_min_lots or worth_usd < least_usd:
        return None
    return Found(lots, capped_lots, window_only, limited_by, worth_usd)


def price_size(scene: Scene, seen: Look, found: Found) -> Sized | QuoteRefused:
    """Quote a size by the exact rules of book and chain, and price it term by term.

    A refusal when the chain does not allow what the float walk found.
    """
    rising = seen.direction == "buy_dex_sell_cex"
    levels = scene.book.bids if rising else scene.book.asks
    assert scene.curve is not None
    quoter = scene.curve.quoter(rising=rising)
    quotes = quote_exactly(scene.spec, quoter, levels, seen.direction, found.lots, scene.now_s)
    if isinstance(quotes, QuoteRefused):
        return quotes
    return price_quotes(scene, seen, quotes, found)


def _walk(scene: Scene, ladder: Ladder, available: Available, rising: bool) -> BestSize:
    caps = caps_from(
        scene.spec,
        scene.terms.limits,
        ladder,
        available,
        taker=scene.terms.taker_rate,
        rising=rising,
    )
    assert scene.curve is not None
    return best_size(
        scene.curve.pieces(rising=rising), scene.curve.fee, ladder, caps, rising=rising
    )


def price_quotes(
    scene: Scene,
    seen: Look,
    quotes: LegQuotes,
    found: Found,
    route: RouteQuoted | None = None,
) -> Sized:
    """Price two exact legs term by term; a `route` binds the pool leg's limit too."""
    spec, terms, odds = scene.spec, scene.terms, scene.terms.odds
    cex_value = decimal_from_int(
        quotes.cex_value_ticklots, spec.price_precision + spec.qty_precision
    )
    dex_value = decimal_from_int(quotes.dex_quote_raw, spec.quote_decimals)
    notional = cex_value * scene.cex_mark.usd
    compute = odds.compute.get(seen.direction if route is None else ROUTE)
    # A tip is part of the transaction: lost only when it succeeds.
    failed_fee = _chain_fee(scene, compute, tip_lamports=0)
    walk = notional - dex_value * scene.pool_mark.usd
    before_tip = (walk if seen.direction == "buy_dex_sell_cex" else -walk) - (
        notional * terms.taker + failed_fee
    )
    bid = best_bid(
        odds.tiers,
        profit_usd=float(before_tip),
        lamport_usd=float(scene.sol_usd) * 1e-9,
        failed_usd=float(failed_fee),
        level=odds.model.lower_level,
    )
    verdict = verdict_of(
        scene.settings,
        odds,
        bid,
        edge_bps=float(before_tip / notional) * 1e4,
        fail_fee_bps=float(failed_fee / notional) * 1e4,
        opening=opening_of(seen.gross_bps, scene.before_bps),
    )
    costs = Costs(
        taker=terms.taker,
        haircut=terms.haircut,
        basis=terms.basis,
        inventory=terms.inventory[seen.direction],
        drift=fraction_from_float(
            drift_risk_bps(verdict, odds.model, bid.landing.lower(odds.model.lower_level))
        ),
        unwind=fraction_from_float(unwind_if_failed_bps(verdict)),
        chain_fee_usd=(
            _chain_fee(scene, compute, tip_lamports=bid.tip_lamports)
            if bid.tip_lamports
            else failed_fee
        ),
        failed_fee_usd=failed_fee,
        p=decimal_from_float(verdict.p_land),
        p_lower=decimal_from_float(verdict.p_land_lower),
    )
    pnl = predicted_pnl(
        seen.direction,
        cex_value=cex_value,
        cex_mark_usd=scene.cex_mark.usd,
        dex_value=dex_value,
        dex_mark_usd=scene.pool_mark.usd,
        costs=costs,
    )
    success = success_usd(pnl.sell_proceeds, pnl.buy_cost, pnl.cex_fee, pnl.chain_fee)
    budget = _budget(scene, seen.direction, quotes, success, route)
    certain = pnl.haircut + pnl.basis_cost + pnl.inventory_cost + notional * costs.drift
    return Sized(
        direction=seen.direction,
        quotes=quotes,
        pnl=pnl,
        landed_value_usd=success - certain,
        verdict=verdict,
        cu_price_micro_lamports=odds.cu_price,
        tip_lamports=bid.tip_lamports,
        notional_usd=notional,
        cex_cost=cex_value,
        budget=budget,
        limited_by=found.limited_by,
        gross_bps=seen.gross_bps,
        net_bps=float((success - certain) / notional) * 1e4,
        window_only=found.window_only,
        capped_lots=found.capped_lots,
        route=route,
        compute=compute,
    )


def _budget(
    scene: Scene,
    direction: Direction,
    quotes: LegQuotes,
    success: Decimal,
    route: RouteQuoted | None,
) -> EdgeBudget | None:
    """The two limits; a route has brought the pool leg's."""
    spec, taker = scene.spec, scene.terms.taker
    cex_mark, dex_mark = scene.cex_mark.usd, scene.pool_mark.usd
    if route is None:
        return edge_budget(
            spec,
            direction,
            quotes,
            success_usd=success,
            theta_min_usd=_ZERO,
            cex_mark_usd=cex_mark,
            dex_mark_usd=dex_mark,
            taker=taker,
            slippage_cap_bps=scene.settings.slippage_cap_bps,
            cex_share=(scene.terms.slack or EVEN_SPLIT).cex_share,
        )
    return bound_budget(
        spec,
        direction,
        quotes,
        route.threshold_raw,
        success_usd=success,
        theta_min_usd=_ZERO,
        cex_mark_usd=cex_mark,
        dex_mark_usd=dex_mark,
        taker=taker,
        slippage_cap_bps=scene.settings.slippage_cap_bps,
    )


def _chain_fee(scene: Scene, compute: ComputeLimit | None, *, tip_lamports: int) -> Decimal:
    return chain_fee_usd(
        base_fee_lamports=scene.terms.base_fee_lamports,
        cu_limit=(compute or PRIOR_LIMIT).units,
        cu_price_micro_lamports=scene.terms.odds.cu_price,
        tip_lamports=tip_lamports,
        sol_usd=scene.sol_usd,
    )
