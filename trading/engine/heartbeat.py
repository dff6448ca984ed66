"""The engine's beat: what only time changes, asset by asset.

Silent feeds and clocks gone wrong ask for a stop, gaps of windows run out, and what was
refused for a reason that time cures is asked again. Pure; called by the engine.
"""

from __future__ import annotations

from trading.effects import Effect
from trading.engine.appraisal import Appraisal
from trading.engine.asset_state import AssetState
from trading.engine.engine_state import EngineState, Takers
from trading.engine.gate_view import gate_state_of
from trading.inputs import TimerFired


class Heartbeat:
    """Takes the host's timer."""

    def __init__(self, state: EngineState, appraisal: Appraisal) -> None:
        self._state = state
        self._appraisal = appraisal

    def takers(self) -> Takers:
        """Who takes which event."""
        return {TimerFired: self._timer_fired}

    def _timer_fired(self, event: TimerFired) -> list[Effect]:
        effects: list[Effect] = []
        for state in self._state.assets.values():
            self._check_staleness(state, effects)
            self._check_integrity(state, effects)
            for tracker in state.windows.values():
                tracker.expire(self._state.now_ns)
            # A refusal may have been for a reason that only time cures, and a missing
            # input (a mark, say) may have come without this asset's own book moving.
            if state.fault or (state.has_open_window and state.refusal is not None):
                self._appraisal.evaluate(state, "book", effects)
        return effects

    def _check_integrity(self, state: AssetState, effects: list[Effect]) -> None:
        if state.settings is not None and state.settings.enabled:
            now_ns = self._state.now_ns
            seen = gate_state_of(self._state, state, now_ns)
            effects += state.integrity.check(seen, self._state.limits_of(state), now_ns)

    def _check_staleness(self, state: AssetState, effects: list[Effect]) -> None:
        if state.settings is None or not state.settings.enabled:
            return
        assert self._state.started_ns is not None
        spec = state.spec
        for venue, scope, fault in (
            ("kraken", spec.cex_symbol, self._state.feeds.book_fault(spec.cex_symbol)),
            ("solana", spec.pool, self._state.feeds.pool_fault(spec.pool)),
        ):
            proof_ns = self._state.feeds.proof_ns(venue, scope)  # type: ignore[arg-type]
            request = state.watch.check(
                venue,  # type: ignore[arg-type]
                proof_ns if proof_ns is not None else self._state.started_ns,
                not fault,
                self._state.now_ns,
            )
            if request is not None:
                effects.append(request)
