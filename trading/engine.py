"""The engine: market facts and answers in, decisions out; synchronous and deterministic.

`Engine.handle(event) -> [effects]` is the same object live, in replay and in the
back-test. It has no clock (time is the events', and never runs backwards), no I/O and no
randomness: the same log gives the same effects. The host feeds it, carries the effects
out, and tells it what became of them. Not here: how a moment is priced (`evaluation`),
what a window is (`windows`), whether a candidate may go (`risk.gates`), what the console
shows (`board`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec

from arbsite.events import Mode, SpreadRow, StopReason
from feeds.market.events import (
    BookInvalidated,
    BookUpdated,
    FeedProof,
    InstrumentUpdated,
    PoolInvalidated,
    PoolUpdated,
    SlotAdvanced,
    TickerUpdated,
    VenueStatus,
)
from feeds.market.spec import DIRECTIONS, MARK_SYMBOLS, MarketSpec
from trading import board
from trading.asset_state import AssetState, spec_from_instrument
from trading.bidding import congestion_named
from trading.decision import Decider
from trading.engine_state import EngineModel, EngineState
from trading.feed_state import UNSEEN
from trading.gate_view import gate_state_of
from trading.intent import (
    ChainFeesKnown,
    DayUsage,
    DeskUsage,
    Effect,
    EngineInput,
    FeesKnown,
    HoldingsKnown,
    IntentRefused,
    ModeApplied,
    OutcomesKnown,
    RequestStop,
    SettingsApplied,
    SignalSeen,
    SlackKnown,
    TimerFired,
    TradeClosed,
    TradeProgressed,
    VenuesReady,
    WindowsRestored,
)
from trading.route_quoted import RouteQuoted
from trading.routed import is_pool_fault
from trading.scene import fault_of
from trading.staleness import VENUES, StalenessModel
from trading.windows import Source

RESUME_AFTER_NS: Final = 30_000_000_000
STALE_PAUSE_NS: Final = 10_000_000_000


class Engine:
    """The state of all assets and the one entry point, `handle`."""

    def __init__(
        self,
        specs: Mapping[str, MarketSpec],
        *,
        resume_after_ns: int = RESUME_AFTER_NS,
        stale_pause_ns: int = STALE_PAUSE_NS,
        model: EngineModel | None = None,
    ) -> None:
        staleness = StalenessModel(stale_pause_ns, resume_after_ns)
        self.state = EngineState(specs, staleness, model or EngineModel())
        self._decider = Decider(self.state)
        self._by_symbol: dict[str, list[AssetState]] = {}
        self._by_mark: dict[str, list[AssetState]] = {}
        self._by_pool: dict[str, AssetState] = {}
        for state in self.state.assets.values():
            self._index(state)
        self._handlers: dict[type, Callable[[Any], list[Effect]]] = {
            BookUpdated: self._book_updated,
            BookInvalidated: self._book_invalidated,
            TickerUpdated: self._ticker_updated,
            InstrumentUpdated: self._instrument_updated,
            PoolUpdated: self._pool_updated,
            PoolInvalidated: self._pool_invalidated,
            SlotAdvanced: self._slot_advanced,
            VenueStatus: self._venue_status,
            FeedProof: self._feed_proof,
            SettingsApplied: self._settings_applied,
            ModeApplied: self._mode_applied,
            HoldingsKnown: self._holdings_known,
            FeesKnown: self._fees_known,
            ChainFeesKnown: self._chain_fees_known,
            OutcomesKnown: self._outcomes_known,
            SlackKnown: self._slack_known,
            VenuesReady: self._venues_ready,
            WindowsRestored: self._windows_restored,
            IntentRefused: self._intent_refused,
            TradeProgressed: self._trade_progressed,
            TradeClosed: self._trade_closed,
            DayUsage: self._day_usage,
            DeskUsage: self._desk_usage,
            RouteQuoted: self._route_quoted,
            TimerFired: self._timer_fired,
        }

    def _index(self, state: AssetState) -> None:
        spec = state.spec
        self._by_symbol.setdefault(spec.cex_symbol, []).append(state)
        self._by_pool[spec.pool] = state
        marks = {MARK_SYMBOLS[q] for q in (spec.cex_quote, spec.pool_quote) if q in MARK_SYMBOLS}
        for symbol in sorted(marks):
            self._by_mark.setdefault(symbol, []).append(state)

    # ---- the one entry point --------------------------------------------------------

    def handle(self, event: EngineInput) -> list[Effect]:
        """Take one event and return what has to be done, in order."""
        at_ns = event.recv_ns if isinstance(event, _STAMPED_BY_FEED) else event.at_ns
        # Two sources may be stamped out of order by a little: time stands, never goes back.
        self.state.now_ns = max(self.state.now_ns, at_ns)
        if self.state.started_ns is None:
            self.state.started_ns = self.state.now_ns
        return self._handlers[type(event)](event)

    # ---- views for the host ---------------------------------------------------------

    def spread_rows(self, now_ns: int) -> tuple[SpreadRow, ...]:
        """One row per asset, the better direction, as the console shows it."""
        return tuple(
            board.spread_row(self.state, asset, now_ns) for asset in self.state.assets.values()
        )

    def stop_reasons(self, now_ns: int) -> tuple[StopReason, ...]:
        """Why the desk or an asset is not LIVE."""
        return board.stop_reasons(self.state, now_ns)

    def venue_ages(self, now_ns: int) -> dict[str, board.VenueAges]:
        """Ages and slots per venue."""
        return {venue: board.venue_ages(self.state, venue, now_ns) for venue in VENUES}

    def effective_mode(self, asset: str | None = None) -> Mode:
        """The mode in force for the desk, or for one asset (strictest wins)."""
        if asset is None:
            return self.state.controls.effective()
        return self.state.mode_of(asset)

    @property
    def open_trades(self) -> int:
        """Trades in flight over all assets."""
        return sum(state.trades.open_count for state in self.state.assets.values())

    # ---- market facts ---------------------------------------------------------------

    def _book_updated(self, event: BookUpdated) -> list[Effect]:
        effects: list[Effect] = []
        feeds, symbol = self.state.feeds, event.symbol
        if not feeds.take_book(event):
            return effects
        if feeds.take_mark(event):
            for state in self._by_mark.get(symbol, ()):
                state.terms = None
                self._evaluate(state, "book", effects, event.recv_ns)
        for state in self._by_symbol.get(symbol, ()):
            self._evaluate(state, "book", effects, event.recv_ns)
        return effects

    def _book_invalidated(self, event: BookInvalidated) -> list[Effect]:
        self.state.feeds.drop_book(event)
        effects: list[Effect] = []
        for state in self._by_mark.get(event.symbol, ()):
            state.terms = None
            self._evaluate(state, "book", effects)
        for state in self._by_symbol.get(event.symbol, ()):
            self._evaluate(state, "book", effects)
        return effects

    def _ticker_updated(self, event: TickerUpdated) -> list[Effect]:
        self.state.feeds.take_ticker(event)
        return []

    def _instrument_updated(self, event: InstrumentUpdated) -> list[Effect]:
        self.state.feeds.take_instrument(event)
        effects: list[Effect] = []
        for state in self._by_symbol.get(event.symbol, ()):
            try:
                state.spec = spec_from_instrument(state.spec, event)
            except (ValueError, ArithmeticError):
                # A pair whose units cannot be read is not traded until they can.
                self.state.feeds.pair_status[event.symbol] = "unreadable precision"
            state.terms = state.judged = None
            self._evaluate(state, "config", effects)
        return effects

    def _pool_updated(self, event: PoolUpdated) -> list[Effect]:
        state = self._by_pool.get(event.pool)
        effects: list[Effect] = []
        if state is None:
            return effects
        before = self.state.feeds.curves.get(event.pool)
        if not self.state.feeds.take_pool(event, state.spec.base_is_a):
            return effects
        # A resync that repeats the state is news about its slot, not about its price.
        if before is None or not _same_liquidity(before.updated, event):
            self._evaluate(state, "pool", effects, event.recv_ns)
        return effects

    def _pool_invalidated(self, event: PoolInvalidated) -> list[Effect]:
        effects: list[Effect] = []
        state = self._by_pool.get(event.pool)
        if state is not None:
            self.state.feeds.drop_pool(event)
            self._evaluate(state, "pool", effects)
        return effects

    def _slot_advanced(self, event: SlotAdvanced) -> list[Effect]:
        self.state.feeds.take_slot(event)
        return []

    def _venue_status(self, event: VenueStatus) -> list[Effect]:
        self.state.feeds.take_status(event)
        return []

    def _feed_proof(self, event: FeedProof) -> list[Effect]:
        self.state.feeds.take_proof(event)
        return []

    # ---- what the host knows --------------------------------------------------------

    def _settings_applied(self, event: SettingsApplied) -> list[Effect]:
        effects: list[Effect] = []
        state = self.state.assets.get(event.settings.asset)
        if state is None:
            return effects
        if state.settings is not None and event.settings.version < state.settings.version:
            return effects
        state.settings, state.terms, state.judged = event.settings, None, None
        self._evaluate(state, "config", effects)
        return effects

    def _mode_applied(self, event: ModeApplied) -> list[Effect]:
        if self.state.controls.apply(event):
            for touched in self.state.assets.values():
                # PAPER spends other money than LIVE: what was sized on it is void.
                touched.terms = None
            state = self.state.assets.get(event.scope)
            if state is not None:
                state.watch.apply(event)
                state.integrity.apply(event)
                state.loss_trip_asked = event.rule == "daily_loss"
        return []

    def _holdings_known(self, event: HoldingsKnown) -> list[Effect]:
        is_paper = event.book == "paper"
        held = self.state.paper_reservations if is_paper else self.state.reservations
        held.take_holdings(event)
        for state in self.state.assets.values():
            state.terms = None
        return []

    def _fees_known(self, event: FeesKnown) -> list[Effect]:
        self.state.fees = event
        effects: list[Effect] = []
        for state in self.state.assets.values():
            state.terms = state.judged = None
            self._evaluate(state, "config", effects)
        return effects

    def _chain_fees_known(self, event: ChainFeesKnown) -> list[Effect]:
        self.state.chain_fees = event
        for state in self.state.assets.values():
            state.terms = None
        return []

    def _outcomes_known(self, event: OutcomesKnown) -> list[Effect]:
        for outcome in event.outcomes:
            state = self.state.assets.get(outcome.asset)
            if state is not None:
                state.learn(
                    tip_lamports=outcome.tip_lamports,
                    congestion=congestion_named(outcome.congestion),
                    dex_landed=outcome.dex_landed,
                    cex_filled_ratio=outcome.cex_filled_ratio,
                    model=self.state.model.order,
                    at_ns=outcome.at_ns,
                )
        return []

    def _slack_known(self, event: SlackKnown) -> list[Effect]:
        state = self.state.assets.get(event.asset)
        if state is not None:
            state.slack, state.terms = event.split, None
        return []

    def _venues_ready(self, event: VenuesReady) -> list[Effect]:
        self.state.ready = event
        return []

    def _windows_restored(self, event: WindowsRestored) -> list[Effect]:
        latest_ns: dict[str, int] = {}
        for row in event.windows:
            latest_ns[row.asset] = max(row.opened_at_ns, latest_ns.get(row.asset, 0))
        for row in event.windows:
            if row.asset not in self.state.assets:
                continue
            # The other direction opened since: before the restart that ended the merging too.
            ended_ns = row.closed_at_ns
            is_over = ended_ns is not None and row.opened_at_ns < latest_ns[row.asset] >= ended_ns
            tracker = self.state.assets[row.asset].windows[row.direction]
            tracker.restore(row, event.at_ns, can_merge=not is_over)
        for asset in event.busy_assets:
            if asset in self.state.assets:
                self.state.assets[asset].trades.restore()
        return []

    def _intent_refused(self, event: IntentRefused) -> list[Effect]:
        self._release(event.intent_key, event.at_ns)
        state = self.state.assets.get(event.asset)
        if state is None:
            return []
        return self._disown(state, event.intent_key)

    def _trade_progressed(self, event: TradeProgressed) -> list[Effect]:
        state = self.state.assets.get(event.asset)
        if state is not None:
            state.trades.progress(event)
        return []

    def _trade_closed(self, event: TradeClosed) -> list[Effect]:
        self._release(event.intent_key, event.at_ns)
        state = self.state.assets.get(event.asset)
        if state is None:
            return []
        if event.book == "live":
            # What a model did teaches nothing about the venues.
            state.learn(
                tip_lamports=event.tip_lamports,
                congestion=congestion_named(event.congestion),
                dex_landed=event.dex_landed,
                cex_filled_ratio=event.cex_filled_ratio,
                model=self.state.model.order,
                at_ns=self.state.now_ns,
            )
        if state.settings is not None:
            state.cooldown_until_ns = event.at_ns + state.settings.cooldown_ms * 1_000_000
        if event.outcome in ("missed", "stale"):
            return self._disown(state, event.intent_key, event)
        state.trades.close(event)
        return []

    def _day_usage(self, event: DayUsage) -> list[Effect]:
        state = self.state.assets.get(event.asset)
        if state is None:
            return []
        state.take_usage(event)
        settings = state.settings
        if event.book == "paper":
            # A model's loss refuses further paper trades (a gate); it stops no real money.
            return []
        if settings is None or event.loss_usd < settings.daily_loss_cap_usd:
            return []
        if state.loss_trip_asked:
            return []
        state.loss_trip_asked = True
        return [
            RequestStop(
                scope=event.asset,
                rule="daily_loss",
                text="Daily loss cap reached",
                value=f"{event.loss_usd:.2f} USD",
                limit=f"{settings.daily_loss_cap_usd} USD",
                at_ns=event.at_ns,
            )
        ]

    def _desk_usage(self, event: DeskUsage) -> list[Effect]:
        self.state.desk = event
        return []

    def _route_quoted(self, event: RouteQuoted) -> list[Effect]:
        effects: list[Effect] = []
        state = self.state.assets.get(event.asset)
        if state is not None:
            state.routes[event.direction] = event
            self._evaluate(state, "pool", effects)
        return effects

    def _timer_fired(self, event: TimerFired) -> list[Effect]:
        effects: list[Effect] = []
        for state in self.state.assets.values():
            self._check_staleness(state, effects)
            self._check_integrity(state, effects)
            for tracker in state.windows.values():
                tracker.expire(self.state.now_ns)
            # A refusal may have been for a reason that only time cures, and a missing
            # input (a mark, say) may have come without this asset's own book moving.
            if state.fault or (state.has_open_window and state.refusal is not None):
                self._evaluate(state, "book", effects)
        return effects

    # ---- inside ---------------------------------------------------------------------

    def _evaluate(
        self, state: AssetState, source: Source, effects: list[Effect], recv_ns: int | None = None
    ) -> None:
        """Price an asset again; `recv_ns` is set when a market frame asked for it."""
        if state.judged != self.state.feeds.revision:
            state.judged = self.state.feeds.revision
            state.fault = fault_of(self.state, state)
        if state.fault:
            if not (
                state.routes
                and is_pool_fault(state.fault)
                and self._decider.evaluate_routes(state, source, effects)
            ):
                self._close_all(state, state.fault, effects)
            return
        self._decider.evaluate(state, source, effects)
        if recv_ns is not None:
            effects.append(SignalSeen(state.spec.asset, recv_ns, state.has_edge))

    def _close_all(self, state: AssetState, fault: str, effects: list[Effect]) -> None:
        """A market that cannot be seen has no windows; one not seen YET may still have them."""
        state.look_away()
        state.sized, state.has_edge = None, False
        state.refusal = None
        if fault.endswith(UNSEEN):
            return
        for direction in DIRECTIONS:
            row = state.windows[direction].close(self.state.now_ns, "feed")
            if row is not None:
                effects.append(self._decider.note_of_end(state, row))

    def _release(self, key: UUID, at_ns: int) -> None:
        """The money of one intent is free again, on whichever book it was promised."""
        self.state.reservations.release(key, at_ns)
        self.state.paper_reservations.release(key, at_ns)

    def _disown(
        self, state: AssetState, intent_key: UUID, closed: TradeClosed | None = None
    ) -> list[Effect]:
        """Nothing of ours was filled: the window ended for another reason."""
        window = state.trades.close(closed) if closed else state.trades.finish(intent_key)
        if window is None:
            return []
        rows = (tracker.disown(window) for tracker in state.windows.values())
        return [self._decider.note_of_end(state, row) for row in rows if row is not None]

    def _check_integrity(self, state: AssetState, effects: list[Effect]) -> None:
        if state.settings is not None and state.settings.enabled:
            now_ns = self.state.now_ns
            seen = gate_state_of(self.state, state, now_ns)
            effects += state.integrity.check(seen, self.state.limits_of(state), now_ns)

    def _check_staleness(self, state: AssetState, effects: list[Effect]) -> None:
        if state.settings is None or not state.settings.enabled:
            return
        assert self.state.started_ns is not None
        spec = state.spec
        for venue, scope, fault in (
            ("kraken", spec.cex_symbol, self.state.feeds.book_fault(spec.cex_symbol)),
            ("solana", spec.pool, self.state.feeds.pool_fault(spec.pool)),
        ):
            proof_ns = self.state.feeds.proof_ns(venue, scope)  # type: ignore[arg-type]
            request = state.watch.check(
                venue,  # type: ignore[arg-type]
                proof_ns if proof_ns is not None else self.state.started_ns,
                not fault,
                self.state.now_ns,
            )
            if request is not None:
                effects.append(request)


_STAMPED_BY_FEED: Final = (
    BookUpdated,
    PoolUpdated,
    SlotAdvanced,
    FeedProof,
    TickerUpdated,
    BookInvalidated,
    PoolInvalidated,
    InstrumentUpdated,
    VenueStatus,
)


def _same_liquidity(before: PoolUpdated, after: PoolUpdated) -> bool:
    """Whether only the slot differs."""
    return msgspec.structs.replace(before.state, slot=after.state.slot) == after.state
