"""The simulated Kraken matching engine: one sync core, no sockets, no latency.

The world quotes and takes liquidity; account orders arrive through `place`. Whatever
changes an account is committed to the truth store before any listener hears of it, so a
killed process never told more than it kept. Not here: protocol text, authentication,
faults (the server decides those and passes a cap), delays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from decimal import Decimal

import msgspec

from arbsite.clock import Clock
from arbsite.units import decimal_from_int, int_from_decimal_exact
from feeds.sim.kraken.accounts import Accounts
from feeds.sim.kraken.ladder import Match, PairBook
from feeds.sim.kraken.rates import RateCounters
from feeds.sim.kraken.records import (
    SYSTEM_STATUSES,
    AccountSpec,
    BookChanged,
    ExchangeEvent,
    ExecType,
    Executed,
    Level,
    Listener,
    Order,
    OrderRefused,
    OrderRequest,
    PairChanged,
    PairSpec,
    Printed,
    Side,
    SystemChanged,
    Trade,
    client_id_key,
)
from feeds.sim.truth import TruthStore

# Answers of an engine, or a pair, that does not match: one string per state.
_NOT_TRADING = {
    "maintenance": "EService:Unavailable",
    "cancel_only": "EService:Market in cancel_only mode",
    "post_only": "EService:Market in post_only mode",
    "limit_only": "",
}


class KrakenExchange:
    """Pairs, books and accounts of the venue. Everything is rebuilt from `truth` but the
    market-makers' ladders, which the world quotes anew after a start."""

    def __init__(
        self,
        pairs: Sequence[PairSpec],
        accounts: Mapping[str, AccountSpec],
        truth: TruthStore,
        clock: Clock,
    ) -> None:
        self.pairs: dict[str, PairSpec] = {spec.symbol: spec for spec in pairs}
        self.system_status = "online"
        self.accounts = Accounts(accounts, self.pairs, truth)
        self.rates = RateCounters(clock)
        self._truth = truth
        self._clock = clock
        self._books = {symbol: PairBook() for symbol in self.pairs}
        self._listeners: list[Listener] = []
        self._said: list[ExchangeEvent] = []
        self.accounts.restore(clock.now_ns())
        for account in accounts:
            for order in self.accounts.open_orders(account):
                self._rest(order)

    def listen(self, listener: Listener) -> None:
        """Hear every event from now on, in order, after it is durable."""
        self._listeners.append(listener)

    def levels(self, symbol: str) -> tuple[list[Level], list[Level]]:
        """All (bids, asks) of a pair, best first."""
        book = self._books[symbol]
        return book.levels("buy"), book.levels("sell")

    def balances(self, api_key: str) -> dict[str, Decimal]:
        """True balances of the key's account by asset, holds included."""
        owner = self.accounts.owner(api_key)
        if owner is None:
            raise KeyError(f"no account for API key {api_key!r}")
        return self.accounts.balances(owner)

    def move_by_hand(self, amounts: Mapping[str, Decimal]) -> None:
        """Bring or take assets of every account without a trade; the truth ledger says so."""
        self.accounts.move_by_hand(amounts, self._clock.now_ns())
        self._commit_and_tell()

    def true_trades(self, api_key: str | None = None) -> list[Trade]:
        """Every trade of one account, or of all, oldest first."""
        owner = self.accounts.owner(api_key) if api_key else None
        found = (t for t in self.accounts.trades.values() if owner in (None, t.account))
        return sorted(found, key=lambda trade: trade.trade_id)

    def quote_ladder(self, symbol: str, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Replace the market-makers' resting liquidity, as (ticks, lots) in any order.

        Account orders that the new ladder meets fill as makers, at their own price.
        """
        book = self._books[symbol]
        book.quote("buy", bids)
        book.quote("sell", asks)
        for resting in book.crossed_orders():
            if lots := book.match_makers(resting):
                self._fill_maker(symbol, resting.order, resting.ticks, lots)
        self._say_book(symbol)
        self._commit_and_tell()

    def take(self, symbol: str, side: Side, qty_lots: int, limit_ticks: int) -> int:
        """Trade anonymously against the book; return the lots filled.

        What is taken stays gone until the next `quote_ladder` of the pair.
        """
        matches = self._books[symbol].match(side, qty_lots, limit_ticks)
        for met in matches:
            number = self.accounts.next_number("print")
            self._say_print(symbol, side, met, number)
            if met.maker is not None:
                self._fill_maker(symbol, met.maker, met.ticks, met.lots, number)
        if matches:
            self._say_book(symbol)
            self._commit_and_tell()
        return sum(met.lots for met in matches)

    def check(self, account: str, request: OrderRequest) -> None:
        """Raise OrderRefused with the venue's error string if the order cannot be accepted."""
        pair = self.pairs.get(request.symbol)
        if pair is None:
            raise OrderRefused("EQuery:Unknown asset pair")
        self._check_state(pair, request)
        if request.cl_ord_id:
            client_id_key(request.cl_ord_id)
            if request.userref:
                raise OrderRefused("EGeneral:Invalid arguments:cl_ord_id and userref")
        self._check_numbers(pair, request)
        known = self.accounts.by_client_id(account, request.cl_ord_id) if request.cl_ord_id else ()
        if any(order.is_open for order in known):
            # Open orders only: a closed id trades again (facts/kraken.md §0.4).
            raise OrderRefused("EGeneral:Invalid arguments:cl_ord_id")
        if self._clock.now_ns() > request.deadline_ns:
            raise OrderRefused("EService:Deadline elapsed")
        self._check_funds(account, pair, request)

    def place(
        self, account: str, request: OrderRequest, *, max_fill: Decimal | None = None
    ) -> Order:
        """Check, match at once and settle; return the order as it then stands.

        An IOC's remainder is cancelled, a GTC's rests. `max_fill` caps what may match (a
        fault's doing). Raises OrderRefused; then nothing happened but the rate count.
        """
        limits = self.accounts.specs[account].limits
        self.rates.add_order(account, request.symbol, limits)
        self.check(account, request)
        resting = [o for o in self.accounts.open_orders(account) if o.symbol == request.symbol]
        if len(resting) >= limits.max_open_orders:
            raise OrderRefused("EOrder:Orders limit exceeded")
        order = Order(
            order_id=self.accounts.next_id("O"),
            account=account,
            symbol=request.symbol,
            side=request.side,
            qty=request.qty,
            limit_price=request.limit_price,
            time_in_force=request.time_in_force,
            opened_ns=self._clock.now_ns(),
            cl_ord_id=request.cl_ord_id,
            userref=request.userref,
        )
        self.accounts.add_order(order)
        self._say("pending_new", order)
        self._say("new", order)
        self._match(order, max_fill)
        self._say_book(order.symbol)
        self._commit_and_tell()
        return order

    def cancel(self, account: str, orders: Sequence[Order], reason: str = "User requested") -> int:
        """Cancel the open ones among `orders` of the account; return how many."""
        self._check_can_cancel()
        done = [order for order in orders if order.account == account and order.is_open]
        for order in done:
            limits = self.accounts.specs[account].limits
            self.rates.cancel_order(account, order.symbol, limits, order.opened_ns)
            self._books[order.symbol].remove(order.order_id)
            self._close(order, reason)
            self._say_book(order.symbol)
        self._commit_and_tell()
        return len(done)

    def set_system_status(self, status: str) -> None:
        """Change the engine's state word and tell every socket."""
        if status not in SYSTEM_STATUSES:
            raise ValueError(f"system status is one of {', '.join(SYSTEM_STATUSES)}")
        self.system_status = status
        self._said.append(SystemChanged(status))
        self._commit_and_tell()

    def replace_pair(self, spec: PairSpec) -> None:
        """Change a listed pair: status, minima or precision.

        A change of precision voids the book (the world must quote it anew in the new
        units) and cancels what rests in it.
        """
        old = self.pairs[spec.symbol]
        is_rescaled = (old.price_precision, old.qty_precision) != (
            spec.price_precision,
            spec.qty_precision,
        )
        if is_rescaled:
            for order in self._books[spec.symbol].clear():
                self._close(order, "Pair precision changed")
        self.pairs[spec.symbol] = spec
        self._said.append(PairChanged(spec, is_rescaled))
        self._commit_and_tell()

    def set_pair_status(self, symbol: str, status: str) -> None:
        """Change one pair's status word."""
        self.replace_pair(msgspec.structs.replace(self.pairs[symbol], status=status))

    def _check_state(self, pair: PairSpec, request: OrderRequest) -> None:
        for status in (self.system_status, pair.status):
            error = "" if status == "online" else _NOT_TRADING.get(status, "EService:Unavailable")
            if error and not (status == "post_only" and request.is_post_only):
                raise OrderRefused(error)

    def _check_can_cancel(self) -> None:
        if self.system_status == "maintenance":
            raise OrderRefused("EService:Unavailable")

    def _check_numbers(self, pair: PairSpec, request: OrderRequest) -> None:
        if not request.qty.is_finite() or request.qty <= 0:
            raise OrderRefused("EGeneral:Invalid arguments:volume")
        if not request.limit_price.is_finite() or request.limit_price <= 0:
            raise OrderRefused("EOrder:Invalid price")
        try:
            int_from_decimal_exact(request.limit_price, pair.price_precision)
        except ValueError:
            raise OrderRefused("EOrder:Tick size check failed") from None
        try:
            int_from_decimal_exact(request.qty, pair.qty_precision)
        except ValueError:
            raise OrderRefused("EGeneral:Invalid arguments:volume") from None
        if request.qty < Decimal(pair.qty_min):
            raise OrderRefused("EOrder:Order minimum not met")
        if request.limit_price * request.qty < Decimal(pair.cost_min):
            raise OrderRefused("EOrder:Cost minimum not met")

    def _check_funds(self, account: str, pair: PairSpec, request: OrderRequest) -> None:
        if request.side == "sell":
            asset, need = pair.base, request.qty
        else:
            rate = Decimal(self.accounts.specs[account].taker_fee)
            asset = pair.quote
            need = self.accounts.cost(pair, request.limit_price, request.qty) * (1 + rate)
        if need > self.accounts.available(account, asset):
            raise OrderRefused("EOrder:Insufficient funds")
        if request.is_post_only and self._books[pair.symbol].crossing(
            request.side, int_from_decimal_exact(request.limit_price, pair.price_precision)
        ):
            raise OrderRefused("EOrder:Post only order")

    def _match(self, order: Order, max_fill: Decimal | None) -> None:
        pair, book = self.pairs[order.symbol], self._books[order.symbol]
        limit_ticks = int_from_decimal_exact(order.limit_price, pair.price_precision)
        wanted = order.qty if max_fill is None else min(order.qty, max_fill)
        lots = int_from_decimal_exact(wanted, pair.qty_precision)
        for met in book.match(order.side, lots, limit_ticks, order.account):
            number = self.accounts.next_number("print")
            self._say_print(order.symbol, order.side, met, number)
            self._fill(order, met.ticks, met.lots, "t", number)
            if met.maker is not None:
                self._fill_maker(order.symbol, met.maker, met.ticks, met.lots, number)
        if not order.left_qty:
            self._close(order, "")
        elif order.time_in_force == "ioc":
            self._close(order, "IOC remainder canceled")
        elif book.crossing(order.side, limit_ticks):
            # It stopped at an order of its own account: the newest gives way.
            self._close(order, "Self trade prevention")
        else:
            self._rest(order)
            self.accounts.save_order(order)

    def _rest(self, order: Order) -> None:
        pair = self.pairs[order.symbol]
        ticks = int_from_decimal_exact(order.limit_price, pair.price_precision)
        lots = int_from_decimal_exact(order.left_qty, pair.qty_precision)
        self._books[order.symbol].rest(order, ticks, lots)

    def _fill(self, order: Order, ticks: int, lots: int, liquidity: str, number: int) -> None:
        pair = self.pairs[order.symbol]
        trade, moved = self.accounts.book_trade(
            order,
            decimal_from_int(ticks, pair.price_precision),
            decimal_from_int(lots, pair.qty_precision),
            "t" if liquidity == "t" else "m",
            number,
            self._clock.now_ns(),
        )
        self._say("trade", order, trade)
        self._said.append(moved)

    def _fill_maker(
        self, symbol: str, order: Order, ticks: int, lots: int, number: int | None = None
    ) -> None:
        if number is None:
            number = self.accounts.next_number("print")
        self._fill(order, ticks, lots, "m", number)
        if order.left_qty:
            self.accounts.save_order(order)
        else:
            self._close(order, "")

    def _close(self, order: Order, reason: str) -> None:
        is_filled = not order.left_qty
        order.status = "filled" if is_filled else "canceled"
        order.reason = reason
        order.closed_ns = self._clock.now_ns()
        self.accounts.save_order(order)
        self._say("filled" if is_filled else "canceled", order)

    def _say(self, exec_type: ExecType, order: Order, trade: Trade | None = None) -> None:
        self._said.append(Executed(exec_type, copy(order), trade, self._clock.now_ns()))

    def _say_print(self, symbol: str, side: Side, met: Match, number: int) -> None:
        at_ns = self._clock.now_ns()
        self._said.append(Printed(symbol, side, met.ticks, met.lots, number, at_ns))

    def _say_book(self, symbol: str) -> None:
        bids, asks = self.levels(symbol)
        self._said.append(BookChanged(symbol, bids, asks, self._clock.now_ns()))

    def _commit_and_tell(self) -> None:
        """Make the change durable, then let it be heard."""
        self._truth.commit()
        said, self._said = self._said, []
        for event in said:
            for listener in self._listeners:
                listener(event)
