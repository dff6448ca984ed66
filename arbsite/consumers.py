"""The console socket /v1/stream: ticket in, frames out, one connection per console.

The first message spends a ticket; then every stream's snapshot follows and deltas after it.
Only what the protocol knows is read (16 KiB a message, strict JSON). A reader that answers
nothing for `CREDIT_S` or falls `BACKLOG_ROWS` events behind is closed with 4408, so memory
stays bounded; the end of the session closes with 4401, of the permission with 4403. One
socket too many of an address or a user closes with 4430.
Commands never come this way (they are HTTPS). Not here: what frames contain (`streams`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal

import msgspec
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError

from arbsite.auth.sessions import live_session, standing
from arbsite.auth.tickets import spend_ticket
from arbsite.clock import Clock, SystemClock
from arbsite.logs import event_logger
from arbsite.metrics import CONSOLE_CLIENTS, CONSOLE_CLOSED
from arbsite.session_watch import WATCH
from arbsite.socket_caps import SocketCaps
from arbsite.streams import GROUP, MESSAGE_TYPE, STREAMS, Backlog, Stream, snapshot

log = event_logger(__name__)

MAX_MESSAGE_BYTES = 16 * 1024
BACKLOG_ROWS = 1000
FLUSH_S = 0.05
TICKET_S = 5.0
# Frames stop flowing when nothing came back for HOLD_S, and the socket closes at CREDIT_S.
HOLD_S = 2.0
CREDIT_S = 10.0
MESSAGES_PER_S = 50

# Close codes read like HTTP's. The server may not send 1003, 1007, 1008, 1009 or 1013: the
# library behind Daphne refuses them to applications and closes with 1011 instead.
UNREADABLE, SESSION_ENDED, NO_PERMISSION, TOO_SLOW = 4400, 4401, 4403, 4408
TOO_BIG, UNSUPPORTED, TOO_MANY, FAILED, TRY_LATER = 4413, 4415, 4429, 4500, 4503
# Its own number beside 429's: too many sockets, not too many messages on this one.
CROWDED = 4430
CAPS = SocketCaps(
    per_address=settings.SPREADLINE_SOCKETS_PER_ADDRESS,
    per_user=settings.SPREADLINE_SOCKETS_PER_USER,
)


class Auth(msgspec.Struct, tag="auth", forbid_unknown_fields=True):
    """The first message: a ticket from POST /v1/stream/ticket."""

    ticket: str


class Ping(msgspec.Struct, tag="ping", forbid_unknown_fields=True):
    """Asks for the server's time; `id` and `t` come back unchanged."""

    id: int
    t: float


class Ack(msgspec.Struct, tag="ack", forbid_unknown_fields=True):
    """The reader is alive and has read up to some frame."""

    seq: int


class Resync(msgspec.Struct, tag="resync", forbid_unknown_fields=True):
    """Asks for a stream's snapshot."""

    stream: Stream


ClientMessage = Auth | Ping | Ack | Resync
_decoder = msgspec.json.Decoder(ClientMessage)


class Pong(msgspec.Struct, tag="pong"):
    """The answer to a ping."""

    id: int
    t: float
    server_ns: int


class ConsoleConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One console's socket."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        ticket_s: float = TICKET_S,
        hold_s: float = HOLD_S,
        credit_s: float = CREDIT_S,
        caps: SocketCaps = CAPS,
    ) -> None:
        super().__init__()
        self._clock = clock or SystemClock()
        self._ticket_s, self._hold_s, self._credit_s = ticket_s, hold_s, credit_s
        self._caps = caps
        self._backlog = Backlog(BACKLOG_ROWS)
        self._wanted: list[Stream] = []
        self._work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._state: Literal["waiting", "open", "closed"] = "waiting"
        # When the oldest frame was sent that nothing has come back for, monotonic ns.
        self._unanswered_ns: int | None = None
        self._second, self._messages = 0, 0

    async def connect(self) -> None:
        """Accept, because a refusal before that reaches a browser without its code."""
        await self.accept()
        address = (self.scope.get("client") or ("unknown",))[0]
        if not self._caps.take_address(self, address):
            await self.end(CROWDED)
            return
        self._start(self._expect_ticket())

    async def disconnect(self, code: int) -> None:
        """Forget everything about the connection."""
        was_open, self._state = self._state == "open", "closed"
        self._caps.leave(self)
        for task in self._tasks:
            task.cancel()
        WATCH.forget(self)
        if was_open:
            CONSOLE_CLIENTS.dec()
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Take frames without Channels' database housekeeping: they come 20 times a second."""
        if message["type"] == MESSAGE_TYPE:
            self._backlog.offer(message)
            self._work.set()
        else:
            await super().dispatch(message)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Read one client message, or close with the code that says what was wrong with it."""
        if self._state == "closed":
            return
        if text_data is None:
            await self.end(UNSUPPORTED)
            return
        raw = text_data.encode()
        if len(raw) > MAX_MESSAGE_BYTES:
            await self.end(TOO_BIG)
            return
        if self._is_flooding():
            await self.end(TOO_MANY)
            return
        try:
            message = _decoder.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            await self.end(UNREADABLE)
            return
        await self._obey(message)

    async def end(self, code: int) -> None:
        """Close once, with the code the console acts on."""
        if self._state != "closed":
            if self._state == "open":
                CONSOLE_CLIENTS.dec()
            self._state = "closed"
            CONSOLE_CLOSED.labels(str(code)).inc()
            await self.close(code)

    async def _obey(self, message: ClientMessage) -> None:
        if self._state == "waiting":
            if not isinstance(message, Auth):
                await self.end(SESSION_ENDED)
            else:
                await self._open(message.ticket)
            return
        self._unanswered_ns = None
        match message:
            case Ping():
                now_ns = self._clock.now_ns()
                await self._send(Pong(message.id, message.t, now_ns))
            case Resync():
                if message.stream not in self._wanted:
                    self._wanted.append(message.stream)
                self._work.set()
            case Ack():
                self._work.set()
            case Auth():
                await self.end(UNREADABLE)

    async def _open(self, ticket: str) -> None:
        try:
            session_id = await database_sync_to_async(spend_ticket)(ticket)
            if session_id is None:
                await self.end(SESSION_ENDED)
                return
            state = (await database_sync_to_async(standing)([session_id]))[session_id]
            session = await database_sync_to_async(live_session)(session_id)
        except DatabaseError as error:
            log.warning("console.unavailable", reason=type(error).__name__)
            await self.end(TRY_LATER)
            return
        if state != "live":
            await self.end(SESSION_ENDED if state == "ended" else NO_PERMISSION)
            return
        if session is None or not self._caps.take_user(self, str(session.user_id)):
            await self.end(SESSION_ENDED if session is None else CROWDED)
            return
        # Joined before the snapshots are read: nothing can fall between the two.
        await self.channel_layer.group_add(GROUP, self.channel_name)
        self._state = "open"
        CONSOLE_CLIENTS.inc()
        WATCH.add(self, session_id)
        await self.send(text_data='{"type":"ready"}')
        self._wanted = list(STREAMS)
        self._work.set()
        self._start(self._flush_for_ever())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._notice_death)
        self._tasks.append(task)

    def _notice_death(self, task: asyncio.Task[None]) -> None:
        """A socket whose writer died must not look alive: the console connects again."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("console.failed", reason=repr(error))
            self._tasks.append(asyncio.create_task(self.end(FAILED)))

    async def _expect_ticket(self) -> None:
        await asyncio.sleep(self._ticket_s)
        if self._state == "waiting":
            await self.end(SESSION_ENDED)

    async def _flush_for_ever(self) -> None:
        while self._state == "open":
            try:
                async with asyncio.timeout(self._hold_s / 2):
                    await self._work.wait()
            except TimeoutError:
                pass
            self._work.clear()
            silent_s = self._silent_s()
            if self._backlog.is_over or silent_s > self._credit_s:
                await self.end(TOO_SLOW)
            elif silent_s <= self._hold_s:
                await self._flush()
            await asyncio.sleep(FLUSH_S)

    async def _flush(self) -> None:
        try:
            while self._wanted:
                stream = self._wanted.pop(0)
                picture = await database_sync_to_async(snapshot)(stream)
                if picture is not None:
                    await self._send_frame(self._backlog.frame(stream, "snapshot", picture))
        except DatabaseError as error:
            log.warning("console.unavailable", reason=type(error).__name__)
            await self.end(TRY_LATER)
            return
        for frame in self._backlog.take():
            await self._send_frame(frame)

    async def _send_frame(self, frame: str) -> None:
        if self._state == "open":
            if self._unanswered_ns is None:
                self._unanswered_ns = self._clock.monotonic_ns()
            await self.send(text_data=frame)

    async def _send(self, message: msgspec.Struct) -> None:
        await self.send(text_data=msgspec.json.encode(message).decode())

    def _silent_s(self) -> float:
        if self._unanswered_ns is None:
            return 0.0
        return (self._clock.monotonic_ns() - self._unanswered_ns) / 1e9

    def _is_flooding(self) -> bool:
        second = self._clock.monotonic_ns() // 1_000_000_000
        if second != self._second:
            self._second, self._messages = second, 0
        self._messages += 1
        return self._messages > MESSAGES_PER_S
