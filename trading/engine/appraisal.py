"""Has an asset judged and priced again: the one way from a changed fact to its decision.

Finds out first whether the asset can be priced at all; what cannot be seen has no windows.
Pure; called by those who take the engine's inputs (`market_facts`, `desk_facts`,
`heartbeat`). Not here: the pricing and the decision themselves (`decision`).
"""

from __future__ import annotations

from feeds.market.spec import DIRECTIONS
from trading.effects import Effect, SignalSeen
from trading.engine.asset_state import AssetState
from trading.engine.decision import Decider
from trading.engine.engine_state import EngineState
from trading.engine.feed_state import UNSEEN
from trading.engine.routed import is_pool_fault
from trading.engine.scene import fault_of
from trading.windows import Source


class Appraisal:
    """Judges, then has the decider price; one for all assets."""

    def __init__(self, state: EngineState, decider: Decider) -> None:
        self._state = state
        self._decider = decider

    def evaluate(
        self, state: AssetState, source: Source, effects: list[Effect], recv_ns: int | None = None
    ) -> None:
        """Price an asset again; `recv_ns` is set when a market frame asked for it."""
        if state.judged != self._state.feeds.revision:
            state.judged = self._state.feeds.revision
            state.fault = fault_of(self._state, state)
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
            row = state.windows[direction].close(self._state.now_ns, "feed")
            if row is not None:
                effects.append(self._decider.note_of_end(state, row))
