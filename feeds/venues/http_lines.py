"""HTTP/1.1 connections that are kept open and carry one request at a time.

A request is one write of prepared bytes: what a full client does around that costs several
times as much as the write, and the order to trade waits for it. h11 reads the replies, which
nothing waits for that closely. Never retries what may have been delivered, follows no
redirect, reads no proxy, keeps no cookie, asks for no encoding. TLS as the system's
certificates have it. Called by `sockets`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

import h11
import msgspec

from arbsite.errors import NotSent
from feeds.venues.transport import HttpReply

IDLE_S = 60.0
"""A connection unused for longer is not trusted with a request."""

MAX_IDLE = 32
MAX_HEAD_BYTES = 64 * 1024

_HOST = re.compile(r"[0-9A-Za-z._:-]+")
_FIXED = "User-Agent: spreadline\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"


class Target(msgspec.Struct, frozen=True):
    """Where a URL leads: the connection it needs and the first lines of its requests."""

    host: str
    port: int
    is_tls: bool
    path: str
    authority: str


class HttpLines:
    """All kept connections of one process, by host and port."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._idle: dict[tuple[str, int, bool], list[_Line]] = {}
        self._busy: set[_Line] = set()
        self._tls: ssl.SSLContext | None = None

    async def request(
        self, method: str, url: str, headers: dict[str, str], body: bytes, timeout_s: float
    ) -> HttpReply:
        """Perform one request and read the whole body.

        Raises NotSent when no byte was written, TimeoutError or ConnectionError when the
        request may have been delivered. A GET whose kept connection turned out to be dead
        is asked again over another one.
        """
        target = target_of(url)
        message = request_bytes(method, target, headers, body)
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        line = self._take_idle(target)
        while True:
            was_kept = line is not None
            if line is None:
                line = await self._open(target, url, deadline_s)
            try:
                return await self._exchange(line, target, message, deadline_s)
            except TimeoutError as error:
                raise TimeoutError(f"no answer from {url} within {timeout_s} s") from error
            except OSError as error:
                if not (was_kept and method == "GET" and not line.has_heard):
                    raise ConnectionError(f"{method} {url} failed: {error}") from error
            line = self._take_idle(target)

    async def close(self) -> None:
        """Close every connection; a request under way fails."""
        for line in [*self._busy, *(one for kept in self._idle.values() for one in kept)]:
            line.drop()
        self._idle.clear()
        # The loop finishes closing its sockets in its next round.
        await asyncio.sleep(0)

    def _take_idle(self, target: Target) -> _Line | None:
        """The connection used last that is still open; older ones go first when they rot."""
        kept = self._idle.get((target.host, target.port, target.is_tls), [])
        oldest_s = asyncio.get_running_loop().time() - IDLE_S
        while kept:
            line = kept.pop()
            if line.is_open and line.used_s >= oldest_s:
                return line
            line.drop()
        return None

    async def _open(self, target: Target, url: str, deadline_s: float) -> _Line:
        tls: ssl.SSLContext | None = None
        if target.is_tls:
            tls = self._tls = self._tls or _tls_context()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline_s):
                _, line = await loop.create_connection(
                    lambda: _Line(self._max_body_bytes), target.host, target.port, ssl=tls
                )
        except (OSError, UnicodeError) as error:
            # Time-outs and TLS errors are OSErrors too.
            raise NotSent(f"no connection to {url}: {error or type(error).__name__}") from error
        return line

    async def _exchange(
        self, line: _Line, target: Target, message: bytes, deadline_s: float
    ) -> HttpReply:
        self._busy.add(line)
        try:
            async with asyncio.timeout_at(deadline_s):
                reply = await line.exchange(message)
        finally:
            self._busy.discard(line)
            kept = self._idle.setdefault((target.host, target.port, target.is_tls), [])
            if line.is_open and len(kept) < MAX_IDLE:
                kept.append(line)
            else:
                line.drop()
        return reply


class BrokenReply(ConnectionError):
    """The bytes are not an HTTP/1.1 reply that could be read to its end."""


