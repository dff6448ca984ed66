"""The private socket: acks, delta-only executions, balances, tokens, cancels."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from feeds.sim.tests.kraken.rig import KEY, SOL, Client, Venue, account, on_virtual_time


async def executions(client: Client, count: int) -> list[tuple[int, dict[str, Any]]]:
    """The next executions updates as (sequence, entry)."""
    found = []
    while len(found) < count:
        frame = await client.on("executions")
        found.append((int(frame["sequence"]), frame["data"][0]))
    return found


@on_virtual_time
async def test_an_ioc_lives_through_the_recorded_frames() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private("executions")
    params = venue.order(token, order_qty=1.5, cl_ord_id="mine", deadline=venue.deadline(1))
    ack = await client.ask("add_order", **params)
    assert ack["success"] is True
    assert ack["req_id"] == "7"
    assert ack["result"]["cl_ord_id"] == "mine"
    steps = await executions(client, 4)
    assert [sequence for sequence, _ in steps] == [2, 3, 4, 5]
    pending, new, trade, canceled = (entry for _, entry in steps)
    assert pending["exec_type"] == pending["order_status"] == "pending_new"
    assert (pending["cl_ord_id"], pending["symbol"]) == ("mine", "SOL/USD")
    assert pending["time_in_force"] == "IOC"
    assert set(new) == {"exec_type", "order_id", "order_status", "order_userref", "timestamp"}
    assert trade["order_status"] == "partially_filled"
    assert (trade["last_qty"], trade["last_price"]) == ("1.00000000", "150.01")
    assert trade["fees"] == [{"asset": "USD", "qty": "0.15001000"}]
    assert trade["liquidity_ind"] == "t"
    assert (canceled["exec_type"], canceled["cum_qty"]) == ("canceled", "1.00000000")
    assert "cl_ord_id" not in new | trade | canceled
    assert {entry["order_id"] for _, entry in steps} == {ack["result"]["order_id"]}


@on_virtual_time
async def test_a_full_fill_says_partially_filled_and_then_filled() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private("executions")
    await client.ask("add_order", **venue.order(token, time_in_force="IOC"))
    _, _, (_, trade), (_, filled) = await executions(client, 4)
    assert (trade["order_status"], filled["order_status"]) == ("partially_filled", "filled")
    assert filled["avg_price"] == "150.01000000"


@on_virtual_time
async def test_a_trade_gives_two_balance_entries_with_one_reference() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private("balances")
    await client.ask("add_order", **venue.order(token))
    frame = await client.on("balances")
    quote, base = frame["data"]
    assert (quote["asset"], quote["amount"], quote["fee"]) == ("USD", "-75.00500000", "0.07500500")
    assert (base["asset"], base["amount"], base["balance"]) == ("SOL", "0.50000000", "500.50000000")
    assert quote["ref_id"] == base["ref_id"] == venue.exchange.true_trades()[0].txid
    assert frame["sequence"] == "2"


@on_virtual_time
async def test_snapshots_show_open_orders_and_past_fills() -> None:
    venue = Venue()
    venue.quote()
    venue.exchange.place(KEY, venue.request())
    gtc = venue.request(time_in_force="gtc", limit_price=SOL_LOW, cl_ord_id="rests")
    resting = venue.exchange.place(KEY, gtc)
    client, token = await venue.private()
    answer = await client.ask(
        "subscribe", channel="executions", token=token, snap_orders=True, snap_trades=True
    )
    assert answer["result"]["maxratecount"] == "180"
    snapshot = await client.on("executions", "snapshot")
    opened, fill = snapshot["data"]
    assert (opened["order_id"], opened["cl_ord_id"]) == (resting.order_id, "rests")
    assert (fill["exec_type"], fill["exec_id"]) == ("trade", venue.exchange.true_trades()[0].txid)
    assert snapshot["sequence"] == "1"


SOL_LOW = Decimal("149.00")


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        ({"order_qty": 900}, "EOrder:Insufficient funds"),
        ({"order_type": "market"}, "EGeneral:Invalid arguments:ordertype"),
        ({"side": "long"}, "EGeneral:Invalid arguments:side"),
        ({"time_in_force": "gtd"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
        ({"order_qty": "lots"}, "EGeneral:Invalid arguments:volume"),
        ({"order_qty": None}, "EGeneral:Invalid arguments:volume"),
        ({"order_userref": 3, "cl_ord_id": "x"}, None),
    ],
)
def test_a_refused_order_gets_an_error_frame(overrides: dict[str, Any], error: str | None) -> None:
    @on_virtual_time
    async def story() -> None:
        venue = Venue()
        venue.quote()
        client, token = await venue.private("executions")
        answer = await client.ask("add_order", **venue.order(token, **overrides))
        assert answer["success"] is False
        assert answer["req_id"] == "7"
        assert "result" not in answer
        assert error is None or answer["error"] == error
        assert venue.exchange.true_trades() == []

    story()


@on_virtual_time
async def test_a_deadline_passed_on_the_way_is_refused() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private()
    answer = await client.ask("add_order", **venue.order(token, deadline=venue.deadline(-0.1)))
    assert answer["error"] == "EService:Deadline elapsed"
    answer = await client.ask("add_order", **venue.order(token, deadline=venue.deadline(90)))
    assert answer["error"] == "EGeneral:Invalid arguments:deadline"


@on_virtual_time
async def test_validate_checks_and_places_nothing() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private()
    answer = await client.ask("add_order", **venue.order(token, validate=True))
    assert answer["success"] is True
    assert "order_id" not in answer["result"]
    assert venue.exchange.accounts.orders == {}
    wrong = await client.ask("add_order", **venue.order(token, validate=True, order_qty=900))
    assert wrong["error"] == "EOrder:Insufficient funds"


@on_virtual_time
async def test_cancels_by_either_id_and_all_and_by_the_dead_mans_switch() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private("executions")

    async def rest(name: str) -> str:
        params = venue.order(token, time_in_force="gtc", limit_price=149.5, cl_ord_id=name)
        return (await client.ask("add_order", **params))["result"]["order_id"]

    order_id = await rest("one")
    answer = await client.ask("cancel_order", order_id=[order_id], token=token)
    assert answer["result"]["order_id"] == order_id
    await rest("two")
    assert (await client.ask("cancel_order", cl_ord_id=["two"], token=token))["success"]
    again = await client.ask("cancel_order", cl_ord_id=["two"], token=token)
    assert again["error"] == "EOrder:Unknown order"
    await rest("three")
    await rest("four")
    assert (await client.ask("cancel_all", token=token))["result"]["count"] == "2"
    await rest("five")
    armed = await client.ask("cancel_all_orders_after", timeout=60, token=token)
    assert armed["result"]["triggerTime"] > armed["result"]["currentTime"]
    while (await client.on("executions"))["data"][0]["exec_type"] != "canceled":
        pass
    assert venue.exchange.accounts.open_orders(KEY) == []
    assert (await client.ask("cancel_all_orders_after", timeout=0, token=token))["success"]


@on_virtual_time
async def test_a_token_expires_unused_and_lives_with_its_subscription() -> None:
    venue = Venue()
    venue.quote()
    client, token = await venue.private("executions")
    unused = (await venue.rest("GetWebSocketsToken"))["result"]
    assert unused["expires"] == 900
    await pass_time(venue, client, 901)
    assert (await client.ask("add_order", **venue.order(token)))["success"] is True
    late = await venue.open("/private/v2")
    for each in (unused["token"], token, "made-up"):
        answer = await late.ask("subscribe", channel="executions", token=each)
        assert {key: answer[key] for key in ("channel", "error", "status", "success")} == {
            "channel": "executions",
            "error": "ESession:Invalid session",
            "status": "error",
            "success": False,
        }
    refused = await late.ask("add_order", **venue.order(token))
    assert refused["error"] == "ESession:Invalid session"


async def pass_time(venue: Venue, client: Client, seconds: int) -> None:
    """Let time go by while the client reads on."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        await client.socket.recv()


