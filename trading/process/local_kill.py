"""The kill switch that needs nothing: a file in the home, or a signal, and this process obeys.

For the hour when database, bus and console are all away. Once seen, HALT holds until this
process ends; while the file is there the next one starts halted. As soon as PostgreSQL
answers, the same stop is written there, so that the console shows it. Callers: the host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from arbsite.events import Mode
from arbsite.logs import event_logger
from trading.inputs import ModeApplied

log = event_logger(__name__)
LOOK_EVERY_S = 0.05
RETRY_S = 1.0
# Above every version the database can hold: no row lifts what a person killed locally.
VERSION = 2**62


class LocalKill:
    """Watches for the file; `pull` is the signal's way in."""

    def __init__(self, path: Path | None, *, obeyed: Callable[[], None]) -> None:
        self._path = path
        self._obeyed = obeyed
        self.is_pulled = False

    def mode(self, asked: Mode) -> Mode:
        """HALT once pulled, otherwise what the desk says."""
        return "halt" if self.is_pulled else asked

    def look(self) -> None:
        """Obey the file if it is there."""
        if not self.is_pulled and self._path is not None and self._path.exists():
            self.pull("the kill file")

    def pull(self, by: str) -> None:
        """Halt this process's trading now and for good."""
        if self.is_pulled:
            return
        self.is_pulled = True
        log.critical("engine.killed_locally", by=by)
        self._obeyed()

    async def watch(self, record: Callable[[], Awaitable[bool]]) -> None:
        """Look for the file many times a second; then `record` the stop until that succeeds."""
        while not self.is_pulled:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)
        while True:
            if await record():
                return
            await asyncio.sleep(RETRY_S)

    @staticmethod
    def applied(at_ns: int) -> ModeApplied:
        """The engine input that puts the halt in force."""
        return ModeApplied(
            scope="*",
            mode="halt",
            version=VERSION,
            command_id="",
            rule="local_kill",
            text="Killed on this machine; remove the kill file and restart the engine",
            at_ns=at_ns,
        )
