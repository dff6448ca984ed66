"""Makes a bench's host what an engine makes of its own: awake, with a processor apart.

Imported by the benches; not a command.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from arbsite.processors import AUTO, engine_processor, leave_to_engine
from trading.process.awake import MaySleep, processors_awake, stay_awake


def may_stay_awake() -> bool:
    """Whether this user may keep the processors awake; says why not."""
    try:
        with processors_awake():
            return True
    except MaySleep as reason:
        print(f"the processors may sleep: {reason}", flush=True)
        return False


@asynccontextmanager
async def kept_awake(rehearse: Callable[[], None], is_awake: bool) -> AsyncIterator[None]:
    """Keep the processors from sleeping and an engine rehearsing, or neither."""
    task = asyncio.create_task(stay_awake(rehearse)) if is_awake else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def leave_a_processor() -> int | None:
    """Start what is started from now on beside the engine's processor; the one to `take`."""
    processor = engine_processor(AUTO)
    if processor is not None:
        leave_to_engine(processor)
    return processor


def take(processor: int | None) -> None:
    """Run on as the engine, on its processor alone."""
    if processor is not None:
        os.sched_setaffinity(0, {processor})
