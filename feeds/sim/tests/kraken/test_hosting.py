"""The same venue over real loopback sockets and in memory, and the loop that skips time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from arbsite.clock import SystemClock
from arbsite.errors import NotSent
from feeds.sim.faults import FaultControl
from feeds.sim.hosting import Host, PipeTransport, serve
from feeds.sim.kraken.latency import Latency
from feeds.sim.tests.kraken.rig import SOL, NaiveBook, Venue, on_virtual_time, signed
from feeds.sim.virtual_loop import Stuck, run_virtual


@pytest.fixture
async def hosted() -> AsyncIterator[tuple[Venue, Host]]:
    """A venue on a free loopback port, with its fault page beside it."""
    venue = Venue(clock=SystemClock())
    venue.quote()
    host = await serve([("/sim/faults", FaultControl(venue.faults)), ("/", venue.server)])
    yield venue, host
    await host.stop()


async def heard(socket: Any) -> dict[str, Any]:
    """The next frame that is no heartbeat."""
    while True:
        frame: dict[str, Any] = json.loads(await socket.recv(), parse_float=str, parse_int=str)
        if frame.get("channel") != "heartbeat":
            return frame


async def token_of(http: aiohttp.ClientSession, port: int) -> str:
    path, body = "/0/private/GetWebSocketsToken", b"nonce=1"
    url = f"http://127.0.0.1:{port}{path}"
    async with http.post(url, data=body, headers=signed(path, "1", body)) as reply:
        assert reply.content_type == "application/json"
        return (await reply.json())["result"]["token"]


async def test_a_trade_end_to_end_over_real_sockets(hosted: tuple[Venue, Host]) -> None:
    venue, host = hosted
    async with (
        aiohttp.ClientSession() as http,
        connect(f"ws://127.0.0.1:{host.port}/v2", compression=None) as public,
        connect(f"ws://127.0.0.1:{host.port}/private/v2", compression=None) as private,
    ):
        token = await token_of(http, host.port)
        assert (await heard(public))["channel"] == (await heard(private))["channel"] == "status"
        params = {"channel": "book", "symbol": ["SOL/USD"], "depth": 10}
        await public.send(json.dumps({"method": "subscribe", "params": params}))
        assert (await heard(public))["success"] is True
        book = NaiveBook(SOL, 10)
        assert book.apply(await heard(public))
        for channel in ("executions", "balances"):
            params = {"channel": channel, "token": token}
            await private.send(json.dumps({"method": "subscribe", "params": params}))
            assert (await heard(private))["success"] is True
            assert (await heard(private))["type"] == "snapshot"
        order = venue.order(token, deadline=venue.deadline(1))
        await private.send(json.dumps({"method": "add_order", "params": order, "req_id": 1}))
        frames = [await heard(private) for _ in range(6)]
        words = [frame["data"][0].get("exec_type", "balances") for frame in frames[1:]]
        assert frames[0]["success"] is True
        assert words == ["pending_new", "new", "trade", "balances", "filled"]
        assert book.apply(await heard(public))
        assert book.sides["asks"]["150.01"] == "0.50000000"


async def test_real_sockets_are_cut_and_lost_answers_hang_up(hosted: tuple[Venue, Host]) -> None:
    venue, host = hosted
    url = f"http://127.0.0.1:{host.port}"
    async with (
        connect(f"ws://127.0.0.1:{host.port}/v2") as socket,
        aiohttp.ClientSession() as http,
    ):
        await heard(socket)
        order = b'{"name": "kraken.drop_sockets", "value": true}'
        async with http.post(f"{url}/sim/faults", data=order) as reply:
            assert reply.status == 200
        with pytest.raises(ConnectionClosed):
            await heard(socket)
        venue.faults.set("kraken.ack_lost_placed_p", 1.0)
        path, body = "/0/private/AddOrder", b"nonce=2&pair=SOLUSD&type=buy&ordertype=limit"
        body += b"&timeinforce=IOC&volume=0.5&price=150.01"
        with pytest.raises(aiohttp.ClientError):
            await http.post(f"{url}{path}", data=body, headers=signed(path, "2", body))
        assert len(venue.exchange.true_trades()) == 1


async def test_stopping_closes_open_sockets_and_frees_the_port() -> None:
    venue = Venue(clock=SystemClock())
    host = await serve([("/", venue.server)])
    async with connect(f"ws://127.0.0.1:{host.port}/v2") as socket:
        await heard(socket)
        await asyncio.wait_for(host.stop(), 2)
        with pytest.raises(ConnectionClosed):
            await heard(socket)
    again = await serve([("/", venue.server)], port=host.port)
    await again.stop()


async def test_unknown_paths_and_sockets_on_plain_pages_are_refused() -> None:
    venue = Venue(clock=SystemClock())
    routes = [("/sim/faults", FaultControl(venue.faults)), ("/v2", venue.server)]
    host = await serve(routes)
    async with aiohttp.ClientSession() as http:
        assert (await http.get(f"http://127.0.0.1:{host.port}/else")).status == 404
    for path in ("/sim/faults", "/else"):
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{host.port}{path}")
    async with connect(f"ws://127.0.0.1:{host.port}/v2x") as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    await host.stop()


@on_virtual_time
async def test_pipes_refuse_unknown_hosts_and_time_out_like_sockets() -> None:
    venue = Venue()
    pipes = PipeTransport({"kraken.sim": [("/", venue.server)]})
    with pytest.raises(ConnectionError):
        await pipes.connect("ws://nowhere/v2")
    with pytest.raises(NotSent):
        await pipes.http("GET", "http://nowhere/0/public/Time")
    venue.faults.set("kraken.stall", True)
    with pytest.raises(TimeoutError):
        await pipes.http("GET", "http://kraken.sim/0/public/Time", timeout_s=2)
    venue.faults.reset()
    socket = await pipes.connect("ws://kraken.sim/v2")
    assert b'"status"' in await socket.recv()
    await socket.close()
    with pytest.raises(ConnectionError):
        await socket.send("{}")
    with pytest.raises(ConnectionError):
        await socket.recv()
    other = await pipes.connect("ws://kraken.sim/v2")
    await other.recv()
    await pipes.close()
    with pytest.raises(ConnectionError):
        await other.recv()


def test_virtual_time_jumps_and_says_when_it_cannot_go_on() -> None:
    async def hour() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert run_virtual(hour()) == 3600
    with pytest.raises(Stuck):
        run_virtual(asyncio.Event().wait())


def session_log(seed: int) -> list[str]:
    """Everything a public socket hears in a minute of seeded trading with latency."""

    async def story() -> list[str]:
        venue = Venue(seed=seed, latency=Latency())
        venue.faults.set("kraken.drop_update_p", 0.1)
        venue.quote()
        client = await venue.book()
        for step in range(200):
            venue.quote(bid=15_000 + step % 7, lots=10**8 + step)
            await asyncio.sleep(0.3)
        await client.send(method="ping")
        log = []
        while '"pong"' not in (text := (await client.socket.recv()).decode()):
            log.append(text)
        return log

    return run_virtual(story())


def test_one_seed_gives_one_history_to_the_byte() -> None:
    first = session_log(5)
    assert len(first) > 150
    assert first == session_log(5)
    assert first != session_log(6)
