"""Replies in pieces of any size, and everything that is not one."""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feeds.venues.http_reply import BrokenReply, HttpReplyReader

MOST = 10_000


def chunked(body: bytes, sizes: list[int]) -> bytes:
    """The body cut at `sizes`, with an extension and a trailer for good measure."""
    out, at = b"", 0
    for size in [*sizes, len(body)]:
        part = body[at : at + size]
        at += size
        if part:
            out += b"%x;note=1\r\n%s\r\n" % (len(part), part)
    return out + b"0\r\nX-Trailer: 1\r\n\r\n"


def read(pieces: list[bytes], *, is_over: bool = False) -> HttpReplyReader:
    reader = HttpReplyReader(MOST)
    for piece in pieces:
        reader.feed(piece)
    if is_over:
        reader.end()
    return reader


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


@settings(max_examples=150)
@given(
    body=st.binary(max_size=300),
    status=st.sampled_from([200, 201, 400, 429, 503]),
    framing=st.sampled_from(["length", "chunked", "end"]),
    sizes=st.lists(st.integers(1, 40), max_size=8),
    places=st.lists(st.integers(0, 600), max_size=12),
)
@example(body=b"", status=200, framing="length", sizes=[], places=list(range(200)))
def test_any_reply_is_read_from_any_pieces(
    body: bytes, status: int, framing: str, sizes: list[int], places: list[int]
) -> None:
    head = b"HTTP/1.1 %d Some Words\r\nServer: x\r\n" % status
    if framing == "length":
        data = head + b"Content-Length:  %d \r\n\r\n" % len(body) + body
    elif framing == "chunked":
        data = head + b"transfer-encoding: Chunked\r\n\r\n" + chunked(body, sizes)
    else:
        data = head + b"\r\n" + body
    reader = read(cut(data, places), is_over=framing == "end")
    assert (reader.is_complete, reader.status, reader.body) == (True, status, body)
    assert reader.is_kept == (framing != "end")


@settings(max_examples=300)
@given(data=st.data())
def test_what_is_read_of_a_mutilated_reply_a_known_parser_reads_too(data: st.DataObject) -> None:
    """Bytes changed at random: refused, unfinished, or what the other parser makes of them."""
    reply = bytearray(
        data.draw(
            st.sampled_from(
                [
                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                    b"HTTP/1.1 503 No\r\nConnection: close\r\n\r\n",
                ]
            )
        )
    )
    for _ in range(data.draw(st.integers(1, 3))):
        reply[data.draw(st.integers(0, len(reply) - 1))] = data.draw(st.integers(0, 255))
    try:
        reader = read([bytes(reply)], is_over=True)
    except BrokenReply:
        return
    other = h11.Connection(h11.CLIENT)
    other.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    other.send(h11.EndOfMessage())
    other.receive_data(bytes(reply))
    other.receive_data(b"")
    found, body = 0, b""
    while not isinstance(event := other.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            found = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    assert (found, body) == (reader.status, reader.body)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200\r\n\r\n",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + bytes(10_001),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 9_000,
    ],
)
def test_what_is_not_a_reply_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(BrokenReply):
        read([data])


def test_an_end_within_a_reply_is_no_reply() -> None:
    with pytest.raises(BrokenReply, match="ended"):
        read([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"], is_over=True)
    with pytest.raises(BrokenReply, match="ended"):
        read([], is_over=True)


def test_interim_replies_are_passed_over_and_bodiless_ones_end_at_once() -> None:
    reader = read([b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n"])
    assert (reader.is_complete, reader.status, reader.is_kept) == (True, 204, True)


@pytest.mark.parametrize(
    ("head", "is_kept"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: Close", False),
        (b"HTTP/1.1 200 OK\r\nConnection: x, close", False),
        (b"HTTP/1.0 200 OK", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive", True),
    ],
)
def test_whether_the_connection_is_kept_is_the_servers_word(head: bytes, is_kept: bool) -> None:
    assert read([head + b"\r\nContent-Length: 0\r\n\r\n"]).is_kept is is_kept


def test_bytes_beyond_the_reply_make_the_connection_unfit() -> None:
    reader = read([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n"])
    assert (reader.is_complete, reader.body, reader.is_kept) == (True, b"x", False)
    with pytest.raises(BrokenReply):
        reader.feed(b"x")
