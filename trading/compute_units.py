"""How many compute units a swap may use: measured by simulation, kept as a limit per way.

A way is a pool and a direction, or its routes (`ROUTE`). The limit enters the transaction
and, times the priority price, its cost; asking for more than is needed is paid for nothing,
for less fails the swap and is paid too. Pure; `compute_sampling` fills it, `chain_fees`
tells the engine. Not here: simulating, the price of a unit (`bidding`).
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal

import msgspec

# Covers one hop on a static pool (facts: 150-200k); asked for until samples exist.
PRIOR_UNITS: Final = 200_000
FLOOR_UNITS: Final = 20_000
# The chain's own maximum for one transaction.
MOST_UNITS: Final = 1_400_000
# Vendors advise 1.1 to 1.2 times what a simulation used.
MARGIN_PCT: Final = 115
# Each tick or fee group crossed cost 3-9k on the deployed program; the pool may move by a
# crossing or two between the simulation and the block.
CROSSING_UNITS: Final = 9_000
CROSSINGS_AHEAD: Final = 2
SAMPLES_KEPT: Final = 20
# Without a fresh simulation the pool may have become another: never below the prior then.
STALE_NS: Final = 600_000_000_000
ROUTE: Final = "route"


class ComputeLimit(msgspec.Struct, frozen=True):
    """The limit of one way, in compute units, and what it was made from.

    `source`: "prior" before any sample, "simulation", or "failure" while a swap that ran out
    of units has raised it. `largest` is the most that any of the `samples` used, `at_ns` the
    time of the newest.
    """

    units: int = PRIOR_UNITS
    source: Literal["prior", "simulation", "failure"] = "prior"
    samples: int = 0
    largest: int = 0
    at_ns: int = 0


PRIOR_LIMIT: Final = ComputeLimit()
Limits = dict[str, dict[str, ComputeLimit]]
"""By pool, then by direction or `ROUTE`; a way without an entry has the prior."""


class ComputeLimits:
    """The last samples of every way of one engine process, and the limits they give."""

    def __init__(self) -> None:
        self._ways: dict[tuple[str, str], _Way] = {}

    def take(self, pool: str, way: str, *, units: int, crosses: bool, at_ns: int) -> None:
        """Count what one simulated swap used; `crosses`: the pool's price moves in ticks."""
        headroom = CROSSING_UNITS * CROSSINGS_AHEAD if crosses else 0
        self._way(pool, way).take(units, headroom, at_ns)

    def exceeded(self, pool: str, way: str, *, limit: int, at_ns: int) -> bool:
        """A swap landed and ran out of `limit` units; whether that raises the limit."""
        return self._way(pool, way).exceeded(limit, at_ns)

    def in_force(self, now_ns: int) -> Limits:
        """Every way's limit at this time."""
        found: Limits = {}
        for (pool, way), kept in sorted(self._ways.items()):
            found.setdefault(pool, {})[way] = kept.limit(now_ns)
        return found

    def _way(self, pool: str, way: str) -> _Way:
        return self._ways.setdefault((pool, way), _Way())


class _Way:
    """One way: what the last simulations used, and what a failure asks for."""

    def __init__(self) -> None:
        self._used: deque[int] = deque(maxlen=SAMPLES_KEPT)
        self._headroom = 0
        self._at_ns = 0
        self._raised = 0
        self._raised_for = 0

    def take(self, units: int, headroom: int, at_ns: int) -> None:
        self._used.append(units)
        self._headroom, self._at_ns = headroom, at_ns
        # A failure is remembered as long as a sample: the window then shows what it missed.
        self._raised_for = max(0, self._raised_for - 1)
        if not self._raised_for:
            self._raised = 0

    def exceeded(self, limit: int, at_ns: int) -> bool:
        wanted = min(MOST_UNITS, max(2 * limit, PRIOR_UNITS))
        has_grown = wanted > self.limit(at_ns).units
        if has_grown:
            self._raised, self._raised_for = wanted, SAMPLES_KEPT
            self._at_ns = max(self._at_ns, at_ns)
        return has_grown

    def limit(self, now_ns: int) -> ComputeLimit:
        largest = max(self._used, default=0)
        units = -(-largest * MARGIN_PCT // 100) + self._headroom if self._used else PRIOR_UNITS
        if now_ns - self._at_ns > STALE_NS:
            units = max(units, PRIOR_UNITS)
        source: Literal["prior", "simulation", "failure"]
        source = "simulation" if self._used else "prior"
        if self._raised > units:
            units, source = self._raised, "failure"
        return ComputeLimit(
            units=min(MOST_UNITS, max(FLOOR_UNITS, units)),
            source=source,
            samples=len(self._used),
            largest=largest,
            at_ns=self._at_ns,
        )
