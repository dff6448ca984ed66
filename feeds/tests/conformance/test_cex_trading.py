"""What every CEX adapter must do, numbered; a new CEX joins `RIGS` and must pass.

C1 ack   C2 reject   C3 unknown, placed   C4 unknown, not placed   C5 not sent
C6 fills and end by the stream   C7 orders by client id   C8 records and pages
C9 balances   C10 fees   C11 a failed read is QueryFailed   C12 once per client id
C13 the dead-man switch   C14 a gap is told   C15 validate only
C16 fills and balances as the stream shows them
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from arbsite.errors import NotSent, OutcomeUnknown, QueryFailed, Rejected
from feeds.tests.conformance.venues import SimVenues, run_patient
from feeds.venues.base import (
    CexBalance,
    CexEvent,
    CexFill,
    CexLinkState,
    CexOrder,
    CexOrderState,
    CexTrading,
)


class KrakenRig:
    """The Kraken adapter on the simulated Kraken, and the faults a case asks for by name."""

    LOSE_ACK = "kraken.ack_lost_placed_p"
    LOSE_ORDER = "kraken.ack_lost_not_placed_p"
    REFUSE = "kraken.rate_limited_p"
    AMBIGUOUS = "kraken.service_busy_p"
    BREAK_READS = "kraken.html_502_p"
    DROP = "kraken.drop_sockets"
    GAP = "kraken.sequence_gap"

    def __init__(self) -> None:
        self.venues = SimVenues()
        self.seen: list[CexEvent] = []
        self.client: CexTrading = self.venues.kraken_client(self.seen.append)
        self._ids = 0

    def fault(self, name: str, value: Any = 1.0) -> None:
        self.venues.faults.set(name, value)

    def order(self, **changes: Any) -> CexOrder:
        """Sell 0.5 SOL at the bid, good for a second."""
        self._ids += 1
        fields: dict[str, Any] = {
            "cl_ord_id": str(UUID(int=self._ids)),
            "symbol": "SOL/USD",
            "side": "sell",
            "qty": Decimal("0.5"),
            "limit_price": Decimal("151.50"),
            "deadline_ns": self.venues.clock.now_ns() + 10**9,
        }
        return CexOrder(**fields | changes)

    def executed(self, order: CexOrder) -> int:
        return len(self.venues.orders_of(order.cl_ord_id))

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.seen if type(event) is kind]


RIGS = [KrakenRig]
Case = Callable[[Any], Coroutine[Any, Any, None]]


async def _play(make_rig: type[KrakenRig], body: Case) -> None:
    rig = make_rig()
    rig.venues.start()
    running = asyncio.create_task(rig.client.run())
    try:
        async with asyncio.timeout(30):
            while not rig.client.is_ready:
                await asyncio.sleep(0.01)
        await body(rig)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await rig.venues.stop()


def case(body: Case) -> Callable[..., None]:
    """Run one case on every rig."""

    @pytest.mark.parametrize("make_rig", RIGS)
    def test(make_rig: type[KrakenRig]) -> None:
        run_patient(_play(make_rig, body))

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test


@case
async def test_c1_an_accepted_order_is_acknowledged_by_the_venues_id(rig: KrakenRig) -> None:
    order = rig.order()
    ack = await rig.client.submit(order)
    (true_order,) = rig.venues.orders_of(order.cl_ord_id)
    assert (ack.cl_ord_id, ack.order_id) == (order.cl_ord_id, true_order.order_id)


@case
async def test_c2_a_definite_refusal_is_rejected_and_nothing_executes(rig: KrakenRig) -> None:
    rig.fault(rig.REFUSE)
    limited = rig.order()
    with pytest.raises(Rejected):
        await rig.client.submit(limited)
    rig.fault(rig.REFUSE, 0.0)
    small = rig.order(qty=Decimal("0.001"))
    with pytest.raises(Rejected, match="minimum"):
        await rig.client.submit(small)
    rich = rig.order(qty=Decimal(100_000))
    with pytest.raises(Rejected, match="funds"):
        await rig.client.submit(rich)
    assert [rig.executed(order) for order in (limited, small, rich)] == [0, 0, 0]


@case
async def test_c3_a_lost_answer_of_a_placed_order_is_unknown(rig: KrakenRig) -> None:
    rig.fault(rig.LOSE_ACK)
    order = rig.order()
    with pytest.raises(OutcomeUnknown):
        await rig.client.submit(order)
    assert rig.executed(order) == 1


@case
async def test_c4_a_lost_request_is_unknown_and_not_made_again(rig: KrakenRig) -> None:
    rig.fault(rig.LOSE_ORDER)
    order = rig.order()
    with pytest.raises(OutcomeUnknown):
        await rig.client.submit(order)
    rig.fault(rig.LOSE_ORDER, 0.0)
    await asyncio.sleep(30)
    assert rig.executed(order) == 0


@case
async def test_c4b_an_ambiguous_refusal_is_unknown(rig: KrakenRig) -> None:
    rig.fault(rig.AMBIGUOUS)
    order = rig.order()
    with pytest.raises(OutcomeUnknown):
        await rig.client.submit(order)


@case
async def test_c5_without_a_connection_nothing_is_sent(rig: KrakenRig) -> None:
    rig.fault(rig.DROP, True)
    await asyncio.sleep(0.01)
    assert not rig.client.is_ready
    order = rig.order()
    with pytest.raises(NotSent):
        await rig.client.submit(order)
    async with asyncio.timeout(60):
        while not rig.client.is_ready:
            await asyncio.sleep(0.05)
    assert rig.executed(order) == 0


@case
async def test_c5b_an_order_past_its_deadline_is_not_sent(rig: KrakenRig) -> None:
    order = rig.order(deadline_ns=rig.venues.clock.now_ns() - 1)
    with pytest.raises(NotSent):
        await rig.client.submit(order)


@case
async def test_c6_fills_and_the_end_come_by_the_stream(rig: KrakenRig) -> None:
    rig.venues.exchange.quote_ladder(
        "SOL/USD", [(15_151, 20_000_000), (15_150, 10_000_000)], [(15_152, 10**9)]
    )
    order = rig.order()
    await rig.client.submit(order)
    await asyncio.sleep(1.0)
    fills = [fill for fill in rig.of(CexFill) if fill.cl_ord_id == order.cl_ord_id]
    assert [fill.qty for fill in fills] == [Decimal("0.2"), Decimal("0.1")]
    assert {fill.source for fill in fills} == {"stream"}
    end = rig.of(CexOrderState)[-1]
    assert end.is_terminal
    assert (end.status, end.filled_qty) == ("canceled", Decimal("0.3"))
    true_trades = rig.venues.exchange.accounts.trades
    assert {fill.fill_id for fill in fills} == set(true_trades)
    assert sum(fill.fee for fill in fills) == sum(t.fee for t in true_trades.values())


@case
async def test_c7_orders_are_found_by_client_id_and_only_those(rig: KrakenRig) -> None:
    mine, other, never = rig.order(), rig.order(), rig.order()
    for order in (mine, other):
        await rig.client.submit(order)
    await asyncio.sleep(0.5)
    (found,) = await rig.client.find_orders(mine.cl_ord_id, since_ns=0)
    (true_order,) = rig.venues.orders_of(mine.cl_ord_id)
    assert (found.order_id, found.status) == (true_order.order_id, "filled")
    assert (found.filled_qty, found.cost) == (true_order.filled_qty, true_order.cost)
    assert await rig.client.find_orders(never.cl_ord_id, since_ns=0) == []


@case
async def test_c8_records_are_complete_over_pages_and_equal_the_stream(rig: KrakenRig) -> None:
    since_ns = rig.venues.clock.now_ns()
    for _ in range(60):
        rig.venues.quote()
        await rig.client.submit(rig.order(qty=Decimal("0.02")))
        await asyncio.sleep(1.0)
    records = await rig.client.fills(since_ns=since_ns)
    assert {record.fill_id for record in records} == set(rig.venues.exchange.accounts.trades)
    assert {record.source for record in records} == {"record"}
    streamed = {fill.fill_id: fill for fill in rig.of(CexFill)}
    for record in records:
        seen = streamed[record.fill_id]
        for name in ("order_id", "side", "qty", "price", "cost", "fee", "fee_asset"):
            assert getattr(record, name) == getattr(seen, name)
    later = await rig.client.fills(since_ns=records[-1].venue_at_ns)
    assert len(later) == 1


@case
async def test_c9_balances_are_the_venues_own(rig: KrakenRig) -> None:
    await rig.client.submit(rig.order())
    await asyncio.sleep(0.5)
    true = rig.venues.exchange.balances(rig.venues.credentials.kraken_key)
    read = await rig.client.balances()
    assert {asset: read[asset] for asset in ("SOL", "USD")} == {
        asset: true[asset] for asset in ("SOL", "USD")
    }
    streamed = {event.asset: event.balance for event in rig.of(CexBalance)}
    assert {asset: streamed[asset] for asset in ("SOL", "USD")} == {
        asset: true[asset] for asset in ("SOL", "USD")
    }


@case
async def test_c10_fees_are_fractions(rig: KrakenRig) -> None:
    assert await rig.client.taker_fees(["SOL/USD"]) == {"SOL/USD": Decimal("0.001")}
    with pytest.raises(QueryFailed):
        await rig.client.taker_fees(["SOL/EUR"])


@case
async def test_c11_a_failed_read_is_said_so(rig: KrakenRig) -> None:
    rig.fault(rig.BREAK_READS)
    with pytest.raises(QueryFailed):
        await rig.client.find_orders("x", since_ns=0)
    with pytest.raises(QueryFailed):
        await rig.client.fills(since_ns=0)
    with pytest.raises(QueryFailed):
        await rig.client.balances()


@case
async def test_c12_a_client_id_is_sent_once(rig: KrakenRig) -> None:
    order = rig.order()
    await rig.client.submit(order)
    with pytest.raises(OutcomeUnknown):
        await rig.client.submit(order)
    await asyncio.sleep(1.0)
    assert rig.executed(order) == 1


@case
async def test_c13_the_dead_man_switch_is_armed_and_disarmed(rig: KrakenRig) -> None:
    await rig.client.cancel_all_after(60)
    await rig.client.cancel_all_after(0)


@case
async def test_c14_a_lost_frame_is_told_as_a_gap(rig: KrakenRig) -> None:
    rig.seen.clear()
    rig.fault(rig.GAP, True)
    await rig.client.submit(rig.order())
    await asyncio.sleep(1.0)
    assert any(state.gap for state in rig.of(CexLinkState))


@case
async def test_c14b_a_reconnect_is_told_and_asks_for_the_records(rig: KrakenRig) -> None:
    rig.seen.clear()
    rig.fault(rig.DROP, True)
    async with asyncio.timeout(60):
        while not (rig.of(CexLinkState) and rig.of(CexLinkState)[-1].is_up):
            await asyncio.sleep(0.05)
    down, *_, up = rig.of(CexLinkState)
    assert not down.is_up
    assert up.gap


@case
async def test_c15_validate_only_executes_nothing(rig: KrakenRig) -> None:
    order = rig.order(validate=True)
    await rig.client.submit(order)
    assert rig.executed(order) == 0


@case
async def test_c16_what_the_stream_shows_is_what_the_records_say(rig: KrakenRig) -> None:
    for _ in range(3):
        rig.venues.quote()
        await rig.client.submit(rig.order())
        await asyncio.sleep(1.0)
    heir_seen: list[CexEvent] = []
    heir = rig.venues.kraken_client(heir_seen.append)
    running = asyncio.create_task(heir.run())
    try:
        while not (heir.is_ready and heir.shows_balances):
            await asyncio.sleep(0.01)
        first, *later = await heir.fills(since_ns=0)
        # Nothing shows that the oldest one was the first of all.
        assert heir.shown_fills(since_ns=first.venue_at_ns) is None
        shown = heir.shown_fills(since_ns=first.venue_at_ns + 10_000)
        assert shown is not None
        assert {fill.fill_id for fill in shown} == {fill.fill_id for fill in later}
        streamed = {e.asset: e.balance for e in heir_seen if isinstance(e, CexBalance)}
        assert {k: v for k, v in streamed.items() if v} == {
            asset: amount for asset, amount in (await heir.balances()).items() if amount
        }
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
