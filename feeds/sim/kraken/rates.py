"""Rate counters of the simulated Kraken: trading engine per account and pair, REST per key.

Counters decay linearly. They live in memory: a restart of the venue forgives them.
"""

from __future__ import annotations

from arbsite.clock import Clock
from feeds.sim.kraken.records import OrderRefused, RateTier

# A cancel costs more the younger its order is: (age below seconds, cost).
_CANCEL_COSTS = ((5, 8.0), (10, 6.0), (15, 5.0), (45, 4.0), (90, 2.0), (300, 1.0))


class RateCounters:
    """All counters of the venue, by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, str], tuple[float, int]] = {}

    def add_order(self, account: str, symbol: str, limits: RateTier) -> None:
        """Count one order; OrderRefused when the pair's threshold is passed."""
        if not self._bump((account, symbol), 1.0, limits.max_count, limits.decay_per_s):
            raise OrderRefused("EOrder:Rate limit exceeded")

    def cancel_order(self, account: str, symbol: str, limits: RateTier, opened_ns: int) -> None:
        """Count one cancel by the order's age. A cancel itself is never refused."""
        age_s = (self._clock.now_ns() - opened_ns) / 1e9
        cost = next((cost for limit_s, cost in _CANCEL_COSTS if age_s < limit_s), 0.0)
        self._bump((account, symbol), cost, float("inf"), limits.decay_per_s)

    def call_rest(self, api_key: str, cost: float, limits: RateTier) -> bool:
        """Count one private REST call; False when the key is over its limit."""
        return self._bump(("rest", api_key), cost, limits.rest_max, limits.rest_decay_per_s)

    def count(self, account: str, symbol: str, limits: RateTier) -> float:
        """The pair's present count."""
        return self._decayed((account, symbol), limits.decay_per_s)

    def _decayed(self, key: tuple[str, str], decay_per_s: float) -> float:
        count, at_ns = self._counts.get(key, (0.0, 0))
        elapsed_s = (self._clock.monotonic_ns() - at_ns) / 1e9
        return max(0.0, count - elapsed_s * decay_per_s)

    def _bump(self, key: tuple[str, str], cost: float, limit: float, decay_per_s: float) -> bool:
        count = self._decayed(key, decay_per_s) + cost
        if count > limit:
            return False
        self._counts[key] = (count, self._clock.monotonic_ns())
        return True
