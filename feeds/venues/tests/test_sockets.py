"""The socket transport against real loopback servers: what may have left, what did not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import WSMsgType, web
from prometheus_client import REGISTRY

from arbsite.errors import NotSent
from feeds.venues.sockets import QUEUED_FRAMES, SocketTransport

FLOOD = 20_000


class Peer:
    """A loopback server that counts what reached it."""

    def __init__(self) -> None:
        self.posts = 0
        self.port = 0
        self.sizes: list[int] = []

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def echo(self, request: web.Request) -> web.Response:
        self.posts += 1
        return web.Response(status=207, body=await request.read())

    async def drop(self, request: web.Request) -> web.Response:
        self.posts += 1
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def hang(self, request: web.Request) -> web.Response:
        self.posts += 1
        await asyncio.sleep(30)
        return web.Response()

    async def redirect(self, request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(location="/echo")

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        server = web.WebSocketResponse(compress=True)
        await server.prepare(request)
        async for message in server:
            if message.type is not WSMsgType.TEXT:
                break
            if message.data == "bye":
                break
            if message.data == "flood":
                for number in range(FLOOD):
                    await server.send_str(str(number))
                continue
            if message.data == "big":
                await server.send_str("x" * (2 * 1024 * 1024))
                continue
            await server.send_str(message.data)
        await server.close()
        return server


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    app = web.Application()
    app.router.add_post("/echo", peer.echo)
    app.router.add_post("/drop", peer.drop)
    app.router.add_post("/hang", peer.hang)
    app.router.add_route("*", "/redirect", peer.redirect)
    app.router.add_get("/socket", peer.socket)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    peer.port = runner.addresses[0][1]
    yield peer
    await runner.cleanup()


@pytest.fixture
async def transport() -> AsyncIterator[SocketTransport]:
    transport = SocketTransport()
    yield transport
    await transport.close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_http_returns_any_status_and_the_body(peer: Peer, transport: SocketTransport) -> None:
    reply = await transport.http("POST", f"{peer.http}/echo", body=b"a=1")
    assert (reply.status, reply.body) == (207, b"a=1")


async def test_refused_port_is_not_sent(transport: SocketTransport) -> None:
    with pytest.raises(NotSent):
        await transport.http("POST", f"http://127.0.0.1:{closed_port()}/echo", body=b"a=1")


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://127.0.0.1/x"])
async def test_a_bad_url_is_not_sent(url: str, transport: SocketTransport) -> None:
    with pytest.raises(NotSent):
        await transport.http("POST", url)


async def test_plain_port_spoken_to_as_tls_is_not_sent(
    peer: Peer, transport: SocketTransport
) -> None:
    with pytest.raises(NotSent):
        await transport.http("POST", f"https://127.0.0.1:{peer.port}/echo", body=b"a=1")
    assert peer.posts == 0


async def test_dropped_reply_is_ambiguous_and_a_post_is_not_repeated(
    peer: Peer, transport: SocketTransport
) -> None:
    await transport.http("POST", f"{peer.http}/echo")
    with pytest.raises(ConnectionError):
        await transport.http("POST", f"{peer.http}/drop", body=b"a=1")
    assert peer.posts == 2


async def test_late_reply_is_a_timeout_not_a_not_sent(
    peer: Peer, transport: SocketTransport
) -> None:
    with pytest.raises(TimeoutError):
        await transport.http("POST", f"{peer.http}/hang", body=b"a=1", timeout_s=0.1)
    assert peer.posts == 1


async def test_redirects_are_answers_not_orders(peer: Peer, transport: SocketTransport) -> None:
    reply = await transport.http("POST", f"{peer.http}/redirect", body=b"a=1")
    assert reply.status == 307
    assert peer.posts == 0
    with pytest.raises(ConnectionError):
        await transport.connect(f"{peer.ws}/redirect")


async def test_websocket_sends_text_and_receives_bytes(
    peer: Peer, transport: SocketTransport
) -> None:
    connection = await transport.connect(f"{peer.ws}/socket")
    await connection.send(b'{"method":"ping"}')
    assert await connection.recv() == b'{"method":"ping"}'
    await connection.send("big")
    assert len(await connection.recv()) == 2 * 1024 * 1024
    await connection.close()
    await connection.close()


async def test_end_of_a_websocket_is_a_connection_error(
    peer: Peer, transport: SocketTransport
) -> None:
    connection = await transport.connect(f"{peer.ws}/socket")
    await connection.send("bye")
    with pytest.raises(ConnectionError):
        await connection.recv()
    with pytest.raises(ConnectionError):
        await connection.send("more")


async def test_an_oversized_frame_ends_the_socket(peer: Peer) -> None:
    connection = await SocketTransport(max_frame_bytes=1024).connect(f"{peer.ws}/socket")
    await connection.send("big")
    with pytest.raises(ConnectionError):
        await connection.recv()


async def test_unreachable_websocket_is_a_connection_error(transport: SocketTransport) -> None:
    with pytest.raises(ConnectionError):
        await transport.connect(f"ws://127.0.0.1:{closed_port()}/socket")
    with pytest.raises(ConnectionError):
        await transport.connect("http://127.0.0.1/socket")


async def test_a_server_that_never_shakes_hands_is_a_timeout(transport: SocketTransport) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(TimeoutError):
        await transport.connect(f"ws://127.0.0.1:{port}/socket", timeout_s=0.1)
    server.close()


async def test_a_slow_reader_holds_the_sender_up_is_counted_and_loses_nothing(
    peer: Peer, transport: SocketTransport
) -> None:
    def told(series: str) -> float:
        return REGISTRY.get_sample_value(series, {"host": "127.0.0.1"}) or 0.0

    paused_before = told("spreadline_socket_pauses_total")
    connection = await transport.connect(f"{peer.ws}/socket")
    await connection.send("flood")
    async with asyncio.timeout(30):
        while told("spreadline_socket_pauses_total") == paused_before:
            await asyncio.sleep(0.01)
        seen = [int(await connection.recv()) for _ in range(FLOOD)]
    await connection.close()
    assert seen == list(range(FLOOD))
    # One read of the socket may bring more than the limit, but never all that was sent.
    assert QUEUED_FRAMES < told("spreadline_socket_queue_depth") < FLOOD
