"""Every Kraken knob does what its line in the table says, and stops when it is off."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from feeds.sim.faults import KRAKEN_KNOBS, FaultBoard, FaultControl, FaultRefused
from feeds.sim.kraken.latency import Latency
from feeds.sim.tests.kraken.rig import KEY, LOT, SOL, Client, NaiveBook, Venue, on_virtual_time


async def is_silent(client: Client, seconds: float) -> bool:
    """Whether no frame at all, heartbeats included, arrives within virtual seconds."""
    try:
        async with asyncio.timeout(seconds):
            await client.socket.recv()
    except TimeoutError:
        return True
    return False


async def watched_book(venue: Venue, knob: str | None, updates: int = 8) -> list[bool]:
    """Subscribe, turn a probability knob to 1, move the book; each frame's checksum verdict."""
    venue.quote()
    client = await venue.book()
    book = NaiveBook(SOL, 10)
    verdicts = [book.apply(await client.on("book", "snapshot"))]
    if knob:
        venue.faults.set(knob, 1.0)
    for step in range(updates):
        asks = [(15_001 + at, LOT + (step + 1) * (at == step % 3)) for at in range(3)]
        venue.exchange.quote_ladder("SOL/USD", [(15_000, LOT)], asks)
    venue.faults.reset()
    venue.quote(lots=3 * LOT)
    await client.send(method="ping")
    while (frame := await client.recv()).get("method") != "pong":
        verdicts.append(book.apply(frame))
    return verdicts


@on_virtual_time
async def test_book_without_faults_is_whole() -> None:
    assert await watched_book(Venue(), None) == [True] * 10


@on_virtual_time
async def test_lost_updates_are_caught_by_the_next_checksum() -> None:
    venue = Venue()
    venue.quote()
    client = await venue.book()
    book = NaiveBook(SOL, 10)
    assert book.apply(await client.on("book", "snapshot"))
    venue.faults.set("kraken.drop_update_p", 1.0)
    venue.exchange.take("SOL/USD", "buy", LOT, 15_001)
    assert await is_silent(client, 0.9)
    venue.faults.reset("kraken.drop_update_p")
    venue.exchange.take("SOL/USD", "sell", LOT, 15_000)
    assert not book.apply(await client.on("book"))


@on_virtual_time
async def test_corrupt_updates_fail_their_checksum() -> None:
    verdicts = await watched_book(Venue(), "kraken.corrupt_update_p")
    assert len(verdicts) == 10
    assert not any(verdicts[1:9])


@on_virtual_time
async def test_doubled_updates_change_nothing() -> None:
    assert await watched_book(Venue(), "kraken.duplicate_update_p") == [True] * 18


@on_virtual_time
async def test_reordered_updates_fail_their_checksum() -> None:
    verdicts = await watched_book(Venue(), "kraken.reorder_update_p")
    assert len(verdicts) == 10
    assert not all(verdicts)


@on_virtual_time
async def test_a_stall_holds_everything_and_releases_it_late() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private("executions")
    deadline = venue.deadline(1)
    venue.faults.set("kraken.stall", True, seconds=4)
    await client.send(method="add_order", params=venue.order(token, deadline=deadline), req_id=7)
    time = asyncio.create_task(venue.get("Time"))
    assert await is_silent(client, 3.9)
    assert not time.done()
    answer = await client.recv()
    assert answer["error"] == "EService:Deadline elapsed"
    assert (await time)["error"] == []
    assert venue.exchange.true_trades() == []


@on_virtual_time
async def test_heartbeats_alone_can_go_on() -> None:
    venue = Venue()
    venue.quote()
    client = await venue.book()
    book = NaiveBook(SOL, 10)
    assert book.apply(await client.on("book", "snapshot"))
    venue.faults.set("kraken.heartbeat_only", True, seconds=5)
    venue.exchange.take("SOL/USD", "buy", LOT, 15_001)
    beats = [json.loads(await client.socket.recv()) for _ in range(3)]
    assert beats == [{"channel": "heartbeat"}] * 3
    assert (await pong(client))["method"] == "pong"
    await asyncio.sleep(5)
    venue.exchange.take("SOL/USD", "sell", LOT, 15_000)
    assert not book.apply(await client.on("book"))


async def pong(client: Client) -> dict[str, Any]:
    await client.send(method="ping")
    return await client.recv()


