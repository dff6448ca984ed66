"""Where the simulated venues meet a wire: real loopback sockets, or memory.

A venue is a `SimServer`: it is handed connections and requests and does not know what
carries them. `serve` puts several of them on one aiohttp port; `PipeTransport` hands them
straight to adapters on any loop, virtual time included. Not here: any protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web

from arbsite.errors import NotSent
from feeds.venues.transport import HttpReply, WsConnection

Answer = tuple[int, bytes, str]
"""HTTP status, body, content type."""

MAX_FRAME_BYTES = 1 << 20
STOP_GRACE_S = 1.0


class ServerConn(Protocol):
    """The server's end of one WebSocket. Both calls raise ConnectionError when it is over."""

    async def send(self, text: str) -> None:
        """Write one text frame."""

    async def recv(self) -> str:
        """Wait for the client's next text frame."""

    async def close(self) -> None:
        """End with a closing handshake; idempotent."""

    def abort(self) -> None:
        """Cut without a word, as a network failure does; idempotent."""


class HttpServer(Protocol):
    """What answers plain requests. Raising ConnectionError means: hang up unanswered."""

    async def http(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request; `path` has its query string, header names are lower case."""


@runtime_checkable
class SimServer(HttpServer, Protocol):
    """A venue: answers requests and keeps WebSockets."""

    async def open_ws(self, path: str, conn: ServerConn) -> None:
        """Serve one WebSocket until it ends; returning closes it."""


Route = tuple[str, HttpServer]
"""A path prefix and who answers below it. Only a server with `open_ws` takes WebSockets."""


def _server_for(routes: Sequence[Route], path: str) -> HttpServer | None:
    """Return the server of the first matching prefix."""
    return next((server for prefix, server in routes if path.startswith(prefix)), None)


class _AiohttpConn:
    """A `ServerConn` over aiohttp."""

    def __init__(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        self._request = request
        self._ws = ws

    async def send(self, text: str) -> None:
        try:
            await self._ws.send_str(text)
        except (ConnectionError, RuntimeError) as gone:  # RuntimeError: already closing
            raise ConnectionError("the client is gone") from gone

    async def recv(self) -> str:
        message = await self._ws.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data)
        if message.type is WSMsgType.BINARY:
            return bytes(message.data).decode("utf-8", "replace")
        raise ConnectionError("the client closed")

    async def close(self) -> None:
        await self._ws.close()

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


class Host:
    """One listening port. `port` is the bound one."""

    def __init__(self, runner: web.AppRunner, port: int, conns: set[_AiohttpConn]) -> None:
        self._runner = runner
        self._conns = conns
        self.port = port

    async def stop(self) -> None:
        """Close every socket and free the port; waits at most about `STOP_GRACE_S`."""
        for conn in list(self._conns):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_GRACE_S / 4):
                    await conn.close()
            conn.abort()
        await self._runner.cleanup()


async def serve(routes: Sequence[Route], host: str = "127.0.0.1", port: int = 0) -> Host:
    """Listen and route by path prefix (first match wins); port 0 takes a free one."""
    conns: set[_AiohttpConn] = set()

    async def answer_ws(request: web.Request, server: SimServer) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False, max_msg_size=MAX_FRAME_BYTES, timeout=0.2)
        await ws.prepare(request)
        conn = _AiohttpConn(request, ws)
        conns.add(conn)
        try:
            with contextlib.suppress(ConnectionError):
                await server.open_ws(request.path_qs, conn)
        finally:
            conns.discard(conn)
        if not ws.closed and request.transport is not None:
            await ws.close()
        return ws

    async def answer(request: web.Request) -> web.StreamResponse:
        server = _server_for(routes, request.path)
        if server is None:
            return web.Response(status=404)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if not isinstance(server, SimServer):
                return web.Response(status=404)
            return await answer_ws(request, server)
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            status, body, kind = await server.http(
                request.method, request.path_qs, headers, await request.read()
            )
        except ConnectionError:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=499)
        return web.Response(status=status, body=body, content_type=kind)

    app = web.Application(client_max_size=MAX_FRAME_BYTES)
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_GRACE_S)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    return Host(runner, int(runner.addresses[0][1]), conns)


class _Pipe:
    """One direction: frames, then the end."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[str | None] = asyncio.Queue()
        self.is_over = False

    def put(self, text: str) -> None:
        if self.is_over:
            raise ConnectionError("the pipe is closed")
        self._frames.put_nowait(text)

    async def get(self) -> str:
        text = None if self.is_over and self._frames.empty() else await self._frames.get()
        if text is None:
            raise ConnectionError("the pipe is closed")
        return text

    def finish(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._frames.put_nowait(None)


class _PipeEnd:
    """Either end of a connection in memory: client side bytes, server side text."""

    def __init__(self, inbound: _Pipe, outbound: _Pipe) -> None:
        self._in = inbound
        self._out = outbound

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._out.finish()
        self._in.finish()


class _PipeServerEnd(_PipeEnd):
    async def send(self, text: str) -> None:
        self._out.put(text)

    async def recv(self) -> str:
        return await self._in.get()


class _PipeClientEnd(_PipeEnd):
    async def send(self, text: str | bytes) -> None:
        self._out.put(text if isinstance(text, str) else text.decode())

    async def recv(self) -> bytes:
        return (await self._in.get()).encode()


class PipeTransport:
    """A `Transport` to servers in the same process: no sockets, so runs are repeatable.

    `hosts` maps a URL's authority (`kraken.sim`, `sim-a:8899`) to its routes; an unknown
    one is refused like a closed port.
    """

    def __init__(self, hosts: Mapping[str, Sequence[Route]]) -> None:
        self._hosts = hosts
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, url: str, *, timeout_s: float = 5.0) -> WsConnection:
        """Open a pipe to the server of `url`; ConnectionError when there is none."""
        server, path = self._find(url)
        if not isinstance(server, SimServer):
            raise ConnectionRefusedError(f"nothing listens at {url}")
        up, down = _Pipe(), _Pipe()
        server_end = _PipeServerEnd(up, down)
        task = asyncio.create_task(self._keep(server, path, server_end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return _PipeClientEnd(down, up)

    async def http(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = 5.0,
    ) -> HttpReply:
        """Perform one request. NotSent when no server is there; TimeoutError after `timeout_s`."""
        server, path = self._find(url)
        if server is None:
            raise NotSent(f"nothing listens at {url}")
        lowered = {name.lower(): value for name, value in (headers or {}).items()}
        async with asyncio.timeout(timeout_s):
            status, answer, _ = await server.http(method, path, lowered, body)
        return HttpReply(status, answer)

    async def close(self) -> None:
        """End every open pipe and wait for its server side."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _find(self, url: str) -> tuple[HttpServer | None, str]:
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return _server_for(self._hosts.get(parts.netloc, ()), path), path

    async def _keep(self, server: SimServer, path: str, conn: _PipeServerEnd) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await server.open_ws(path, conn)
        finally:
            conn.abort()
