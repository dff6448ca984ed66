"""Frames cut by ourselves against the library's parser, on the same bytes in the same reads."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.uri import parse_uri
from websockets.utils import accept_key

from feeds.venues.framing import FramedConnection
from feeds.venues.sockets import SocketConnection

LONGEST = 70_000
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA
MASK = b"\x01\x02\x03\x04"


class Wire(asyncio.Transport):
    """Keeps what was written and whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.pauses = self.resumptions = 0
        self.is_lost = False

    def write(self, data: Any) -> None:
        self.written += data

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.written += b"<closed>"

    def abort(self) -> None:
        self.is_lost = True

    def is_closing(self) -> bool:
        return self.is_lost

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return

    def pause_reading(self) -> None:
        self.pauses += 1

    def resume_reading(self) -> None:
        self.resumptions += 1


def wire(opcode: int, body: bytes = b"", *, fin: bool = True) -> bytes:
    """One unmasked frame as a server sends it."""
    head = bytes([opcode | (0x80 if fin else 0)])
    if len(body) < 126:
        return head + bytes([len(body)]) + body
    if len(body) < 1 << 16:
        return head + struct.pack(">BH", 126, len(body)) + body
    return head + struct.pack(">BQ", 127, len(body)) + body


def answer_to(protocol: ClientProtocol) -> bytes:
    """The server's side of the opening handshake."""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(protocol.key)}\r\n\r\n"
    ).encode()


def unmasked(written: bytes) -> list[tuple[int, bytes]]:
    """The frames a client wrote, whatever masks it drew."""
    frames, at = [], written.index(b"\r\n\r\n") + 4
    while written[at : at + 1] not in (b"", b"<"):
        length = written[at + 1] & 0x7F
        mask, body = written[at + 2 : at + 6], written[at + 6 : at + 6 + length]
        plain = bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))
        frames.append((written[at], plain))
        at += 6 + length
    return frames


def play(
    kind: type[ClientConnection], stream: bytes, cuts: Sequence[int]
) -> tuple[list[bytes], list[tuple[int, bytes]], object]:
    """Shake hands, deliver the stream in reads that end at the cuts; what each side saw.

    Returns the messages, the frames answered, and the close code and reason we sent.
    """

    async def talk() -> tuple[list[bytes], list[tuple[int, bytes]], object]:
        protocol = ClientProtocol(parse_uri("ws://venue/"), max_size=LONGEST)
        link, peer = kind(protocol, ping_interval=None, max_queue=4), Wire()
        link.connection_made(peer)
        shaking = asyncio.ensure_future(link.handshake())
        await asyncio.sleep(0)
        answer = answer_to(protocol) + stream
        ends = sorted({min(cut, len(answer)) for cut in cuts} | {len(answer)})
        for start, end in zip([0, *ends], ends, strict=False):
            link.data_received(answer[start:end])
        await shaking
        link.connection_lost(None)
        seen: list[bytes] = []
        with pytest.raises(ConnectionClosed):
            while True:
                if isinstance(link, FramedConnection):
                    await link.more()
                    seen.append(link.texts.popleft())
                else:
                    seen.append(await link.recv(decode=False))
        sent = protocol.close_sent
        told = (sent.code, sent.reason) if sent else None
        return seen, unmasked(bytes(peer.written)), told

    return asyncio.run(talk())


bodies = st.one_of(
    st.binary(max_size=8),
    st.integers(120, 130).map(lambda size: b"t" * size),
    st.sampled_from([65_535, 65_536, LONGEST, LONGEST + 1]).map(lambda size: b"t" * size),
)
control = st.builds(wire, st.sampled_from([PING, PONG]), st.binary(max_size=125))
message = st.builds(wire, st.sampled_from([TEXT, TEXT, TEXT, BINARY]), bodies)


@st.composite
def fragmented(draw: st.DrawFn) -> bytes:
    """A message in pieces, control frames between them."""
    first, *others = draw(st.lists(bodies.filter(lambda b: len(b) < 200), min_size=2, max_size=4))
    parts = [wire(draw(st.sampled_from([TEXT, BINARY])), first, fin=False)]
    for number, body in enumerate(others, 1):
        parts += draw(st.lists(control, max_size=1))
        parts.append(wire(CONTINUATION, body, fin=number == len(others)))
    return b"".join(parts)


