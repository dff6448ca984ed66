"""Keeps the engine's loop from ever sleeping, on a host that can spare a core for it.

A core that waits for its next frame halts: its caches cool, and waking takes longer than
the whole tick (decision 0023). Between frames the engine rehearses, so that the first edge
after a quiet second does not find its code in main memory. Run by the host where
`SPREADLINE_ENGINE_AWAKE` asks for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

# A rehearsal takes 25 to 50 us, which a frame that comes meanwhile waits for: one in thirty.
REHEARSE_EVERY_NS: Final = 1_000_000


async def stay_awake(rehearse: Callable[[], None]) -> None:
    """Ask the sockets again at once, for ever: the process takes one core whole."""
    due_ns = 0
    while True:
        await asyncio.sleep(0)
        if time.perf_counter_ns() >= due_ns:
            rehearse()
            due_ns = time.perf_counter_ns() + REHEARSE_EVERY_NS