class _Line(asyncio.Protocol):
    """One connection. `is_open`: connected, between requests, and fit for another one."""

    def __init__(self, max_body_bytes: int) -> None:
        self.used_s = 0.0
        self.has_heard = False
        self._max_body_bytes = max_body_bytes
        self._transport: asyncio.Transport | None = None
        self._reply: _Reply | None = None
        self._answer: asyncio.Future[HttpReply] | None = None

    @property
    def is_open(self) -> bool:
        transport = self._transport
        return transport is not None and not transport.is_closing() and self._answer is None

    async def exchange(self, message: bytes) -> HttpReply:
        """Write one request and wait for its reply; a cancelled wait drops the connection."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise NotSent("the connection closed before anything was written")
        self.has_heard = False
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[HttpReply] = loop.create_future()
        self._answer = answer
        transport.write(message)
        try:
            found = await answer
            if self._reply is None or not self._reply.is_kept:
                self.drop()
            self._answer, self._reply, self.used_s = None, None, loop.time()
        finally:
            if self._answer is not None:
                self.drop()
        return found

    def drop(self) -> None:
        """Close at once; what is not written is thrown away."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # Any loop's: uvloop's transports are not of asyncio's class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read on; bytes nobody asked for end the connection."""
        if self._answer is None or self._answer.done():
            self.drop()
            return
        self.has_heard = True
        self._hear(data)

    def connection_lost(self, error: Exception | None) -> None:
        """End the reply, which some are ended by, or fail the request."""
        if self._answer is None or self._answer.done():
            return
        if error is None:
            self._hear(b"")
        else:
            self._answer.set_exception(ConnectionError(f"the connection broke: {error}"))

    def _hear(self, data: bytes) -> None:
        assert self._answer is not None
        # Made when it is needed: before the write leaves it would hold it up.
        self._reply = self._reply or _Reply(self._max_body_bytes)
        try:
            found = self._reply.read(data)
        except (BrokenReply, h11.RemoteProtocolError) as error:
            self._answer.set_exception(BrokenReply(str(error)))
            return
        if found is not None:
            self._answer.set_result(found)


class _Reply:
    """One reply as h11 takes it apart, and what we ask of it beyond the protocol."""

    def __init__(self, max_body_bytes: int) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        # What a reply means depends on its request only in methods that are never used here.
        self._http.send(h11.Request(method="GET", target="/", headers=[("Host", "-")]))
        self._http.send(h11.EndOfMessage())
        self._left = max_body_bytes
        self._status = 0
        self._body: list[bytes] = []

    @property
    def is_kept(self) -> bool:
        """Whether the connection may carry another request: over, and nothing came after."""
        http = self._http
        is_over = http.our_state is h11.DONE and http.their_state is h11.DONE
        return is_over and not http.trailing_data[0]

    def read(self, data: bytes) -> HttpReply | None:
        """Take bytes (none at the end); the reply when it is whole.

        Raises BrokenReply or h11's RemoteProtocolError when it can never be.
        """
        self._http.receive_data(data)
        while True:
            event = self._http.next_event()
            match event:
                case h11.Response():
                    self._begin(event)
                case h11.Data():
                    self._left -= len(event.data)
                    if self._left < 0:
                        raise BrokenReply("a body longer than what is taken")
                    self._body.append(bytes(event.data))
                case h11.EndOfMessage():
                    return HttpReply(status=self._status, body=b"".join(self._body))
                case h11.InformationalResponse():
                    if event.status_code == 101:
                        raise BrokenReply("another protocol that was not asked for")
                case h11.ConnectionClosed():
                    raise BrokenReply("the connection ended without a reply")
                case _:
                    return None

    def _begin(self, event: h11.Response) -> None:
        self._status = event.status_code
        for name, value in event.headers:
            if name == b"content-encoding" and value.lower() != b"identity":
                raise BrokenReply("an encoding that was not asked for")


@lru_cache(maxsize=256)
def target_of(url: str) -> Target:
    """Take a URL apart; NotSent when it is none we can use."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except (ValueError, UnicodeError) as error:
        raise NotSent(f"not a URL: {url}") from error
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    is_clean = path.isascii() and path.isprintable() and " " not in path
    is_host = _HOST.fullmatch(host) is not None and "@" not in parts.netloc
    if parts.scheme not in ("http", "https") or not is_host or not is_clean:
        raise NotSent(f"not a URL: {url}")
    is_tls = parts.scheme == "https"
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port is None else f"{shown}:{port}"
    return Target(host, port or (443 if is_tls else 80), is_tls, path, authority)


def request_bytes(method: str, target: Target, headers: dict[str, str], body: bytes) -> bytes:
    """Write a request out; NotSent when a header cannot be written down."""
    lines = [f"{method} {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n", _FIXED]
    for name, value in headers.items():
        if not (name + value).isprintable():
            raise NotSent(f"header {name!r} cannot be sent")
        lines.append(f"{name}: {value}\r\n")
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}\r\n")
    lines.append("\r\n")
    try:
        return "".join(lines).encode("latin-1") + body
    except UnicodeEncodeError as error:
        raise NotSent("a header cannot be sent") from error


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
