"""One event clock for the whole simulated world: what happens next, and when.

Everything the world does by itself is a callback due at an absolute wall time, run in
order of (time, order of planning). Driven step by step in tests (`run_until`) or along a
loop's clock (`run`), real or virtual: the callbacks see their due time, never the moment
the process got round to them, so the path depends on the seed alone.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from arbsite.clock import Clock
from feeds.sim.faults import RandomSource

T = TypeVar("T")

Due = Callable[[int], None]
"""Called with the due time in ns UTC."""

_LONGEST_NAP_S = 0.5
_BATCH = 64


class Stream(RandomSource, Protocol):
    """A seeded random stream (arbsite.clock) with the draws the world makes."""

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """A normal draw."""

    def expovariate(self, lambd: float) -> float:
        """An exponential draw; the mean is 1 / lambd."""

    def choice(self, seq: Sequence[T]) -> T:
        """One of the items, each as likely."""


class Schedule:
    """A heap of callbacks. Callbacks may plan further ones, also at the present time."""

    def __init__(self, start_ns: int) -> None:
        self._heap: list[tuple[int, int, Due]] = []
        self._planned = 0
        self.now_ns = start_ns

    def at(self, due_ns: int, call: Due) -> None:
        """Plan `call` for `due_ns`; a time already past means now."""
        self._planned += 1
        heapq.heappush(self._heap, (max(due_ns, self.now_ns), self._planned, call))

    def after(self, delay_ns: int, call: Due) -> None:
        """Plan `call` for `delay_ns` after the present event."""
        self.at(self.now_ns + delay_ns, call)

    @property
    def next_ns(self) -> int | None:
        """When the next event is due; None when nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def run_next(self) -> None:
        """Run the one event that is due first; IndexError when there is none."""
        due_ns, _, call = heapq.heappop(self._heap)
        self.now_ns = due_ns
        call(due_ns)

    def run_until(self, end_ns: int) -> None:
        """Run everything due up to and at `end_ns`, then stand there."""
        while self._heap and self._heap[0][0] <= end_ns:
            self.run_next()
        self.now_ns = max(self.now_ns, end_ns)

    async def run(self, clock: Clock) -> None:
        """Run events as `clock` reaches them, until cancelled.

        Yields to the loop after a batch, so a world that is behind catches up without
        starving its sockets.
        """
        while True:
            ran = 0
            while self._heap and self._heap[0][0] <= clock.now_ns() and ran < _BATCH:
                self.run_next()
                ran += 1
            if ran == _BATCH:
                await asyncio.sleep(0)
                continue
            wait_s = _LONGEST_NAP_S
            if self._heap:
                wait_s = min(wait_s, (self._heap[0][0] - clock.now_ns()) / 1e9)
            await asyncio.sleep(max(wait_s, 0.0))
