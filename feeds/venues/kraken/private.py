"""The private subscriptions of one connection: executions and balances, and their gaps.

Each subscription numbers its messages; a missing number, an unreadable frame or a fill
that does not add up becomes `CexLinkState(gap=True)`, which asks for a REST back-fill.
Called by `trading`, which owns orders and reconnects.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from arbsite.clock import Clock
from arbsite.errors import FeedCorrupt
from feeds.venues.base import CexBalance, CexEvent, CexLinkState
from feeds.venues.kraken import requests
from feeds.venues.kraken.counters import TradingCounters
from feeds.venues.kraken.executions import OrderLog
from feeds.venues.kraken.link import Link
from feeds.venues.kraken.messages import (
    BalanceFrame,
    ExecutionFrame,
    Message,
    Reply,
)
from feeds.venues.kraken.wire import decode_frame

log = logging.getLogger(__name__)

_NS = 1_000_000_000


class TradingTimings(msgspec.Struct, frozen=True):
    """Every waiting time of the trading side, in seconds."""

    connect_s: float = 5.0
    ack_s: float = 2.0
    """After this an order without an answer has an unknown outcome."""
    silence_s: float = 4.0
    ping_s: float = 15.0
    answer_s: float = 5.0
    """Longest wait for both subscriptions to be answered."""
    snapshot_s: float = 2.0
    """No snapshot this long after the answer: the account has no orders to show."""
    credential_pause_s: float = 30.0


class PrivateStream:
    """Reads one private connection. `is_up` once subscribed and the snapshot was seen."""

    def __init__(
        self,
        link: Link,
        token: str,
        *,
        clock: Clock,
        sink: Callable[[CexEvent], None],
        orders: OrderLog,
        counters: TradingCounters,
        timings: TradingTimings,
        on_reply: Callable[[Reply], None],
        on_rate_count: Callable[[int], None],
    ) -> None:
        self.link = link
        self.token = token
        self.is_up = False
        self.has_balances = False
        """Whether all balances were told and none was missed since."""
        self.fills_after_ns: int | None = None
        """Every fill later than this was told; None when one may have been missed."""
        self._clock = clock
        self._sink = sink
        self._orders = orders
        self._counters = counters
        self._timings = timings
        self._on_reply = on_reply
        self._on_rate_count = on_rate_count
        self._asked: dict[int, str] = {}
        self._answered_ns: dict[str, int] = {}
        self._sequences: dict[str, int] = {}
        self._has_snapshot = False
        self._started_ns = clock.monotonic_ns()

    async def read(self) -> None:
        """Subscribe and take frames; raises ConnectionError at the end or on a refusal."""
        await self._subscribe("executions", requests.executions)
        await self._subscribe("balances", requests.balances)
        while True:
            frame = await self.link.receive()
            self._take(frame)

    async def watch(self) -> None:
        """Decide when the connection is up; ConnectionError when it is not in time."""
        while True:
            await asyncio.sleep(self._timings.snapshot_s / 8)
            self._decide_up()
            waited_ns = self._clock.monotonic_ns() - self._started_ns
            if not self.is_up and waited_ns > self._timings.answer_s * _NS:
                raise ConnectionError("private subscriptions not answered in time")

    async def _subscribe(self, channel: str, encode: Callable[[int, str], bytes]) -> None:
        req_id = self.link.next_req_id()
        self._asked[req_id] = channel
        await self.link.send(encode(req_id, self.token))

    def _take(self, frame: bytes) -> None:
        recv_ns = self._clock.now_ns()
        self._counters.frames += 1
        try:
            message = decode_frame(frame)
        except FeedCorrupt as error:
            # It may have been a fill: only the records can tell.
            self._counters.malformed += 1
            self._note_gap(f"unreadable frame: {error}", recv_ns)
            return
        self._dispatch(message, recv_ns)

    def _dispatch(self, message: Message, recv_ns: int) -> None:
        match message:
            case ExecutionFrame():
                self._take_executions(message, recv_ns)
            case BalanceFrame():
                if self._is_new("balances", message, recv_ns):
                    for entry in message.entries:
                        self._sink(CexBalance(entry.asset, entry.balance, recv_ns))
                    self.has_balances = self.has_balances or message.kind == "snapshot"
            case Reply(method="pong"):
                if self.link.note_pong(message):
                    self._counters.rtt_ms = self.link.rtt_ms
            case Reply(method="subscribe"):
                self._take_subscribed(message)
            case Reply():
                self._on_reply(message)
            case _:
                # Heartbeats and the engine's status: the public feed reports the latter.
                return

    def _take_executions(self, frame: ExecutionFrame, recv_ns: int) -> None:
        if not self._is_new("executions", frame, recv_ns):
            return
        events, gap = self._orders.apply(frame, recv_ns)
        for event in events:
            self._sink(event)
        if frame.kind == "snapshot":
            # The account's last fills: none that came after one of them can be missing.
            shown = [entry.at_ns for entry in frame.entries if entry.exec_type == "trade"]
            self.fills_after_ns = min(shown, default=0) or None
        if gap:
            self._note_gap(gap, recv_ns)
        self._has_snapshot = True
        self._decide_up()

    def _is_new(self, channel: str, frame: ExecutionFrame | BalanceFrame, recv_ns: int) -> bool:
        """Whether to apply the frame: False for a repeated one. Notes a gap by the way."""
        last = self._sequences.get(channel)
        self._sequences[channel] = frame.sequence
        if last is None or frame.kind == "snapshot":
            return True
        if frame.sequence == last:
            return False
        if frame.sequence != last + 1:
            self._note_gap(f"{channel} went from {last} to {frame.sequence}", recv_ns)
        return True

    def _note_gap(self, reason: str, recv_ns: int) -> None:
        self._counters.gaps += 1
        self.has_balances, self.fills_after_ns = False, None
        log.warning("trading.gap_noted", extra={"venue": "kraken", "reason": reason})
        self._sink(CexLinkState(self.is_up, True, reason, recv_ns))

    def _take_subscribed(self, reply: Reply) -> None:
        channel = self._asked.get(reply.req_id, reply.channel)
        if not reply.is_success and not reply.error.startswith("Already subscribed"):
            raise ConnectionError(f"{channel} refused: {reply.error}")
        self._answered_ns[channel] = self._clock.monotonic_ns()
        if reply.max_rate_count:
            self._on_rate_count(reply.max_rate_count)
        self._decide_up()

    def _decide_up(self) -> None:
        if self.is_up or "balances" not in self._answered_ns:
            return
        answered_ns = self._answered_ns.get("executions")
        if answered_ns is None:
            return
        waited_ns = self._clock.monotonic_ns() - answered_ns
        if not self._has_snapshot and waited_ns < self._timings.snapshot_s * _NS:
            return
        self.is_up = True
        # What happened before or between connections is in the records only.
        self._sink(CexLinkState(True, True, "subscribed", self._clock.now_ns()))
