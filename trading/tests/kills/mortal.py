"""Where a real engine process ends: store and transport that pull the trigger at a named place.

A place is `what:detail`, reached inside the process itself, so that SIGKILL (or SIGSTOP)
comes between two instructions and not some milliseconds later:

    intent:begun | intent:before | intent:uncommitted | intent:after
                                                          the transaction of the intent
    commit:WHAT:before | commit:WHAT:after                the first commit that brings WHAT
        (any, sending, fills, hedge, dead, closed)
    order:N:before | order:N:torn | order:N:after         the frame of the N-th order
    reply:N                                               the answer to an order, unread
    swap:N:before | swap:N:after                          the N-th sendTransaction

Test code only: the product has no such switch.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from arbsite.clock import Clock
from feeds.venues.sockets import SocketConnection, SocketTransport
from feeds.venues.transport import HttpReply
from trading.effects import NoteWindow
from trading.intent import Intent
from trading.records import DayRelease, TradeRecord
from trading.storage.intent_line import RECORD_INTENT, IntentText
from trading.storage.store import TradeStore

# A masked text frame of 256 bytes is announced; none of them follow.
TORN_FRAME = b"\x81\xfe\x01\x00"


class Trigger:
    """One place at which this process ends (or stands still); `""` is nowhere."""

    def __init__(self, place: str, number: int = signal.SIGKILL) -> None:
        self.place = place
        self._signal = number

    def reach(self, place: str) -> None:
        """End here if this is the place; after SIGSTOP and SIGCONT life goes on."""
        if place == self.place:
            self.place = ""
            os.kill(os.getpid(), self._signal)


class MortalStore(TradeStore):
    """The real store with a trigger around its durable acts."""

    def __init__(self, dsn: str, *, shard: str, clock: Clock, trigger: Trigger) -> None:
        super().__init__(dsn, shard=shard, clock=clock)
        self._trigger = trigger

    def begin_intent(self, intent: Intent, window: NoteWindow | None = None) -> None:
        super().begin_intent(intent, window)
        self._trigger.reach("intent:begun")

    async def _call_record_intent(self, text: IntentText) -> str:
        self._trigger.reach("intent:before")
        if self._trigger.place == "intent:uncommitted":
            await self._lines.forget(text.key)
            async with self._pool.connection() as conn, conn.transaction():
                await conn.execute(RECORD_INTENT, [text.whole()])
                self._trigger.reach("intent:uncommitted")
        verdict = await super()._call_record_intent(text)
        self._trigger.reach("intent:after")
        return verdict

    async def commit(self, trade: TradeRecord, *, release: DayRelease | None = None) -> None:
        brings = [f"commit:{what}" for what in _brought(trade)]
        for place in brings:
            self._trigger.reach(f"{place}:before")
        await super().commit(trade, release=release)
        for place in brings:
            self._trigger.reach(f"{place}:after")


def _brought(trade: TradeRecord) -> list[str]:
    """What a commit of this trade makes durable, as far as a place can name it."""
    attempts = trade.attempts
    found = {
        "any": True,
        "sending": any(a.state == "sending" for a in attempts if a.leg == "cex"),
        "fills": any(a.fills for a in attempts),
        "hedge": any(a.leg == "hedge" for a in attempts),
        "dead": any(a.state == "dead" and a.venue == "solana" for a in attempts),
        "closed": trade.state == "closed",
    }
    return [what for what, is_there in found.items() if is_there]


class _MortalSocket:
    """An open socket around which the trigger is reached."""

    def __init__(self, inner: SocketConnection, transport: MortalTransport) -> None:
        self._inner = inner
        self._transport = transport
        self.close = inner.close

    async def send(self, text: str | bytes) -> None:
        frame = text if isinstance(text, str) else text.decode()
        if '"add_order"' not in frame:
            await self._inner.send(text)
            return
        place = self._transport.next_order()
        trigger = self._transport.trigger
        trigger.reach(f"{place}:before")
        if trigger.place == f"{place}:torn":
            self._inner._socket.transport.write(TORN_FRAME)
            trigger.reach(f"{place}:torn")
        await self._inner.send(text)
        trigger.reach(f"{place}:after")

    async def recv(self) -> bytes:
        frame = await self._inner.recv()
        if b'"add_order"' in frame:
            self._transport.replies += 1
            self._transport.trigger.reach(f"reply:{self._transport.replies}")
        return frame


class MortalTransport(SocketTransport):
    """The real sockets with a trigger around what asks a venue to trade."""

    def __init__(self, trigger: Trigger) -> None:
        super().__init__()
        self.trigger = trigger
        self.replies = 0
        self._orders = 0
        self._swaps: list[bytes] = []

    def next_order(self) -> str:
        """Name the order that is about to leave."""
        self._orders += 1
        return f"order:{self._orders}"

    async def connect(self, url: str, *, timeout_s: float = 5.0) -> Any:
        """Open a WebSocket under the trigger's eyes."""
        return _MortalSocket(await super().connect(url, timeout_s=timeout_s), self)

    async def http(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = 5.0,
    ) -> HttpReply:
        """Perform one request under the trigger's eyes."""
        is_swap = b'"sendTransaction"' in body
        if is_swap:
            # The same bytes to a second node are the same swap.
            self._swaps += [body] if body not in self._swaps else []
            self.trigger.reach(f"swap:{self._swaps.index(body) + 1}:before")
        reply = await super().http(method, url, headers=headers, body=body, timeout_s=timeout_s)
        if is_swap:
            self.trigger.reach(f"swap:{self._swaps.index(body) + 1}:after")
        return reply
