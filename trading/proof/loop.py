"""The virtual loop of the proof: no system call between two moments.

Nothing here waits on sockets (the database answers on the spot), so the loop need not poll
the kernel, which is a sixth of a seed's time; it does so now and then for Ctrl-C's sake.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

from feeds.sim.virtual_loop import Stuck

POLL_EVERY = 512
# Real time always moves on; a nap lost in the clock's rounding would repeat for ever.
SHORTEST_NAP_S = 1e-6


class _Jumping(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._calls = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._calls += 1
        if self._calls % POLL_EVERY == 0 and (ready := super().select(0)):
            return ready
        if timeout is None:
            raise Stuck("nothing is ready and no timer is armed")
        if timeout > 0:
            self.now_s += timeout
        return []


class ProofLoop(asyncio.SelectorEventLoop):
    """Virtual seconds from 0; the clock jumps to the next timer."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now_s

    def call_later(  # type: ignore[override]
        self, delay: float, *args: Any, **options: Any
    ) -> asyncio.TimerHandle:
        """As asyncio's; a nap is at least a microsecond."""
        nap_s = max(delay, SHORTEST_NAP_S) if delay > 0 else delay
        return super().call_later(nap_s, *args, **options)
