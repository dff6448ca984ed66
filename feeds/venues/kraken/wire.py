"""Kraken WebSocket v2 frames as typed messages: the codec, and nothing but the codec.

Unknown keys and channels are ignored, as the venue adds them without notice; everything
that breaks the format raises FeedCorrupt. `decode_frame` reads every frame; the feed, whose
frames are books nearly always, tries `read_book` first. Trading and the simulator's tests
call it too.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.market.book import TOKEN_HOOK
from feeds.venues.base import Side
from feeds.venues.kraken.messages import (
    Balance,
    BalanceFrame,
    BookFrame,
    Execution,
    ExecutionFrame,
    Heartbeat,
    InstrumentFrame,
    Kind,
    Message,
    OtherFrame,
    Pair,
    Reply,
    StatusFrame,
    Ticker,
    TickerFrame,
)
from feeds.venues.kraken.tokens import (
    amount_from_token,
    decimal_from_token,
    ns_from_rfc3339,
    plain_text,
)

Raw = msgspec.Raw
Precision = Annotated[int, msgspec.Meta(ge=0, le=18)]

_ABSENT = Raw(b"")


class _Envelope(msgspec.Struct):
    channel: str = ""
    type: str = ""
    data: Raw = _ABSENT
    sequence: int | None = None
    method: str = ""
    success: bool | None = None
    error: str | None = None
    capital_error: str | None = msgspec.field(default=None, name="Error")
    req_id: int | None = None
    symbol: str | None = None
    result: Raw = _ABSENT
    time_in: str = ""


class _Result(msgspec.Struct):
    channel: str = ""
    symbol: str | None = None
    order_id: str = ""
    cl_ord_id: str | None = None
    maxratecount: int | None = None


class _WireTicker(msgspec.Struct):
    symbol: str
    bid: Raw
    ask: Raw


class _WireInstruments(msgspec.Struct):
    pairs: list[Raw] = []


class _WirePair(msgspec.Struct):
    symbol: str
    status: str
    price_precision: Precision
    qty_precision: Precision
    price_increment: Raw
    qty_increment: Raw
    qty_min: Raw
    cost_min: Raw = Raw(b"0")


class _WireStatus(msgspec.Struct):
    system: str


class _WireFee(msgspec.Struct):
    asset: str
    qty: Raw


class _WireExecution(msgspec.Struct):
    order_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    exec_type: str = ""
    order_status: str = ""
    cl_ord_id: str | None = None
    symbol: str | None = None
    side: Side | None = None
    order_qty: Raw = _ABSENT
    cum_qty: Raw = _ABSENT
    cum_cost: Raw = _ABSENT
    reason: str | None = None
    timestamp: str = ""
    exec_id: str = ""
    last_qty: Raw = _ABSENT
    last_price: Raw = _ABSENT
    cost: Raw = _ABSENT
    fees: list[_WireFee] | None = None


class _WireWallet(msgspec.Struct):
    type: str
    balance: Raw


class _WireBalance(msgspec.Struct):
    asset: str
    balance: Raw
    wallet_type: str = "spot"
    wallets: list[_WireWallet] | None = None


_T = TypeVar("_T")
read_book = msgspec.json.Decoder(BookFrame, float_hook=TOKEN_HOOK).decode
"""Read a book frame with nothing around the decoder; UNREADABLE on any other, good or bad."""

_envelope_decoder = msgspec.json.Decoder(_Envelope)
_pair_decoder = msgspec.json.Decoder(_WirePair)


def decode_frame(frame: bytes) -> Message:
    """Read one text frame. Raises FeedCorrupt, and only FeedCorrupt, on a malformed one."""
    try:
        try:
            return read_book(frame)
        except msgspec.ValidationError:
            # Nearly every frame is a book; the others can afford the detour.
            return _decode_envelope(_envelope_decoder.decode(frame), frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FeedCorrupt(f"malformed frame: {error}") from error


def _decode_envelope(envelope: _Envelope, frame: bytes) -> Message:
    if envelope.method or envelope.error or envelope.capital_error:
        return _reply(envelope)
    if envelope.channel == "book":
        # A bad one: once more, for what is wrong with it.
        return read_book(frame)
    if not envelope.channel:
        raise FeedCorrupt("neither a channel message nor an answer")
    parse = _PARSERS.get(envelope.channel)
    return parse(envelope) if parse else OtherFrame(envelope.channel)


def _entries(data: Raw, entry: type[_T]) -> list[_T]:
    return msgspec.json.decode(data, type=list[entry])  # type: ignore[valid-type]


def _kind(envelope: _Envelope) -> Kind:
    if envelope.type == "snapshot":
        return "snapshot"
    if envelope.type == "update":
        return "update"
    raise FeedCorrupt(f"neither snapshot nor update: {envelope.type[:20]!r}")


def _sequence(envelope: _Envelope) -> int:
    if envelope.sequence is None:
        raise FeedCorrupt(f"{envelope.channel} message without a sequence")
    return envelope.sequence


def _reply(envelope: _Envelope) -> Reply:
    result = _Result()
    if envelope.result and bytes(envelope.result) != b"null":
        result = msgspec.json.decode(envelope.result, type=_Result)
    error = envelope.error or envelope.capital_error or ""
    # A pong carries no `success`; only an explicit false or an error text is a refusal.
    is_success = envelope.success is not False and not error
    return Reply(
        method=envelope.method,
        is_success=is_success,
        error=error,
        req_id=envelope.req_id or 0,
        channel=result.channel or envelope.channel,
        symbol=result.symbol or envelope.symbol or "",
        order_id=result.order_id,
        cl_ord_id=result.cl_ord_id or "",
        max_rate_count=result.maxratecount or 0,
        time_in_ns=ns_from_rfc3339(envelope.time_in) if envelope.time_in else 0,
    )


def _heartbeat(_: _Envelope) -> Heartbeat:
    return Heartbeat()


def _status(envelope: _Envelope) -> StatusFrame:
    entries = _entries(envelope.data, _WireStatus)
    if not entries:
        raise FeedCorrupt("a status message without an entry")
    return StatusFrame(entries[-1].system)


def _tickers(envelope: _Envelope) -> TickerFrame:
    return TickerFrame(
        tuple(
            Ticker(entry.symbol, _amount_text(entry.bid), _amount_text(entry.ask))
            for entry in _entries(envelope.data, _WireTicker)
        )
    )


def _amount_text(raw: Raw) -> str:
    return plain_text(amount_from_token(bytes(raw)))


def _instruments(envelope: _Envelope) -> InstrumentFrame:
    pairs: list[Pair] = []
    malformed = 0
    for raw in msgspec.json.decode(envelope.data, type=_WireInstruments).pairs:
        # One bad listing among fourteen hundred must not cost us the others.
        try:
            wire = _pair_decoder.decode(raw)
            pair = Pair(
                symbol=wire.symbol,
                status=wire.status,
                price_precision=wire.price_precision,
                qty_precision=wire.qty_precision,
                price_increment=_amount_text(wire.price_increment),
                qty_increment=_amount_text(wire.qty_increment),
                qty_min=_amount_text(wire.qty_min),
                cost_min=_amount_text(wire.cost_min),
            )
        except (msgspec.DecodeError, FeedCorrupt):
            malformed += 1
            continue
        pairs.append(pair)
    return InstrumentFrame(_kind(envelope), tuple(pairs), malformed)


def _optional_amount(raw: Raw) -> Decimal | None:
    token = bytes(raw)
    return None if token in (b"", b"null") else amount_from_token(token)


def _executions(envelope: _Envelope) -> ExecutionFrame:
    entries = tuple(_execution(entry) for entry in _entries(envelope.data, _WireExecution))
    return ExecutionFrame(_kind(envelope), _sequence(envelope), entries)


def _execution(wire: _WireExecution) -> Execution:
    return Execution(
        order_id=wire.order_id,
        exec_type=wire.exec_type,
        order_status=wire.order_status,
        cl_ord_id=wire.cl_ord_id or None,
        symbol=wire.symbol or None,
        side=wire.side,
        order_qty=_optional_amount(wire.order_qty),
        cum_qty=_optional_amount(wire.cum_qty),
        cum_cost=_optional_amount(wire.cum_cost),
        reason=wire.reason or "",
        at_ns=ns_from_rfc3339(wire.timestamp) if wire.timestamp else 0,
        exec_id=wire.exec_id,
        last_qty=_optional_amount(wire.last_qty),
        last_price=_optional_amount(wire.last_price),
        cost=_optional_amount(wire.cost),
        fees=tuple((fee.asset, decimal_from_token(bytes(fee.qty))) for fee in wire.fees or ()),
    )


def _balances(envelope: _Envelope) -> BalanceFrame:
    entries: list[Balance] = []
    for wire in _entries(envelope.data, _WireBalance):
        if wire.wallet_type != "spot":
            continue
        balance = decimal_from_token(bytes(wire.balance))
        if wire.wallets:
            # The total includes staked and locked funds, which no order can use.
            spot = (decimal_from_token(bytes(w.balance)) for w in wire.wallets if w.type == "spot")
            balance = sum(spot, start=Decimal(0))
        entries.append(Balance(wire.asset, balance))
    return BalanceFrame(_kind(envelope), _sequence(envelope), tuple(entries))


_PARSERS: dict[str, Callable[[_Envelope], Message]] = {
    "heartbeat": _heartbeat,
    "status": _status,
    "ticker": _tickers,
    "instrument": _instruments,
    "executions": _executions,
    "balances": _balances,
}
