"""Prices an asset as if it had an edge, and forgets it: keeps what a decision runs in the caches.

Nine ticks of ten see no edge, so the code behind one is the coldest of the tick path just
when it counts. Reads the engine's state and changes nothing that a decision depends on, so
a run with rehearsals decides as one without. Called through `Engine.rehearse`, only where the
processors are kept awake (decision 0023). Not here: when there is time for it (`process.awake`).
"""

from __future__ import annotations

from itertools import cycle
from math import inf

from risk.gates import check
from trading.engine.anchor import PROBE
from trading.engine.engine_state import EngineState
from trading.engine.evaluation import Found, find_size, price_size
from trading.engine.gate_view import gate_state_of
from trading.engine.scene import fault_of, scene_of


class Rehearsal:
    """Rehearses one asset a call, all assets in turn."""

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._turns = cycle(state.assets.values())

    def __call__(self) -> None:
        """Walk and price the smallest trade of the next asset both ways, and ask the gates.

        An asset that cannot be priced now is passed over.
        """
        state, asset = self._state, next(self._turns)
        if asset.terms is None or fault_of(state, asset):
            return
        lots = asset.spec.qty_min_lots
        smallest = Found(lots, lots, window_only=False, limited_by="", worth_usd=0.0)
        for seen in asset.looks:
            scene = scene_of(state, asset, seen.direction)
            find_size(scene, seen, least_usd=-inf)
            price_size(scene, seen, smallest)
        check(PROBE, gate_state_of(state, asset, state.now_ns), state.limits_of(asset))
