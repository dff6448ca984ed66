"""Own orders and fills from the delta-only `executions` stream, whole again.

After `pending_new` the venue sends only what changed, so state is kept by order id and
each entry becomes a full record. A delta that cannot be completed, or totals that do not
add up, are reported as a gap: the records by REST then decide. Synchronous, no I/O;
called by `trading`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from feeds.venues.base import CexFill, CexOrder, CexOrderState, Side
from feeds.venues.kraken.messages import Execution, ExecutionFrame

Status = Literal["pending", "open", "filled", "canceled", "expired"]
OrderEvent = CexFill | CexOrderState

_ZERO = Decimal(0)
_TERMINAL = frozenset({"filled", "canceled", "expired"})
# By order_status, or by exec_type where an entry carries no status.
_STATUSES: dict[str, Status] = {
    "pending_new": "pending",
    "new": "open",
    "partially_filled": "open",
    "trade": "open",
    "filled": "filled",
    "canceled": "canceled",
    "expired": "expired",
}


@dataclass(slots=True)
class _Order:
    order_id: str
    cl_ord_id: str | None = None
    symbol: str | None = None
    side: Side | None = None
    qty: Decimal | None = None
    status: Status = "pending"
    filled_qty: Decimal = _ZERO
    cost: Decimal = _ZERO
    fee: Decimal = _ZERO
    accounted_qty: Decimal = _ZERO
    """Filled quantity whose fills went to the sink, or predate this connection."""
    reason: str = ""
    trade_ids: list[str] = field(default_factory=list)
    told: tuple[Status, Decimal] | None = None


class OrderLog:
    """The orders of one account as far as the stream and our own acks tell.

    Lives across reconnects, so that repeated fills are recognised by their id.
    """

    def __init__(self, *, orders_kept: int = 5_000, fills_kept: int = 20_000) -> None:
        self._orders_kept = orders_kept
        self._fills_kept = fills_kept
        self._orders: OrderedDict[str, _Order] = OrderedDict()
        self._fills: OrderedDict[str, CexFill] = OrderedDict()
        self._forgotten_ns = 0

    @property
    def has_open(self) -> bool:
        """Whether an order was told to be open and not yet to be over."""
        told = (order.told for order in self._orders.values())
        return any(state is not None and state[0] not in _TERMINAL for state in told)

    def fills_since(self, since_ns: int) -> list[CexFill] | None:
        """All fills told so far from `since_ns` on; None if some of them are forgotten."""
        if since_ns <= self._forgotten_ns:
            return None
        return [fill for fill in self._fills.values() if fill.venue_at_ns >= since_ns]

    def introduce(self, order_id: str, order: CexOrder, recv_ns: int) -> CexOrderState | None:
        """Learn an order from our own ack; its state if the stream had not told it yet.

        Executions may come before the ack: then nothing is new.
        """
        known = self._order(order_id)
        known.cl_ord_id = order.cl_ord_id
        known.symbol = known.symbol or order.symbol
        known.side = known.side or order.side
        known.qty = known.qty if known.qty is not None else order.qty
        return None if known.told else self._state(known, recv_ns)

    def apply(self, frame: ExecutionFrame, recv_ns: int) -> tuple[list[OrderEvent], str]:
        """Return the events of one frame and, when something is missing, what (else "").

        Fills come before the state they lead to; a fill seen before is not repeated.
        """
        events: list[OrderEvent] = []
        gap = ""
        for entry in frame.entries:
            known = self._order(entry.order_id)
            _merge(known, entry)
            is_snapshot = frame.kind == "snapshot"
            if entry.exec_type == "trade":
                missing = self._take_fill(known, entry, is_snapshot, recv_ns, events)
                gap = gap or missing
                if is_snapshot:
                    # An old fill says "partially filled" of an order closed long ago.
                    _account_for(known, entry)
                    continue
            missing = _advance(known, entry, is_snapshot)
            gap = gap or missing
            state = self._state(known, recv_ns)
            if state is not None:
                events.append(state)
            elif known.qty is None and not is_snapshot:
                gap = gap or f"order {known.order_id} was never introduced"
        return events, gap

    def _take_fill(
        self,
        known: _Order,
        entry: Execution,
        is_snapshot: bool,
        recv_ns: int,
        events: list[OrderEvent],
    ) -> str:
        if entry.exec_id in self._fills:
            return ""
        if known.symbol is None or known.side is None or not entry.exec_id:
            return f"a fill of order {known.order_id} without its terms"
        if not entry.last_qty or not entry.last_price:
            return f"fill {entry.exec_id} without quantity or price"
        if len(entry.fees) > 1:
            return f"fill {entry.exec_id} with fees in several assets"
        fee_asset, fee = entry.fees[0] if entry.fees else (known.symbol.partition("/")[2], _ZERO)
        cost = entry.cost if entry.cost is not None else entry.last_qty * entry.last_price
        fill = CexFill(
            fill_id=entry.exec_id,
            order_id=known.order_id,
            cl_ord_id=known.cl_ord_id,
            symbol=known.symbol,
            side=known.side,
            qty=entry.last_qty,
            price=entry.last_price,
            cost=cost,
            fee=fee,
            fee_asset=fee_asset,
            venue_at_ns=entry.at_ns,
            recv_ns=recv_ns,
            source="stream",
        )
        events.append(fill)
        self._fills[entry.exec_id] = fill
        if len(self._fills) > self._fills_kept:
            _, forgotten = self._fills.popitem(last=False)
            self._forgotten_ns = max(self._forgotten_ns, forgotten.venue_at_ns)
        known.fee += fee
        known.trade_ids.append(entry.exec_id)
        if not is_snapshot:
            known.accounted_qty += entry.last_qty
        return ""

    def _state(self, known: _Order, recv_ns: int) -> CexOrderState | None:
        if known.symbol is None or known.qty is None:
            return None
        now = (known.status, known.filled_qty)
        if known.told == now:
            return None
        known.told = now
        return CexOrderState(
            order_id=known.order_id,
            cl_ord_id=known.cl_ord_id,
            symbol=known.symbol,
            status=known.status,
            qty=known.qty,
            filled_qty=known.filled_qty,
            cost=known.cost,
            fee=known.fee,
            reason=known.reason,
            recv_ns=recv_ns,
            trade_ids=tuple(known.trade_ids),
        )

    def _order(self, order_id: str) -> _Order:
        known = self._orders.get(order_id)
        if known is None:
            known = self._orders[order_id] = _Order(order_id)
            if len(self._orders) > self._orders_kept:
                self._orders.popitem(last=False)
        return known


def _merge(known: _Order, entry: Execution) -> None:
    """Take over what the entry carries; absent fields keep their last value."""
    known.cl_ord_id = entry.cl_ord_id or known.cl_ord_id
    known.symbol = entry.symbol or known.symbol
    known.side = entry.side or known.side
    if entry.order_qty is not None:
        known.qty = entry.order_qty
    known.reason = entry.reason or known.reason


def _advance(known: _Order, entry: Execution, is_snapshot: bool) -> str:
    """Move status and totals forward only; return what is missing, "" for nothing."""
    word = entry.order_status or entry.exec_type
    status = _STATUSES.get(word, known.status)
    if known.status not in _TERMINAL:
        known.status = status
    if is_snapshot:
        _account_for(known, entry)
        return ""
    _add_totals(known, entry)
    # A trade frame without a running total still moves it.
    known.filled_qty = max(known.filled_qty, known.accounted_qty)
    if known.filled_qty > known.accounted_qty:
        # Told once: the back-fill it asks for brings all fills so far.
        known.accounted_qty = known.filled_qty
        return f"order {known.order_id} filled more than its fills show"
    if known.status == "filled" and known.qty is not None and known.filled_qty < known.qty:
        return f"order {known.order_id} is filled but its fills are not all here"
    return "" if word in _STATUSES else _unknown_word(known, entry)


def _add_totals(known: _Order, entry: Execution) -> None:
    if entry.cum_qty is not None:
        known.filled_qty = max(known.filled_qty, entry.cum_qty)
    if entry.cum_cost is not None:
        known.cost = max(known.cost, entry.cum_cost)


def _account_for(known: _Order, entry: Execution) -> None:
    """What filled before this connection is read from the records after it comes up."""
    _add_totals(known, entry)
    known.accounted_qty = max(known.accounted_qty, known.filled_qty)


def _unknown_word(known: _Order, entry: Execution) -> str:
    # Amendments and refills change no amount of an IOC; other words we have never seen.
    if entry.exec_type in ("amended", "restated", "status", "iceberg_refill"):
        return ""
    return f"order {known.order_id} has the unknown status {entry.order_status[:20]!r}"