@on_virtual_time
async def test_a_subscription_can_be_acked_and_stay_silent() -> None:
    venue = Venue()
    venue.quote()
    venue.faults.set("kraken.silent_after_ack", True)
    client = await venue.book()
    private, token = await venue.private()
    answer = await private.ask("subscribe", channel="executions", token=token)
    assert answer["success"] is True
    venue.faults.reset()
    venue.quote(lots=5)
    venue.exchange.place(KEY, venue.request())
    assert (await pong(client))["method"] == "pong"
    assert (await pong(private))["method"] == "pong"
    # Subscribing anew heals it.
    await client.ask("unsubscribe", channel="book", symbol=["SOL/USD"], depth=10)
    await client.ask("subscribe", channel="book", symbol=["SOL/USD"], depth=10)
    assert NaiveBook(SOL, 10).apply(await client.on("book", "snapshot"))


async def drained(client: Client) -> None:
    """Read to the end."""
    while True:
        await client.socket.recv()


@on_virtual_time
async def test_all_sockets_can_be_cut() -> None:
    venue = Venue()
    public, (private, _) = await venue.open(), await venue.private("executions")
    venue.faults.set("kraken.drop_sockets", True)
    for client in (public, private):
        with pytest.raises(ConnectionError):
            await drained(client)
    assert venue.faults.get("kraken.drop_sockets") is False
    assert await venue.open()


async def ordered(venue: Venue, knob: str, **overrides: Any) -> tuple[Client, list[dict[str, Any]]]:
    """Send one order under a knob; the frames until the answer to a later ping."""
    venue.quote()
    client, token = await venue.private("executions")
    venue.faults.set(knob, 1.0)
    await client.send(method="add_order", params=venue.order(token, **overrides), req_id=7)
    await client.send(method="ping")
    frames = []
    while (frame := await client.recv()).get("method") != "pong":
        frames.append(frame)
    return client, frames


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    return [f["data"][0]["exec_type"] if "data" in f else f["method"] for f in frames]


@on_virtual_time
async def test_an_ack_can_be_lost_with_the_order_placed() -> None:
    venue = Venue()
    _, frames = await ordered(venue, "kraken.ack_lost_placed_p")
    assert kinds(frames) == ["pending_new", "new", "trade", "filled"]
    assert len(venue.exchange.true_trades()) == 1


@on_virtual_time
async def test_a_rest_answer_can_be_lost_with_the_order_placed() -> None:
    venue = Venue()
    venue.quote()
    venue.faults.set("kraken.ack_lost_placed_p", 1.0)
    fields = {"pair": "SOLUSD", "type": "buy", "ordertype": "limit", "timeinforce": "ioc"}
    with pytest.raises(ConnectionError):
        await venue.rest("AddOrder", **fields, volume="0.5", price="150.01")
    assert len(venue.exchange.true_trades()) == 1


@on_virtual_time
async def test_a_request_can_vanish() -> None:
    venue = Venue()
    _, frames = await ordered(venue, "kraken.ack_lost_not_placed_p")
    assert frames == []
    assert venue.exchange.accounts.orders == {}


@on_virtual_time
async def test_busy_means_nothing_about_the_outcome() -> None:
    outcomes = set()
    for seed in range(8):
        venue = Venue(seed=seed)
        _, frames = await ordered(venue, "kraken.service_busy_p")
        (answer,) = (frame for frame in frames if "method" in frame)
        assert answer["error"] == "EService:Busy"
        outcomes.add(len(venue.exchange.true_trades()))
    assert outcomes == {0, 1}


@on_virtual_time
async def test_an_order_can_fill_nothing_or_a_part() -> None:
    venue = Venue()
    _, frames = await ordered(venue, "kraken.zero_fill_p")
    assert kinds(frames) == ["add_order", "pending_new", "new", "canceled"]
    venue = Venue()
    _, frames = await ordered(venue, "kraken.partial_p")
    assert kinds(frames) == ["add_order", "pending_new", "new", "trade", "canceled"]
    (trade,) = venue.exchange.true_trades()
    assert Decimal("0.5") > trade.qty > 0


@on_virtual_time
async def test_executions_can_overtake_the_ack_and_come_twice() -> None:
    venue = Venue()
    _, frames = await ordered(venue, "kraken.executions_first_p")
    assert kinds(frames) == ["pending_new", "new", "trade", "filled", "add_order"]
    venue = Venue()
    _, frames = await ordered(venue, "kraken.duplicate_execution_p")
    assert kinds(frames) == ["add_order", "pending_new", "new", "trade", "trade", "filled"]
    first, again = frames[3], frames[4]
    assert first["data"] == again["data"]
    assert int(again["sequence"]) == int(first["sequence"]) + 1


