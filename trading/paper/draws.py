"""Luck of the paper desk: round trips, landing, the order inside a slot, congestion.

Each intent draws from streams named by its key, so that two runs with different settings
meet the same luck wherever they make the same trade. Pure; called by the executor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from trading.paper.model import LandingModel, WireModel

_Z95 = 1.6448536269514722
_BID_FLOOR_LAMPORTS = 1_000


class Stream(Protocol):
    """A seeded random stream (arbsite.clock)."""

    def random(self) -> float:
        """Uniform in [0, 1)."""

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """A normal draw."""

    def uniform(self, a: float, b: float) -> float:
        """Uniform in [a, b]."""

    def lognormvariate(self, mu: float, sigma: float) -> float:
        """A lognormal draw."""


Streams = Callable[[str], Stream]
"""The stream of a name; the same name gives the same draws."""


def round_trip_ns(wire: WireModel, rng: Stream) -> int:
    """Draw a request's whole round trip in ns."""
    if rng.random() < wire.stall_p:
        return round(rng.uniform(wire.stall_min_ms, wire.stall_max_ms) * 1e6)
    sigma = math.log(wire.p95_ms / wire.p50_ms) / _Z95
    return round(rng.lognormvariate(math.log(wire.p50_ms), sigma) * 1e6)


class Congestion:
    """How much dearer than usual a place in a block is; 1 is usual. Moves once a slot."""

    def __init__(self, model: LandingModel, rng: Stream) -> None:
        self._kept = 1 - model.congestion_recall
        self._shock = model.congestion_spread * math.sqrt(1 - self._kept * self._kept)
        self._rng = rng
        self._log = 0.0

    def next_slot(self) -> None:
        """Move on by one slot."""
        self._log = self._kept * self._log + self._rng.gauss(0, self._shock)

    @property
    def factor(self) -> float:
        """The multiple of the reference bid that now buys the reference chance."""
        return math.exp(self._log)


def land_chance(model: LandingModel, bid_lamports: int, congestion: float) -> float:
    """Chance of getting into one slot: `land_p` at the reference bid, saturating above."""
    if model.land_p >= 1:
        return 1.0
    top = max(model.top_land_p / model.land_p, 1 + 1e-9)
    relative = bid_lamports / (model.reference_bid_lamports * congestion)
    return model.land_p * top * relative / (relative + top - 1)


def goes_first(model: LandingModel, bid_lamports: int, rng: Stream) -> bool:
    """Draw whether we are executed before the others that traded the pool in our slot."""
    ours = math.log(bid_lamports + _BID_FLOOR_LAMPORTS) + rng.gauss(0, model.luck)
    theirs = math.log(model.rival_bid_lamports + _BID_FLOOR_LAMPORTS) + rng.gauss(0, model.luck)
    return ours > theirs
