"""Both venues as stubs in a process of their own: they note when an order arrived, and refuse it.

Kraken: the REST token, the private socket, `add_order`. Solana: the few reads a signer needs,
the subscriptions, `sendTransaction`. Every order is refused for good, so each trade ends at
once. Used by `detect_to_wire`; not a command. Arrival times are CLOCK_MONOTONIC, which all
processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import time
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import uvloop
from aiohttp import WSMsgType, web

_BLOCKHASH = "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"
_LAST_VALID = 1_150
_SLOT = 1_000


class Stubs:
    """One web server that plays both venues; `arrived` holds two stamps for each order."""

    def __init__(self, arrived: memoryview) -> None:
        self._arrived = arrived
        self._orders = self._swaps = self._subscriptions = 0

    def application(self) -> web.Application:
        """The routes of both."""
        app = web.Application()
        app.router.add_post("/0/private/{name}", self._token)
        app.router.add_get("/kraken", self._kraken)
        app.router.add_get("/solana", self._solana)
        app.router.add_post("/rpc", self._rpc)
        return app

    async def _token(self, _request: web.Request) -> web.Response:
        return web.json_response({"error": [], "result": {"token": "bench", "expires": 900}})

    async def _kraken(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for frame in socket:
            at_ns = time.perf_counter_ns()
            if frame.type is not WSMsgType.TEXT:
                break
            ask = json.loads(frame.data)
            answer: dict[str, Any] = {"method": ask["method"], "req_id": ask["req_id"]}
            if ask["method"] == "add_order":
                self._arrived[2 * self._orders] = at_ns
                self._orders += 1
                answer |= {"success": False, "error": "EOrder:Insufficient funds"}
            elif ask["method"] == "subscribe":
                channel = {"channel": ask["params"]["channel"]}
                answer |= {"success": True, "result": channel}
            await socket.send_str(json.dumps(answer))
        return socket

    async def _solana(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        slots = asyncio.create_task(self._say_slots(socket))
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            self._subscriptions += 1
            number = json.loads(frame.data)["id"]
            await socket.send_str(
                json.dumps({"jsonrpc": "2.0", "id": number, "result": self._subscriptions})
            )
        slots.cancel()
        return socket

    async def _say_slots(self, socket: web.WebSocketResponse) -> None:
        """Keep the socket alive; the first subscription is the one to slots."""
        notice = {
            "jsonrpc": "2.0",
            "method": "slotNotification",
            "params": {"subscription": 1, "result": {"parent": 999, "root": 968, "slot": _SLOT}},
        }
        while not socket.closed:
            await asyncio.sleep(0.4)
            await socket.send_str(json.dumps(notice))

    async def _rpc(self, request: web.Request) -> web.Response:
        body = await request.read()
        at_ns = time.perf_counter_ns()
        ask = json.loads(body)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": ask["id"]}
        context = {"slot": _SLOT}
        match ask["method"]:
            case "sendTransaction":
                self._arrived[2 * self._swaps + 1] = at_ns
                self._swaps += 1
                answer["error"] = {"code": -32002, "message": "the bench refuses"}
            case "getLatestBlockhash":
                value = {"blockhash": _BLOCKHASH, "lastValidBlockHeight": _LAST_VALID}
                answer["result"] = {"context": context, "value": value}
            case "getMultipleAccounts":
                value = [None] * len(ask["params"][0])
                answer["result"] = {"context": context, "value": value}
            case "getSignatureStatuses":
                value = [None] * len(ask["params"][0])
                answer["result"] = {"context": context, "value": value}
            case _:
                answer["result"] = _SLOT
        return web.json_response(answer)


def run_stubs(port: int, memory: str) -> None:
    """Serve until terminated."""
    shared = SharedMemory(memory)

    async def main() -> None:
        runner = web.AppRunner(Stubs(shared.buf.cast("q")).application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()

    uvloop.run(main())
