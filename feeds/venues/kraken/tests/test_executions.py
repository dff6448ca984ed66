"""Delta-only executions made whole: the documented lifecycle and what may go missing."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from feeds.venues.base import CexFill, CexOrder, CexOrderState
from feeds.venues.kraken.executions import OrderEvent, OrderLog
from feeds.venues.kraken.messages import ExecutionFrame
from feeds.venues.kraken.wire import decode_frame

ORDER_ID = "OK4GJX-KSTLS-7DZZO5"
CLIENT_ID = "6d1f3c5e-4f0b-5d43-9a52-0f8e6f3b7a11"
AT = "2023-09-22T10:33:05.709993Z"

PENDING = {
    "order_id": ORDER_ID, "cl_ord_id": CLIENT_ID, "symbol": "BTC/USD", "order_qty": 0.005,
    "cum_cost": 0, "time_in_force": "IOC", "exec_type": "pending_new", "side": "sell",
    "order_type": "limit", "order_userref": 0, "limit_price_type": "static",
    "limit_price": 26500.0, "stop_price": 0, "order_status": "pending_new",
    "fee_usd_equiv": 0, "fee_ccy_pref": "fciq", "timestamp": AT,
}  # fmt: skip
NEW = {
    "timestamp": AT, "order_status": "new", "exec_type": "new", "order_userref": 0,
    "order_id": ORDER_ID,
}  # fmt: skip
TRADE = {
    "order_id": ORDER_ID, "order_userref": 0, "exec_id": "TGBB7L-HT5LX-J3BZ4A",
    "exec_type": "trade", "trade_id": 365573, "symbol": "BTC/USD", "side": "sell",
    "last_qty": 0.005, "last_price": 26599.9, "liquidity_ind": "t", "cost": 132.9995,
    "cum_qty": 0.005, "cum_cost": 132.9995, "order_status": "partially_filled",
    "order_type": "limit", "fees": [{"asset": "USD", "qty": 0.3458}], "timestamp": AT,
}  # fmt: skip
FILLED = {
    "timestamp": AT, "order_status": "filled", "exec_type": "filled", "order_userref": 0,
    "order_id": ORDER_ID,
}  # fmt: skip


def part(**changes: Any) -> dict[str, Any]:
    """A fill of 0.002 of the order's 0.005."""
    terms = {"last_qty": 0.002, "cum_qty": 0.002, "cost": 53.1998, "cum_cost": 53.1998}
    return TRADE | terms | changes


def frame_of(*entries: dict[str, Any], kind: str = "update") -> ExecutionFrame:
    text = {"channel": "executions", "type": kind, "data": list(entries), "sequence": 1}
    frame = decode_frame(json.dumps(text).encode())
    assert isinstance(frame, ExecutionFrame)
    return frame


def apply(log: OrderLog, *entries: dict[str, Any], kind: str = "update") -> list[OrderEvent]:
    events, gap = log.apply(frame_of(*entries, kind=kind), 1)
    assert gap == ""
    return events


def gap_of(log: OrderLog, *entries: dict[str, Any], kind: str = "update") -> str:
    return log.apply(frame_of(*entries, kind=kind), 1)[1]


def order() -> CexOrder:
    return CexOrder(CLIENT_ID, "BTC/USD", "sell", Decimal("0.005"), Decimal(26500), 0)


def test_documented_lifecycle() -> None:
    log = OrderLog()
    events = [e for entry in (PENDING, NEW, TRADE, FILLED) for e in apply(log, entry)]
    fills = [event for event in events if isinstance(event, CexFill)]
    states = [event for event in events if isinstance(event, CexOrderState)]
    assert [state.status for state in states] == ["pending", "open", "open", "filled"]
    (fill,) = fills
    assert (fill.fill_id, fill.order_id, fill.cl_ord_id) == (
        "TGBB7L-HT5LX-J3BZ4A", ORDER_ID, CLIENT_ID,
    )  # fmt: skip
    assert (fill.qty, fill.price, fill.cost) == (
        Decimal("0.005"), Decimal("26599.9"), Decimal("132.9995"),
    )  # fmt: skip
    assert (fill.fee, fill.fee_asset, fill.side, fill.source) == (
        Decimal("0.3458"), "USD", "sell", "stream",
    )  # fmt: skip
    assert fill.venue_at_ns == 1_695_378_785_709_993_000
    last = states[-1]
    assert (last.symbol, last.cl_ord_id, last.filled_qty, last.qty) == (
        "BTC/USD", CLIENT_ID, Decimal("0.005"), Decimal("0.005"),
    )  # fmt: skip
    assert (last.cost, last.fee, last.trade_ids) == (
        Decimal("132.9995"), Decimal("0.3458"), ("TGBB7L-HT5LX-J3BZ4A",),
    )  # fmt: skip
    # The full fill is told by the trade frame although it says "partially filled".
    assert states[-2].filled_qty == Decimal("0.005")


@pytest.mark.parametrize("word", ["canceled", "expired"])
def test_partly_filled_ioc_ends_with_what_it_filled(word: str) -> None:
    log = OrderLog()
    apply(log, PENDING)
    apply(log, part())
    (state,) = apply(log, NEW | {"order_status": word, "exec_type": word, "reason": "IOC"})
    assert isinstance(state, CexOrderState)
    assert state.is_terminal
    assert (state.status, state.filled_qty, state.reason) == (word, Decimal("0.002"), "IOC")


