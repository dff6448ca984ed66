"""The private side of the simulated Kraken: executions, balances, and trading by WebSocket.

A `PrivateSession` is one socket: its token, its subscriptions with their sequence numbers,
and its orders. Executions that its own request causes are held until the ack is queued, so
that which of the two comes first is decided here and not by accident.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from arbsite.clock import Clock
from feeds.sim.faults import RandomSource
from feeds.sim.hosting import ServerConn
from feeds.sim.kraken import frames
from feeds.sim.kraken.exchange import KrakenExchange
from feeds.sim.kraken.orders import OrderDesk, OrderFields
from feeds.sim.kraken.records import BalancesMoved, Executed, OrderRefused
from feeds.sim.kraken.session import Request, RequestRefused, Session, Surroundings

TOKEN_LIFE_S = 900
SNAPSHOT_FILLS = 50
_WRONG_HOST = "Public market data subscriptions are unavailable on this endpoint. Try ws.kraken.com"
_QUIET_STATUSES = frozenset({"new", "trade", "filled", "canceled"})


class Tokens:
    """WebSocket tokens: good for 15 minutes, and while a subscription made with it lives."""

    def __init__(self, clock: Clock, rng: RandomSource) -> None:
        self._clock = clock
        self._rng = rng
        self._issued: dict[str, tuple[str, int]] = {}

    def issue(self, account: str) -> str:
        """Make a token of the account."""
        token = f"{self._rng.getrandbits(256):064x}"
        self._issued[token] = (account, self._clock.monotonic_ns())
        return token

    def expire_all(self) -> None:
        """Forget every token, those held by live subscriptions too."""
        self._issued.clear()

    def account(self, token: object, held: set[str]) -> str | None:
        """The token's account; None when unknown, or expired and not among `held`."""
        account, issued_ns = self._issued.get(str(token), (None, 0))
        age_ns = self._clock.monotonic_ns() - issued_ns
        is_live = age_ns < TOKEN_LIFE_S * 1_000_000_000 or str(token) in held
        return account if is_live else None


class Stream(msgspec.Struct):
    """One private subscription: its last sequence number and its options."""

    sequence: int = 0
    has_order_status: bool = True
    loses_next: bool = False

    def next(self) -> int:
        self.sequence += 1
        return self.sequence


