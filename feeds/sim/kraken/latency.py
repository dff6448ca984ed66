"""How long the simulated Kraken takes: a lognormal round trip with rare long stalls.

Half of a request's round trip passes before the engine sees it, half before the answer is
on its way back; unasked frames take one way without stalls. Seeded by the caller's stream.
"""

from __future__ import annotations

import math

import msgspec

from feeds.sim.faults import RandomSource

_Z95 = 1.6448536269514722


class Latency(msgspec.Struct, frozen=True):
    """Parameters (milliseconds; domain defaults). `scale` 0 removes every delay.

    `executions_first_p`: how often an order's executions overtake its ack.
    """

    p50_ms: float = 20.0
    p95_ms: float = 80.0
    stall_p: float = 0.002
    stall_min_ms: float = 1_000.0
    stall_max_ms: float = 2_000.0
    scale: float = 1.0
    executions_first_p: float = 0.2

    def round_trip_s(self, rng: RandomSource) -> float:
        """Draw a request's whole round trip in seconds."""
        if not self.scale:
            return 0.0
        if rng.random() < self.stall_p:
            return self.scale * rng.uniform(self.stall_min_ms, self.stall_max_ms) / 1e3
        return self._lognormal_s(rng)

    def one_way_s(self, rng: RandomSource) -> float:
        """Draw the way of an unasked frame in seconds."""
        return self._lognormal_s(rng) / 2 if self.scale else 0.0

    def _lognormal_s(self, rng: RandomSource) -> float:
        sigma = math.log(self.p95_ms / self.p50_ms) / _Z95
        return self.scale * rng.lognormvariate(math.log(self.p50_ms), sigma) / 1e3


NO_LATENCY = Latency(scale=0.0, executions_first_p=0.0)
