"""The engine's state as the gates want it, and a sized trade as their candidate.

Pure reading. Callers: `decision` (before an intent) and `board` (why an asset is blocked).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from risk.gates import Candidate, GateState
from trading.engine.asset_state import AssetState
from trading.engine.engine_state import EngineState
from trading.engine.evaluation import Sized
from trading.engine.projection import fee_bound_lamports, swaps_of
from trading.inputs import FeesKnown
from trading.intent import WindowRow
from trading.route_quoted import RouteQuoted

_MS: Final = 1_000_000


def gate_state_of(
    state: EngineState, asset: AssetState, now_ns: int, route: RouteQuoted | None = None
) -> GateState:
    """The state of the world, ages as of `now_ns`; with a `route` in place of the pool."""
    spec = asset.spec
    feeds, ready = state.feeds, state.ready
    curve = feeds.curves.get(spec.pool)
    pool_slot = curve.updated.slot if curve is not None else None
    mode = state.mode_of(spec.asset)
    holdings, used = state.reservations_of(spec.asset).holdings, asset.usage_of(mode)
    return GateState(
        mode=mode,
        is_known_mode=state.controls.is_known,
        is_enabled=asset.settings is not None and asset.settings.enabled,
        is_kraken_ready=ready is not None and ready.kraken,
        is_solana_ready=ready is not None and ready.solana,
        kraken_status=feeds.status_of("kraken"),
        solana_status=feeds.status_of("solana"),
        pair_status=feeds.pair_status.get(spec.cex_symbol),
        kraken_skew_ms=feeds.clock_skews_ms.get("kraken"),
        solana_skew_ms=feeds.clock_skews_ms.get("solana"),
        frame_age_ms=age_ms(now_ns, feeds.proof_ns("kraken", spec.cex_symbol)),
        chain_age_ms=age_ms(now_ns, feeds.proof_ns("solana", spec.pool)),
        book_fault=feeds.book_fault(spec.cex_symbol),
        ticker_fault=feeds.ticker_fault(spec.cex_symbol),
        pool_fault="" if route is not None else feeds.pool_fault(spec.pool),
        slot_lag=feeds.slot.lag_slots if feeds.slot is not None else None,
        mark_fault="",
        depegs=tuple((name, feeds.depeg_bps(name)) for name in asset.quotes),
        mark_age_ms=mark_age_ms(state, asset, now_ns),
        fees_age_ms=age_ms(now_ns, _fees_at_ns(state.fees, spec.cex_symbol)),
        balances_age_ms=age_ms(now_ns, holdings.at_ns if holdings is not None else None),
        cooldown_left_ms=max(0, asset.cooldown_until_ns - now_ns) / _MS,
        busy_reason=asset.trades.busy_reason(
            feeds.books.get(spec.cex_symbol), route.slot if route is not None else pool_slot
        ),
        standing_basis=asset.basis.flag,
        used_notional_usd=used.notional_usd,
        used_loss_usd=used.loss_usd,
        used_trades=used.trades,
        desk=state.desk_room_of(spec.asset),
        fee_lamports_free=state.fee_lamports_free(spec.asset),
        route_age_ms=None if route is None else age_ms(now_ns, route.route.asked_at_ns),
    )


def candidate_of(asset: AssetState, sized: Sized, row: WindowRow) -> Candidate:
    """A sized trade in an open window, as the gates compare it."""
    spec = asset.spec
    return Candidate(
        asset=spec.asset,
        size_lots=sized.capped_lots if sized.window_only else sized.quotes.lots,
        min_lots=spec.qty_min_lots,
        size_cost=sized.cex_cost,
        min_cost=Decimal(spec.cost_min),
        limited_by=sized.limited_by,
        notional_usd=sized.notional_usd,
        decision_value_usd=sized.pnl.decision_value,
        landed_value_usd=sized.landed_value_usd,
        p_land=sized.verdict.p_land_lower,
        gross_bps=sized.gross_bps,
        window_intents=row.intents,
        budget_refusal="" if sized.budget is not None else "the last level is out of reach",
        fee_lamports=fee_bound_lamports(
            sized.compute.units if sized.compute is not None else 0,
            sized.cu_price_micro_lamports,
            sized.tip_lamports,
            swaps=swaps_of(asset.settings.max_hedges if asset.settings is not None else 0),
        ),
    )


def mark_age_ms(state: EngineState, asset: AssetState, now_ns: int) -> float | None:
    """The oldest proof of the mark books this asset needs (a quiet book is not old)."""
    oldest_ns = now_ns
    for symbol in asset.mark_symbols:
        proof_ns = state.feeds.proof_ns("kraken", symbol)
        if proof_ns is None:
            return None
        oldest_ns = min(oldest_ns, proof_ns)
    return age_ms(now_ns, oldest_ns)


def age_ms(now_ns: int, at_ns: int | None) -> float | None:
    """How long ago, ms; None for what was never heard."""
    return None if at_ns is None else max(0, now_ns - at_ns) / _MS


def _fees_at_ns(fees: FeesKnown | None, symbol: str) -> int | None:
    return fees.at_ns if fees is not None and symbol in fees.taker else None
