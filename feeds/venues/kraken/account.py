"""What the account's REST records say: orders, fills, balances, fees, the socket token.

Turns results into the records of the venue port, in v2 names and exact decimals. A record
that cannot be read fails the whole query (QueryFailed): half an answer must never look
like the absence of an order. Called by `trading`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from arbsite.clock import Clock
from arbsite.errors import FeedCorrupt, QueryFailed
from feeds.venues.base import CexFill, CexOrder, CexOrderState, Side
from feeds.venues.kraken.names import NameBook
from feeds.venues.kraken.rest import KrakenRest, VenueRefused
from feeds.venues.kraken.searches import Search, SharedSearches
from feeds.venues.kraken.tokens import (
    amount_from_token,
    decimal_from_token,
    ns_from_unix_token,
    rfc3339_from_ns,
)

_NS = 1_000_000_000
_PAGE = 50
_MOST_PAGES = 200
_HISTORY_COST = 2.0
_REFRESH_SHARE = 0.5
"""Of the private counter: the rest is kept for tokens and proofs, ours and an heir's."""
_ORDER_SLACK_S = 60
"""Orders are searched from this much before the send: the clocks may disagree."""

_STATUSES: dict[str, Literal["pending", "open", "filled", "canceled", "expired"]] = {
    "pending": "pending",
    "open": "open",
    "closed": "filled",
    "canceled": "canceled",
    "expired": "expired",
}

_T = TypeVar("_T")
Raw = msgspec.Raw


class _Description(msgspec.Struct):
    pair: str
    type: Side


class _Order(msgspec.Struct):
    status: str
    descr: _Description
    vol: Raw
    vol_exec: Raw
    cost: Raw
    fee: Raw
    cl_ord_id: str | None = None
    reason: str | None = None
    trades: list[str] | None = None


class _OpenOrders(msgspec.Struct):
    open: dict[str, _Order]


class _ClosedOrders(msgspec.Struct):
    closed: dict[str, _Order]
    count: int | None = None


class _Trade(msgspec.Struct):
    ordertxid: str
    pair: str
    time: Raw
    type: Side
    price: Raw
    cost: Raw
    fee: Raw
    vol: Raw


class _Trades(msgspec.Struct):
    trades: dict[str, _Trade]
    count: int | None = None


class _Holding(msgspec.Struct):
    balance: Raw
    hold_trade: Raw = Raw(b"0")


class _Fee(msgspec.Struct):
    fee: Raw


class _Volume(msgspec.Struct):
    fees: dict[str, _Fee] | None = None


class _Token(msgspec.Struct):
    token: str


class _Time(msgspec.Struct):
    unixtime: int


