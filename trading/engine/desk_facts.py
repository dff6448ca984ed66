"""What the desk knows and the engine is told: settings, modes, money, fees, odds, windows, use.

Pure; called by the engine. Not here: what the venues say (`market_facts`), how our own trades
go (`trade_facts`).
"""

from __future__ import annotations

from trading.effects import Effect, RequestStop
from trading.engine.appraisal import Appraisal
from trading.engine.engine_state import EngineState, Takers
from trading.inputs import (
    ChainFeesKnown,
    DayUsage,
    DeskUsage,
    FeesKnown,
    HoldingsKnown,
    ModeApplied,
    OutcomesKnown,
    SettingsApplied,
    SlackKnown,
    VenuesReady,
    WindowsRestored,
)


class DeskFacts:
    """Takes what the host has read from the database and asked the venues for."""

    def __init__(self, state: EngineState, appraisal: Appraisal) -> None:
        self._state = state
        self._appraisal = appraisal

    def takers(self) -> Takers:
        """Who takes which event."""
        return {
            SettingsApplied: self._settings_applied,
            ModeApplied: self._mode_applied,
            HoldingsKnown: self._holdings_known,
            FeesKnown: self._fees_known,
            ChainFeesKnown: self._chain_fees_known,
            OutcomesKnown: self._outcomes_known,
            SlackKnown: self._slack_known,
            VenuesReady: self._venues_ready,
            WindowsRestored: self._windows_restored,
            DayUsage: self._day_usage,
            DeskUsage: self._desk_usage,
        }

    def _settings_applied(self, event: SettingsApplied) -> list[Effect]:
        effects: list[Effect] = []
        state = self._state.assets.get(event.settings.asset)
        if state is None:
            return effects
        if state.settings is not None and event.settings.version < state.settings.version:
            return effects
        state.settings, state.terms, state.judged = event.settings, None, None
        self._appraisal.evaluate(state, "config", effects)
        return effects

    def _mode_applied(self, event: ModeApplied) -> list[Effect]:
        if self._state.controls.apply(event):
            for touched in self._state.assets.values():
                # PAPER spends other money than LIVE: what was sized on it is void.
                touched.terms = None
            state = self._state.assets.get(event.scope)
            if state is not None:
                state.watch.apply(event)
                state.integrity.apply(event)
                state.loss_trip_asked = event.rule == "daily_loss"
        return []

    def _holdings_known(self, event: HoldingsKnown) -> list[Effect]:
        is_paper = event.book == "paper"
        held = self._state.paper_reservations if is_paper else self._state.reservations
        held.take_holdings(event)
        for state in self._state.assets.values():
            state.terms = None
        return []

    def _fees_known(self, event: FeesKnown) -> list[Effect]:
        self._state.fees = event
        effects: list[Effect] = []
        for state in self._state.assets.values():
            state.terms = state.judged = None
            self._appraisal.evaluate(state, "config", effects)
        return effects

    def _chain_fees_known(self, event: ChainFeesKnown) -> list[Effect]:
        self._state.chain_fees = event
        for state in self._state.assets.values():
            state.terms = None
        return []

    def _outcomes_known(self, event: OutcomesKnown) -> list[Effect]:
        for outcome in event.outcomes:
            self._state.learn(outcome)
        return []

    def _slack_known(self, event: SlackKnown) -> list[Effect]:
        state = self._state.assets.get(event.asset)
        if state is not None:
            state.slack, state.terms = event.split, None
        return []

    def _venues_ready(self, event: VenuesReady) -> list[Effect]:
        self._state.ready = event
        return []

    def _windows_restored(self, event: WindowsRestored) -> list[Effect]:
        latest_ns: dict[str, int] = {}
        for row in event.windows:
            latest_ns[row.asset] = max(row.opened_at_ns, latest_ns.get(row.asset, 0))
        for row in event.windows:
            if row.asset not in self._state.assets:
                continue
            # The other direction opened since: before the restart that ended the merging too.
            ended_ns = row.closed_at_ns
            is_over = ended_ns is not None and row.opened_at_ns < latest_ns[row.asset] >= ended_ns
            tracker = self._state.assets[row.asset].windows[row.direction]
            tracker.restore(row, event.at_ns, can_merge=not is_over)
        for asset in event.busy_assets:
            if asset in self._state.assets:
                self._state.assets[asset].trades.restore()
        return []

    def _day_usage(self, event: DayUsage) -> list[Effect]:
        state = self._state.assets.get(event.asset)
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
        self._state.desk = event
        return []
