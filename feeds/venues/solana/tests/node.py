"""A scripted RPC node on real loopback sockets, for this folder's tests.

It answers from a small bank the test writes, notifies only when the test says so, and can
be told to fail in the ways nodes fail.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from arbsite.clock import SystemClock
from feeds.venues.solana.layouts import RawAccount
from feeds.venues.solana.rpc_channel import RpcEndpoint

BLOCKHASH = "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"


class Refusal(Exception):
    """Answer with a JSON-RPC error."""

    def __init__(self, code: int, message: str = "refused") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ScriptedNode:
    def __init__(self, label: str) -> None:
        self.label = label
        self.accounts: dict[str, RawAccount] = {}
        self.slot = 1000
        self.height = 900
        self.statuses: dict[str, dict[str, Any]] = {}
        self.transactions: dict[str, dict[str, Any]] = {}
        self.sent: list[bytes] = []
        self.calls: list[tuple[str, list[Any]]] = []
        self.refuse: dict[str, Refusal] = {}
        self.http_status: dict[str, int] = {}
        self.stall: dict[str, asyncio.Event] = {}
        self.ignores_min_context = False
        self.clock_ahead_s: float | None = None
        self.mute: set[str] = set()
        self.answers_subscriptions = True
        self.ws_requests: list[dict[str, Any]] = []
        self.connections = 0
        self.port = 0
        self._subscriptions: dict[web.WebSocketResponse, dict[int, tuple[str, str]]] = {}
        self._next = 0
        self._changed = asyncio.Condition()

    @property
    def endpoint(self) -> RpcEndpoint:
        base = f"//127.0.0.1:{self.port}"
        secret = "/?api-key=sesame"
        return RpcEndpoint(
            self.label, f"provider {self.label}", f"http:{base}{secret}", f"ws:{base}/ws{secret}"
        )

    # ------------------------------------------------------------- the bank

    def put(self, accounts: Iterable[RawAccount]) -> None:
        for account in accounts:
            self.accounts[account.address] = account

    async def tick(self, slot: int, parent: int | None = None) -> None:
        """Begin a slot and say so."""
        self.slot = slot
        parent = slot - 1 if parent is None else parent
        await self._notify("slot", "", {"parent": parent, "root": slot - 32, "slot": slot})

    async def change(self, *accounts: RawAccount, slot: int | None = None) -> None:
        """Change accounts and notify each, at `slot` (default: the current one)."""
        self.put(accounts)
        for account in accounts:
            await self.notify_account(account, slot=slot)

    async def notify_account(self, account: RawAccount, slot: int | None = None) -> None:
        value = value_of(account) | {"rentEpoch": 2**64 - 1, "space": len(account.data)}
        context = {"slot": self.slot if slot is None else slot, "apiVersion": "2.3.1"}
        await self._notify("account", account.address, {"context": context, "value": value})

    async def notify_signature(self, signature: str, err: Any, slot: int) -> None:
        result = {"context": {"slot": slot}, "value": {"err": err}}
        await self._notify("signature", signature, result)

    async def notify_received(self, signature: str, slot: int) -> None:
        result = {"context": {"slot": slot}, "value": "receivedSignature"}
        await self._notify("signature", signature, result)

    async def say(self, text: str) -> None:
        for socket in self._subscriptions:
            await socket.send_str(text)

    async def drop_sockets(self) -> None:
        for socket in list(self._subscriptions):
            await socket.close()

    async def _notify(self, kind: str, target: str, result: Any) -> None:
        if target in self.mute:
            return
        for socket, live in list(self._subscriptions.items()):
            for number, subscribed in live.items():
                if subscribed == (kind, target):
                    params = {"subscription": number, "result": result}
                    frame = {"jsonrpc": "2.0", "method": f"{kind}Notification", "params": params}
                    await socket.send_str(json.dumps(frame))

    def subscribed(self) -> set[tuple[str, str]]:
        return {target for live in self._subscriptions.values() for target in live.values()}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a request made the condition true."""
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(condition)

    # ------------------------------------------------------------- serving

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[ScriptedNode]:
        app = web.Application()
        app.router.add_post("/", self._post)
        app.router.add_get("/ws/", self._socket)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            for event in self.stall.values():
                event.set()
            await self.drop_sockets()
            await runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        call = await request.json()
        method, params = call["method"], call["params"]
        self.calls.append((method, params))
        await self._announce()
        if method in self.stall:
            await self.stall[method].wait()
        status = self.http_status.get(method, 200)
        if status != 200:
            return web.Response(status=status, text="<html>Bad gateway</html>")
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        try:
            body["result"] = self._answer(method, params)
        except Refusal as refusal:
            body["error"] = {"code": refusal.code, "message": refusal.message, "data": {"x": 1}}
        return web.json_response(body)

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _answer(self, method: str, params: list[Any]) -> Any:
        if method in self.refuse:
            raise self.refuse[method]
        return getattr(self, f"_{method}")(params)

    def _getMultipleAccounts(self, params: list[Any]) -> Any:  # noqa: N802 - the wire's name
        addresses, options = params
        if options.get("minContextSlot", 0) > self.slot and not self.ignores_min_context:
            raise Refusal(-32016, "Minimum context slot has not been reached")
        values = [value_of(self.accounts[a]) if a in self.accounts else None for a in addresses]
        return self._at(values)

    def _getSlot(self, params: list[Any]) -> Any:  # noqa: N802
        return self.slot - (32 if params[0]["commitment"] == "finalized" else 1)

    def _getBlockTime(self, params: list[Any]) -> Any:  # noqa: N802
        if self.clock_ahead_s is None:
            raise Refusal(-32004, "Block not available")
        return int(SystemClock().now_ns() / 1e9 + self.clock_ahead_s)

    def _getBlockHeight(self, params: list[Any]) -> Any:  # noqa: N802
        return self.height - (32 if params[0]["commitment"] == "finalized" else 1)

    def _getLatestBlockhash(self, params: list[Any]) -> Any:  # noqa: N802
        value = {"blockhash": BLOCKHASH, "lastValidBlockHeight": self.height + 150}
        return self._at(value)

    def _getSignatureStatuses(self, params: list[Any]) -> Any:  # noqa: N802
        return self._at([self.statuses.get(signature) for signature in params[0]])

    def _getTransaction(self, params: list[Any]) -> Any:  # noqa: N802
        return self.transactions.get(params[0])

    def _sendTransaction(self, params: list[Any]) -> Any:  # noqa: N802
        self.sent.append(base64.b64decode(params[0]))
        return "a signature"

    def _getRecentPrioritizationFees(self, params: list[Any]) -> Any:  # noqa: N802
        return [{"slot": n, "prioritizationFee": n * 100} for n in range(10)]

    def _simulateTransaction(self, params: list[Any]) -> Any:  # noqa: N802
        return self._at({"err": None, "logs": ["Program log: x"], "unitsConsumed": 63_000})

    def _getTokenAccountBalance(self, params: list[Any]) -> Any:  # noqa: N802
        return self._at({"amount": "18446744073709551615", "decimals": 6, "uiAmount": 1.8e13})

    def _getBalance(self, params: list[Any]) -> Any:  # noqa: N802
        return self._at(5_000_000_000)

    def _at(self, value: Any) -> Any:
        return {"context": {"slot": self.slot, "apiVersion": "2.3.1"}, "value": value}

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._subscriptions[socket] = {}
        self.connections += 1
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._serve_request(socket, json.loads(message.data))
        finally:
            self._subscriptions.pop(socket, None)
        return socket

    async def _serve_request(self, socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
        self.ws_requests.append(call)
        method, params = call["method"], call["params"]
        live = self._subscriptions[socket]
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        if method in self.refuse:
            reply["error"] = {"code": self.refuse[method].code, "message": "refused"}
        elif method.endswith("Unsubscribe"):
            live.pop(params[0], None)
            reply["result"] = True
        elif method.endswith("Subscribe"):
            self._next += 1
            live[self._next] = (method.removesuffix("Subscribe"), params[0] if params else "")
            reply["result"] = self._next
        else:
            reply["error"] = {"code": -32601, "message": "Method not found"}
        if self.answers_subscriptions:
            await socket.send_str(json.dumps(reply))
        await self._announce()


def value_of(account: RawAccount) -> dict[str, Any]:
    return {
        "lamports": account.lamports,
        "data": [base64.b64encode(account.data).decode(), "base64"],
        "owner": account.owner,
        "executable": False,
        "rentEpoch": 0,
    }


class Heard:
    """A sink that remembers events and lets a test wait for one."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._arrived = asyncio.Event()

    def __call__(self, event: Any) -> None:
        self.events.append(event)
        self._arrived.set()

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until an arriving event made the condition true."""
        async with asyncio.timeout(5):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()

    async def next(self, kind: type[Any]) -> Any:
        """Wait for an event of a kind that has not arrived yet."""
        seen = len(self.of(kind))
        await self.until(lambda: len(self.of(kind)) > seen)
        return self.of(kind)[-1]


@asynccontextmanager
async def running(coroutine: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Run a service for the length of a test; its own failure fails the test."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
