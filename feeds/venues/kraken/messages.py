"""What Kraken's WebSocket v2 tells us, as typed messages. Plain structs, no behaviour.

Number tokens of the book stay the text they were, because the checksum is over text;
other amounts are `Decimal` or plain decimal text. Made by `wire`, read by `books`,
`executions`, `feed` and `trading`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from feeds.market.book import RawLevel
from feeds.venues.base import Side

Kind = Literal["snapshot", "update"]


class BookEntry(msgspec.Struct, gc=False):
    """One symbol's snapshot or update; levels of an update are in event order.

    `timestamp` is the venue's own to the microsecond, None where the frame had none.
    """

    symbol: str
    checksum: int
    bids: list[RawLevel] = []
    asks: list[RawLevel] = []
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class BookFrame(msgspec.Struct, gc=False):
    """A `book` message."""

    channel: Literal["book"]
    type: Kind
    data: list[BookEntry]


class Ticker(msgspec.Struct, frozen=True):
    """Best bid and ask of one symbol as plain decimal text."""

    symbol: str
    bid: str
    ask: str


class TickerFrame(msgspec.Struct, frozen=True):
    """A `ticker` message."""

    entries: tuple[Ticker, ...]


class Pair(msgspec.Struct, frozen=True):
    """One pair of the `instrument` channel; quantities as plain decimal text."""

    symbol: str
    status: str
    price_precision: int
    qty_precision: int
    price_increment: str
    qty_increment: str
    qty_min: str
    cost_min: str


class InstrumentFrame(msgspec.Struct, frozen=True):
    """An `instrument` message; `malformed` pairs were left out and only counted."""

    kind: Kind
    pairs: tuple[Pair, ...]
    malformed: int


class StatusFrame(msgspec.Struct, frozen=True):
    """The trading engine's state: online | maintenance | cancel_only | post_only."""

    system: str


class Heartbeat(msgspec.Struct, frozen=True):
    """The connection is alive; says nothing about any book."""


class Reply(msgspec.Struct, frozen=True):
    """The answer to one of our requests. `req_id` 0 means the venue echoed none."""

    method: str
    is_success: bool
    error: str
    req_id: int
    channel: str
    symbol: str
    order_id: str
    cl_ord_id: str
    max_rate_count: int
    time_in_ns: int


class Execution(msgspec.Struct, frozen=True):
    """One entry of `executions`. Fields the frame did not carry are None or empty.

    Only `order_id` is always there: the stream sends deltas after `pending_new`.
    """

    order_id: str
    exec_type: str
    order_status: str
    cl_ord_id: str | None
    symbol: str | None
    side: Side | None
    order_qty: Decimal | None
    cum_qty: Decimal | None
    cum_cost: Decimal | None
    reason: str
    at_ns: int
    exec_id: str
    last_qty: Decimal | None
    last_price: Decimal | None
    cost: Decimal | None
    fees: tuple[tuple[str, Decimal], ...]


class ExecutionFrame(msgspec.Struct, frozen=True):
    """An `executions` message; `sequence` counts the messages of this subscription."""

    kind: Kind
    sequence: int
    entries: tuple[Execution, ...]


class Balance(msgspec.Struct, frozen=True):
    """Spot balance of one asset (v2 name), holds included."""

    asset: str
    balance: Decimal


class BalanceFrame(msgspec.Struct, frozen=True):
    """A `balances` message."""

    kind: Kind
    sequence: int
    entries: tuple[Balance, ...]


class OtherFrame(msgspec.Struct, frozen=True):
    """A well-formed message of a channel this product does not read."""

    channel: str


Message = (
    BookFrame
    | TickerFrame
    | InstrumentFrame
    | StatusFrame
    | Heartbeat
    | Reply
    | ExecutionFrame
    | BalanceFrame
    | OtherFrame
)
