"""One endpoint's WebSocket: several subscriptions, kept alive across reconnects.

Callers state what they want (accounts, signatures); `run` keeps a socket with all of it
subscribed and calls back synchronously, in arrival order, so there is no queue to fill:
a slow callback holds the socket back, and "latest wins" is the receiver's business.
`slotSubscribe` is always on the socket: with a slot every 400 ms, silence is death. Bad
frames are counted and skipped; only silence, a closed socket or a refused subscription
ends a connection. (The stock client dies of every slippage failure: {"Custom": n}.)
It holds no market state; `feed` and `trading` do.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal, Protocol

import msgspec

from arbsite.clock import Clock
from arbsite.errors import FeedCorrupt
from feeds.venues.backoff import Backoff, Jitter
from feeds.venues.solana import rpc_wire
from feeds.venues.solana.accounts import RawAccount
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.taps import SolanaTap
from feeds.venues.transport import Transport, WsConnection

_NS = 1_000_000_000
_Kind = Literal["slot", "account", "signature", "drop", "ping"]


class AccountNotice(msgspec.Struct, frozen=True, gc=False):
    """An account changed at `slot` as this endpoint sees it; None = it was closed."""

    endpoint: str
    address: str
    slot: int
    account: RawAccount | None
    recv_ns: int


class SignatureNotice(msgspec.Struct, frozen=True):
    """A signature reached `processed` at `slot`; `error` None = it succeeded."""

    endpoint: str
    signature: str
    slot: int
    error: str | None
    error_code: int | None
    recv_ns: int


class PubSubListener(Protocol):
    """What a subscriber is told. Called on the loop, synchronously, in arrival order."""

    def on_slot(self, endpoint: str, slot: int, recv_ns: int, parent: int | None) -> None:
        """A slot began on top of `parent`, where the node says so."""

    def on_account(self, notice: AccountNotice) -> None:
        """A subscribed account changed."""

    def on_signature(self, notice: SignatureNotice) -> None:
        """A watched signature was seen."""

    def on_ready(self, endpoint: str, recv_ns: int) -> None:
        """Every subscription wanted is acknowledged (again): read what was missed meanwhile."""

    def on_down(self, endpoint: str, reason: str, recv_ns: int) -> None:
        """The socket is gone; nothing heard before may be trusted to be complete."""


class PubSubCounters:
    """Counts for metrics; the host reads the fields."""

    def __init__(self) -> None:
        self.frames = 0
        self.bad_frames = 0
        self.connects = 0
        self.disconnects = 0
        self.refused_subscriptions = 0


class _Pending(msgspec.Struct, frozen=True):
    """A request on its way: what the reply will mean."""

    kind: _Kind
    target: str
    sent_ns: int


class PubSub:
    """Subscriptions on one endpoint; host runs `run` as a task and cancels it to stop."""

    def __init__(
        self,
        transport: Transport,
        endpoint: RpcEndpoint,
        listener: PubSubListener,
        *,
        clock: Clock,
        rng: Jitter,
        silence_s: float = 5.0,
        heartbeat_s: float = 20.0,
        ack_timeout_s: float = 5.0,
        backoff: Backoff | None = None,
        tap: SolanaTap | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.counters = PubSubCounters()
        self.rtt_ms: float | None = None
        self._transport = transport
        self._listener = listener
        self._tap = tap
        self._clock = clock
        self._silence_s = silence_s
        self._heartbeat_s = heartbeat_s
        self._ack_timeout_ns = round(ack_timeout_s * _NS)
        self._backoff = backoff or Backoff(clock, rng, cap_s=10.0)
        self._accounts: set[str] = set()
        self._signatures: set[str] = set()
        self._number = 0
        self._socket: WsConnection | None = None
        self._forget()

    def _forget(self) -> None:
        """Drop everything that belonged to the last socket."""
        self._pending: dict[int, _Pending] = {}
        self._live: dict[int, tuple[_Kind, str]] = {}
        self._outbox: asyncio.Queue[tuple[_Kind, str]] = asyncio.Queue()
        self._restart_reason: str | None = None
        self._is_complete = False
        self.is_up = False

    # ---------------------------------------------------------------- wishes

    def want_accounts(self, addresses: set[str]) -> None:
        """Subscribe to exactly these accounts, now and after every reconnect."""
        added, removed = addresses - self._accounts, self._accounts - addresses
        self._accounts = set(addresses)
        if self._socket is None:
            return
        self._is_complete = self._is_complete and not added
        for address in sorted(added):
            self._outbox.put_nowait(("account", address))
        for address in sorted(removed):
            self._outbox.put_nowait(("drop", address))

    def want_signature(self, signature: str) -> None:
        """Subscribe to one signature at `processed`; it ends with its notification."""
        if signature in self._signatures:
            return
        self._signatures.add(signature)
        if self._socket is not None:
            self._outbox.put_nowait(("signature", signature))

    def drop_signature(self, signature: str) -> None:
        """Stop asking for a signature at reconnects."""
        self._signatures.discard(signature)

    def restart(self, reason: str) -> None:
        """Give up the socket after the current frame; `run` opens another."""
        self._restart_reason = reason

    # ------------------------------------------------------------------- run

    async def run(self) -> None:
        """Connect, subscribe, listen, reconnect, until cancelled."""
        while True:
            await self._backoff.pause()
            try:
                self._socket = await self._transport.connect(self.endpoint.ws_url)
            except (ConnectionError, TimeoutError):
                continue
            self.counters.connects += 1
            if self._tap is not None:
                self._tap.opened(self.endpoint.label, self._clock.now_ns())
            reason = "cancelled"
            try:
                reason = await self._converse(self._socket)
            finally:
                socket, self._socket = self._socket, None
                self._forget()
                self._backoff.note_down()
                self.counters.disconnects += 1
                self._listener.on_down(self.endpoint.label, reason, self._clock.now_ns())
                await socket.close()

    async def _converse(self, socket: WsConnection) -> str:
        """Use one socket until it is over; returns why it ended."""
        self._outbox.put_nowait(("slot", ""))
        for address in sorted(self._accounts):
            self._outbox.put_nowait(("account", address))
        for signature in sorted(self._signatures):
            self._outbox.put_nowait(("signature", signature))
        writer = asyncio.create_task(self._write(socket))
        try:
            while True:
                try:
                    async with asyncio.timeout(self._silence_s):
                        frame = await socket.recv()
                except TimeoutError:
                    return "silent"
                except ConnectionError:
                    return "closed"
                reason = self._take(frame) or self._restart_reason
                if reason is not None:
                    return reason
        finally:
            writer.cancel()
            await asyncio.wait([writer])
            if not writer.cancelled():
                writer.result()

    async def _write(self, socket: WsConnection) -> None:
        """Send wishes as they come and a heartbeat when there are none for a while."""
        while True:
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    kind, target = await self._outbox.get()
            except TimeoutError:
                # Some providers reset their inactivity timer on JSON-RPC only, not on pings;
                # the answer is a round trip whether or not the method exists on the socket.
                kind, target = "ping", ""
            if not await self._send(socket, kind, target):
                return

    async def _send(self, socket: WsConnection, kind: _Kind, target: str) -> bool:
        call = self._request_of(kind, target)
        if call is None:
            return True
        self._number += 1
        self._pending[self._number] = _Pending(kind, target, self._clock.monotonic_ns())
        try:
            await socket.send(rpc_wire.request(self._number, *call))
        except ConnectionError:
            return False
        return True

    def _request_of(self, kind: _Kind, target: str) -> tuple[str, list[Any]] | None:
        match kind:
            case "slot":
                return "slotSubscribe", []
            case "account":
                options = {"encoding": "base64", "commitment": "processed"}
                return "accountSubscribe", [target, options]
            case "signature":
                return "signatureSubscribe", [target, {"commitment": "processed"}]
            case "ping":
                return "getHealth", []
            case "drop":
                for number, live in self._live.items():
                    if live == ("account", target):
                        return "accountUnsubscribe", [number]
        return None

    # ---------------------------------------------------------------- frames

    def _take(self, text: bytes) -> str | None:
        """Handle one frame; returns a reason when the connection must be given up."""
        recv_ns = self._clock.now_ns()
        self.counters.frames += 1
        if self._tap is not None:
            self._tap.frame(self.endpoint.label, text, recv_ns)
        try:
            frame = rpc_wire.frame(text)
            if frame.method:
                self._take_notification(frame, recv_ns)
                return self._overdue()
            if isinstance(frame.id, int):
                return self._take_reply(frame.id, frame, recv_ns)
        except FeedCorrupt:
            self.counters.bad_frames += 1
            return None
        self.counters.bad_frames += 1
        return None

    def _take_reply(self, number: int, frame: rpc_wire.Frame, recv_ns: int) -> str | None:
        pending = self._pending.pop(number, None)
        if pending is None:
            self.counters.bad_frames += 1
            return None
        if pending.kind == "ping":
            self.rtt_ms = (self._clock.monotonic_ns() - pending.sent_ns) / 1e6
            return None
        if pending.kind == "drop":
            self._live = {k: v for k, v in self._live.items() if v != ("account", pending.target)}
            return None
        if frame.error is not None:
            self.counters.refused_subscriptions += 1
            # A refused signature is still polled; without slots or accounts we are blind.
            return None if pending.kind == "signature" else f"{pending.kind} refused"
        subscription = rpc_wire.typed(frame.result, int, "subscription id")
        self._live[subscription] = (pending.kind, pending.target)
        if self._tap is not None:
            self._tap.subscribed(self.endpoint.label, subscription, pending.target, recv_ns)
        if pending.kind == "account" and pending.target not in self._accounts:
            # Unwanted again before it was acknowledged.
            self._outbox.put_nowait(("drop", pending.target))
        if not self._is_complete and self._all_acknowledged():
            if not self.is_up:
                self.is_up = True
                self._backoff.note_up()
            self._is_complete = True
            self._listener.on_ready(self.endpoint.label, recv_ns)
        return None

    def _all_acknowledged(self) -> bool:
        live = set(self._live.values())
        return ("slot", "") in live and all(("account", a) in live for a in self._accounts)

    def _overdue(self) -> str | None:
        """A subscription that was never acknowledged leaves us half blind: start over."""
        now_ns = self._clock.monotonic_ns()
        for pending in self._pending.values():
            is_needed = pending.kind in ("slot", "account")
            if is_needed and now_ns - pending.sent_ns > self._ack_timeout_ns:
                return f"{pending.kind} not acknowledged"
        return None

    def _take_notification(self, frame: rpc_wire.Frame, recv_ns: int) -> None:
        notice = rpc_wire.notification(frame.params)
        kind, target = self._live.get(notice.subscription, ("drop", ""))
        match kind, frame.method:
            case "slot", "slotNotification":
                told = rpc_wire.typed(notice.result, rpc_wire.SlotNotice, "slot")
                self._listener.on_slot(self.endpoint.label, told.slot, recv_ns, told.parent)
            case "account", "accountNotification":
                self._take_account(target, notice.result, recv_ns)
            case "signature", "signatureNotification":
                self._take_signature(notice, target, recv_ns)
            case "drop", _:
                # Late words of a subscription already given back are normal.
                return
            case _:
                raise FeedCorrupt(f"{frame.method} on a subscription to {kind}")

    def _take_account(self, address: str, raw: msgspec.Raw, recv_ns: int) -> None:
        result = rpc_wire.account_result(raw)
        account = rpc_wire.raw_account(address, result.value)
        label = self.endpoint.label
        notice = AccountNotice(label, address, result.context.slot, account, recv_ns)
        self._listener.on_account(notice)

    def _take_signature(self, notice: rpc_wire.Notification, signature: str, recv_ns: int) -> None:
        result = rpc_wire.typed(notice.result, rpc_wire.SignatureResult, "signature")
        if not isinstance(result.value, dict):
            # "receivedSignature": the node has the bytes, the chain does not.
            return
        self._live.pop(notice.subscription, None)
        self._signatures.discard(signature)
        err = result.value.get("err")
        self._listener.on_signature(
            SignatureNotice(
                self.endpoint.label, signature, result.context.slot,
                rpc_wire.error_text(err), rpc_wire.custom_code(err), recv_ns,
            )
        )  # fmt: skip