def _decode(result: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(result, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise QueryFailed(f"malformed record: {error}") from error


def _read(raw: Raw, read: Callable[[bytes], _T]) -> _T:
    # REST writes most numbers as strings and some as numbers.
    try:
        return read(bytes(raw).strip(b'"'))
    except FeedCorrupt as error:
        raise QueryFailed(str(error)) from error


def _amount(raw: Raw) -> Decimal:
    return _read(raw, amount_from_token)


def is_same_client_id(one: str, other: str) -> bool:
    """Compare client ids as the venue stores them: case and dashes do not count."""
    return one.replace("-", "").lower() == other.replace("-", "").lower()


class KrakenAccount:
    """The account's records by REST. Name lists are read once and again on a new name."""

    def __init__(self, rest: KrakenRest, clock: Clock) -> None:
        self._rest = rest
        self._clock = clock
        self._names: NameBook | None = None
        self._answered: set[str] = set()
        self._searches = SharedSearches(self._search)

    async def websocket_token(self) -> str:
        """A fresh token for the private socket (use within 15 minutes)."""
        return _decode(await self._rest.private("GetWebSocketsToken"), _Token).token

    async def judge_order(self, order: CexOrder) -> str:
        """Hand an order in past our own checks; the venue's refusal, or "" when it takes it.

        For canaries: `order.validate` asks for the checks alone. QueryFailed when the venue
        does not say.
        """
        params = {
            "pair": order.symbol,
            "type": order.side,
            "ordertype": "limit",
            "timeinforce": "IOC",
            "volume": format(order.qty, "f"),
            "price": format(order.limit_price, "f"),
            "cl_ord_id": order.cl_ord_id,
            "deadline": rfc3339_from_ns(order.deadline_ns, places=3),
            "validate": "true" if order.validate else "false",
        }
        try:
            await self._rest.private("AddOrder", params, cost=0)
        except VenueRefused as refused:
            return refused.error
        return ""

    async def server_time_ns(self) -> int:
        """The venue's clock, whole seconds."""
        return _decode(await self._rest.public("Time"), _Time).unixtime * _NS

    async def find_orders(
        self, cl_ord_id: str, *, since_ns: int, is_over: bool = False
    ) -> list[CexOrderState]:
        """Open, then closed orders with that client id; an order met twice counts closed.

        Open first: an order that closes between the two reads is in the second. With
        `is_over` closed orders only. Searches that wait together share one read.
        """
        return await self._searches.find(Search(cl_ord_id, since_ns, is_over))

    async def _search(self, searches: list[Search]) -> None:
        if len(searches) > 1:
            since_ns = min(search.since_ns for search in searches)
            is_over = all(search.is_over for search in searches)
            orders = await self._orders(None, since_ns=since_ns, is_over=is_over)
            # A record without its client id may be any of them: the venue's filter decides.
            if all(order.cl_ord_id is not None for order in orders.values()):
                for search in searches:
                    search.found = await self._matching(orders, search.cl_ord_id)
                return
        for search in searches:
            orders = await self._orders(
                search.cl_ord_id, since_ns=search.since_ns, is_over=search.is_over
            )
            search.found = await self._matching(orders, search.cl_ord_id)

    async def _orders(
        self, cl_ord_id: str | None, *, since_ns: int, is_over: bool
    ) -> dict[str, _Order]:
        """Records by order id, of all orders where no client id is given."""
        query = {"trades": "true"} | ({"cl_ord_id": cl_ord_id} if cl_ord_id else {})
        found: dict[str, _Order] = {}
        if not is_over:
            found |= _decode(await self._rest.private("OpenOrders", query), _OpenOrders).open
        start_s = max(0, since_ns // _NS - _ORDER_SLACK_S)
        query |= {"start": str(start_s), "closetime": "both"}
        read = 0
        for _ in range(_MOST_PAGES):
            paged = query | {"ofs": str(read)}
            closed = _decode(await self._rest.private("ClosedOrders", paged), _ClosedOrders)
            found |= closed.closed
            read += len(closed.closed)
            if _is_last(read, len(closed.closed), closed.count):
                return found
        raise QueryFailed("ClosedOrders has no end")

    async def _matching(self, orders: dict[str, _Order], cl_ord_id: str) -> list[CexOrderState]:
        found = []
        for order_id, order in orders.items():
            if order.cl_ord_id is None:
                # Ours or not? A record without the id we asked for proves neither.
                raise QueryFailed(f"order {order_id} came without its client id")
            if not is_same_client_id(order.cl_ord_id, cl_ord_id):
                continue
            status = _STATUSES.get(order.status)
            if status is None:
                raise QueryFailed(f"order {order_id} has the unknown status {order.status!r}")
            state = CexOrderState(
                order_id=order_id,
                cl_ord_id=cl_ord_id,
                symbol=await self._symbol(order.descr.pair),
                status=status,
                qty=_amount(order.vol),
                filled_qty=_amount(order.vol_exec),
                cost=_amount(order.cost),
                fee=_read(order.fee, decimal_from_token),
                reason=order.reason or "",
                recv_ns=self._clock.now_ns(),
                trade_ids=tuple(order.trades or ()),
            )
            found.append(state)
        return found

    async def fills(self, *, since_ns: int) -> list[CexFill]:
        """Every trade record at or after `since_ns`, oldest first, all pages read.

        New trades shift the pages while we read, which repeats records but skips none.
        """
        found: dict[str, CexFill] = {}
        # The venue's `start` is exclusive and in whole seconds.
        query = {"start": str(max(0, since_ns // _NS - 1))}
        read = 0
        for _ in range(_MOST_PAGES):
            paged = query | {"ofs": str(read)}
            result = await self._rest.private("TradesHistory", paged, cost=_HISTORY_COST)
            trades = _decode(result, _Trades)
            for fill_id, trade in trades.trades.items():
                fill = await self._fill(fill_id, trade)
                if fill.venue_at_ns >= since_ns:
                    found[fill_id] = fill
            read += len(trades.trades)
            if _is_last(read, len(trades.trades), trades.count):
                return sorted(found.values(), key=lambda fill: (fill.venue_at_ns, fill.fill_id))
        raise QueryFailed("TradesHistory has no end")

    async def _fill(self, fill_id: str, trade: _Trade) -> CexFill:
        symbol = await self._symbol(trade.pair)
        return CexFill(
            fill_id=fill_id,
            order_id=trade.ordertxid,
            cl_ord_id=None,
            symbol=symbol,
            side=trade.type,
            qty=_amount(trade.vol),
            price=_amount(trade.price),
            cost=_amount(trade.cost),
            fee=_read(trade.fee, decimal_from_token),
            # Every order asks for its fee in the quote asset.
            fee_asset=symbol.partition("/")[2],
            venue_at_ns=_read(trade.time, ns_from_unix_token),
            recv_ns=self._clock.now_ns(),
            source="record",
        )

    async def balances(self) -> dict[str, Decimal]:
        """Balance minus what open orders hold, per asset that an order can use."""
        result = await self._refreshed("BalanceEx")
        available: dict[str, Decimal] = {}
        names = await self._name_book()
        for name, holding in _decode(result, dict[str, _Holding]).items():
            asset = names.sellable_asset(name)
            if asset is None:
                continue
            free = _read(holding.balance, decimal_from_token) - _amount(holding.hold_trade)
            available[asset] = available.get(asset, Decimal(0)) + free
        return available

    async def taker_fees(self, symbols: list[str]) -> dict[str, Decimal]:
        """Taker fee per symbol as a fraction; QueryFailed when one is missing."""
        if not symbols:
            return {}
        result = await self._refreshed("TradeVolume", {"pair": ",".join(symbols)})
        fees: dict[str, Decimal] = {}
        for pair, fee in (_decode(result, _Volume).fees or {}).items():
            fees[await self._symbol(pair)] = _amount(fee.fee) / 100
        missing = [symbol for symbol in symbols if symbol not in fees]
        if missing:
            raise QueryFailed(f"no taker fee for {', '.join(missing)}")
        return {symbol: fees[symbol] for symbol in symbols}

    async def cancel_all_after(self, timeout_s: int) -> None:
        """Arm (0 disarms) the account-wide dead-man switch."""
        await self._rest.private("CancelAllOrdersAfter", {"timeout": str(timeout_s)})

    async def _refreshed(self, endpoint: str, params: dict[str, str] | None = None) -> bytes:
        """Ask what proves nothing; after the first answer it only refreshes something known."""
        share = _REFRESH_SHARE if endpoint in self._answered else 1.0
        result = await self._rest.private(endpoint, params, share=share)
        self._answered.add(endpoint)
        return result

    async def _symbol(self, pair: str) -> str:
        names = await self._name_book()
        symbol = names.symbol(pair)
        if symbol is None:
            names = await self._name_book(is_fresh=True)
            symbol = names.symbol(pair)
        if symbol is None:
            raise QueryFailed(f"the venue lists no pair {pair!r}")
        return symbol

    async def _name_book(self, *, is_fresh: bool = False) -> NameBook:
        if self._names is None or is_fresh:
            assets = await self._rest.public("Assets")
            pairs = await self._rest.public("AssetPairs")
            try:
                self._names = NameBook.from_results(assets, pairs)
            except FeedCorrupt as error:
                raise QueryFailed(str(error)) from error
        return self._names


def _is_last(read: int, rows: int, count: int | None) -> bool:
    if rows == 0:
        return True
    return rows < _PAGE if count is None else read >= count
