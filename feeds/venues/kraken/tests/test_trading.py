"""Orders over a real private socket: sent once, and never more certain than the evidence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from arbsite.clock import SystemClock, seeded_random
from arbsite.errors import NotSent, OutcomeUnknown, Rejected
from feeds.venues.base import (
    CexBalance,
    CexFill,
    CexLinkState,
    CexOrder,
    CexOrderState,
)
from feeds.venues.kraken.auth import Credentials
from feeds.venues.kraken.limits import PRO
from feeds.venues.kraken.private import TradingTimings
from feeds.venues.kraken.tests import scripted
from feeds.venues.kraken.tests.scripted import ScriptedVenue, Seen, Socket, running, serving
from feeds.venues.kraken.tests.test_auth import SECRET
from feeds.venues.kraken.trading import KrakenTrading
from feeds.venues.sockets import SocketTransport

ORDER_ID = "AA5JGQ-SBMRC-SCJ7J7"
AT = "2023-09-22T10:33:05.709993Z"
BALANCES = {
    "channel": "balances", "type": "snapshot", "sequence": 1,
    "data": [{"asset": "USD", "asset_class": "currency", "balance": 1000.5}],
}  # fmt: skip


def executions(sequence: int, *entries: dict[str, Any], kind: str = "update") -> str:
    return json.dumps(
        {"channel": "executions", "type": kind, "data": list(entries), "sequence": sequence}
    )


def entry(word: str, **fields: Any) -> dict[str, Any]:
    base = {"order_id": ORDER_ID, "exec_type": word, "order_status": word, "timestamp": AT}
    return base | fields


def pending(params: dict[str, Any]) -> dict[str, Any]:
    return entry(
        "pending_new", cl_ord_id=params["cl_ord_id"], symbol=params["symbol"],
        side=params["side"], order_qty=params["order_qty"], cum_cost=0, fee_ccy_pref="fciq",
    )  # fmt: skip


def trade(exec_id: str, last: float, total: float) -> dict[str, Any]:
    return entry(
        "trade", order_status="partially_filled", exec_id=exec_id, trade_id=1, symbol="SOL/USD",
        side="buy", last_qty=last, last_price=150.25, cost=last * 150.25, cum_qty=total,
        liquidity_ind="t", fees=[{"asset": "USD", "qty": 0.15}],
    )  # fmt: skip


def ack(frame: dict[str, Any], order_id: str = ORDER_ID) -> str:
    return (
        f'{{"method":"add_order","req_id":{frame["req_id"]},"result":{{"order_id":"{order_id}",'
        f'"cl_ord_id":"{frame["params"]["cl_ord_id"]}"}},"success":true,{scripted.STAMP}}}'
    )


def refusal(frame: dict[str, Any], text: str) -> str:
    return json.dumps(
        {"error": text, "method": "add_order", "req_id": frame["req_id"], "success": False}
    )


class Desk:
    """The venue's private side; `on_order` decides what an order meets."""

    def __init__(self) -> None:
        self.token_number = 0
        self.session_errors: list[str] = []
        self.has_snapshot = True
        self.snapshot: list[dict[str, Any]] = []
        self.is_mute = False
        self.on_order: Callable[[Socket, dict[str, Any]], Any] = self._ack

    def token(self, params: dict[str, str]) -> Any:
        self.token_number += 1
        return {"token": f"TOKEN-{self.token_number}", "expires": 900}

    async def _ack(self, socket: Socket, frame: dict[str, Any]) -> None:
        await socket.say(ack(frame))

    async def __call__(self, socket: Socket, frame: dict[str, Any]) -> None:
        if self.is_mute:
            return
        params = frame.get("params") or {}
        match frame["method"], params.get("channel"):
            case "ping", _:
                await socket.say(scripted.pong_text(frame["req_id"]))
            case "subscribe", "executions":
                if self.session_errors:
                    text = self.session_errors.pop(0)
                    await socket.say(
                        f'{{"channel":"executions","error":"{text}","method":"subscribe",'
                        f'"status":"error","success":false,"req_id":{frame["req_id"]}}}'
                    )
                    return
                await socket.say(
                    scripted.ack_text(
                        frame["req_id"], "executions", maxratecount=125, snap_orders=True
                    )
                )
                if self.has_snapshot:
                    await socket.say(executions(1, *self.snapshot, kind="snapshot"))
            case "subscribe", "balances":
                await socket.say(
                    scripted.ack_text(frame["req_id"], "balances"), json.dumps(BALANCES)
                )
            case "add_order", _:
                await self.on_order(socket, frame)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def venue(desk: Desk) -> AsyncIterator[ScriptedVenue]:
    async with serving(ScriptedVenue(desk)) as venue:
        venue.endpoints["GetWebSocketsToken"] = desk.token
        yield venue


