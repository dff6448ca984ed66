"""HTTP/1.1 connections that are kept open and carry one request at a time.

A request is one write of prepared bytes: what a full client does around that costs several
times as much as the write, and the order to trade waits for it. Never retries what may have
been delivered, follows no redirect, reads no proxy, keeps no cookie, asks for no encoding.
TLS as the system's certificates have it. Called by `sockets`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

import msgspec

from arbsite.errors import NotSent
from feeds.venues.http_reply import BrokenReply, HttpReplyReader
from feeds.venues.transport import HttpReply

IDLE_S = 60.0
"""A connection unused for longer is not trusted with a request."""

MAX_IDLE = 32

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


class _Line(asyncio.Protocol):
    """One connection. `is_open`: connected, between requests, and fit for another one."""

    def __init__(self, max_body_bytes: int) -> None:
        self.used_s = 0.0
        self.has_heard = False
        self._max_body_bytes = max_body_bytes
        self._transport: asyncio.Transport | None = None
        self._reader: HttpReplyReader | None = None
        self._answer: asyncio.Future[None] | None = None

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
        self._reader = reader = HttpReplyReader(self._max_body_bytes)
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        transport.write(message)
        try:
            await self._answer
        except BaseException:
            self.drop()
            raise
        self._answer, self._reader, self.used_s = None, None, loop.time()
        if not reader.is_kept:
            self.drop()
        return HttpReply(status=reader.status, body=reader.body)

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
        if self._reader is None or self._answer is None:
            self.drop()
            return
        self.has_heard = True
        try:
            self._reader.feed(data)
        except BrokenReply as error:
            self._tell(error)
            return
        if self._reader.is_complete:
            self._tell(None)

    def connection_lost(self, error: Exception | None) -> None:
        """End the reply, which some are ended by, or fail the request."""
        if self._reader is None or self._answer is None or self._answer.done():
            return
        try:
            self._reader.end()
        except BrokenReply as broken:
            self._tell(error if isinstance(error, OSError) else broken)
        else:
            self._tell(None)

    def _tell(self, error: Exception | None) -> None:
        if self._answer is None or self._answer.done():
            return
        if error is None:
            self._answer.set_result(None)
        else:
            self._answer.set_exception(error)


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
