"""When to try a connection again: jittered, capped, and inside the venue's attempt budget.

A drop after a stable time is retried at once; repeated failures wait a random share of a
doubling limit. Venues ban addresses that connect too often, so attempts are counted over
a rolling window as well. Called by every venue adapter that keeps a socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from arbsite.clock import Clock

_NS = 1_000_000_000


class Jitter(Protocol):
    """The one draw a backoff needs; any `random.Random` fits."""

    def uniform(self, a: float, b: float, /) -> float: ...


class AttemptBudget:
    """At most `limit` attempts in any `window_s`; share one object to share the budget.

    Kraken's edge allows about 150 per 10 minutes and address. The default leaves room for
    a second socket with a budget of its own.
    """

    def __init__(self, clock: Clock, *, limit: int = 70, window_s: float = 600.0) -> None:
        if limit < 1:
            raise ValueError("limit must be >= 1")
        self._clock = clock
        self._limit = limit
        self._window_ns = round(window_s * _NS)
        self._attempts_ns: deque[int] = deque()

    def wait_s(self) -> float:
        """Return the seconds until one more attempt fits, 0.0 when it fits now."""
        now_ns = self._clock.monotonic_ns()
        attempts = self._attempts_ns
        while attempts and now_ns - attempts[0] >= self._window_ns:
            attempts.popleft()
        if len(attempts) < self._limit:
            return 0.0
        return (attempts[-self._limit] + self._window_ns - now_ns) / _NS

    def spend(self) -> None:
        """Count one attempt made now."""
        self._attempts_ns.append(self._clock.monotonic_ns())


class Backoff:
    """Paces one connection: `await pause()`, connect, `note_up()`, …, `note_down()`.

    The delay before attempt n+1 is uniform in [0, min(cap, base·2^n)] where n counts
    failures and short-lived connections; it falls to 0 only after `stable_s` of uptime.
    """

    def __init__(
        self,
        clock: Clock,
        rng: Jitter,
        *,
        base_s: float = 0.25,
        cap_s: float = 30.0,
        stable_s: float = 30.0,
        budget: AttemptBudget | None = None,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._base_s = base_s
        self._cap_s = cap_s
        self._stable_ns = round(stable_s * _NS)
        self._budget = budget or AttemptBudget(clock)
        self._failures = 0
        self._up_since_ns: int | None = None

    @property
    def failures(self) -> int:
        """Attempts since the last stable connection that failed or did not last."""
        return self._failures

    def delay_s(self, *, floor_s: float = 0.0) -> float:
        """Draw the seconds to wait before the next attempt, at least `floor_s`."""
        limit_s = 0.0
        if self._failures:
            # The exponent is bounded: 2**1024 does not fit a float.
            limit_s = min(self._cap_s, self._base_s * 2.0 ** min(self._failures - 1, 32))
        return max(floor_s, self._rng.uniform(0.0, limit_s), self._budget.wait_s())

    async def pause(self, *, floor_s: float = 0.0) -> float:
        """Wait for the next attempt's turn, count the attempt, return the seconds waited."""
        waited_s = self.delay_s(floor_s=floor_s)
        if waited_s > 0:
            await asyncio.sleep(waited_s)
        while (extra_s := self._budget.wait_s()) > 0:
            # Another user of a shared budget was first.
            await asyncio.sleep(extra_s)
            waited_s += extra_s
        self._budget.spend()
        # Counted as failed until a stable uptime proves otherwise.
        self._failures += 1
        return waited_s

    def forgive(self) -> None:
        """Forget the failures: what caused them is known to be gone."""
        self._failures = 0

    def note_up(self) -> None:
        """The attempt succeeded: uptime starts now."""
        self._up_since_ns = self._clock.monotonic_ns()

    def note_down(self) -> None:
        """The connection ended; a stable one clears the failures. Benign when never up."""
        up_since_ns, self._up_since_ns = self._up_since_ns, None
        if up_since_ns is None:
            return
        if self._clock.monotonic_ns() - up_since_ns >= self._stable_ns:
            self._failures = 0