@pytest.fixture
async def transport() -> AsyncIterator[SocketTransport]:
    transport = SocketTransport()
    yield transport
    await transport.close()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def trading(venue: ScriptedVenue, transport: SocketTransport, seen: Seen) -> KrakenTrading:
    return trading_of(venue, transport, seen)


def trading_of(
    venue: ScriptedVenue, transport: SocketTransport, seen: Seen, **options: Any
) -> KrakenTrading:
    return KrakenTrading(
        transport,
        venue.ws_url,
        venue.rest_url,
        Credentials("key", SECRET),
        clock=SystemClock(),
        rng=seeded_random(1),
        sink=seen,
        **({"tier": PRO, "timings": TradingTimings(ack_s=0.2)} | options),
    )


def order(index: int = 0, **changes: Any) -> CexOrder:
    fields: dict[str, Any] = {
        "cl_ord_id": f"6d1f3c5e-4f0b-5d43-9a52-{index:012d}", "symbol": "SOL/USD", "side": "buy",
        "qty": Decimal("1.20000000"), "limit_price": Decimal("150.25"),
        "deadline_ns": SystemClock().now_ns() + 1_500_000_000,
    }  # fmt: skip
    return CexOrder(**(fields | changes))


def is_up(seen: Seen) -> bool:
    return any(state.is_up for state in seen.of(CexLinkState))


def orders_at(venue: ScriptedVenue) -> list[dict[str, Any]]:
    return [frame for socket in venue.sockets for frame in socket.of("add_order")]


