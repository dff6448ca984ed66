"""Keeps Jupiter calls under the account's limit and quiet after a 429.

The API counts requests per account over a sliding window of 60 s, whatever the key. Time
comes from the clock given; nothing waits here. Called by `client` before every request.
"""

from __future__ import annotations

from collections import deque

from arbsite.clock import Clock
from feeds.venues.backoff import Jitter

WINDOW_S = 60.0
_NS = 1_000_000_000
_BASE_S = 2.0
_CAP_S = 60.0


class RequestBudget:
    """At most `per_second · 60` requests in any 60 s, none during a penalty."""

    def __init__(self, clock: Clock, rng: Jitter, *, per_second: float) -> None:
        if per_second <= 0:
            raise ValueError("requests per second must be positive")
        self._clock = clock
        self._rng = rng
        self._limit = max(1, int(per_second * WINDOW_S))
        self._sent_ns: deque[int] = deque()
        self._quiet_until_ns = 0
        self._refusals = 0

    def wait_s(self, count: int = 1) -> float:
        """Return the seconds until `count` requests fit, 0.0 when they fit now."""
        now_ns = self._clock.monotonic_ns()
        window_ns = round(WINDOW_S * _NS)
        while self._sent_ns and now_ns - self._sent_ns[0] >= window_ns:
            self._sent_ns.popleft()
        free_ns = now_ns
        excess = len(self._sent_ns) + count - self._limit
        if excess > 0:
            place = min(excess, len(self._sent_ns)) - 1
            free_ns = self._sent_ns[place] + window_ns if place >= 0 else now_ns + window_ns
        return max(0, max(free_ns, self._quiet_until_ns) - now_ns) / _NS

    def spend(self) -> None:
        """Count one request sent now."""
        self._sent_ns.append(self._clock.monotonic_ns())

    def note_refused(self) -> None:
        """A 429: be quiet for a doubling time, jittered upwards."""
        self._refusals += 1
        pause_s = min(_CAP_S, _BASE_S * 2.0 ** min(self._refusals - 1, 16))
        pause_s *= self._rng.uniform(1.0, 1.5)
        self._quiet_until_ns = self._clock.monotonic_ns() + round(pause_s * _NS)

    def note_answered(self) -> None:
        """An answer came: the next 429 starts from the shortest pause again."""
        self._refusals = 0