@on_virtual_time
async def test_a_sequence_gap_loses_one_frame_of_every_socket() -> None:
    venue = Venue()
    venue.quote()
    clients = [(await venue.private("executions"))[0] for _ in range(2)]
    venue.faults.set("kraken.sequence_gap", True)
    venue.exchange.place(KEY, venue.request())
    for client in clients:
        frame = await client.on("executions")
        assert (frame["sequence"], frame["data"][0]["exec_type"]) == ("3", "new")


@on_virtual_time
async def test_a_bad_gateway_may_or_may_not_have_acted() -> None:
    outcomes = set()
    for seed in range(8):
        venue = Venue(seed=seed)
        venue.quote()
        venue.faults.set("kraken.html_502_p", 1.0)
        body = {"nonce": "1", "pair": "SOLUSD", "type": "buy", "ordertype": "limit"}
        body |= {"volume": "0.5", "price": "150.01", "timeinforce": "ioc"}
        reply = await venue.post("AddOrder", body)
        assert (reply.status, reply.body[:6]) == (502, b"<html>")
        outcomes.add(len(venue.exchange.true_trades()))
    assert outcomes == {0, 1}


@on_virtual_time
async def test_closed_orders_and_trades_can_show_late() -> None:
    venue = Venue()
    venue.quote()
    venue.faults.set("kraken.visibility_lag_s", 3.0)
    venue.exchange.place(KEY, venue.request(cl_ord_id="mine"))
    await asyncio.sleep(2.9)
    assert (await venue.rest("ClosedOrders", cl_ord_id="mine"))["result"]["count"] == 0
    assert (await venue.rest("TradesHistory"))["result"]["count"] == 0
    await asyncio.sleep(0.2)
    assert (await venue.rest("ClosedOrders", cl_ord_id="mine"))["result"]["count"] == 1
    assert (await venue.rest("TradesHistory"))["result"]["count"] == 1


@on_virtual_time
async def test_the_engines_state_is_pushed_gates_orders_and_falls_back() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private("executions")
    venue.faults.set("kraken.system_status", "cancel_only", seconds=30)
    assert (await client.on("status"))["data"][0]["system"] == "cancel_only"
    answer = await client.ask("add_order", **venue.order(token))
    assert answer["error"] == "EService:Market in cancel_only mode"
    assert (await client.on("status"))["data"][0]["system"] == "online"
    assert (await client.ask("add_order", **venue.order(token)))["success"] is True
    with pytest.raises(FaultRefused):
        venue.faults.set("kraken.system_status", "asleep")
    assert venue.faults.get("kraken.system_status") == "online"


@on_virtual_time
async def test_a_pairs_status_reaches_the_instrument_channel() -> None:
    venue = Venue()
    venue.quote()
    client = await venue.open()
    await client.ask("subscribe", channel="instrument")
    snapshot = await client.on("instrument", "snapshot")
    assert [pair["status"] for pair in snapshot["data"]["pairs"]] == ["online", "online"]
    venue.faults.set("kraken.pair_status", {"SOL/USD": "post_only"})
    (pair,) = (await client.on("instrument"))["data"]["pairs"]
    assert (pair["symbol"], pair["status"]) == ("SOL/USD", "post_only")
    venue.faults.reset("kraken.pair_status")
    (pair,) = (await client.on("instrument"))["data"]["pairs"]
    assert pair["status"] == "online"


@on_virtual_time
async def test_the_feed_can_show_a_crossed_an_empty_and_a_thin_book() -> None:
    venue = Venue()
    venue.quote()
    client = await venue.book()
    book = NaiveBook(SOL, 10)
    assert book.apply(await client.on("book", "snapshot"))
    seen = {}
    for shape in ("crossed", "one_sided", "thin", "normal"):
        venue.faults.set("kraken.book_shape", shape)
        assert book.apply(await client.on("book"))
        seen[shape] = {name: sorted(side, key=float) for name, side in book.sides.items()}
    assert seen["crossed"]["bids"][-1] == "150.02" > seen["crossed"]["asks"][0]
    assert seen["one_sided"] == {"bids": ["149.98", "149.99", "150.00"], "asks": []}
    assert seen["thin"] == {"bids": ["150.00"], "asks": ["150.01"]}
    assert len(seen["normal"]["asks"]) == 3
    with pytest.raises(FaultRefused):
        venue.faults.set("kraken.book_shape", "round")


@on_virtual_time
async def test_tokens_can_all_expire() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private("executions")
    venue.faults.set("kraken.expire_tokens", True)
    answer = await client.ask("add_order", **venue.order(token))
    assert answer["error"] == "ESession:Invalid session"
    fresh = (await venue.rest("GetWebSocketsToken"))["result"]["token"]
    assert (await client.ask("add_order", **venue.order(fresh)))["success"] is True


