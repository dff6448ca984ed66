"""A scripted Kraken on loopback: real sockets, frames as the venue's documentation has them.

Not the product's simulator: it has no engine and no book, it says what a test tells it to.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web

STATUS = (
    '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",'
    '"api_version":"v2","connection_id":15113583034416118705,"upcoming_maintenance":[]}]}'
)
HEARTBEAT = '{"channel":"heartbeat"}'
STAMP = '"time_in":"2026-08-16T23:37:04.334090Z","time_out":"2026-08-16T23:37:04.334126Z"'

Handler = Callable[["Socket", dict[str, Any]], Awaitable[None]]
Endpoint = Callable[[dict[str, str]], Any]


def pair_text(symbol: str, price_precision: int, qty_precision: int, status: str = "online") -> str:
    base, quote = symbol.split("/")
    return (
        f'{{"symbol":"{symbol}","base":"{base}","quote":"{quote}","status":"{status}",'
        f'"qty_precision":{qty_precision},"qty_increment":1E-{qty_precision},'
        f'"price_precision":{price_precision},"price_increment":1e-{price_precision},'
        f'"cost_precision":5,"cost_min":0.50,"qty_min":5e-05,"marginable":true}}'
    )


def instrument_text(*pairs: str, kind: str = "snapshot") -> str:
    return (
        f'{{"channel":"instrument","type":"{kind}","data":{{"assets":[],'
        f'"pairs":[{",".join(pairs)}]}}}}'
    )


def ack_text(req_id: int, channel: str, **fields: Any) -> str:
    result = json.dumps({"channel": channel, **fields})
    return f'{{"method":"subscribe","req_id":{req_id},"result":{result},"success":true,{STAMP}}}'


def pong_text(req_id: int) -> str:
    return f'{{"method":"pong","req_id":{req_id},{STAMP}}}'


class Socket:
    """One accepted WebSocket and what it received."""

    def __init__(self, server: web.WebSocketResponse) -> None:
        self.server = server
        self.received: list[dict[str, Any]] = []

    async def say(self, *texts: str) -> None:
        for text in texts:
            await self.server.send_str(text)

    async def drop(self) -> None:
        """Cut the connection without a close frame."""
        transport = self.server._req.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.abort()

    def of(self, method: str, channel: str = "") -> list[dict[str, Any]]:
        return [
            frame
            for frame in self.received
            if frame["method"] == method
            and (not channel or frame.get("params", {}).get("channel") == channel)
        ]


class ScriptedVenue:
    """Loopback server: `handler` answers each WebSocket frame, `endpoints` the REST calls."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.sockets: list[Socket] = []
        self.endpoints: dict[str, Any] = {}
        self.rest_calls: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.is_greeting = True
        self.port = 0
        self._changed = asyncio.Event()

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v2"

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def calls_of(self, endpoint: str) -> list[dict[str, str]]:
        return [params for name, params, _ in self.rest_calls if name == endpoint]

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        server = web.WebSocketResponse()
        await server.prepare(request)
        socket = Socket(server)
        self.sockets.append(socket)
        self._changed.set()
        if self.is_greeting:
            await socket.say(STATUS)
        async for message in server:
            if message.type is not WSMsgType.TEXT:
                break
            frame = json.loads(message.data)
            frame["raw"] = message.data
            socket.received.append(frame)
            self._changed.set()
            await self.handler(socket, frame)
        return server

    async def _rest(self, request: web.Request) -> web.Response:
        endpoint = request.match_info["endpoint"]
        body = (await request.read()).decode()
        params = dict(parse_qsl(body, keep_blank_values=True)) | dict(request.query)
        self.rest_calls.append((endpoint, params, {**request.headers, "body": body}))
        self._changed.set()
        answer = self.endpoints.get(endpoint)
        if callable(answer):
            answer = answer(params)
        if isinstance(answer, web.Response):
            return answer
        if answer is None:
            return web.json_response({"error": ["EGeneral:Unknown method"]})
        if isinstance(answer, str):
            return web.json_response({"error": [answer]})
        return web.json_response({"error": [], "result": answer})


@asynccontextmanager
async def serving(venue: ScriptedVenue) -> AsyncIterator[ScriptedVenue]:
    app = web.Application()
    app.router.add_get("/v2", venue._websocket)
    app.router.add_route("*", "/0/{scope}/{endpoint}", venue._rest)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    venue.port = runner.addresses[0][1]
    try:
        yield venue
    finally:
        for socket in venue.sockets:
            await socket.server.close()
        await runner.cleanup()


class Seen:
    """A sink that can be awaited."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._changed = asyncio.Event()

    def __call__(self, event: Any) -> None:
        self.events.append(event)
        self._changed.set()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Callable[[Seen], bool], timeout_s: float = 5.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def running(service: Any) -> AsyncIterator[asyncio.Task[None]]:
    task: asyncio.Task[None] = asyncio.ensure_future(service.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
