"""A small Kraken venue and a plain client for tests, on virtual time and in memory."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from arbsite.clock import LoopClock, at_from_ns, seeded_random
from feeds.sim.faults import FaultBoard
from feeds.sim.hosting import PipeTransport
from feeds.sim.kraken.exchange import KrakenExchange
from feeds.sim.kraken.latency import NO_LATENCY, Latency
from feeds.sim.kraken.records import AccountSpec, OrderRequest, PairSpec
from feeds.sim.kraken.server import KrakenServer
from feeds.sim.truth import TruthStore
from feeds.sim.virtual_loop import run_virtual
from feeds.venues.transport import HttpReply, WsConnection

KEY = "key-one"
SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
SOL = PairSpec("SOL/USD", "SOL", "USD", 2, 8, "0.05", "0.5")
BTC = PairSpec("BTC/USD", "BTC", "USD", 1, 8, "0.00005", "0.5")
YEN = PairSpec("ETH/JPY", "ETH", "JPY", 0, 8, "0.001", "100")
GST = PairSpec("GST/USD", "GST", "USD", 3, 8, "1", "0.5")
LOT = 10**8


def account(**overrides: Any) -> AccountSpec:
    balances = {"USD": "100000", "SOL": "500", "BTC": "1"}
    return AccountSpec(
        **{"secret": SECRET, "balances": balances, "taker_fee": "0.0010"} | overrides
    )


class Client:
    """One socket, speaking JSON; numbers stay text."""

    def __init__(self, socket: WsConnection) -> None:
        self.socket = socket

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def recv(self) -> dict[str, Any]:
        """The next frame that is no heartbeat."""
        while True:
            frame = json.loads(await self.socket.recv(), parse_float=str, parse_int=str)
            if frame.get("channel") != "heartbeat":
                return frame

    async def on(self, channel: str, kind: str = "update") -> dict[str, Any]:
        """The next frame of a channel; others are passed over."""
        while True:
            frame = await self.recv()
            if frame.get("channel") == channel and frame.get("type") == kind:
                return frame

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and return its answer; other frames are passed over."""
        await self.send(method=method, params=params, req_id=7)
        while True:
            frame = await self.recv()
            if frame.get("method") == method:
                return frame


