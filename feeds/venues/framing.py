"""A client WebSocket that cuts whole text frames out of each read by itself, and writes them so.

Nearly all that venues send are unfragmented text frames, and the library's parser, made
for every case, costs as much as the book they carry. So this class reads their lengths
alone, and an order leaves by one write; the rest (handshake, fragments, binary, ping, pong,
close, whatever breaks the protocol) goes to the library in whole frames, which answers or
fails as ever. Not here: connecting, what the texts mean. Used by `sockets`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import CONNECTING, OPEN, Event

# First byte: the last (and only) fragment, of a text. Second byte: the length, or which
# longer field holds it; with the high bit, which no server may set, the frame is masked.
_WHOLE_TEXT = 0x81
_LENGTH_16 = 126
_LENGTH_64 = 127
_OPCODES = frozenset(Opcode)


class FramedConnection(ClientConnection):
    """The library's connection, but what was received waits in `texts`.

    With more than `max_queue` waiting the socket is left unread and its sender held up
    (`on_pause` is told), until `resume` finds no more than a quarter.
    """

    texts: deque[bytes]
    is_paused = False
    on_pause: Callable[[], None] | None = None
    _waiter: asyncio.Future[None] | None = None
    _is_lost = False

    async def more(self) -> None:
        """Wait until `texts` holds one; ConnectionClosed at the end. One waits at a time."""
        assert self._waiter is None
        while not self.texts:
            if self._is_lost:
                raise self.close_exc
            self._waiter = self.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def resume(self) -> None:
        """Read the socket again if few enough wait; to be called while `is_paused`."""
        if len(self.texts) <= (self.max_queue_high or 0) // 4:
            self.is_paused = False
            # What a lost connection left is taken too; its transport only raises by then.
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def write_text(self, text: bytes) -> bool:
        """Write one text frame at once; False where it takes the library's `send`.

        That waits for room, for a fragmented message to end, or to say that it is over.
        """
        if self.protocol.state is not OPEN or self.transport.is_closing():
            return False
        if self.paused or self.send_in_progress is not None:
            return False
        self.protocol.send_text(text)
        self.send_data()
        return True

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing received."""
        super().connection_made(transport)
        self.texts = deque()
        self._fragments = bytearray()
        # The start of a frame whose rest has not come, and the least that it lacks.
        self._parts: list[bytes] = []
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        """Cut one read into texts; wake who waits for them."""
        if self._missing > len(data):
            self._missing -= len(data)
            self._parts.append(data)
            return
        if self._parts:
            data = b"".join((*self._parts, data))
            self._parts.clear()
            self._missing = 0
        self._cut(data, self._shake_hands(data))
        waiting = len(self.texts)
        if waiting and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if waiting > (self.max_queue_high or waiting) and not self.is_paused:
            self.is_paused = True
            self.transport.pause_reading()
            if self.on_pause is not None:
                self.on_pause()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake who waits for a text that will not come."""
        super().connection_lost(exc)
        self._is_lost = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _shake_hands(self, data: bytes) -> int:
        """Give the library its handshake line by line; return where the frames begin."""
        at = 0
        while self.protocol.state is CONNECTING and at < len(data):
            # No further: what it sees of a frame it keeps.
            end = data.find(b"\n", at) + 1 or len(data)
            super().data_received(data[at:end])
            at = end
        return at

    def _cut(self, data: bytes, at: int) -> None:
        """Take the frames from `at` on; keep the last one's start for the next read."""
        protocol, take, size = self.protocol, self.texts.append, len(data)
        longest = protocol.max_message_size or size
        while at < size and protocol.state is OPEN:
            body = at + 2
            length = data[at + 1] if body <= size else 0
            if length >= _LENGTH_16:
                if length > _LENGTH_64:
                    break
                body += 2 if length == _LENGTH_16 else 8
                # Of a head cut short this is too little, but no frame ends in its head.
                length = int.from_bytes(data[at + 2 : body], "big")
            if length > longest:
                break
            end = body + length
            if end > size:
                if body <= size and data[at] & 0x0F not in _OPCODES:
                    # No frame at all: what it says is missing need not ever come.
                    break
                self._parts.append(data[at:])
                self._missing = end - size
                return
            if data[at] == _WHOLE_TEXT and protocol.current_size is None:
                take(data[body:end])
            else:
                super().data_received(data[at:end])
            at = end
        if at < size:
            # Broken, oversized or no longer wanted: the library says so to the peer.
            super().data_received(data[at:])

    # What the library calls

    def process_event(self, event: Event) -> None:
        """Assemble the messages that came by the library's parser."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        self._fragments += event.data
        if event.fin:
            self.texts.append(bytes(self._fragments))
            self._fragments.clear()
