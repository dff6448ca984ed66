"""One simulated Solana node behind its wire: JSON-RPC over HTTP, pub/sub over WebSocket.

A hosted `SimServer` (feeds/sim/hosting.py carries it). Subscriptions behave as on real
nodes: no sequence numbers, one signature notice and then silence, account notices with
the slot of the bank that saw the change. Not here: the methods (solana_rpc).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Mapping

import msgspec

from feeds.sim.faults import FaultBoard, FaultValue, RandomSource
from feeds.sim.hosting import Answer, ServerConn
from feeds.sim.kraken.latency import Latency
from feeds.sim.solana.blocks import FINALIZED_LAG_SLOTS, Block
from feeds.sim.solana.params import (
    RpcError,
    address_param,
    commitment_of,
    config_of,
    invalid_params,
)
from feeds.sim.solana.rpc import API_VERSION, RpcNode
from feeds.sim.solana.view import Commitment, NodeView, account_json

RPC_LATENCY = Latency(p50_ms=6.0, p95_ms=25.0, stall_p=0.0)
_MAX_WAITING_FRAMES = 20_000
_LONGEST_TIMEOUT_S = 60.0


class _Subscription:
    """One subscription of one socket."""

    __slots__ = ("is_received_asked", "kind", "last_changed", "level", "number", "target")

    def __init__(self, number: int, kind: str, target: str, level: Commitment) -> None:
        self.number = number
        self.kind = kind
        self.target = target
        self.level = level
        self.last_changed = 0
        self.is_received_asked = False


class SolanaServer:
    """The node. `rng` decides faults and latency only."""

    def __init__(
        self,
        view: NodeView,
        faults: FaultBoard,
        rng: RandomSource,
        latency: Latency = RPC_LATENCY,
    ) -> None:
        self._node = RpcNode(view, faults, rng)
        self._view = view
        self._faults = faults
        self._rng = rng
        self._latency = latency
        self._sessions: set[_Session] = set()
        self._numbers = itertools.count(1)
        view.listeners.append(self._notice)
        faults.watch("solana.drop_sockets", self._drop_sockets)

    async def http(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one POST after its latency."""
        if path.partition("?")[0] == "/health":
            return 200, b"ok", "text/plain"
        if method != "POST":
            return 405, b"Used HTTP Method is not allowed. POST is required", "text/plain"
        half_s = self._latency.round_trip_s(self._rng) / 2
        await asyncio.sleep(half_s)
        await self._faults.wait_off("solana.stall")
        if self._faults.strikes("solana.rpc_429_p", self._rng):
            return 429, b"Too many requests for a specific RPC call", "text/plain"
        answer = self._node.answer_bytes(body)
        if self._faults.strikes("solana.rpc_timeout_p", self._rng):
            await asyncio.sleep(_LONGEST_TIMEOUT_S)
            raise ConnectionError("the answer is lost")
        await asyncio.sleep(half_s)
        await self._faults.wait_off("solana.stall")
        return 200, answer, "application/json"

    async def open_ws(self, path: str, conn: ServerConn) -> None:
        """Serve one pub/sub socket until it ends."""
        session = _Session(conn, self._node, self._faults, self._numbers)
        self._sessions.add(session)
        try:
            await session.run()
        finally:
            self._sessions.discard(session)

    def _notice(self, block: Block) -> None:
        if not self._faults.is_on("solana.stall"):
            for session in list(self._sessions):
                session.notice(block)

    def _drop_sockets(self, _: FaultValue) -> None:
        for session in list(self._sessions):
            session.abort()


