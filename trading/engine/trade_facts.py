"""How our own trades go: money set free, odds learnt, windows that were not ours after all.

Pure; called by the engine. Not here: the trades themselves (`executor`), what they hold
(`projection`).
"""

from __future__ import annotations

from uuid import UUID

from trading.effects import Effect
from trading.engine.asset_state import AssetState
from trading.engine.decision import Decider
from trading.engine.engine_state import EngineState, Takers
from trading.inputs import IntentRefused, LandingOutcome, TradeClosed, TradeProgressed


class TradeFacts:
    """Takes what became of the intents."""

    def __init__(self, state: EngineState, decider: Decider) -> None:
        self._state = state
        self._decider = decider

    def takers(self) -> Takers:
        """Who takes which event."""
        return {
            IntentRefused: self._intent_refused,
            TradeProgressed: self._trade_progressed,
            TradeClosed: self._trade_closed,
        }

    def _intent_refused(self, event: IntentRefused) -> list[Effect]:
        self._release(event.intent_key, event.at_ns)
        state = self._state.assets.get(event.asset)
        if state is None:
            return []
        return self._disown(state, event.intent_key)

    def _trade_progressed(self, event: TradeProgressed) -> list[Effect]:
        state = self._state.assets.get(event.asset)
        if state is not None:
            state.trades.progress(event)
        return []

    def _trade_closed(self, event: TradeClosed) -> list[Effect]:
        self._release(event.intent_key, event.at_ns)
        state = self._state.assets.get(event.asset)
        if state is None:
            return []
        if event.book == "live":
            # What a model did teaches nothing about the venues.
            self._state.learn(
                LandingOutcome(
                    asset=event.asset,
                    tip_lamports=event.tip_lamports,
                    congestion=event.congestion,
                    dex_landed=event.dex_landed,
                    cex_filled_ratio=event.cex_filled_ratio,
                    at_ns=self._state.now_ns,
                    opening=event.opening,
                )
            )
        if state.settings is not None:
            state.cooldown_until_ns = event.at_ns + state.settings.cooldown_ms * 1_000_000
        if event.outcome in ("missed", "stale"):
            return self._disown(state, event.intent_key, event)
        state.trades.close(event)
        return []

    def _release(self, key: UUID, at_ns: int) -> None:
        """The money of one intent is free again, on whichever book it was promised."""
        self._state.reservations.release(key, at_ns)
        self._state.paper_reservations.release(key, at_ns)

    def _disown(
        self, state: AssetState, intent_key: UUID, closed: TradeClosed | None = None
    ) -> list[Effect]:
        """Nothing of ours was filled: the window ended for another reason."""
        window = state.trades.close(closed) if closed else state.trades.finish(intent_key)
        if window is None:
            return []
        rows = (tracker.disown(window) for tracker in state.windows.values())
        return [self._decider.note_of_end(state, row) for row in rows if row is not None]