class Venue:
    """Exchange, server, faults and a way in."""

    def __init__(
        self,
        pairs: tuple[PairSpec, ...] = (SOL, BTC),
        *,
        accounts: dict[str, AccountSpec] | None = None,
        truth: TruthStore | None = None,
        latency: Latency = NO_LATENCY,
        seed: int = 1,
        clock: Any = None,
    ) -> None:
        self.clock = clock or LoopClock()
        self.truth = truth or TruthStore(None)
        self.exchange = KrakenExchange(pairs, accounts or {KEY: account()}, self.truth, self.clock)
        self.faults = FaultBoard()
        self.server = KrakenServer(
            self.exchange, self.faults, self.clock, seeded_random(seed), latency
        )
        self.transport = PipeTransport({"kraken.sim": [("/", self.server)]})
        self.nonce = 0

    def quote(self, symbol: str = "SOL/USD", bid: int = 15000, lots: int = LOT) -> None:
        """Three levels a side, one tick apart around `bid`."""
        bids = [(bid - step, lots) for step in range(3)]
        asks = [(bid + 1 + step, lots) for step in range(3)]
        self.exchange.quote_ladder(symbol, bids, asks)

    def request(self, **overrides: Any) -> OrderRequest:
        """A buy of 0.5 SOL at the ask of `quote`."""
        fields: dict[str, Any] = {
            "symbol": "SOL/USD",
            "side": "buy",
            "qty": Decimal("0.5"),
            "limit_price": Decimal("150.01"),
            "deadline_ns": self.clock.now_ns() + 1_000_000_000,
        }
        return OrderRequest(**fields | overrides)

    async def open(self, path: str = "/v2") -> Client:
        client = Client(await self.transport.connect(f"ws://kraken.sim{path}"))
        status = await client.recv()
        assert status["channel"] == "status"
        return client

    async def book(self, symbol: str = "SOL/USD", depth: int = 10) -> Client:
        """A public socket subscribed to one book, its snapshot not yet read."""
        client = await self.open()
        answer = await client.ask("subscribe", channel="book", symbol=[symbol], depth=depth)
        assert answer["success"]
        return client

    async def private(self, *channels: str, **params: Any) -> tuple[Client, str]:
        """A private socket with its token, subscribed and with the snapshots read."""
        token = (await self.rest("GetWebSocketsToken"))["result"]["token"]
        client = await self.open("/private/v2")
        for channel in channels:
            answer = await client.ask("subscribe", channel=channel, token=token, **params)
            assert answer["success"]
            await client.on(channel, "snapshot")
        return client, token

    def order(self, token: str, **overrides: Any) -> dict[str, Any]:
        """Parameters of `add_order`: buy 0.5 SOL, IOC, at the ask of `quote`."""
        return {
            "order_type": "limit",
            "side": "buy",
            "order_qty": 0.5,
            "symbol": "SOL/USD",
            "limit_price": 150.01,
            "time_in_force": "ioc",
            "token": token,
        } | overrides

    def deadline(self, ahead_s: float) -> str:
        at = at_from_ns(self.clock.now_ns() + round(ahead_s * 1e9))
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def post(self, name: str, params: dict[str, str], **headers: str) -> HttpReply:
        """One signed private call."""
        path, body = f"/0/private/{name}", urlencode(params).encode()
        return await self.transport.http(
            "POST",
            f"http://kraken.sim{path}",
            headers=signed(path, params["nonce"], body) | headers,
            body=body,
        )

    async def rest(self, name: str, **params: Any) -> dict[str, Any]:
        """One signed private call under the next nonce; the decoded answer."""
        self.nonce += 1
        fields = {"nonce": str(self.nonce)} | {key: str(value) for key, value in params.items()}
        return json.loads((await self.post(name, fields)).body)

    async def get(self, name: str) -> dict[str, Any]:
        """One public call."""
        reply = await self.transport.http("GET", f"http://kraken.sim/0/public/{name}")
        return json.loads(reply.body)


def signed(path: str, nonce: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hashlib.sha256(nonce.encode() + body).digest()
    mac = hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512)
    return {"API-Key": KEY, "API-Sign": base64.b64encode(mac.digest()).decode()}


class NaiveBook:
    """A client book kept as texts exactly by the venue's rules; truncation can be left out."""

    def __init__(self, spec: PairSpec, depth: int, *, truncates: bool = True) -> None:
        self.spec = spec
        self.depth = depth
        self.truncates = truncates
        self.sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}

    def apply(self, frame: dict[str, Any]) -> bool:
        """Apply a frame; whether its checksum matches."""
        (entry,) = frame["data"]
        for name, side in self.sides.items():
            if frame["type"] == "snapshot":
                side.clear()
            for level in entry[name]:
                self._check_text(level)
                if Decimal(level["qty"]) == 0:
                    side.pop(level["price"], None)
                else:
                    side[level["price"]] = level["qty"]
            if self.truncates:
                for price in self._sorted(name)[self.depth :]:
                    del side[price]
        return zlib.crc32(self._text().encode()) == int(entry["checksum"])

    def _check_text(self, level: dict[str, str]) -> None:
        for text, precision in (
            (level["price"], self.spec.price_precision),
            (level["qty"], self.spec.qty_precision),
        ):
            whole, _, fraction = text.partition(".")
            assert whole.isdigit()
            assert len(fraction) == precision

    def _sorted(self, name: str) -> list[str]:
        return sorted(self.sides[name], key=Decimal, reverse=name == "bids")

    def _text(self) -> str:
        return "".join(
            (
                price.replace(".", "").lstrip("0")
                + self.sides[name][price].replace(".", "").lstrip("0")
            )
            for name in ("asks", "bids")
            for price in self._sorted(name)[:10]
        )


def on_virtual_time(
    test: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """Run an async test on its own virtual loop; an hour of waiting costs nothing."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run
