"""Kraken trading over the private socket: send an order once, hear what became of it.

Fills the port `CexTrading`. Orders leave as WebSocket frames, reads go by REST through
`account`. Nothing here retries a send or decides what an unknown outcome means: that is
the executor's protocol, which only needs to know truthfully whether something may have
left. Events go to the sink given at construction.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from arbsite.clock import Clock
from arbsite.errors import NotSent, OutcomeUnknown, QueryFailed, Rejected
from feeds.venues.backoff import AttemptBudget, Backoff, Jitter
from feeds.venues.base import CexAck, CexEvent, CexFill, CexLinkState, CexOrder, CexOrderState
from feeds.venues.kraken import requests
from feeds.venues.kraken.account import KrakenAccount, is_same_client_id
from feeds.venues.kraken.auth import Credentials
from feeds.venues.kraken.counters import TradingCounters
from feeds.venues.kraken.executions import OrderLog
from feeds.venues.kraken.limits import INTERMEDIATE, OrderLimiter, Tier, tier_from_rate_count
from feeds.venues.kraken.link import Link, until_first
from feeds.venues.kraken.messages import Reply
from feeds.venues.kraken.private import PrivateStream, TradingTimings
from feeds.venues.kraken.refusals import is_credential_fault, is_session_fault, outcome_of
from feeds.venues.kraken.rest import KrakenRest, VenueRefused
from feeds.venues.transport import Transport, WsConnection

log = logging.getLogger(__name__)

CexSink = Callable[[CexEvent], None]

_SENT_REMEMBERED = 10_000


@dataclass(slots=True)
class _InFlight:
    order: CexOrder
    answer: asyncio.Future[Reply]


@dataclass(slots=True)
class _Ready:
    """An order encoded for one connection, its request number taken."""

    order: CexOrder
    stream: PrivateStream
    req_id: int
    frame: bytes


class KrakenTrading:
    """One account's trading side. Run it as a task; cancel it to stop."""

    def __init__(
        self,
        transport: Transport,
        ws_url: str,
        rest_url: str,
        credentials: Credentials,
        *,
        clock: Clock,
        rng: Jitter,
        sink: CexSink,
        tier: Tier = INTERMEDIATE,
        timings: TradingTimings | None = None,
        counters: TradingCounters | None = None,
        budget: AttemptBudget | None = None,
    ) -> None:
        self.counters = counters or TradingCounters()
        self._transport = transport
        self._ws_url = ws_url
        self._clock = clock
        self._sink = sink
        self._timings = timings or TradingTimings()
        self._rest = KrakenRest(transport, rest_url, credentials, clock, tier=tier)
        self._account = KrakenAccount(self._rest, clock)
        self._limiter = OrderLimiter(clock, tier)
        self._backoff = Backoff(clock, rng, budget=budget)
        self._orders = OrderLog()
        self._stream: PrivateStream | None = None
        self._in_flight: dict[int, _InFlight] = {}
        self._sent: OrderedDict[str, None] = OrderedDict()
        self._ready: _Ready | None = None
        self._down_reason = ""
        self._rekeyed = asyncio.Event()

    # The private socket

    async def run(self) -> None:
        """Keep the private socket subscribed (token, executions, balances) until cancelled."""
        pause_s = 0.0
        while True:
            await self._until_rekeyed(pause_s)
            await self._backoff.pause()
            pause_s = 0.0
            self._rekeyed.clear()
            try:
                # A fresh token each time: an unused one expires after 15 minutes.
                token = await self._account.websocket_token()
                connection = await self._transport.connect(
                    self._ws_url, timeout_s=self._timings.connect_s
                )
            except VenueRefused as error:
                if is_credential_fault(error.error):
                    pause_s = self._timings.credential_pause_s
                self._note_down(str(error))
                continue
            except (QueryFailed, ConnectionError, TimeoutError) as error:
                self._note_down(str(error))
                continue
            await self._serve(connection, token)

    def use_credentials(self, credentials: Credentials) -> None:
        """Use another key of the account for every call and session from now on.

        The session that is up was opened with the old one and is kept while it lasts.
        """
        self._rest.use_credentials(credentials)
        self._rekeyed.set()

    async def _until_rekeyed(self, longest_s: float) -> None:
        """Wait, but not for a key that has been replaced."""
        if longest_s <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._rekeyed.wait()
                self._backoff.forgive()

    async def _serve(self, connection: WsConnection, token: str) -> None:
        self.counters.connects += 1
        self._backoff.note_up()
        timings = self._timings
        link = Link(connection, self._clock, silence_s=timings.silence_s, ping_s=timings.ping_s)
        stream = PrivateStream(
            link,
            token,
            clock=self._clock,
            sink=self._sink,
            orders=self._orders,
            counters=self.counters,
            timings=timings,
            on_reply=self._take_reply,
            on_rate_count=self._take_rate_count,
        )
        self._stream = stream
        reason = "trading stopped"
        try:
            await until_first(stream.read(), stream.watch(), link.keep_alive())
        except (ConnectionError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
        finally:
            self._stream = None
            self._backoff.note_down()
            self.counters.disconnects += 1
            self._down_reason = ""
            self._note_down(reason)
            self._abandon_in_flight(reason)
            await link.close()

    def _note_down(self, reason: str) -> None:
        if reason == self._down_reason:
            return
        self._down_reason = reason
        log.warning("trading.disconnected", extra={"venue": "kraken", "reason": reason})
        self._sink(CexLinkState(False, False, reason, self._clock.now_ns()))

    def _abandon_in_flight(self, reason: str) -> None:
        in_flight, self._in_flight = self._in_flight, {}
        for waiting in in_flight.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(ConnectionError(reason))

    def _take_rate_count(self, maximum: int) -> None:
        tier = tier_from_rate_count(maximum)
        if tier is not None:
            self._limiter.set_tier(tier)
            self._rest.set_tier(tier)

    # Orders

    @property
    def is_ready(self) -> bool:
        """Whether an order can be sent now: socket up, both subscriptions answered."""
        return self._stream is not None and self._stream.is_up

    def make_ready(self, order: CexOrder) -> None:
        """Encode an order that may be submitted next; the last one is kept.

        Whether it may leave (the socket, its deadline, the limits) is asked by `submit`.
        """
        stream = self._stream
        if stream is not None and stream.is_up and _has_numbers(order):
            req_id = stream.link.next_req_id()
            frame = requests.add_order(req_id, order, stream.token)
            self._ready = _Ready(order, stream, req_id, frame)

    async def submit(self, order: CexOrder) -> CexAck:
        """Send once. NotSent | Rejected | OutcomeUnknown; never retries by itself.

        A client id is accepted for sending only once per process: the venue would
        execute it a second time. A success is not a fill.
        """
        stream = self._stream
        if stream is None or not stream.is_up:
            raise NotSent("the private socket is not up")
        if order.cl_ord_id in self._sent:
            raise OutcomeUnknown(f"{order.cl_ord_id} was sent before and is not sent again")
        req_id, frame = self._frame_of(order, stream)
        if not self._limiter.try_spend(order.symbol):
            raise NotSent(f"our own order counter of {order.symbol} is full")
        self._note_sent(order.cl_ord_id)
        waiting = _InFlight(order, asyncio.get_running_loop().create_future())
        self._in_flight[req_id] = waiting
        try:
            async with asyncio.timeout(self._timings.ack_s):
                await stream.link.send(frame)
                reply = await waiting.answer
        except TimeoutError as error:
            self.counters.orders_unknown += 1
            raise OutcomeUnknown(f"no answer within {self._timings.ack_s} s") from error
        except ConnectionError as error:
            self.counters.orders_unknown += 1
            raise OutcomeUnknown(f"the socket dropped: {error}") from error
        return self._ack_from(order, reply)

    def _frame_of(self, order: CexOrder, stream: PrivateStream) -> tuple[int, bytes]:
        """The order's request number and frame for this connection; NotSent when it is late."""
        if not _has_numbers(order):
            raise NotSent("quantity and limit price must be positive numbers")
        if self._clock.now_ns() >= order.deadline_ns:
            raise NotSent("the order's deadline has passed")
        ready, self._ready = self._ready, None
        if ready is not None and ready.stream is stream and ready.order == order:
            return ready.req_id, ready.frame
        req_id = stream.link.next_req_id()
        return req_id, requests.add_order(req_id, order, stream.token)

    def _note_sent(self, cl_ord_id: str) -> None:
        self.counters.orders_sent += 1
        self._sent[cl_ord_id] = None
        if len(self._sent) > _SENT_REMEMBERED:
            self._sent.popitem(last=False)

    def _take_reply(self, reply: Reply) -> None:
        waiting = self._in_flight.pop(reply.req_id, None)
        if waiting is None:
            return
        if reply.is_success and reply.order_id:
            # Also when the caller has given up waiting: the order id helps to reconcile.
            state = self._orders.introduce(reply.order_id, waiting.order, self._clock.now_ns())
            if state is not None:
                self._sink(state)
        if not waiting.answer.done():
            waiting.answer.set_result(reply)
        if is_session_fault(reply.error):
            # Every later order would meet the same answer: come back with a fresh token.
            raise ConnectionError(f"session refused: {reply.error}")

    def _ack_from(self, order: CexOrder, reply: Reply) -> CexAck:
        if not reply.is_success:
            if outcome_of(reply.error) == "definite":
                self.counters.orders_rejected += 1
                raise Rejected(reply.error)
            self.counters.orders_unknown += 1
            raise OutcomeUnknown(reply.error or "refused without a reason")
        is_ours = not reply.cl_ord_id or is_same_client_id(reply.cl_ord_id, order.cl_ord_id)
        if not is_ours or not (reply.order_id or order.validate):
            self.counters.orders_unknown += 1
            raise OutcomeUnknown("the answer does not name our order")
        self.counters.orders_acked += 1
        return CexAck(order.cl_ord_id, reply.order_id, self._clock.now_ns())

    # Records, by REST

    async def find_orders(
        self, cl_ord_id: str, *, since_ns: int, is_over: bool = False
    ) -> list[CexOrderState]:
        """Orders with that client id, by REST; `is_over`: closed ones only. QueryFailed."""
        return await self._account.find_orders(cl_ord_id, since_ns=since_ns, is_over=is_over)

    async def fills(self, *, since_ns: int) -> list[CexFill]:
        """All trade records since then (every page), by REST, source="record"."""
        return await self._account.fills(since_ns=since_ns)

    def shown_fills(self, *, since_ns: int) -> list[CexFill] | None:
        """All fills since then as the stream told them, None where one could be missing."""
        stream = self._stream
        if stream is None or stream.fills_after_ns is None or since_ns <= stream.fills_after_ns:
            return None
        return self._orders.fills_since(since_ns)

    @property
    def shows_balances(self) -> bool:
        """Whether the stream has told every balance, and no open order holds a part of one."""
        stream = self._stream
        return stream is not None and stream.has_balances and not self._orders.has_open

    async def balances(self) -> dict[str, Decimal]:
        """Available balance per asset (v2 names), by REST."""
        return await self._account.balances()

    async def taker_fees(self, symbols: list[str]) -> dict[str, Decimal]:
        """Taker fee per symbol as a fraction (0.001 = 10 bps), from the account."""
        return await self._account.taker_fees(symbols)

    async def cancel_all_after(self, timeout_s: int) -> None:
        """Arm (0 disarms) the venue's dead-man switch. QueryFailed when not confirmed."""
        await self._account.cancel_all_after(timeout_s)

    async def judge_order(self, order: CexOrder) -> str:
        """Hand an order in past our own checks; the venue's refusal, "" when it takes it."""
        return await self._account.judge_order(order)

    async def server_time_ns(self) -> int:
        """The venue's clock (whole seconds), to compare with ours. QueryFailed."""
        return await self._account.server_time_ns()


def _has_numbers(order: CexOrder) -> bool:
    return all(value.is_finite() and value > 0 for value in (order.qty, order.limit_price))
