"""Closes open sockets within a second of their session's end: one query for all of them.

Sockets register while they are open. Called by `consumers` only.
"""

from __future__ import annotations

import asyncio
from typing import Protocol
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import DatabaseError

from arbsite.auth.sessions import standing
from arbsite.logs import event_logger

log = event_logger(__name__)

PERIOD_S = 0.8
CODES = {"ended": 4401, "forbidden": 4403}


class Closable(Protocol):
    """A socket that can be told why it ends."""

    async def end(self, code: int) -> None: ...


class SessionWatch:
    """The open sockets of this process and the task that looks after them."""

    def __init__(self) -> None:
        self._sockets: dict[Closable, UUID] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, socket: Closable, session_id: UUID) -> None:
        """Watch a socket; the first one starts the task in the running loop."""
        self._sockets[socket] = session_id
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())

    def forget(self, socket: Closable) -> None:
        """Stop watching; a socket that is not watched is fine."""
        self._sockets.pop(socket, None)

    async def _watch(self) -> None:
        while self._sockets:
            await asyncio.sleep(PERIOD_S)
            try:
                found = await database_sync_to_async(standing)(list(self._sockets.values()))
            except DatabaseError as error:
                # Without the database nobody can command anything; frames are only pictures.
                log.warning("console.unwatched", reason=type(error).__name__)
                continue
            for socket, session_id in list(self._sockets.items()):
                code = CODES.get(found.get(session_id, "live"))
                if code is not None:
                    self.forget(socket)
                    await socket.end(code)


WATCH = SessionWatch()
