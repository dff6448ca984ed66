"""The order desk of the simulated Kraken: from a request's fields to the engine and back.

WebSocket and REST share it, so that both meet the same parsing, the same faults and the
same dead-man switch. Not here: tokens and signatures (the callers have checked them).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

from arbsite.clock import ns_from_at
from arbsite.units import quantize_floor
from feeds.sim.kraken.exchange import KrakenExchange
from feeds.sim.kraken.records import Order, OrderRefused, OrderRequest, Side
from feeds.sim.kraken.session import Surroundings

DEFAULT_DEADLINE_NS = 5_000_000_000
MAX_DEADLINE_NS = 60_000_000_000
MAX_DEAD_MAN_S = 86_400


class Placement(msgspec.Struct, frozen=True):
    """What became of a request: an order (None when only validated), or silence."""

    order: Order | None
    is_ack_lost: bool = False


class OrderFields(msgspec.Struct, frozen=True):
    """An order as a client wrote it, still unchecked; "" stands for absent."""

    symbol: str
    side: object
    order_type: object
    qty: object
    limit_price: object
    time_in_force: object = ""
    deadline: object = ""
    cl_ord_id: object = ""
    userref: object = 0
    is_post_only: object = False
    is_validate: object = False


class OrderDesk:
    """Places and cancels for authenticated accounts."""

    def __init__(self, exchange: KrakenExchange, around: Surroundings) -> None:
        self._exchange = exchange
        self._around = around
        self._dead_men: dict[str, asyncio.TimerHandle] = {}

    def submit(self, account: str, fields: OrderFields) -> Placement:
        """Place an order, or let a fault befall it. Raises OrderRefused."""
        faults, rng = self._around.faults, self._around.rng
        request = self._request(fields)
        if fields.is_validate in (True, "true"):
            self._exchange.check(account, request)
            return Placement(None)
        if faults.strikes("kraken.rate_limited_p", rng):
            raise OrderRefused("EOrder:Rate limit exceeded")
        if faults.strikes("kraken.ack_lost_not_placed_p", rng):
            return Placement(None, is_ack_lost=True)
        if faults.strikes("kraken.service_busy_p", rng):
            if rng.random() < 0.5:
                self._exchange.place(account, request, max_fill=self._cap(request))
            raise OrderRefused("EService:Busy")
        order = self._exchange.place(account, request, max_fill=self._cap(request))
        return Placement(order, faults.strikes("kraken.ack_lost_placed_p", rng))

    def find(self, account: str, ids: Sequence[str], client_ids: Sequence[str]) -> list[Order]:
        """The account's open orders under these ids; OrderRefused on an unknown one."""
        accounts = self._exchange.accounts
        found = []
        for order_id in ids:
            order = accounts.orders.get(order_id)
            found.append([order] if order is not None and order.account == account else [])
        found += [list(accounts.by_client_id(account, each)) for each in client_ids]
        live = [[order for order in orders if order.is_open] for orders in found]
        if not live or not all(live):
            raise OrderRefused("EOrder:Unknown order")
        return [order for orders in live for order in orders]

    def cancel(self, account: str, orders: Sequence[Order]) -> int:
        """Cancel these; return how many were still open."""
        return self._exchange.cancel(account, orders)

    def cancel_all(self, account: str) -> int:
        """Cancel everything open of the account."""
        return self._exchange.cancel(account, self._exchange.accounts.open_orders(account))

    def arm_dead_man(self, account: str, timeout_s: object) -> int:
        """Cancel all of the account's orders in `timeout_s` unless armed anew; 0 disarms.

        Returns the trigger time in ns, 0 when disarmed.
        """
        try:
            seconds = int(str(timeout_s))
        except ValueError:
            raise OrderRefused("EGeneral:Invalid arguments:timeout") from None
        if not 0 <= seconds < MAX_DEAD_MAN_S:
            raise OrderRefused("EGeneral:Invalid arguments:timeout")
        if timer := self._dead_men.pop(account, None):
            timer.cancel()
        if not seconds:
            return 0
        loop = asyncio.get_running_loop()
        self._dead_men[account] = loop.call_later(seconds, self._dead_man_fired, account)
        return self._around.clock.now_ns() + seconds * 1_000_000_000

    def stop(self) -> None:
        """Disarm every switch (the server goes down)."""
        for timer in self._dead_men.values():
            timer.cancel()
        self._dead_men.clear()

    def _dead_man_fired(self, account: str) -> None:
        del self._dead_men[account]
        if self._exchange.system_status != "maintenance":
            self.cancel_all(account)

    def _cap(self, request: OrderRequest) -> Decimal | None:
        """How much a fault lets an order match; None is no limit."""
        faults, rng = self._around.faults, self._around.rng
        if faults.strikes("kraken.zero_fill_p", rng):
            return Decimal(0)
        pair = self._exchange.pairs.get(request.symbol)
        if pair is None or not faults.strikes("kraken.partial_p", rng):
            return None
        share = Decimal(round(rng.uniform(0.1, 0.9), 6))
        return quantize_floor(request.qty * share, pair.qty_precision)

    def _request(self, fields: OrderFields) -> OrderRequest:
        if fields.side not in ("buy", "sell"):
            raise OrderRefused("EGeneral:Invalid arguments:side")
        if fields.order_type != "limit":
            raise OrderRefused("EGeneral:Invalid arguments:ordertype")
        side: Side = "buy" if fields.side == "buy" else "sell"
        return OrderRequest(
            symbol=fields.symbol,
            side=side,
            qty=_decimal(fields.qty, "volume"),
            limit_price=_decimal(fields.limit_price, "price"),
            deadline_ns=self._deadline_ns(fields.deadline),
            time_in_force=_time_in_force(fields.time_in_force),
            cl_ord_id=_text(fields.cl_ord_id, "cl_ord_id"),
            userref=_whole(fields.userref, "userref"),
            is_post_only=fields.is_post_only is True,
        )

    def _deadline_ns(self, text: object) -> int:
        now_ns = self._around.clock.now_ns()
        if text == "" or self._around.faults.is_on("kraken.deadline_ignored"):
            return now_ns + DEFAULT_DEADLINE_NS
        try:
            deadline_ns = ns_from_at(datetime.fromisoformat(str(text)))
        except (ValueError, OverflowError):
            raise OrderRefused("EGeneral:Invalid arguments:deadline") from None
        if deadline_ns > now_ns + MAX_DEADLINE_NS:
            raise OrderRefused("EGeneral:Invalid arguments:deadline")
        return deadline_ns


def _decimal(value: object, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise OrderRefused(f"EGeneral:Invalid arguments:{name}")
    try:
        return Decimal(value)
    except InvalidOperation:
        raise OrderRefused(f"EGeneral:Invalid arguments:{name}") from None


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise OrderRefused(f"EGeneral:Invalid arguments:{name}")
    return value


def _whole(value: object, name: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise OrderRefused(f"EGeneral:Invalid arguments:{name}") from None


def _time_in_force(value: object) -> Literal["ioc", "gtc"]:
    """Accept both spellings; absent means good till cancelled."""
    lowered = str(value).lower() or "gtc"
    if lowered == "ioc":
        return "ioc"
    if lowered == "gtc":
        return "gtc"
    raise OrderRefused("EGeneral:Invalid arguments:timeinforce")