def test_unfilled_ioc_ends_with_zero() -> None:
    log = OrderLog()
    apply(log, PENDING, NEW)
    (state,) = apply(log, NEW | {"order_status": "canceled", "exec_type": "canceled"})
    assert isinstance(state, CexOrderState)
    assert (state.is_terminal, state.filled_qty) == (True, Decimal(0))


def test_a_fill_told_twice_is_one_fill() -> None:
    log = OrderLog()
    apply(log, PENDING, TRADE)
    assert apply(log, TRADE) == []
    assert apply(log, TRADE, kind="snapshot") == []


def test_a_fill_after_the_end_is_still_told_and_the_end_stays() -> None:
    log = OrderLog()
    apply(log, PENDING, NEW | {"order_status": "canceled", "exec_type": "canceled"})
    fill, state = apply(log, part())
    assert isinstance(fill, CexFill)
    assert isinstance(state, CexOrderState)
    assert (state.status, state.filled_qty) == ("canceled", Decimal("0.002"))


def test_our_ack_introduces_an_order_whose_first_frame_was_lost() -> None:
    log = OrderLog()
    introduced = log.introduce(ORDER_ID, order(), 1)
    assert introduced is not None
    assert introduced.status == "pending"
    (state,) = apply(log, NEW)
    assert isinstance(state, CexOrderState)
    assert (state.symbol, state.cl_ord_id, state.status) == ("BTC/USD", CLIENT_ID, "open")


def test_executions_before_the_ack_leave_the_ack_nothing_to_tell() -> None:
    log = OrderLog()
    apply(log, PENDING, NEW, TRADE, FILLED)
    assert log.introduce(ORDER_ID, order(), 1) is None


def test_missing_frames_are_gaps_not_guesses() -> None:
    assert "never introduced" in gap_of(OrderLog(), NEW)
    bare = {k: v for k, v in TRADE.items() if k not in ("symbol", "side")}
    assert "without its terms" in gap_of(OrderLog(), bare)
    log = OrderLog()
    apply(log, PENDING)
    assert "filled more than its fills show" in gap_of(log, part(cum_qty=0.004))
    log = OrderLog()
    apply(log, PENDING, part())
    assert "not all here" in gap_of(log, FILLED)
    log = OrderLog()
    apply(log, PENDING)
    assert "unknown status" in gap_of(log, NEW | {"order_status": "vanished"})
    assert "several assets" in gap_of(
        log, part(fees=[{"asset": "USD", "qty": 0.1}, {"asset": "KFEE", "qty": 1}])
    )
    assert "without quantity" in gap_of(log, part(exec_id="T2", last_qty=0))


def test_a_lost_fill_frame_shows_at_the_next_one() -> None:
    log = OrderLog()
    apply(log, PENDING)
    later = part(exec_id="T-SECOND", last_qty=0.003, cum_qty=0.005)
    assert "filled more than its fills show" in gap_of(log, later)
    # One back-fill brings all of it: the end of the order asks for no second one.
    assert gap_of(log, FILLED) == ""


def test_trade_frames_without_totals_still_add_up() -> None:
    log = OrderLog()
    apply(log, PENDING)
    for exec_id, qty in (("T-1", 0.002), ("T-2", 0.003)):
        bare = {k: v for k, v in part(exec_id=exec_id, last_qty=qty).items() if k != "cum_qty"}
        state = apply(log, bare)[-1]
    assert isinstance(state, CexOrderState)
    assert state.filled_qty == Decimal("0.005")


def test_old_fills_in_a_snapshot_say_nothing_of_their_orders() -> None:
    log = OrderLog()
    (event,) = apply(log, TRADE | {"order_qty": 0.005}, kind="snapshot")
    assert isinstance(event, CexFill)


def test_open_order_in_a_snapshot_then_its_end() -> None:
    log = OrderLog()
    resting = PENDING | {
        "order_status": "partially_filled", "exec_type": "status", "cum_qty": 0.002,
    }  # fmt: skip
    (state,) = apply(log, resting, kind="snapshot")
    assert isinstance(state, CexOrderState)
    assert (state.status, state.filled_qty) == ("open", Decimal("0.002"))
    fill, state = apply(log, part(exec_id="T-2", last_qty=0.003, cum_qty=0.005))
    assert isinstance(fill, CexFill)
    assert apply(log, FILLED)[-1].order_id == ORDER_ID


def test_amendments_change_no_amount() -> None:
    log = OrderLog()
    apply(log, PENDING, NEW)
    assert apply(log, NEW | {"exec_type": "amended", "order_status": "new"}) == []


def test_memory_is_bounded() -> None:
    log = OrderLog(orders_kept=10, fills_kept=10)
    for index in range(100):
        apply(log, PENDING | {"order_id": f"O{index}"})
        apply(log, part(order_id=f"O{index}", exec_id=f"T{index}"))
    assert len(log._orders) == 10
    assert len(log._fills) == 10
    # What was forgotten was at the same moment: nothing from then on can be told whole.
    (at_ns,) = {fill.venue_at_ns for fill in log._fills.values()}
    assert log.fills_since(at_ns) is None
    assert log.fills_since(at_ns + 1) == []
