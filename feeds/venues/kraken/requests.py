"""What we send on Kraken's WebSocket v2, as frames ready for the wire.

Numbers leave as bare tokens made from `Decimal` text. Not here: correlation, limits,
tokens. Called by `books` and `trading`; the simulator's tests may use it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from feeds.venues.base import CexOrder
from feeds.venues.kraken.tokens import rfc3339_from_ns, token_from_decimal

Method = Literal["subscribe", "unsubscribe"]

_ENCODER = msgspec.json.Encoder()


class _Request(msgspec.Struct, omit_defaults=True):
    method: str
    req_id: int
    params: object = None


class _Subscription(msgspec.Struct, omit_defaults=True):
    channel: str
    symbol: Sequence[str] = ()
    depth: int = 0
    event_trigger: str = ""
    snapshot: bool | None = None
    snap_orders: bool | None = None
    snap_trades: bool | None = None
    ratecounter: bool | None = None
    token: str = ""


class _Order(msgspec.Struct, omit_defaults=True):
    order_type: str
    side: str
    order_qty: msgspec.Raw
    symbol: str
    limit_price: msgspec.Raw
    time_in_force: str
    cl_ord_id: str
    fee_preference: str
    stp_type: str
    deadline: str
    token: str
    # Named by the venue; a keyword of ours only when true.
    validate: bool = False


def ping(req_id: int) -> bytes:
    """Application ping; the answer echoes `req_id`."""
    return _ENCODER.encode(_Request("ping", req_id))


def instruments(req_id: int) -> bytes:
    """Subscribe to precisions, minima and statuses of every pair."""
    params = _Subscription("instrument", snapshot=True)
    return _ENCODER.encode(_Request("subscribe", req_id, params))


def books(method: Method, req_id: int, symbols: Sequence[str], depth: int) -> bytes:
    """Subscribe to, or unsubscribe from, books; an unsubscribe needs the same depth."""
    snapshot = True if method == "subscribe" else None
    params = _Subscription("book", symbol=symbols, depth=depth, snapshot=snapshot)
    return _ENCODER.encode(_Request(method, req_id, params))


def tickers(req_id: int, symbols: Sequence[str]) -> bytes:
    """Subscribe to best bid and ask, sent at every change of either."""
    params = _Subscription("ticker", symbol=symbols, event_trigger="bbo", snapshot=True)
    return _ENCODER.encode(_Request("subscribe", req_id, params))


def executions(req_id: int, token: str) -> bytes:
    """Subscribe to own orders and fills, with the open orders and the last 50 fills first."""
    params = _Subscription(
        "executions", snap_orders=True, snap_trades=True, ratecounter=True, token=token
    )
    return _ENCODER.encode(_Request("subscribe", req_id, params))


def balances(req_id: int, token: str) -> bytes:
    """Subscribe to own balances, snapshot first."""
    params = _Subscription("balances", snapshot=True, token=token)
    return _ENCODER.encode(_Request("subscribe", req_id, params))


def add_order(req_id: int, order: CexOrder, token: str) -> bytes:
    """Encode an IOC limit order; the deadline is rounded down to the ms.

    The fee is always asked in the quote asset: the venue's default differs by side. Raises
    ValueError when quantity or price is not a finite, non-negative number.
    """
    params = _Order(
        order_type="limit",
        side=order.side,
        order_qty=msgspec.Raw(token_from_decimal(order.qty)),
        symbol=order.symbol,
        limit_price=msgspec.Raw(token_from_decimal(order.limit_price)),
        time_in_force="ioc",
        cl_ord_id=order.cl_ord_id,
        fee_preference="quote",
        stp_type="cancel_newest",
        deadline=rfc3339_from_ns(order.deadline_ns, places=3),
        token=token,
        validate=order.validate,
    )
    return _ENCODER.encode(_Request("add_order", req_id, params))
