"""Keeps the engine's loop from ever sleeping, on a host that can spare a core for it.

A core that waits for its next frame halts: its caches cool, and waking takes longer than
the whole tick (decision 0023). Run by the host where `SPREADLINE_ENGINE_AWAKE` asks for it.
"""

from __future__ import annotations

import asyncio


async def stay_awake() -> None:
    """Ask the sockets again at once, for ever: the process takes one core whole."""
    while True:  # noqa: ASYNC110 - there is nothing to wait for, that is the point
        await asyncio.sleep(0)
