"""The tasks of one long-running process: any failure is the process's end.

A task that dies in silence is worse than a restart: the supervisor starts the process
again and start-up is recovery. Used by the engine's host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from arbsite.errors import Fenced
from arbsite.logs import event_logger

log = event_logger(__name__)
Work = Coroutine[Any, Any, None]
CANCEL_AGAIN_S = 0.1


class ProcessTasks:
    """Starts tasks, remembers the first failure, and says when to stop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()
        self.failure: BaseException | None = None

    def start(self, work: Work, name: str) -> None:
        """Run `work` beside everything else, for ever or once."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def every(
        self, seconds: float, work: Callable[[], Work], name: str, *, at_once: bool = True
    ) -> None:
        """Run `work` again and again with a pause of `seconds` after each turn.

        Not `at_once`: what was just done waits for its first turn as well.
        """

        async def repeat() -> None:
            if not at_once:
                await asyncio.sleep(seconds)
            while True:
                await work()
                await asyncio.sleep(seconds)

        self.start(repeat(), name)

    async def cancel(self) -> None:
        """Cancel what still runs, and wait until all of it has ended."""
        while tasks := {task for task in self._tasks if not task.done()}:
            # Again and again: in this Python a cancellation that meets the end of an
            # `asyncio.wait_for` is lost, and psycopg waits for its socket with one.
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CANCEL_AGAIN_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        word = "engine.fenced" if isinstance(error, Fenced) else "engine.task_failed"
        log.error(word, task=task.get_name(), error=repr(error))
        self.failure = self.failure or error
        self.stopping.set()