broken = st.sampled_from(
    [
        wire(CONTINUATION, b"of nothing"),
        wire(TEXT, b"begun", fin=False) + wire(TEXT, b"another"),
        wire(0x3, b"reserved"),
        wire(PING, b"p" * 126),
        wire(PING, b"split", fin=False),
        bytes([0xC1, 1]) + b"x",
        bytes([0x81, 0x81]) + MASK + b"x",
        bytes([0x81, 0xFE, 0, 126]) + MASK,
        wire(CLOSE, struct.pack(">H", 1001) + b"bye"),
        wire(CLOSE, b"\x00"),
        wire(TEXT, b"cut short" * 40)[:100],
        bytes([0x81, 127, 0, 0]),
        b"\x81",
    ]
)
streams = st.lists(st.one_of(message, fragmented(), control, broken), max_size=8).map(b"".join)
places = st.lists(st.integers(0, 600), max_size=12)


# A length inside a text cut short is taken for a frame of no known kind, and longer than what came.
@example(wire(TEXT, b"ok") + b"sh", [])
@given(streams, places)
def test_every_stream_gives_what_the_library_gives(stream: bytes, cuts: list[int]) -> None:
    assert play(FramedConnection, stream, cuts) == play(ClientConnection, stream, cuts)


@given(st.data(), places)
def test_a_damaged_stream_gives_what_the_library_gives(
    data: st.DataObject, cuts: list[int]
) -> None:
    damaged = bytearray(data.draw(streams.filter(bool)))
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=3)):
        damaged[place] = data.draw(st.integers(0, 255))
    # Frames are judged whole: those whose length was damaged must find an end.
    stream = bytes(damaged) + b"t" * (LONGEST + 1)
    assert play(FramedConnection, stream, cuts) == play(ClientConnection, stream, cuts)


def test_a_stream_byte_by_byte_is_the_same_stream() -> None:
    stream = wire(TEXT, b"a" * 300) + wire(PING, b"?") + wire(TEXT, b"") + wire(TEXT, b"b" * 70_000)
    whole = range(len(stream) + 300)
    seen, answered, _ = play(FramedConnection, stream, whole)
    assert seen == [b"a" * 300, b"", b"b" * 70_000]
    assert answered == [(0x80 | PONG, b"?")]


async def flooded(count: int) -> tuple[FramedConnection, Wire, list[int]]:
    """An open connection of at most eight waiting texts that gets `count`, untaken."""
    protocol = ClientProtocol(parse_uri("ws://venue/"))
    link, peer = FramedConnection(protocol, ping_interval=None, max_queue=8), Wire()
    told: list[int] = []
    link.on_pause = lambda: told.append(len(link.texts))
    link.connection_made(peer)
    shaking = asyncio.ensure_future(link.handshake())
    await asyncio.sleep(0)
    link.data_received(answer_to(protocol))
    await shaking
    for _ in range(count // 4):
        link.data_received(wire(TEXT, b"text") * 4)
    return link, peer, told


async def test_what_is_not_taken_leaves_the_socket_unread_until_a_quarter_waits() -> None:
    link, peer, told = await flooded(8)
    assert (link.is_paused, peer.pauses) == (False, 0)
    link, peer, told = await flooded(16)
    assert (peer.pauses, told) == (1, [12])
    while link.is_paused:
        link.texts.popleft()
        link.resume()
    assert (len(link.texts), peer.resumptions) == (2, 1)


async def test_what_a_lost_connection_left_is_taken_to_its_end() -> None:
    link, peer, _ = await flooded(16)
    peer.is_lost = True
    link.connection_lost(None)
    connection = SocketConnection(link, "venue")
    assert [await connection.recv() for _ in range(16)] == [b"text"] * 16
    assert peer.resumptions == 0
    with pytest.raises(ConnectionError):
        await connection.recv()


async def test_a_text_leaves_at_once_as_one_masked_frame() -> None:
    link, peer, _ = await flooded(0)
    sending = SocketConnection(link, "venue").send(b"an order")
    with pytest.raises(StopIteration):
        sending.send(None)
    assert unmasked(bytes(peer.written)) == [(0x80 | TEXT, b"an order")]


async def test_a_text_waits_for_room_where_the_peer_does_not_read() -> None:
    link, peer, _ = await flooded(0)
    link.pause_writing()
    sending = asyncio.ensure_future(SocketConnection(link, "venue").send(b"an order"))
    await asyncio.sleep(0)
    assert not sending.done()
    link.resume_writing()
    await sending
    assert unmasked(bytes(peer.written)) == [(0x80 | TEXT, b"an order")]


async def test_nothing_is_written_to_a_connection_that_is_over() -> None:
    link, peer, _ = await flooded(0)
    before = bytes(peer.written)
    link.connection_lost(None)
    with pytest.raises(ConnectionError):
        await SocketConnection(link, "venue").send(b"an order")
    assert bytes(peer.written) == before
