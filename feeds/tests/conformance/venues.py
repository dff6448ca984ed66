"""The still venues, and a loop on which hours pass in seconds while real sockets are waited for.

The venues themselves are `feeds.still_venues`; the tests name everything from here.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from feeds.still_venues import (
    BID_TICKS,
    ENDPOINTS,
    LOTS_PER_SOL,
    STEADY,
    SYMBOL,
    SimVenues,
)

__all__ = [
    "BID_TICKS",
    "ENDPOINTS",
    "LOTS_PER_SOL",
    "STEADY",
    "SYMBOL",
    "SimVenues",
    "run_patient",
]

T = TypeVar("T")


class PatientSelector(selectors.SelectSelector):
    """Never sleeps, but waits for real sockets: a database answers in no virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # One descriptor is the loop's own wake-up pipe; psycopg registers its socket only
        # while it waits for an answer.
        is_waiting = len(self.get_map()) > 1
        if is_waiting and timeout != 0:
            ready = super().select(20.0)
            if not ready:
                raise RuntimeError("a real socket has not answered for 20 s")
            return ready
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing is ready and no timer is armed")
        if not ready:
            self.now_s += max(timeout or 0.0, 0.0)
        return ready


class PatientLoop(asyncio.SelectorEventLoop):
    """A virtual loop on which real sockets may be awaited too."""

    def __init__(self) -> None:
        self._patient = PatientSelector()
        super().__init__(self._patient)

    def time(self) -> float:
        return self._patient.now_s

    def call_later(self, delay: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
        # Real time always moves on; a nap lost in the clock's rounding would repeat for ever.
        return super().call_later(max(delay, 1e-6) if delay else delay, *args, **options)


def run_patient(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a fresh patient loop."""
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(main)