class _Session:
    """One client's socket."""

    def __init__(
        self, conn: ServerConn, node: RpcNode, faults: FaultBoard, numbers: Iterator[int]
    ) -> None:
        self._conn = conn
        self._node = node
        self._view = node.view
        self._faults = faults
        self._numbers = numbers
        self._subscriptions: dict[int, _Subscription] = {}
        self._out: asyncio.Queue[str] = asyncio.Queue(_MAX_WAITING_FRAMES)

    async def run(self) -> None:
        """Read requests and write frames until either end is gone."""
        writer = asyncio.create_task(self._write())
        try:
            while True:
                text = await self._conn.recv()
                await self._faults.wait_off("solana.stall")
                self._put(self._answer(text))
        except ConnectionError:
            return
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                text = await self._out.get()
                await self._faults.wait_off("solana.stall")
                await self._conn.send(text)

    def abort(self) -> None:
        """Cut the socket."""
        self._conn.abort()

    def _put(self, frame: object) -> None:
        try:
            self._out.put_nowait(msgspec.json.encode(frame).decode())
        except asyncio.QueueFull:
            # A client that does not read is cut off, as nodes do.
            self._conn.abort()

    def _answer(self, text: str) -> object:
        try:
            request = msgspec.json.decode(text)
        except msgspec.DecodeError:
            error = RpcError(-32700, "Parse error").as_json()
            return {"jsonrpc": "2.0", "error": error, "id": None}
        method = request.get("method") if isinstance(request, dict) else None
        params = request.get("params", []) if isinstance(request, dict) else []
        if not isinstance(method, str) or not method.endswith("ubscribe"):
            return self._node.answer(request)
        number = request.get("id")
        try:
            if not isinstance(params, list):
                raise invalid_params("expected an array")
            result = self._change(method, params)
        except RpcError as error:
            return {"jsonrpc": "2.0", "error": error.as_json(), "id": number}
        return {"jsonrpc": "2.0", "result": result, "id": number}

    def _change(self, method: str, params: list[object]) -> object:
        """Subscribe, or end a subscription; return the RPC result."""
        if method.endswith("Unsubscribe"):
            number = params[0] if params else None
            if not isinstance(number, int) or self._subscriptions.pop(number, None) is None:
                raise invalid_params("Invalid subscription id.")
            return True
        if method == "slotSubscribe":
            new = _Subscription(next(self._numbers), "slot", "", "processed")
        elif method == "accountSubscribe" and params:
            config = config_of(params, 1)
            if config.get("encoding", "base64") != "base64":
                raise invalid_params("this node serves accounts in base64 only")
            address = address_param(params[0])
            new = _Subscription(next(self._numbers), "account", address, commitment_of(config))
            new.last_changed = self._view.changed_at(address, new.level)
        elif method == "signatureSubscribe" and params:
            config = config_of(params, 1)
            level = commitment_of(config)
            new = _Subscription(next(self._numbers), "signature", str(params[0]), level)
            new.is_received_asked = bool(config.get("enableReceivedNotification", False))
            if self._view.record(new.target, level) is not None:
                # It landed before: nodes may stay silent for ever, so this one does.
                new.kind = "silent"
        else:
            raise RpcError(-32601, "Method not found")
        self._subscriptions[new.number] = new
        return new.number

    def notice(self, block: Block) -> None:
        """Tell this socket what `block` changed for its subscriptions."""
        for subscription in list(self._subscriptions.values()):
            if subscription.kind == "slot":
                self._notify_slot(subscription, block)
            elif subscription.kind == "account":
                self._notify_account(subscription)
            elif subscription.kind == "signature":
                self._notify_signature(subscription)

    def _notify_slot(self, subscription: _Subscription, block: Block) -> None:
        result = {
            "parent": block.parent,
            "root": self._view.slot - FINALIZED_LAG_SLOTS + 1,
            "slot": block.slot,
        }
        self._notify("slotNotification", subscription, result)

    def _notify_account(self, subscription: _Subscription) -> None:
        # Unequal, not greater: a fork takes a change back and that is told as well.
        changed = self._view.changed_at(subscription.target, subscription.level)
        if changed == subscription.last_changed:
            return
        subscription.last_changed = changed
        account = self._view.account(subscription.target, subscription.level)
        self._notify_value(subscription, "accountNotification", account_json(account))

    def _notify_signature(self, subscription: _Subscription) -> None:
        record = self._view.record(subscription.target, subscription.level)
        if record is not None:
            del self._subscriptions[subscription.number]
            value: object = {"err": record.meta.error}
            self._notify_value(subscription, "signatureNotification", value)
        elif subscription.is_received_asked and self._view.chain.is_waiting(subscription.target):
            subscription.is_received_asked = False
            self._notify_value(subscription, "signatureNotification", "receivedSignature")

    def _notify_value(self, subscription: _Subscription, method: str, value: object) -> None:
        slot = self._view.slot_at(subscription.level)
        context = {"apiVersion": API_VERSION, "slot": slot}
        self._notify(method, subscription, {"context": context, "value": value})

    def _notify(self, method: str, subscription: _Subscription, result: object) -> None:
        params = {"result": result, "subscription": subscription.number}
        self._put({"jsonrpc": "2.0", "method": method, "params": params})