class PrivateSession(Session):
    """One socket on the private path."""

    def __init__(
        self,
        conn: ServerConn,
        around: Surroundings,
        exchange: KrakenExchange,
        desk: OrderDesk,
        tokens: Tokens,
        on_left: Callable[[PrivateSession], None],
    ) -> None:
        super().__init__(conn, around)
        self._exchange = exchange
        self._desk = desk
        self._tokens = tokens
        self._on_left = on_left
        self.account = ""
        self.executions: Stream | None = None
        self.balances: Stream | None = None
        self._held_tokens: set[str] = set()
        self._during: list[str] | None = None
        self.methods |= {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "add_order": self._trading(self._add_order),
            "cancel_order": self._trading(self._cancel_order),
            "cancel_all": self._trading(self._cancel_all),
            "cancel_all_orders_after": self._trading(self._cancel_all_after),
        }

    def left(self) -> None:
        self._on_left(self)

    def has_subscription(self) -> bool:
        return self.executions is not None or self.balances is not None

    def on_executed(self, said: Executed) -> None:
        """Send one step of an order of this session's account."""
        stream = self.executions
        if stream is None or said.order.account != self.account:
            return
        if not stream.has_order_status and said.exec_type not in _QUIET_STATUSES:
            return
        entry = frames.execution_entry(said)
        copies = 1
        if said.exec_type == "trade":
            copies += self.around.faults.strikes("kraken.duplicate_execution_p", self.around.rng)
        for _ in range(copies):
            text = frames.frame("executions", "update", [entry], sequence=stream.next())
            if stream.loses_next:
                stream.loses_next = False
            else:
                self._post_private(text)

    def on_balances(self, moved: BalancesMoved) -> None:
        """Send the two balance entries of one trade."""
        if self.balances is not None and moved.account == self.account:
            entries = frames.balance_entries(moved)
            sequence = self.balances.next()
            self._post_private(frames.frame("balances", "update", entries, sequence=sequence))

    def _post_private(self, text: str) -> None:
        if self._during is not None:
            self._during.append(text)
        else:
            self.post(text, is_data=True)

    def _account_of(self, request: Request) -> str:
        account = self._tokens.account(request.params.get("token"), self._held_tokens)
        is_other = bool(self.account) and account != self.account
        if account is None or is_other or self.around.faults.is_on("kraken.key_revoked"):
            raise RequestRefused("ESession:Invalid session")
        return account

    def _subscribe(self, request: Request) -> None:
        channel = request.params.get("channel")
        if channel not in ("executions", "balances"):
            raise RequestRefused(_WRONG_HOST)
        try:
            account = self._account_of(request)
        except RequestRefused as refused:
            raise RequestRefused(refused.error, channel=channel, status="error") from None
        if (self.executions if channel == "executions" else self.balances) is not None:
            raise RequestRefused("Already subscribed")
        self.account = account
        self._held_tokens.add(str(request.params["token"]))
        is_muted = self.around.faults.is_on("kraken.silent_after_ack")
        if channel == "executions":
            self._subscribe_executions(request, is_muted=is_muted)
        else:
            self._subscribe_balances(request, is_muted=is_muted)

    def _subscribe_executions(self, request: Request, *, is_muted: bool) -> None:
        wants_orders = request.params.get("snap_orders", True) is True
        wants_trades = request.params.get("snap_trades", False) is True
        stream = Stream(has_order_status=request.params.get("order_status", True) is True)
        limits = self._exchange.accounts.specs[self.account].limits
        result = {
            "channel": "executions",
            "maxratecount": limits.max_count,
            "snap_orders": wants_orders,
            "snap_trades": wants_trades,
        }
        self.acknowledge(request, result)
        if is_muted:
            return
        self.executions = stream
        entries: list[dict[str, object]] = []
        if wants_orders:
            for order in self._exchange.accounts.open_orders(self.account):
                status = "partially_filled" if order.filled_qty else "new"
                head = {"exec_type": "new", "order_status": status}
                entries.append(frames.pending_entry(order) | head)
        if wants_trades:
            for trade in self._exchange.true_trades(self.account)[-SNAPSHOT_FILLS:]:
                order = self._exchange.accounts.orders[trade.order_id]
                entry = frames.trade_fields(trade, order) | {"order_status": order.status}
                entries.append(entry)
        text = frames.frame("executions", "snapshot", entries, sequence=stream.next())
        self.post(text, request.answer_delay_s, is_data=True)

    def _subscribe_balances(self, request: Request, *, is_muted: bool) -> None:
        wants_snapshot = request.params.get("snapshot", True) is True
        self.acknowledge(request, {"channel": "balances", "snapshot": wants_snapshot})
        if is_muted:
            return
        self.balances = Stream()
        if wants_snapshot:
            rows = frames.balance_snapshot(self._exchange.balances(self.account))
            text = frames.frame("balances", "snapshot", rows, sequence=self.balances.next())
            self.post(text, request.answer_delay_s, is_data=True)

    def _unsubscribe(self, request: Request) -> None:
        channel = request.params.get("channel")
        self._account_of(request)
        if channel == "executions" and self.executions is not None:
            self.executions = None
        elif channel == "balances" and self.balances is not None:
            self.balances = None
        else:
            raise RequestRefused("Subscription Not Found")
        if not self.has_subscription():
            self._held_tokens.clear()
        self.acknowledge(request, {"channel": channel})

    def _trading(self, action: Callable[[str, Request], None]) -> Callable[[Request], None]:
        """Wrap a trading method: check the token, hold back own executions, map refusals."""

        def run(request: Request) -> None:
            account = self._account_of(request)
            self._during = []
            try:
                action(account, request)
            except OrderRefused as refused:
                raise RequestRefused(refused.error) from None
            finally:
                caused, self._during = self._during, None
                for text in caused:
                    self.post(text, request.answer_delay_s, is_data=True)

        return run

    def _add_order(self, account: str, request: Request) -> None:
        params = request.params
        placement = self._desk.submit(
            account,
            OrderFields(
                symbol=str(params.get("symbol")),
                side=params.get("side"),
                order_type=params.get("order_type"),
                qty=params.get("order_qty"),
                limit_price=params.get("limit_price"),
                time_in_force=params.get("time_in_force", ""),
                deadline=params.get("deadline", ""),
                cl_ord_id=params.get("cl_ord_id", ""),
                userref=params.get("order_userref", 0),
                is_post_only=params.get("post_only", False),
                is_validate=params.get("validate", False),
            ),
        )
        latency, faults, rng = self.around.latency, self.around.faults, self.around.rng
        overtakes = rng.random() < latency.executions_first_p or faults.strikes(
            "kraken.executions_first_p", rng
        )
        if overtakes and self._during is not None:
            for text in self._during:
                self.post(text, request.answer_delay_s, is_data=True)
            self._during.clear()
        if placement.is_ack_lost:
            return
        order = placement.order
        result: dict[str, object] = {} if order is None else {"order_id": order.order_id}
        if params.get("cl_ord_id"):
            result["cl_ord_id"] = params["cl_ord_id"]
        if params.get("order_userref"):
            result["order_userref"] = params["order_userref"]
        self.acknowledge(request, result)

    def _cancel_order(self, account: str, request: Request) -> None:
        ids = _texts(request.params.get("order_id", []))
        client_ids = _texts(request.params.get("cl_ord_id", []))
        orders = self._desk.find(account, ids, client_ids)
        self._desk.cancel(account, orders)
        for order in orders:
            self.acknowledge(request, {"order_id": order.order_id})

    def _cancel_all(self, account: str, request: Request) -> None:
        self.acknowledge(request, {"count": self._desk.cancel_all(account)})

    def _cancel_all_after(self, account: str, request: Request) -> None:
        trigger_ns = self._desk.arm_dead_man(account, request.params.get("timeout"))
        now_ns = self.around.clock.now_ns()
        trigger = frames.stamp(trigger_ns) if trigger_ns else "0"
        self.acknowledge(request, {"currentTime": frames.stamp(now_ns), "triggerTime": trigger})


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise OrderRefused("EGeneral:Invalid arguments")
    return value