@on_virtual_time
async def test_channels_are_refused_on_the_wrong_host() -> None:
    venue = Venue()
    public, (private, token) = await venue.open(), await venue.private()
    answer = await public.ask("subscribe", channel="executions", token=token)
    assert answer["error"].endswith("unavailable on this endpoint. Try ws-auth.kraken.com")
    answer = await private.ask("subscribe", channel="book", symbol=["SOL/USD"])
    assert answer["error"].endswith("unavailable on this endpoint. Try ws.kraken.com")


@on_virtual_time
async def test_the_public_socket_refuses_in_recorded_words() -> None:
    venue = Venue((SOL,))
    client = await venue.open()
    answer = await client.ask("subscribe", channel="book", symbol=["XBT/USD"])
    assert answer["error"] == "Currency pair not supported XBT/USD"
    assert answer["symbol"] == "XBT/USD"
    answer = await client.ask("subscribe", channel="book", symbol=["SOL/USD"], depth=27)
    assert answer["error"] == "Subscription depth not supported"
    assert (await client.ask("subscribe", channel="book", symbol=["SOL/USD"], depth=25))["success"]
    answer = await client.ask("subscribe", channel="book", symbol=["SOL/USD"], depth=10)
    assert answer["error"] == "Already subscribed"
    answer = await client.ask("unsubscribe", channel="book", symbol=["SOL/USD"], depth=10)
    assert (answer["error"], answer["symbol"]) == ("Subscription Not Found", "SOL/USD")
    answer = await client.ask("unsubscribe", channel="book", symbol=["SOL/USD"], depth=25)
    assert answer["success"] is True
    for text in ("{", "[]", '"x"', "1e999", "[" * 100_000):
        await client.socket.send(text)
        assert (await client.recv())["success"] is False
    await client.send(method="ping", req_id=101)
    pong = await client.recv()
    assert (pong["method"], pong["req_id"]) == ("pong", "101")


@on_virtual_time
async def test_ticker_and_trades_follow_the_market() -> None:
    venue = Venue()
    venue.quote()
    client = await venue.open()
    assert (await client.ask("subscribe", channel="trade", symbol=["SOL/USD"]))["success"]
    params = {"channel": "ticker", "symbol": ["SOL/USD"], "event_trigger": "bbo"}
    assert (await client.ask("subscribe", **params))["success"]
    (first,) = (await client.on("ticker", "snapshot"))["data"]
    assert (first["bid"], first["ask"], first["ask_qty"]) == ("150.00", "150.01", "1.00000000")
    venue.exchange.take("SOL/USD", "buy", 10**8, 15_001)
    (trade,) = (await client.on("trade"))["data"]
    assert (trade["side"], trade["price"], trade["qty"]) == ("buy", "150.01", "1.00000000")
    (ticker,) = (await client.on("ticker"))["data"]
    assert (ticker["ask"], ticker["last"]) == ("150.02", "150.01")


@on_virtual_time
async def test_another_accounts_executions_stay_private() -> None:
    venue = Venue(accounts={KEY: account(), "two": account()})
    venue.quote()
    client, _ = await venue.private("executions", "balances")
    venue.exchange.place("two", venue.request())
    venue.exchange.place(KEY, venue.request())
    (_, first), *_ = await executions(client, 1)
    assert venue.exchange.accounts.orders[first["order_id"]].account == KEY
