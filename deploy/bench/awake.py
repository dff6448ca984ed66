"""Runs a bench's loop as an engine's own: with the processors kept awake, or as they are.

Imported by the benches; not a command.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trading.engine.core import Engine
from trading.process.awake import MaySleep, processors_awake, stay_awake


def may_stay_awake() -> bool:
    """Whether this user may keep the processors awake; says why not."""
    try:
        with processors_awake():
            return True
    except MaySleep as reason:
        print(f"no rows with the processors kept awake: {reason}", flush=True)
        return False


@asynccontextmanager
async def kept_awake(engine: Engine, is_awake: bool) -> AsyncIterator[None]:
    """Keep the processors from sleeping and `engine` rehearsing, or neither."""
    task = asyncio.create_task(stay_awake(engine.rehearse)) if is_awake else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
