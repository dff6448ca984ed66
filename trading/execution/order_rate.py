"""The order-rate breaker: too many orders within a minute stop what is new.

A desk that sends more than it was built to send is wrong in a way no other gate knows.
Counts Kraken orders and first sends of swaps, hedges included; hedges are counted but never
held back, because a stop must not leave a leg naked. Caller: the executor.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from arbsite.clock import Clock
from trading.execution.ports import OrdersPerMinute

MINUTE_NS: Final = 60_000_000_000


class RateBreach(msgspec.Struct, frozen=True):
    """Which scope ("*" or an asset) sent how many in the last minute, and its limit."""

    scope: str
    sent: int
    limit: int


class OrderRate:
    """Sends of the last minute by asset."""

    def __init__(self, limits: OrdersPerMinute, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._sent: dict[str, deque[int]] = {}

    def note(self, asset: str) -> None:
        """One order or swap of this asset leaves now."""
        self._sent.setdefault(asset, deque()).append(self._clock.monotonic_ns())

    def breach(self, asset: str) -> RateBreach | None:
        """The limit that one more trade (two orders) of this asset would pass."""
        horizon_ns = self._clock.monotonic_ns() - MINUTE_NS
        for sends in self._sent.values():
            while sends and sends[0] <= horizon_ns:
                sends.popleft()
        of_asset = len(self._sent.get(asset, ()))
        total = sum(map(len, self._sent.values()))
        if total + 2 > self._limits.total:
            return RateBreach("*", total, self._limits.total)
        if of_asset + 2 > self._limits.asset:
            return RateBreach(asset, of_asset, self._limits.asset)
        return None
