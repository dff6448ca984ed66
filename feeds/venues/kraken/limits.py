"""The venue's rate counters, kept on our side so that its refusals stay rare.

Counters rise by the cost of a call and decay with time. Two kinds: one for REST, one per
pair for orders (shared by every interface of the account, so ours is a lower bound).
Called by `rest` and `trading`.
"""

from __future__ import annotations

import msgspec

from arbsite.clock import Clock

_NS = 1_000_000_000


class Tier(msgspec.Struct, frozen=True):
    """Limits of one verification tier: counter maxima and decays per second."""

    name: str
    rest_maximum: float
    rest_decay: float
    order_maximum: float
    order_decay: float


STARTER = Tier("starter", 15, 0.33, 60, 1.0)
INTERMEDIATE = Tier("intermediate", 20, 0.5, 125, 2.34)
PRO = Tier("pro", 20, 1.0, 180, 3.75)
TIERS = (STARTER, INTERMEDIATE, PRO)


def tier_from_rate_count(maximum: int) -> Tier | None:
    """The tier whose order threshold the venue told us, None when it is none we know."""
    return next((tier for tier in TIERS if tier.order_maximum == maximum), None)


class DecayingCounter:
    """A counter that falls by `decay` per second and must stay at or under `maximum`."""

    def __init__(self, clock: Clock, *, maximum: float, decay: float) -> None:
        if decay <= 0:
            raise ValueError("decay must be positive")
        self._clock = clock
        self._maximum = maximum
        self._decay = decay
        self._level = 0.0
        self._at_ns = clock.monotonic_ns()

    @property
    def level(self) -> float:
        """The counter now."""
        now_ns = self._clock.monotonic_ns()
        self._level = max(0.0, self._level - (now_ns - self._at_ns) / _NS * self._decay)
        self._at_ns = now_ns
        return self._level

    def wait_s(self, cost: float, *, share: float = 1.0) -> float:
        """Seconds until `cost` fits into this share of the counter, 0.0 when it fits now."""
        return max(0.0, (self.level + cost - self._maximum * share) / self._decay)

    def add(self, cost: float) -> None:
        """Count a call that was made, whether it fitted or not."""
        self._level = self.level + cost

    def fill(self) -> None:
        """Take the venue's word that the counter is full: others count on it too.

        An engine that died has spent what its heir does not know of.
        """
        self._level = max(self.level, self._maximum)

    def set_limits(self, *, maximum: float, decay: float) -> None:
        """Follow a changed tier; the level stays."""
        self._level = self.level
        self._maximum, self._decay = maximum, decay


class OrderLimiter:
    """One counter per pair. An IOC order costs one; the engine's own cancel is free."""

    def __init__(self, clock: Clock, tier: Tier) -> None:
        self._clock = clock
        self._tier = tier
        self._by_symbol: dict[str, DecayingCounter] = {}

    def try_spend(self, symbol: str) -> bool:
        """Count one order of `symbol` if it fits; False means do not send."""
        counter = self._by_symbol.get(symbol)
        if counter is None:
            counter = self._by_symbol[symbol] = DecayingCounter(
                self._clock, maximum=self._tier.order_maximum, decay=self._tier.order_decay
            )
        if counter.wait_s(1.0) > 0:
            return False
        counter.add(1.0)
        return True

    def set_tier(self, tier: Tier) -> None:
        """Take the tier the venue told us."""
        self._tier = tier
        for counter in self._by_symbol.values():
            counter.set_limits(maximum=tier.order_maximum, decay=tier.order_decay)
