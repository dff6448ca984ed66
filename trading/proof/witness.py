"""Sees every byte that asks a venue to trade, and holds it against the database at once.

Stands between the adapters and the venues' pipes, so it knows what really left, whatever
the engine believes. Findings are named by the protocol's invariants (I1 … I15). Not here:
what is checked at the end (`judge`).
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
from solders.transaction import VersionedTransaction

from arbsite.clock import Clock, ns_from_at
from feeds.venues.transport import HttpReply, Transport, WsConnection
from trading.proof.database import ProofDatabase, Row
from trading.proof.results import Violation

# An order decided before a stop may be on its way for this long (age limit of an intent).
GRACE_S = 0.25
# Error classes that say nothing about what became of an order; EService:Deadline does.
UNCLEAR = ("EService:Busy", "EService:Unavailable", "EGeneral:Internal")
DEADLINE_ROUNDING_NS = 1_000_000


class Told(msgspec.Struct, frozen=True):
    """The mode an engine was last told, and when (virtual seconds; its wall clock)."""

    mode: str = "live"
    at_s: float = 0.0
    wall_ns: int = 0


class _OrderParams(msgspec.Struct):
    cl_ord_id: str = ""
    deadline: str = ""


class _OrderFrame(msgspec.Struct):
    method: str = ""
    req_id: int = 0
    params: _OrderParams = msgspec.field(default_factory=_OrderParams)


class _OrderReply(msgspec.Struct):
    method: str = ""
    req_id: int = 0
    success: bool = True
    error: str = ""


class _SendCall(msgspec.Struct):
    method: str
    params: list[msgspec.Raw]


class Witness:
    """All sends of one seed, by every engine that lived."""

    def __init__(self, database: ProofDatabase, engine_clock: Clock) -> None:
        self._database = database
        self._clock = engine_clock
        self._orders = msgspec.json.Decoder(_OrderFrame)
        self._replies = msgspec.json.Decoder(_OrderReply)
        self.sends: dict[str, int] = {}
        self.orders = 0
        self.refused: set[str] = set()
        # Off once the wall clock has jumped: times on record then order nothing.
        self.is_wall_trusted = True
        self.violations: list[Violation] = []
        self.log: list[str] = []

    def find(self, name: str, text: str) -> None:
        """Note a broken invariant, once."""
        violation = Violation(name, text)
        if violation not in self.violations:
            self.violations.append(violation)

    async def order(self, frame: str, told: Told, asked: dict[int, str]) -> None:
        """An order frame is about to leave; `asked` keeps the socket's ids by request."""
        if '"add_order"' not in frame:
            return
        request = self._orders.decode(frame)
        params, name = request.params, request.params.cl_ord_id
        asked[request.req_id] = name
        count = self.sends[name] = self.sends.get(name, 0) + 1
        self.orders += count == 1
        self.note(f"order {name} #{count}")
        if count > 1:
            self.find("I1", f"order {name} was sent {count} times")
        found = await self._database.rows(
            "SELECT leg, state, deadline_ns, sent_ns FROM trading_attempt WHERE cl_ord_id = %s",
            name,
        )
        if not found or found[0]["state"] == "planned":
            self.find("I7", f"order {name} left without a durable intent to send it")
            return
        durable_ns = found[0]["deadline_ns"]
        framed_ns = ns_from_at(datetime.fromisoformat(params.deadline)) if params.deadline else None
        if framed_ns is None or abs(framed_ns - durable_ns) > DEADLINE_ROUNDING_NS:
            self.find("I9", f"order {name} left without the deadline on record")
        if self._clock.now_ns() > durable_ns:
            self.find("I9", f"order {name} left after its deadline")
        is_new = found[0]["leg"] == "cex" and self._began_after(found[0], told)
        if self._is_told(told, "halt") or (is_new and self._is_told(told)):
            self.find("I12", f"{found[0]['leg']} order {name} left in mode {told.mode}")

    def reply(self, frame: bytes, asked: dict[int, str]) -> None:
        """A frame came: remember which orders the venue itself refused for good."""
        if b'"add_order"' not in frame:
            return
        reply = self._replies.decode(frame)
        if not reply.success and reply.req_id in asked and not reply.error.startswith(UNCLEAR):
            self.refused.add(asked[reply.req_id])

    async def swap(self, body: bytes, told: Told) -> None:
        """A transaction is about to leave (once for every endpoint)."""
        if b'"sendTransaction"' not in body:
            return
        call = msgspec.json.decode(body, type=_SendCall)
        raw = base64.b64decode(msgspec.json.decode(call.params[0], type=str))
        name = str(VersionedTransaction.from_bytes(raw).signatures[0])
        is_first = name not in self.sends
        self.sends[name] = self.sends.get(name, 0) + 1
        if is_first:
            self.note(f"swap {name}")
        found = await self._database.rows(
            "SELECT state, raw_tx, sent_ns FROM trading_attempt WHERE signature = %s", name
        )
        if not found or found[0]["state"] == "planned":
            self.find("I7", f"swap {name} left without a durable intent to send it")
            return
        if bytes(found[0]["raw_tx"]) != raw:
            self.find("I7", f"swap {name} left with other bytes than those on record")
        is_new = is_first and self._began_after(found[0], told)
        if self._is_told(told, "halt") or (is_new and self._is_told(told)):
            self.find("I12", f"swap {name} left in mode {told.mode}")

    def _began_after(self, attempt: Row, told: Told) -> bool:
        """Whether the attempt was made SENDING after the stop was known.

        What was durable before may still go out, also from the next engine: the same bytes
        of a swap until they expire.
        """
        sent_ns = attempt["sent_ns"]
        if sent_ns is None:
            return True
        return self.is_wall_trusted and bool(sent_ns > told.wall_ns + GRACE_S * 1e9)

    def _is_told(self, told: Told, mode: str = "") -> bool:
        """Whether the sender knew of a stop (of that kind) long enough."""
        stopped = told.mode == mode if mode else told.mode != "live"
        return stopped and self._clock.monotonic_ns() / 1e9 > told.at_s + GRACE_S

    def note(self, text: str) -> None:
        """Add a line to the event log, with the virtual time."""
        self.log.append(f"{self._clock.monotonic_ns() / 1e9:.6f} {text}")


