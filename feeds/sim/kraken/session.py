"""One WebSocket of the simulated Kraken: order of frames, delays, heartbeats, idle close.

Requests and frames pass two first-in-first-out lines, each item with its own delay, so a
slow one holds up those behind it as on a real socket. What the methods do is in the public
and the private session, which extend this one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from arbsite.clock import Clock
from feeds.sim.faults import FaultBoard, RandomSource
from feeds.sim.hosting import ServerConn
from feeds.sim.kraken import frames
from feeds.sim.kraken.latency import Latency

HEARTBEAT_S = 1.0
IDLE_CLOSE_S = 60.0
# A client this far behind is cut, as the venue does; a stall of minutes stays below it.
MAX_QUEUED_FRAMES = 20_000


class RequestRefused(Exception):
    """A request's error answer; `fields` are laid over the error frame."""

    def __init__(self, error: str, **fields: object) -> None:
        super().__init__(error)
        self.error = error
        self.fields = fields


class Surroundings(msgspec.Struct, frozen=True):
    """What every session of one server shares."""

    faults: FaultBoard
    clock: Clock
    rng: RandomSource
    latency: Latency


class Request(msgspec.Struct):
    """A decoded client frame on its way to the engine."""

    body: Mapping[str, Any]
    in_ns: int
    answer_delay_s: float

    @property
    def params(self) -> Mapping[str, Any]:
        found = self.body.get("params", {})
        return found if isinstance(found, Mapping) else {}


class DelayLine:
    """First in, first out; each item is handed on no earlier than its own due time."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[tuple[float, Any]] = asyncio.Queue(MAX_QUEUED_FRAMES)

    def put(self, item: object, delay_s: float) -> None:
        """Add an item; ConnectionError when the line is full."""
        due_s = asyncio.get_running_loop().time() + delay_s
        try:
            self._items.put_nowait((due_s, item))
        except asyncio.QueueFull:
            raise ConnectionError("the client does not read") from None

    async def get(self) -> Any:
        """Wait for the next due item."""
        due_s, item = await self._items.get()
        wait_s = due_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        return item


class Session:
    """A socket in service. Subclasses fill `methods` and answer by `acknowledge`."""

    def __init__(self, conn: ServerConn, around: Surroundings) -> None:
        self.conn = conn
        self.around = around
        self.connection_id = around.rng.getrandbits(63) | 1 << 62
        self.methods: dict[str, Callable[[Request], None]] = {"ping": self._pong}
        self._inbound = DelayLine()
        self._outbound = DelayLine()
        self._last_in_s = 0.0
        self._is_beating = False

    async def run(self, system_status: str) -> None:
        """Serve until either side ends."""
        self._last_in_s = asyncio.get_running_loop().time()
        self.say_status(system_status)
        tasks = [
            asyncio.create_task(part())
            for part in (self._read, self._work, self._write, self._beat)
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.left()
        for task in done:
            task.result()

    def left(self) -> None:
        """Forget this session's subscriptions; called once at its end."""

    def has_subscription(self) -> bool:
        """Whether any channel is subscribed (heartbeats run, no idle close)."""
        return False

    def say_status(self, system_status: str) -> None:
        """Send the engine's state word."""
        self.post(frames.status_frame(system_status, self.connection_id))

    def post(self, text: str, delay_s: float | None = None, *, is_data: bool = False) -> None:
        """Queue a frame. `is_data` ones are lost while only heartbeats pass.

        A full line cuts the socket: the client stopped reading.
        """
        if delay_s is None:
            delay_s = self.around.latency.one_way_s(self.around.rng)
        try:
            self._outbound.put((text, is_data), delay_s)
        except ConnectionError:
            self.conn.abort()

    def acknowledge(self, request: Request, result: Mapping[str, object]) -> None:
        """Answer a request that succeeded."""
        self._answer(request, {"result": result, "success": True})

    def refuse(self, request: Request, error: str, **fields: object) -> None:
        """Answer a request that failed, in the venue's words."""
        self._answer(request, {"error": error, "success": False, **fields})

    def _answer(self, request: Request, fields: Mapping[str, object]) -> None:
        body = {"method": request.body.get("method"), **fields}
        if isinstance(request.body.get("req_id"), int):
            body["req_id"] = request.body["req_id"]
        body["time_in"] = frames.stamp(request.in_ns)
        body["time_out"] = frames.stamp(self.around.clock.now_ns())
        self.post(frames.encode(body), request.answer_delay_s)

    def _pong(self, request: Request) -> None:
        body: dict[str, object] = {"method": "pong"}
        if isinstance(request.body.get("req_id"), int):
            body["req_id"] = request.body["req_id"]
        body["time_in"] = frames.stamp(request.in_ns)
        body["time_out"] = frames.stamp(self.around.clock.now_ns())
        self.post(frames.encode(body), request.answer_delay_s)

    async def _read(self) -> None:
        while True:
            text = await self.conn.recv()
            self._last_in_s = asyncio.get_running_loop().time()
            half_s = self.around.latency.round_trip_s(self.around.rng) / 2
            self._inbound.put((text, half_s), half_s)

    async def _work(self) -> None:
        while True:
            text, half_s = await self._inbound.get()
            await self.around.faults.wait_off("kraken.stall")
            self._handle(text, half_s)

    def _handle(self, text: str, half_s: float) -> None:
        try:
            body = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            self.refuse(Request({}, self.around.clock.now_ns(), half_s), "Malformed request")
            return
        request = Request(body, self.around.clock.now_ns(), half_s)
        method = body.get("method")
        action = self.methods.get(method) if isinstance(method, str) else None
        if action is None:
            self.refuse(request, "Unsupported method")
            return
        try:
            action(request)
        except RequestRefused as refused:
            self.refuse(request, refused.error, **refused.fields)

    async def _write(self) -> None:
        faults = self.around.faults
        while True:
            text, is_data = await self._outbound.get()
            await faults.wait_off("kraken.stall")
            if not (is_data and faults.is_on("kraken.heartbeat_only")):
                await self.conn.send(text)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if self.has_subscription():
                self._is_beating = True
            if self._is_beating:
                self.post(frames.HEARTBEAT, 0.0)
            if not self.has_subscription() and loop.time() - self._last_in_s >= IDLE_CLOSE_S:
                return