@on_virtual_time
async def test_limits_and_nonces_can_be_refused_at_will() -> None:
    venue = Venue()
    _, frames = await ordered(venue, "kraken.rate_limited_p")
    assert [frame["error"] for frame in frames] == ["EOrder:Rate limit exceeded"]
    assert (await venue.rest("BalanceEx"))["error"] == ["EAPI:Rate limit exceeded"]
    venue.faults.reset()
    venue.faults.set("kraken.invalid_nonce_p", 1.0)
    assert (await venue.rest("BalanceEx"))["error"] == ["EAPI:Invalid nonce"]
    assert venue.exchange.accounts.orders == {}


@on_virtual_time
async def test_a_revoked_key_is_unknown_everywhere() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private("executions")
    venue.faults.set("kraken.key_revoked", True, seconds=60)
    assert (await venue.rest("BalanceEx"))["error"] == ["EAPI:Invalid key"]
    answer = await client.ask("add_order", **venue.order(token))
    assert answer["error"] == "ESession:Invalid session"
    await asyncio.sleep(61)
    assert (await venue.rest("BalanceEx"))["error"] == []
    assert (await client.ask("add_order", **venue.order(token)))["success"] is True


@on_virtual_time
async def test_a_long_stall_of_the_line_is_drawn_for_some_requests() -> None:
    venue = Venue(latency=Latency(stall_p=0.5), seed=3)
    client = await venue.open()
    loop = asyncio.get_running_loop()
    slow = 0
    for _ in range(40):
        start = loop.time()
        await pong(client)
        slow += loop.time() - start > 0.9
    assert 10 < slow < 30


@on_virtual_time
async def test_an_idle_socket_is_closed_and_a_subscribed_one_beats() -> None:
    venue = Venue()
    idle, kept = await venue.open(), await venue.book()
    loop = asyncio.get_running_loop()
    with pytest.raises(ConnectionError):
        await idle.socket.recv()
    assert 60 <= loop.time() < 62
    await kept.on("book", "snapshot")
    beats = 0
    while loop.time() < 120:
        beats += json.loads(await kept.socket.recv())["channel"] == "heartbeat"
    assert 118 <= beats <= 121


@on_virtual_time
async def test_latency_is_lognormal_and_keeps_order() -> None:
    venue = Venue(latency=Latency(stall_p=0.0), seed=3)
    client = await venue.open()
    loop = asyncio.get_running_loop()
    trips = []
    for _ in range(1_000):
        start = loop.time()
        await pong(client)
        trips.append(loop.time() - start)
    trips.sort()
    assert trips[500] == pytest.approx(0.020, rel=0.15)
    assert trips[950] == pytest.approx(0.080, rel=0.25)
    for number in range(50):
        await client.send(method="ping", req_id=number)
    assert [(await client.recv())["req_id"] for _ in range(50)] == [str(n) for n in range(50)]


def test_knobs_refuse_what_they_cannot_take() -> None:
    board = FaultBoard()
    for name, value in [
        ("kraken.nothing", True),
        ("kraken.drop_update_p", 1.5),
        ("kraken.drop_update_p", -0.1),
        ("kraken.drop_update_p", float("nan")),
        ("kraken.drop_update_p", "often"),
        ("kraken.stall", 7),
        ("kraken.pair_status", "online"),
    ]:
        with pytest.raises(FaultRefused):
            board.set(name, value)
    assert board.snapshot() == dict(sorted(KRAKEN_KNOBS.items()))


@on_virtual_time
async def test_the_control_page_lists_sets_and_resets() -> None:
    board = Venue().faults
    page = FaultControl(board)

    async def call(method: str, body: bytes = b"") -> tuple[int, Any]:
        status, answer, _ = await page.http(method, "/sim/faults", {}, body)
        return status, json.loads(answer)

    order = b'{"name": "kraken.drop_update_p", "value": 0.5, "seconds": 2}'
    assert (await call("POST", order))[1]["kraken.drop_update_p"] == 0.5
    await asyncio.sleep(2.1)
    assert (await call("GET"))[1]["kraken.drop_update_p"] == 0.0
    board.set("kraken.stall", True)
    assert (await call("DELETE"))[1]["kraken.stall"] is False
    bad = [b"{", b"[]", b'{"name": "x", "value": 1}', b'{"name": "kraken.stall", "value": [1]}']
    bad.append(b'{"name": "kraken.system_status", "value": "asleep"}')
    bad.append(b'{"name": "kraken.stall", "value": true, "seconds": -1}')
    for body in bad:
        status, answer = await call("POST", body)
        assert status == 400
        assert answer["error"]
