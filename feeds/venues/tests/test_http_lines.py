"""Kept connections: reused, dropped when they are unfit, and never used to send twice."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbsite.errors import NotSent
from feeds.venues.http_lines import BrokenReply, HttpLines, _Reply, request_bytes, target_of
from feeds.venues.transport import HttpReply

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Scripted:
    """A server that answers each request with the next of `replies`; b"" hangs up."""

    def __init__(self) -> None:
        self.replies: list[bytes] = []
        self.asked: list[bytes] = []
        self.connections = 0
        self.url = ""
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = b""
                for line in head.split(b"\r\n"):
                    if line.startswith(b"Content-Length: "):
                        body = await reader.readexactly(int(line[16:]))
                self.asked.append(head + body)
                reply = self.replies.pop(0) if self.replies else OK
                if not reply:
                    break
                writer.write(reply)
                if b"Connection: close" in reply:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    listening = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/rpc"
    yield scripted
    listening.close()
    for writer in scripted.writers:
        writer.close()


@pytest.fixture
async def lines() -> AsyncIterator[HttpLines]:
    lines = HttpLines(1_000_000)
    yield lines
    await lines.close()


async def post(lines: HttpLines, server: Scripted, *, timeout_s: float = 5.0) -> bytes:
    reply = await lines.request("POST", server.url, {"X-Key": "k"}, b"body", timeout_s)
    return reply.body


async def settle() -> None:
    """Let both ends notice what was closed."""
    for _ in range(20):
        await asyncio.sleep(0.001)


async def test_one_connection_carries_request_after_request(
    server: Scripted, lines: HttpLines
) -> None:
    assert [await post(lines, server) for _ in range(3)] == [b"ok"] * 3
    assert server.connections == 1
    host = server.url.removeprefix("http://").removesuffix("/rpc").encode()
    assert server.asked[2] == (
        b"POST /rpc HTTP/1.1\r\nHost: " + host + b"\r\nUser-Agent: spreadline\r\n"
        b"Accept: */*\r\nAccept-Encoding: identity\r\nX-Key: k\r\nContent-Length: 4\r\n\r\nbody"
    )


async def test_two_at_once_have_a_connection_each_and_both_are_kept(
    server: Scripted, lines: HttpLines
) -> None:
    for _ in range(3):
        assert await asyncio.gather(post(lines, server), post(lines, server)) == [b"ok", b"ok"]
    assert server.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
    ],
)
async def test_an_unfit_connection_is_not_used_again(
    server: Scripted, lines: HttpLines, reply: bytes
) -> None:
    server.replies = [reply]
    assert await post(lines, server) == b"ok"
    assert await post(lines, server) == b"ok"
    assert server.connections == 2


async def test_what_the_server_closed_meanwhile_is_replaced_before_anything_is_sent(
    server: Scripted, lines: HttpLines
) -> None:
    await post(lines, server)
    server.writers[0].close()
    await settle()
    assert await post(lines, server) == b"ok"
    assert len(server.asked) == 2


async def test_bytes_out_of_turn_end_a_kept_connection(server: Scripted, lines: HttpLines) -> None:
    await post(lines, server)
    server.writers[0].write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
    await settle()
    assert await post(lines, server) == b"ok"
    assert server.connections == 2


async def test_a_post_that_may_have_arrived_is_never_repeated(
    server: Scripted, lines: HttpLines
) -> None:
    await post(lines, server)
    server.replies = [b""]
    with pytest.raises(ConnectionError):
        await post(lines, server)
    assert len(server.asked) == 2


async def test_a_get_is_asked_again_only_when_its_kept_connection_was_dead(
    server: Scripted, lines: HttpLines
) -> None:
    await post(lines, server)
    server.replies = [b"", OK]
    assert (await lines.request("GET", server.url, {}, b"", 5.0)).body == b"ok"
    assert len(server.asked) == 3
    server.replies = [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf"]
    with pytest.raises(ConnectionError):
        await lines.request("GET", server.url, {}, b"", 5.0)
    assert len(server.asked) == 4


async def test_a_late_answer_is_not_taken_for_the_next_one(
    server: Scripted, lines: HttpLines
) -> None:
    server.replies = [b"HTTP/1.1 200 OK\r\n"]
    with pytest.raises(TimeoutError):
        await post(lines, server, timeout_s=0.05)
    assert await post(lines, server) == b"ok"
    assert server.connections == 2


async def test_a_cancelled_request_drops_its_connection(server: Scripted, lines: HttpLines) -> None:
    server.replies = [b"HTTP/1.1 200 OK\r\n"]
    asking = asyncio.create_task(post(lines, server))
    while not server.asked:
        await asyncio.sleep(0.001)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await post(lines, server) == b"ok"
    assert server.connections == 2


async def test_closing_fails_what_is_under_way(server: Scripted, lines: HttpLines) -> None:
    server.replies = [b"HTTP/1.1 200 OK\r\n"]
    asking = asyncio.create_task(post(lines, server))
    while not server.asked:
        await asyncio.sleep(0.001)
    await lines.close()
    with pytest.raises(ConnectionError):
        await asking


@pytest.mark.parametrize(
    "url",
    [
        "http://a b/", "http://x/a b", "http://x/\r\nHost: y", "http://user:pw@x/", "http://x:y/",
        "ws://x/", "http:///path", "http://x:99999/",
    ],
)  # fmt: skip
def test_what_is_not_a_plain_url_leads_nowhere(url: str) -> None:
    with pytest.raises(NotSent):
        target_of(url)


def test_where_a_url_leads() -> None:
    target = target_of("https://api.example/v1/x?api-key=1")
    assert (target.host, target.port, target.is_tls) == ("api.example", 443, True)
    assert (target.path, target.authority) == ("/v1/x?api-key=1", "api.example")
    assert target_of("http://[::1]:8899").authority == "[::1]:8899"


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\0", "\u20ac"])
def test_a_header_cannot_bring_another_one(value: str) -> None:
    with pytest.raises(NotSent):
        request_bytes("GET", target_of("http://x/"), {"X-Key": value}, b"")


REPLIES = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", True),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;n=1\r\nhello\r\n0\r\nT: 1\r\n\r\n",
        True,
    ),
    (
        b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        True,
    ),
    (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 5\r\n\r\nhello", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", False),
]


@settings(max_examples=100)
@given(reply=st.sampled_from(REPLIES), places=st.lists(st.integers(0, 110), max_size=9))
def test_a_reply_in_pieces_of_any_size_is_the_same_reply(
    reply: tuple[bytes, bool], places: list[int]
) -> None:
    data, is_kept = reply
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    reader, found = _Reply(1_000), None
    for start, end in pairwise(ends):
        assert found is None
        found = reader.read(data[start:end])
    assert found == HttpReply(status=200, body=b"hello")
    assert reader.is_kept is is_kept


@settings(max_examples=200)
@given(data=st.data())
def test_a_damaged_reply_is_refused_or_waited_for_but_never_anothers(
    data: st.DataObject,
) -> None:
    """Bytes of the framing changed at random; what is read whole has a body of that length."""
    whole, _ = data.draw(st.sampled_from(REPLIES))
    reply = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        reply[data.draw(st.integers(0, len(reply) - 1))] = data.draw(st.integers(0, 255))
    reader = _Reply(1_000)
    try:
        found = reader.read(bytes(reply))
    except (BrokenReply, h11.RemoteProtocolError):
        return
    if found is not None:
        assert found.body in bytes(reply)
        assert 200 <= found.status <= 999


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200\r\n\r\n",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + bytes(1_001),
        b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1_001),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    ],
)
def test_what_is_not_a_reply_to_take_is_refused(data: bytes) -> None:
    with pytest.raises((BrokenReply, h11.RemoteProtocolError)):
        _Reply(1_000).read(data)


@pytest.mark.parametrize("body", [b"hell", b""])
async def test_an_end_within_a_reply_is_a_connection_error(
    server: Scripted, lines: HttpLines, body: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"
    server.replies = [head + body]
    with pytest.raises(ConnectionError):
        await post(lines, server)


async def test_a_connection_that_breaks_does_not_end_a_reply(
    server: Scripted, lines: HttpLines
) -> None:
    """Without a length only an orderly end is one."""
    server.replies = [b"HTTP/1.1 200 OK\r\n\r\nhalf"]
    asking = asyncio.create_task(post(lines, server))
    while not server.asked:
        await asyncio.sleep(0.001)
    await settle()
    sock = server.writers[0].get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.writers[0].transport.abort()
    with pytest.raises(ConnectionError):
        await asking
