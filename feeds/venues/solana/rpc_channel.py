"""Labelled RPC endpoints: one call on one of them, or a read that fails over.

Knows health, freshness, cool-downs and throttling; not what the methods mean (`rpc`).
URLs may carry API keys, so every error names the endpoint's label only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from arbsite.clock import Clock
from arbsite.errors import FeedCorrupt, NotSent, QueryFailed
from feeds.venues.backoff import Jitter
from feeds.venues.solana import rpc_wire
from feeds.venues.solana.taps import SolanaTap
from feeds.venues.transport import HttpReply, Transport

T = TypeVar("T")
Parser = Callable[["RpcEndpoint", msgspec.Raw], T]

_NS = 1_000_000_000
_HEADERS = {"content-type": "application/json"}
_THROTTLED_CODES = {429, -32429}

# A refusal with one of these was decided before the node forwarded anything.
DEFINITE_REFUSALS = {-32002, -32003, -32600, -32602}


class RpcEndpoint(msgspec.Struct, frozen=True):
    """One RPC node. Evidence quorums count `provider`s, logs and metrics name `label`s."""

    label: str
    provider: str
    url: str
    ws_url: str


class RpcFailed(QueryFailed):
    """One endpoint gave no usable answer. `code` is its JSON-RPC code, where it had one."""

    def __init__(self, message: str, *, code: int | None = None, left: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.left = left


class EndpointHealth:
    """What we remember of one endpoint between calls."""

    def __init__(self) -> None:
        self.slot = 0
        self.failures = 0
        self.cooling_until_ns = 0
        self.is_throttled = False
        self.rtt_ms: float | None = None


class RpcCounters:
    """Counts for metrics; the host reads the fields."""

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.throttled = 0
        self.failovers = 0


class RpcChannel:
    """Calls over a fixed list of endpoints, with the memory that orders them."""

    def __init__(
        self,
        transport: Transport,
        endpoints: tuple[RpcEndpoint, ...],
        *,
        clock: Clock,
        rng: Jitter,
        timeout_s: float = 3.0,
        cooldown_base_s: float = 0.25,
        cooldown_cap_s: float = 10.0,
        tap: SolanaTap | None = None,
    ) -> None:
        if not endpoints:
            raise ValueError("at least one endpoint")
        self.endpoints = endpoints
        self.counters = RpcCounters()
        self._transport = transport
        self._clock = clock
        self._rng = rng
        self._timeout_s = timeout_s
        self._cooldown_base_s = cooldown_base_s
        self._cooldown_cap_s = cooldown_cap_s
        self._health = {endpoint.label: EndpointHealth() for endpoint in endpoints}
        self._number = 0
        self._tap = tap

    def health(self, label: str) -> EndpointHealth:
        """The remembered health of one endpoint."""
        return self._health[label]

    def note_slot(self, label: str, slot: int) -> None:
        """Take a slot heard elsewhere (slotSubscribe) as that endpoint's freshness."""
        self._health[label].slot = slot

    async def read(
        self,
        method: str,
        params: list[Any],
        parse: Parser[T],
        endpoint: RpcEndpoint | None = None,
    ) -> T:
        """Ask one endpoint, or all in order of freshness until one answers well."""
        candidates = [endpoint] if endpoint is not None else self._by_freshness()
        reasons: list[str] = []
        for candidate in candidates:
            try:
                answer = parse(candidate, await self.call(candidate, method, params))
            except (RpcFailed, FeedCorrupt) as error:
                reasons.append(f"{candidate.label}: {error}")
                self.counters.failovers += 1
            else:
                self._note_success(candidate)
                return answer
        raise QueryFailed(f"{method}: " + ("; ".join(reasons) or "every endpoint is throttled"))

    def _by_freshness(self) -> list[RpcEndpoint]:
        """Freshest first, cooling ones last; throttled ones not at all before their time."""
        now_ns = self._clock.monotonic_ns()

        def rank(endpoint: RpcEndpoint) -> tuple[bool, int]:
            health = self._health[endpoint.label]
            return health.cooling_until_ns > now_ns, -health.slot

        usable = [
            endpoint
            for endpoint in self.endpoints
            if not (
                self._health[endpoint.label].is_throttled
                and self._health[endpoint.label].cooling_until_ns > now_ns
            )
        ]
        return sorted(usable, key=rank)

    async def call(
        self, endpoint: RpcEndpoint, method: str, params: list[Any] | msgspec.Raw
    ) -> msgspec.Raw:
        """Perform one call on one endpoint; RpcFailed on anything but a result."""
        self._number += 1
        self.counters.calls += 1
        body = rpc_wire.request(self._number, method, params)
        started_ns = self._clock.monotonic_ns()
        try:
            reply = await self._transport.http(
                "POST", endpoint.url, headers=_HEADERS, body=body, timeout_s=self._timeout_s
            )
        except NotSent as error:
            self._note_failure(endpoint)
            raise RpcFailed("no connection", left=False) from error
        except (ConnectionError, TimeoutError) as error:
            self._note_failure(endpoint)
            raise RpcFailed(f"no answer ({type(error).__name__})") from error
        self._health[endpoint.label].rtt_ms = (self._clock.monotonic_ns() - started_ns) / 1e6
        if self._tap is not None:
            self._tap.reply(endpoint.label, body, reply.body, self._clock.now_ns())
        return self._result_of(endpoint, reply)

    def _result_of(self, endpoint: RpcEndpoint, reply: HttpReply) -> msgspec.Raw:
        if reply.status == 429:
            self.counters.throttled += 1
            self._note_failure(endpoint, throttled=True)
            raise RpcFailed("throttled (HTTP 429)")
        try:
            frame = rpc_wire.frame(reply.body)
        except FeedCorrupt as error:
            self._note_failure(endpoint)
            raise RpcFailed(f"HTTP {reply.status}, not JSON-RPC") from error
        if frame.error is not None:
            if frame.error.code in _THROTTLED_CODES:
                self.counters.throttled += 1
                self._note_failure(endpoint, throttled=True)
                raise RpcFailed("throttled")
            if reply.status != 200 and frame.error.code not in DEFINITE_REFUSALS:
                self._note_failure(endpoint)
            raise RpcFailed(f"{frame.error.code} {frame.error.message}", code=frame.error.code)
        if reply.status != 200 or not bytes(frame.result):
            self._note_failure(endpoint)
            raise RpcFailed(f"HTTP {reply.status} without a result")
        return frame.result

    def _note_success(self, endpoint: RpcEndpoint) -> None:
        health = self._health[endpoint.label]
        health.failures = 0
        health.cooling_until_ns = 0
        health.is_throttled = False

    def _note_failure(self, endpoint: RpcEndpoint, *, throttled: bool = False) -> None:
        self.counters.failures += 1
        health = self._health[endpoint.label]
        limit_s = min(self._cooldown_cap_s, self._cooldown_base_s * 2.0 ** min(health.failures, 16))
        health.failures += 1
        health.is_throttled = throttled
        # At least half the limit: a throttling node must see us step back.
        pause_s = self._rng.uniform(limit_s / 2, limit_s)
        health.cooling_until_ns = self._clock.monotonic_ns() + round(pause_s * _NS)
