"""The tasks of a process end when they are told to, whatever they wait for."""

from __future__ import annotations

import asyncio
import contextlib

from arbsite.errors import Fenced
from trading.process.process_tasks import ProcessTasks


async def test_a_task_that_loses_a_cancellation_is_asked_again() -> None:
    """As `asyncio.wait_for` of this Python does when it ends in the same moment."""
    tasks, turns = ProcessTasks(), 0

    async def forgetful() -> None:
        nonlocal turns
        turns += 1
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

    tasks.every(3600, forgetful, "forgetful")
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await tasks.cancel()
    assert turns == 1


async def test_the_first_failure_stops_the_process_and_is_kept() -> None:
    tasks = ProcessTasks()

    async def fail() -> None:
        raise Fenced("epoch 2")

    async def wait() -> None:
        await asyncio.Event().wait()

    tasks.start(wait(), "waits")
    tasks.start(fail(), "fails")
    await tasks.stopping.wait()
    await tasks.cancel()
    assert isinstance(tasks.failure, Fenced)