class _WatchedSocket:
    def __init__(self, inner: WsConnection, watch: WatchedTransport) -> None:
        self._inner = inner
        self._watch = watch
        self._asked: dict[int, str] = {}
        self.close = inner.close

    async def send(self, text: str | bytes) -> None:
        frame = text if isinstance(text, str) else text.decode()
        await self._watch.before_send(frame, self._asked)
        await self._inner.send(text)

    async def recv(self) -> bytes:
        frame = await self._inner.recv()
        self._watch.witness.reply(frame, self._asked)
        return frame


class WatchedTransport:
    """One life's way to the venues, under the witness's eyes; closed to the dead."""

    def __init__(
        self,
        inner: Transport,
        witness: Witness,
        still_alive: Callable[[], Awaitable[None]],
        told: Callable[[], Told],
    ) -> None:
        self._inner = inner
        self.witness = witness
        self._still_alive = still_alive
        self._told = told
        self.close = inner.close

    async def connect(self, url: str, *, timeout_s: float = 5.0) -> WsConnection:
        """Open a watched socket."""
        return _WatchedSocket(await self._inner.connect(url, timeout_s=timeout_s), self)

    async def before_send(self, frame: str, asked: dict[int, str]) -> None:
        """Look at a frame that is about to leave; the dead send nothing."""
        await self._still_alive()
        await self.witness.order(frame, self._told(), asked)

    async def http(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = 5.0,
    ) -> HttpReply:
        """Perform one call, noting transactions."""
        await self._still_alive()
        await self.witness.swap(body, self._told())
        return await self._inner.http(method, url, headers=headers, body=body, timeout_s=timeout_s)