async def test_comes_up_with_token_snapshot_and_a_request_to_back_fill(
    venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    assert not trading.is_ready
    async with running(trading):
        await seen.until(is_up)
        assert trading.is_ready
        await seen.until(lambda s: bool(s.of(CexBalance)))
    assert not trading.is_ready
    (up,) = [state for state in seen.of(CexLinkState) if state.is_up]
    assert up.gap
    assert seen.of(CexBalance)[0].balance == Decimal("1000.5")
    (request,) = venue.sockets[0].of("subscribe", "executions")
    assert request["params"]["token"] == "TOKEN-1"
    assert (request["params"]["snap_orders"], request["params"]["snap_trades"]) == (True, True)
    assert seen.of(CexLinkState)[-1].is_up is False


async def test_order_frame_and_ack(
    venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    async with running(trading):
        await seen.until(is_up)
        acked = await trading.submit(order())
    assert (acked.order_id, acked.cl_ord_id) == (ORDER_ID, order().cl_ord_id)
    (frame,) = orders_at(venue)
    assert '"order_qty":1.20000000,' in frame["raw"]
    assert '"limit_price":150.25,' in frame["raw"]
    params = frame["params"]
    assert (params["time_in_force"], params["fee_preference"], params["stp_type"]) == (
        "ioc", "quote", "cancel_newest",
    )  # fmt: skip
    assert params["token"] == "TOKEN-1"
    assert len(params["deadline"]) == len("2023-11-14T22:13:21.234Z")
    assert "validate" not in params


async def test_an_order_made_ready_leaves_as_it_would_have_and_once(
    venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    async with running(trading):
        await seen.until(is_up)
        asked = order()
        trading.make_ready(asked)
        assert trading._ready is not None
        frame, req_id = trading._ready.frame, trading._ready.req_id
        acked = await trading.submit(asked)
        with pytest.raises(OutcomeUnknown, match="not sent again"):
            await trading.submit(asked)
        # Another order than the one made ready, whatever it is, is encoded itself.
        trading.make_ready(order(1))
        await trading.submit(order(2))
        await trading.submit(order(1, qty=Decimal("0.5")))
    assert acked.order_id == ORDER_ID
    sent = [frame["params"] for frame in orders_at(venue)]
    assert [(each["cl_ord_id"], each["order_qty"]) for each in sent] == [
        (order().cl_ord_id, 1.2), (order(2).cl_ord_id, 1.2), (order(1).cl_ord_id, 0.5),
    ]  # fmt: skip
    assert orders_at(venue)[0]["raw"] == frame.decode()
    assert len({req_id} | {each["req_id"] for each in orders_at(venue)}) == 3


async def test_what_was_made_ready_for_another_connection_is_not_sent_on_this_one(
    venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    """Its token has ended with the connection."""
    trading.make_ready(order())  # nothing is up yet: not even an error
    async with running(trading):
        await seen.until(is_up)
        asked = order(deadline_ns=SystemClock().now_ns() + 60_000_000_000)
        trading.make_ready(asked)
        await venue.sockets[0].drop()
        await seen.until(lambda s: len([x for x in s.of(CexLinkState) if x.is_up]) == 2)
        await trading.submit(asked)
    (frame,) = orders_at(venue)
    assert frame["params"]["token"] == "TOKEN-2"


async def test_being_ready_does_not_excuse_an_order_that_is_late_or_empty(
    venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    async with running(trading):
        await seen.until(is_up)
        for changes in ({"deadline_ns": 1}, {"qty": Decimal(0)}, {"limit_price": Decimal("NaN")}):
            trading.make_ready(order(**changes))
            with pytest.raises(NotSent):
                await trading.submit(order(**changes))
    assert orders_at(venue) == []


async def test_full_fill_in_the_documented_order_of_frames(
    desk: Desk, trading: KrakenTrading, seen: Seen
) -> None:
    async def fill(socket: Socket, frame: dict[str, Any]) -> None:
        await socket.say(
            ack(frame),
            executions(2, pending(frame["params"])),
            executions(3, entry("new")),
            executions(4, trade("T-1", 0.7, 0.7), trade("T-2", 0.5, 1.2)),
            executions(5, entry("filled")),
        )

    desk.on_order = fill
    async with running(trading):
        await seen.until(is_up)
        await trading.submit(order())
        await seen.until(lambda s: any(state.is_terminal for state in s.of(CexOrderState)))
    assert [fill.fill_id for fill in seen.of(CexFill)] == ["T-1", "T-2"]
    assert {fill.cl_ord_id for fill in seen.of(CexFill)} == {order().cl_ord_id}
    final = seen.of(CexOrderState)[-1]
    assert (final.status, final.filled_qty, final.cl_ord_id) == (
        "filled", Decimal("1.2"), order().cl_ord_id,
    )  # fmt: skip
    assert trading.counters.gaps == 0


async def test_fills_before_the_ack_are_complete_and_the_ack_still_arrives(
    desk: Desk, trading: KrakenTrading, seen: Seen
) -> None:
    async def fill_first(socket: Socket, frame: dict[str, Any]) -> None:
        await socket.say(
            executions(2, pending(frame["params"])),
            executions(3, entry("new")),
            executions(4, trade("T-1", 1.2, 1.2)),
            executions(5, entry("filled")),
            ack(frame),
        )

    desk.on_order = fill_first
    async with running(trading):
        await seen.until(is_up)
        acked = await trading.submit(order())
    assert acked.order_id == ORDER_ID
    (fill,) = seen.of(CexFill)
    assert fill.cl_ord_id == order().cl_ord_id
    assert [state.status for state in seen.of(CexOrderState)] == [
        "pending", "open", "open", "filled",
    ]  # fmt: skip


async def test_partly_filled_ioc_ends_canceled(
    desk: Desk, trading: KrakenTrading, seen: Seen
) -> None:
    async def fill_part(socket: Socket, frame: dict[str, Any]) -> None:
        await socket.say(
            ack(frame),
            executions(2, pending(frame["params"])),
            executions(3, entry("new")),
            executions(4, trade("T-1", 0.4, 0.4)),
            executions(5, entry("canceled", cum_qty=0.4, reason="Immediate or cancel")),
        )

    desk.on_order = fill_part
    async with running(trading):
        await seen.until(is_up)
        await trading.submit(order())
        await seen.until(lambda s: any(state.is_terminal for state in s.of(CexOrderState)))
    final = seen.of(CexOrderState)[-1]
    assert (final.status, final.filled_qty, final.qty) == (
        "canceled", Decimal("0.4"), Decimal("1.2"),
    )  # fmt: skip


async def test_lost_ack_is_unknown_and_the_order_is_never_sent_again(
    desk: Desk, venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    async def swallow(socket: Socket, frame: dict[str, Any]) -> None:
        """The order may or may not live: nothing is said."""

    desk.on_order = swallow
    async with running(trading):
        await seen.until(is_up)
        with pytest.raises(OutcomeUnknown):
            await trading.submit(order())
        # Even a caller that tries again cannot make a second order of the same id.
        with pytest.raises(OutcomeUnknown, match="not sent again"):
            await trading.submit(order())
        await venue.sockets[0].drop()
        await seen.until(lambda s: sum(state.is_up for state in s.of(CexLinkState)) == 2)
        with pytest.raises(OutcomeUnknown, match="not sent again"):
            await trading.submit(order())
    assert len(orders_at(venue)) == 1
    assert trading.counters.orders_unknown == 1
    assert trading.counters.orders_sent == 1


async def test_late_ack_tells_the_order_id(
    desk: Desk, venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    held: list[dict[str, Any]] = []

    async def hold(socket: Socket, frame: dict[str, Any]) -> None:
        held.append(frame)

    desk.on_order = hold
    async with running(trading):
        await seen.until(is_up)
        with pytest.raises(OutcomeUnknown):
            await trading.submit(order())
        await venue.sockets[0].say(ack(held[0]))
        await seen.until(lambda s: bool(s.of(CexOrderState)))
    (state,) = seen.of(CexOrderState)
    assert (state.order_id, state.cl_ord_id, state.status) == (
        ORDER_ID, order().cl_ord_id, "pending",
    )  # fmt: skip


async def test_socket_dropped_after_the_write_is_unknown(
    desk: Desk, venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    async def drop(socket: Socket, frame: dict[str, Any]) -> None:
        await socket.drop()

    desk.on_order = drop
    async with running(trading):
        await seen.until(is_up)
        with pytest.raises(OutcomeUnknown, match="dropped"):
            await trading.submit(order())
        assert not trading.is_ready
        with pytest.raises(NotSent):
            await trading.submit(order(1))
    assert len(orders_at(venue)) == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("EOrder:Insufficient funds", Rejected),
        ("EGeneral:Invalid arguments:volume", Rejected),
        ("EService:Deadline elapsed", Rejected),
        ("EService:Busy", OutcomeUnknown),
        ("EService:Unavailable", OutcomeUnknown),
        ("EGeneral:Internal error", OutcomeUnknown),
        ("something nobody has seen", OutcomeUnknown),
        ("", OutcomeUnknown),
    ],
)
async def test_refusals_are_final_only_when_definite(
    text: str, error: type[Exception], desk: Desk, trading: KrakenTrading, seen: Seen
) -> None:
    async def refuse(socket: Socket, frame: dict[str, Any]) -> None:
        await socket.say(refusal(frame, text))

    desk.on_order = refuse
    async with running(trading):
        await seen.until(is_up)
        with pytest.raises(error):
            await trading.submit(order())


@pytest.mark.parametrize(
    "answer",
    [
        '{"method":"add_order","req_id":%d,"result":{},"success":true}',
        (
            '{"method":"add_order","req_id":%d,"result":{"order_id":"O1","cl_ord_id":"alien"},'
            '"success":true}'
        ),
        '{"method":"add_order","req_id":%d,"result":7,"success":true}',
        '{"method":"add_order","req_id":%d,"success":tru',
    ],
)
async def test_an_answer_that_proves_nothing_is_unknown(
    answer: str, desk: Desk, trading: KrakenTrading, seen: Seen
) -> None:
    async def mumble(socket: Socket, frame: dict[str, Any]) -> None:
        await socket.say(answer % frame["req_id"])

    desk.on_order = mumble
    async with running(trading):
        await seen.until(is_up)
        with pytest.raises(OutcomeUnknown):
            await trading.submit(order())


async def test_validate_only_needs_no_order_id(
    desk: Desk, venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    async def approve(socket: Socket, frame: dict[str, Any]) -> None:
        await socket.say(
            f'{{"method":"add_order","req_id":{frame["req_id"]},"result":{{}},"success":true}}'
        )

    desk.on_order = approve
    async with running(trading):
        await seen.until(is_up)
        acked = await trading.submit(order(validate=True))
    assert acked.order_id == ""
    assert orders_at(venue)[0]["params"]["validate"] is True


@pytest.mark.parametrize(
    "changes",
    [
        {"deadline_ns": 1},
        {"qty": Decimal("NaN")},
        {"qty": Decimal(0)},
        {"qty": Decimal(-1)},
        {"limit_price": Decimal("Infinity")},
        {"limit_price": Decimal(0)},
    ],
)
async def test_orders_that_must_not_leave_do_not(
    changes: dict[str, Any], venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    with pytest.raises(NotSent, match="not up"):
        await trading.submit(order())
    async with running(trading):
        await seen.until(is_up)
        with pytest.raises(NotSent):
            await trading.submit(order(**changes))
        # Nothing left, so the same id may be used for a good order.
        await trading.submit(order())
    assert len(orders_at(venue)) == 1


async def test_our_order_counter_stops_us_before_the_venue_does(
    venue: ScriptedVenue, desk: Desk, trading: KrakenTrading, seen: Seen
) -> None:
    async with running(trading):
        await seen.until(is_up)
        # The ack told 125 although the account was configured as a bigger one.
        results = await asyncio.gather(
            *(trading.submit(order(index)) for index in range(140)), return_exceptions=True
        )
        other = await trading.submit(order(999, symbol="JUP/USD"))
    refused = [result for result in results if isinstance(result, NotSent)]
    assert 125 <= len(results) - len(refused) <= 130
    assert other.order_id == ORDER_ID


async def test_answers_are_matched_by_request_not_by_order_of_arrival(
    desk: Desk, trading: KrakenTrading, seen: Seen
) -> None:
    held: list[dict[str, Any]] = []

    async def reverse(socket: Socket, frame: dict[str, Any]) -> None:
        held.append(frame)
        if len(held) == 3:
            for late in reversed(held):
                await socket.say(ack(late, order_id=f"O-{late['params']['cl_ord_id'][-1]}"))

    desk.on_order = reverse
    async with running(trading):
        await seen.until(is_up)
        acks = await asyncio.gather(*(trading.submit(order(index)) for index in range(3)))
    assert [ack.order_id for ack in acks] == ["O-0", "O-1", "O-2"]


async def test_sequence_gap_asks_for_a_back_fill_and_a_repeat_is_dropped(
    venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    params = {"cl_ord_id": "x", "symbol": "SOL/USD", "side": "buy", "order_qty": 1.2}
    async with running(trading):
        await seen.until(is_up)
        socket = venue.sockets[0]
        await socket.say(executions(2, pending(params)))
        await socket.say(executions(3, trade("T-1", 0.5, 0.5)))
        await socket.say(executions(3, trade("T-1", 0.5, 0.5)))
        await seen.until(lambda s: bool(s.of(CexFill)))
        assert trading.counters.gaps == 0
        await socket.say(executions(6, entry("canceled")))
        await seen.until(lambda s: len([e for e in s.of(CexLinkState) if e.gap]) == 2)
    gap = [state for state in seen.of(CexLinkState) if state.gap][-1]
    assert gap.is_up
    assert gap.reason == "executions went from 3 to 6"
    assert len(seen.of(CexFill)) == 1


async def test_ruined_private_frames_ask_for_a_back_fill(
    venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    async with running(trading):
        await seen.until(is_up)
        await venue.sockets[0].say(
            executions(2, entry("trade", last_qty=-1, exec_id="T-1")), "[" * 10_000
        )
        await seen.until(lambda s: len([e for e in s.of(CexLinkState) if e.gap]) == 3)
        assert trading.is_ready
    assert trading.counters.malformed == 2
    assert seen.of(CexFill) == []


async def test_reconnect_takes_a_fresh_token_and_repeats_no_fill(
    desk: Desk, venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    async with running(trading):
        await seen.until(is_up)
        old_fill = trade("T-OLD", 0.5, 0.5)
        await venue.sockets[0].say(executions(2, old_fill | {"order_qty": 1.2}))
        await seen.until(lambda s: bool(s.of(CexFill)))
        desk.has_snapshot = False
        await venue.sockets[0].drop()
        await venue.until(lambda: len(venue.sockets) == 2)
        await venue.until(lambda: bool(venue.sockets[1].of("subscribe", "balances")))
        assert not trading.is_ready
        await venue.sockets[1].say(executions(1, old_fill, kind="snapshot"))
        await seen.until(lambda s: sum(state.is_up for state in s.of(CexLinkState)) == 2)
    states = [(state.is_up, state.gap) for state in seen.of(CexLinkState)]
    assert states == [(True, True), (False, False), (True, True), (False, False)]
    assert len(seen.of(CexFill)) == 1
    assert venue.sockets[1].of("subscribe", "executions")[0]["params"]["token"] == "TOKEN-2"


async def test_expired_session_is_replaced(
    desk: Desk, venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    desk.session_errors = ["ESession:Invalid session"]
    async with running(trading):
        await seen.until(is_up)
    assert "ESession:Invalid session" in seen.of(CexLinkState)[0].reason
    assert len(venue.sockets) == 2
    assert desk.token_number == 2


async def test_session_refused_by_an_order_is_replaced(
    desk: Desk, venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    async def refuse(socket: Socket, frame: dict[str, Any]) -> None:
        await socket.say(refusal(frame, "ESession:Invalid session"))
        desk.on_order = desk._ack

    desk.on_order = refuse
    async with running(trading):
        await seen.until(is_up)
        with pytest.raises(OutcomeUnknown, match="ESession"):
            await trading.submit(order())
        await seen.until(lambda s: sum(state.is_up for state in s.of(CexLinkState)) == 2)
        await trading.submit(order(1))
    tokens = [frame["params"]["token"] for frame in orders_at(venue)]
    assert tokens == ["TOKEN-1", "TOKEN-2"]


async def test_account_without_orders_may_send_no_snapshot(
    desk: Desk, venue: ScriptedVenue, transport: SocketTransport, seen: Seen
) -> None:
    desk.has_snapshot = False
    trading = trading_of(venue, transport, seen, timings=TradingTimings(snapshot_s=0.1))
    async with running(trading):
        await seen.until(is_up)
        assert trading.is_ready


async def test_revoked_key_is_told_and_not_hammered(
    venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    venue.endpoints["GetWebSocketsToken"] = "EAPI:Invalid key"
    async with running(trading):
        await seen.until(lambda s: bool(s.of(CexLinkState)))
        (state,) = seen.of(CexLinkState)
        assert (state.is_up, "EAPI:Invalid key" in state.reason) == (False, True)
        with pytest.raises(NotSent):
            await trading.submit(order())
    assert venue.sockets == []
    assert len(venue.calls_of("GetWebSocketsToken")) == 1


async def test_a_replaced_key_is_used_at_once_and_for_what_comes_next(
    venue: ScriptedVenue, trading: KrakenTrading, seen: Seen
) -> None:
    def token(params: dict[str, str]) -> Any:
        is_new = venue.rest_calls[-1][2]["API-Key"] == "fresh"
        return {"token": "TOKEN"} if is_new else "EAPI:Invalid key"

    venue.endpoints["GetWebSocketsToken"] = token
    async with running(trading):
        # The revoked key is left alone for half a minute; a new one is not.
        await seen.until(lambda s: bool(s.of(CexLinkState)))
        trading.use_credentials(Credentials("fresh", SECRET))
        await seen.until(is_up)
        keys = [headers["API-Key"] for _, _, headers in venue.rest_calls]
        assert keys.count("fresh") >= 1
        assert keys == sorted(keys, key=lambda key: key == "fresh")


async def test_silent_private_socket_is_replaced(
    desk: Desk, venue: ScriptedVenue, transport: SocketTransport, seen: Seen
) -> None:
    timings = TradingTimings(silence_s=0.2, ack_s=2.0)
    trading = trading_of(venue, transport, seen, timings=timings)
    async with running(trading):
        await seen.until(is_up)
        desk.is_mute = True
        # The silent socket takes the order; its end makes the outcome unknown, not a resend.
        with pytest.raises(OutcomeUnknown, match="no frame for"):
            await trading.submit(order())
        desk.is_mute = False
        await seen.until(lambda s: sum(state.is_up for state in s.of(CexLinkState)) == 2)
    assert len(orders_at(venue)) == 1
    assert trading.counters.reconnects >= 1


async def test_reads_go_through_to_the_account(
    venue: ScriptedVenue, trading: KrakenTrading
) -> None:
    venue.endpoints |= {
        "Assets": {"ZUSD": {"altname": "USD"}},
        "AssetPairs": {"SOLUSD": {"altname": "SOLUSD", "wsname": "SOL/USD"}},
        "OpenOrders": {"open": {}},
        "ClosedOrders": {"closed": {}, "count": 0},
        "TradesHistory": {"trades": {}, "count": 0},
        "BalanceEx": {"ZUSD": {"balance": "10", "hold_trade": "1"}},
        "TradeVolume": {"fees": {"SOLUSD": {"fee": "0.40"}}},
        "CancelAllOrdersAfter": {},
        "Time": {"unixtime": 5},
    }
    assert await trading.find_orders("id", since_ns=0) == []
    assert await trading.fills(since_ns=0) == []
    assert await trading.balances() == {"USD": Decimal(9)}
    assert await trading.taker_fees(["SOL/USD"]) == {"SOL/USD": Decimal("0.004")}
    assert await trading.server_time_ns() == 5_000_000_000
    await trading.cancel_all_after(0)


def old_fill(exec_id: str, at: str) -> dict[str, Any]:
    return trade(exec_id, 0.5, 0.5) | {"order_id": f"O-{exec_id}", "timestamp": at}


OLD = [old_fill("T-NEW", "2023-09-22T10:33:05.000000Z"), old_fill("T-OLD", AT[:17] + "00.000000Z")]
OLDEST_NS = 1_695_378_780_000_000_000


async def test_a_snapshot_shows_every_fill_after_its_oldest_and_a_gap_ends_that(
    desk: Desk, trading: KrakenTrading, seen: Seen, venue: ScriptedVenue
) -> None:
    desk.snapshot = OLD
    assert trading.shown_fills(since_ns=OLDEST_NS + 1) is None
    async with running(trading):
        await seen.until(is_up)
        # Fills at the very edge may be cut off; what is older is not shown at all.
        assert trading.shown_fills(since_ns=OLDEST_NS) is None
        shown = trading.shown_fills(since_ns=OLDEST_NS + 1)
        assert shown is not None
        assert [fill.fill_id for fill in shown] == ["T-NEW"]
        params = {"cl_ord_id": "later", "symbol": "SOL/USD", "side": "buy", "order_qty": 1}
        begun = pending(params) | {"order_id": "O-T-LATER"}
        await venue.sockets[0].say(executions(2, begun, old_fill("T-LATER", AT)))
        await seen.until(lambda s: len(s.of(CexFill)) == 3)
        shown = trading.shown_fills(since_ns=OLDEST_NS + 1)
        assert shown is not None
        assert [fill.fill_id for fill in shown] == ["T-NEW", "T-LATER"]
        await venue.sockets[0].say(executions(4, old_fill("T-4", AT)))
        await seen.until(lambda s: any("from 2 to 4" in x.reason for x in s.of(CexLinkState)))
        assert trading.shown_fills(since_ns=OLDEST_NS + 1) is None
        assert not trading.shows_balances


@pytest.mark.parametrize("snapshot", [[], [OLD[1] | {"timestamp": ""}]])
async def test_a_snapshot_without_a_fill_to_go_by_shows_nothing(
    snapshot: list[dict[str, Any]], desk: Desk, trading: KrakenTrading, seen: Seen
) -> None:
    desk.snapshot = snapshot
    async with running(trading):
        await seen.until(is_up)
        assert trading.shown_fills(since_ns=OLDEST_NS + 1) is None


async def test_balances_are_shown_while_no_open_order_holds_a_part_of_one(
    desk: Desk, trading: KrakenTrading, seen: Seen, venue: ScriptedVenue
) -> None:
    params = {"cl_ord_id": "by-hand", "symbol": "SOL/USD", "side": "buy", "order_qty": 1}
    desk.snapshot = [pending(params) | {"exec_type": "new", "order_status": "new"}]
    async with running(trading):
        await seen.until(is_up)
        await seen.until(lambda s: bool(s.of(CexBalance)))
        assert not trading.shows_balances
        await venue.sockets[0].say(executions(2, entry("canceled")))
        await seen.until(lambda s: any(state.is_terminal for state in s.of(CexOrderState)))
        assert trading.shows_balances
    assert not trading.shows_balances
