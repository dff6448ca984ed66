"""Puts an intent together from a sized trade and the state it was decided in.

Pure; called by `decision` when every gate has passed.
"""

from __future__ import annotations

import msgspec

from arbsite.keys import intent_key
from feeds.market.clmm import arrays_for_swap
from feeds.market.pools import Whirlpool
from risk.candidate import GateState
from trading.engine.asset_state import AssetState
from trading.engine.engine_state import EngineState
from trading.engine.evaluation import Sized
from trading.engine.gate_view import age_ms
from trading.engine.scene import marks_usd
from trading.intent import DecisionAges, Intent, SlackSplit, WindowRow
from trading.route_quoted import RouteQuoted


def intent_of(
    state: EngineState, asset: AssetState, sized: Sized, row: WindowRow, seen: GateState
) -> Intent:
    """The decision to trade `sized` in the window `row`, with all it was made from.

    `seen` is the state that the gates have passed.
    """
    spec, budget, route = asset.spec, sized.budget, sized.route
    settings, book = asset.settings, state.feeds.books[asset.spec.cex_symbol]
    assert settings is not None
    assert budget is not None
    sells_on_cex = sized.direction == "buy_dex_sell_cex"
    slot, arrays = _pool_leg(state, asset, sized)
    return Intent(
        intent_key=intent_key(row.window_id, row.intents),
        window_id=row.window_id,
        ordinal=row.intents,
        asset=spec.asset,
        direction=sized.direction,
        mode=seen.mode,
        spec=spec,
        qty_lots=sized.quotes.lots,
        base_raw=sized.quotes.base_raw,
        cex_side="sell" if sells_on_cex else "buy",
        cex_limit_ticks=budget.cex_limit_ticks,
        cex_expected_ticks=sized.quotes.cex_worst_ticks,
        dex_a_to_b=spec.sells_a(sized.direction),
        dex_exact_in=not sells_on_cex,
        dex_expected_quote_raw=sized.quotes.dex_quote_raw,
        dex_threshold_raw=budget.dex_threshold_raw,
        tick_array_starts=arrays,
        verdict=sized.verdict,
        pnl=sized.pnl,
        notional_usd=sized.notional_usd,
        min_pnl_usd=budget.min_pnl_usd,
        limited_by=sized.limited_by,
        gross_bps=sized.gross_bps,
        net_bps=sized.net_bps,
        marks_usd=marks_usd(state, asset),
        ages=_ages(state, asset, sized, seen),
        book_checksum=book.checksum,
        book_venue_at_ns=book.venue_at_ns,
        pool_slot=slot,
        # The event that completed the decision: its receive time is the engine's now.
        detect_ns=state.now_ns,
        decided_ns=state.now_ns,
        config_version=settings.version,
        control_version=state.controls.version_of(spec.asset),
        cu_price_micro_lamports=sized.cu_price_micro_lamports,
        tip_lamports=sized.tip_lamports,
        order_deadline_ms=settings.order_deadline_ms,
        slippage_cap_bps=settings.slippage_cap_bps,
        quote_source="pool" if route is None else "jupiter",
        route=msgspec.UNSET if route is None else route,
        compute=msgspec.UNSET if sized.compute is None else sized.compute,
        slack=_slack(asset, route),
    )


def _slack(asset: AssetState, route: RouteQuoted | None) -> SlackSplit | msgspec.UnsetType:
    """The split in force; a route brings the pool leg's limit, so nothing is split then."""
    split = asset.slack if route is None else None
    return msgspec.UNSET if split is None else split


def _pool_leg(state: EngineState, asset: AssetState, sized: Sized) -> tuple[int, tuple[int, ...]]:
    """The slot that the pool leg was quoted at, and the tick arrays it needs."""
    if sized.route is not None:
        return sized.route.slot, sized.route.tick_array_starts
    pool = state.feeds.curves[asset.spec.pool]
    if not isinstance(pool.state, Whirlpool):
        return pool.updated.slot, ()
    return pool.updated.slot, arrays_for_swap(pool.state, asset.spec.sells_a(sized.direction))


def _ages(state: EngineState, asset: AssetState, sized: Sized, seen: GateState) -> DecisionAges:
    """The ages that the gates have judged, beside those of the book and the pool themselves."""
    feeds, now_ns = state.feeds, state.now_ns
    if sized.route is not None:
        pool_ns = sized.route.route.asked_at_ns
    else:
        pool_ns = feeds.curves[asset.spec.pool].updated.recv_ns
    return DecisionAges(
        frame_ms=seen.frame_age_ms or 0.0,
        book_ms=age_ms(now_ns, feeds.books[asset.spec.cex_symbol].recv_ns) or 0.0,
        pool_ms=age_ms(now_ns, pool_ns) or 0.0,
        slot_lag=seen.slot_lag or 0,
        mark_ms=seen.mark_age_ms or 0.0,
        balances_ms=seen.balances_age_ms or 0.0,
        fees_ms=seen.fees_age_ms or 0.0,
        clock_skew_ms=seen.kraken_skew_ms,
    )
