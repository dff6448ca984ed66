"""Signed REST calls, one at a time: nonces must arrive in the order they were taken.

Every failure is QueryFailed: non-200, HTML, a timeout, an error list, an exhausted budget
of our own. Nothing here sends an order, and nothing is repeated; `account` gives the
results their meaning. Reads that prove nothing give way to all others and may leave them a
part of the counter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from arbsite.clock import Clock
from arbsite.errors import NotSent, QueryFailed
from feeds.venues.kraken.auth import Credentials, NonceSource
from feeds.venues.kraken.limits import DecayingCounter, Tier
from feeds.venues.transport import HttpReply, Transport

_OK = 200
_OVER_LIMIT = "Rate limit exceeded"
_PUBLIC_PER_S = 1.0
_PUBLIC_BURST = 5.0
_IDLE_LOOK_S = 0.1


class VenueRefused(QueryFailed):
    """The venue answered with its own error text, kept in `error`."""

    def __init__(self, endpoint: str, error: str) -> None:
        super().__init__(f"{endpoint}: {error}")
        self.error = error


class _Answer(msgspec.Struct):
    error: list[str]
    result: msgspec.Raw = msgspec.Raw(b"null")


class KrakenRest:
    """One key's REST access. Calls queue behind a lock and behind the rate counter."""

    def __init__(
        self,
        transport: Transport,
        base_url: str,
        credentials: Credentials,
        clock: Clock,
        *,
        tier: Tier,
        timeout_s: float = 5.0,
        longest_wait_s: float = 30.0,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._nonces = NonceSource(clock)
        self._timeout_s = timeout_s
        self._longest_wait_s = longest_wait_s
        self._lock = asyncio.Lock()
        self._urgent = 0
        self._private_counter = DecayingCounter(
            clock, maximum=tier.rest_maximum, decay=tier.rest_decay
        )
        self._public_counter = DecayingCounter(clock, maximum=_PUBLIC_BURST, decay=_PUBLIC_PER_S)

    def set_tier(self, tier: Tier) -> None:
        """Take the limits of another tier."""
        self._private_counter.set_limits(maximum=tier.rest_maximum, decay=tier.rest_decay)

    def use_credentials(self, credentials: Credentials) -> None:
        """Sign what is asked from now on with another key; what is under way is answered."""
        self._credentials = credentials

    async def public(self, endpoint: str, query: Mapping[str, str] | None = None) -> bytes:
        """GET a public endpoint, return the JSON text of its `result`. QueryFailed."""
        await self._wait(self._public_counter, endpoint, 1.0)
        url = f"{self._base_url}/0/public/{endpoint}"
        if query:
            url = f"{url}?{urlencode(query)}"
        return _result(endpoint, await self._http("GET", url, {}, b""))

    async def private(
        self,
        endpoint: str,
        params: Mapping[str, str] | None = None,
        *,
        cost: float = 1.0,
        share: float | None = None,
    ) -> bytes:
        """POST a signed request, return the JSON text of its `result`. QueryFailed.

        The nonce is taken under the lock, so a later call has a higher one and is sent
        after this one was answered or given up. With a `share` the call gives way: it waits
        until nothing else does and it fits into this share of the counter, but not for
        ever: then it queues like any.
        """
        if share is not None and await self._is_idle_in_time(cost, share):
            return await self._post(endpoint, params, cost)
        self._urgent += 1
        try:
            return await self._post(endpoint, params, cost)
        finally:
            self._urgent -= 1

    async def _is_idle_in_time(self, cost: float, share: float) -> bool:
        until_ns = self._clock.monotonic_ns() + round(self._longest_wait_s * 1e9)
        while self._clock.monotonic_ns() < until_ns:
            wait_s = self._private_counter.wait_s(cost, share=share)
            if not wait_s and not self._urgent:
                return True
            await asyncio.sleep(min(max(wait_s, _IDLE_LOOK_S), self._longest_wait_s))
        return False

    async def _post(self, endpoint: str, params: Mapping[str, str] | None, cost: float) -> bytes:
        path = f"/0/private/{endpoint}"
        async with self._lock:
            await self._wait(self._private_counter, endpoint, cost)
            nonce = str(self._nonces.take())
            body = urlencode({"nonce": nonce, **(params or {})}).encode("ascii")
            headers = {
                "API-Key": self._credentials.key,
                "API-Sign": self._credentials.sign(path, nonce, body),
                "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            }
            reply = await self._http("POST", f"{self._base_url}{path}", headers, body)
            try:
                return _result(endpoint, reply)
            except VenueRefused as refused:
                if _OVER_LIMIT in refused.error:
                    # The next call waits its turn; a rush of refused ones would starve it.
                    self._private_counter.fill()
                raise

    async def _wait(self, counter: DecayingCounter, endpoint: str, cost: float) -> None:
        while (wait_s := counter.wait_s(cost)) > 0:
            if wait_s > self._longest_wait_s:
                raise QueryFailed(f"{endpoint}: our own rate budget is spent")
            await asyncio.sleep(wait_s)
        counter.add(cost)

    async def _http(self, method: str, url: str, headers: dict[str, str], body: bytes) -> HttpReply:
        try:
            return await self._transport.http(
                method, url, headers=headers, body=body, timeout_s=self._timeout_s
            )
        except (NotSent, ConnectionError, TimeoutError) as error:
            raise QueryFailed(str(error) or type(error).__name__) from error


def _result(endpoint: str, reply: HttpReply) -> bytes:
    if reply.status != _OK:
        raise QueryFailed(f"{endpoint}: HTTP {reply.status}")
    try:
        answer = msgspec.json.decode(reply.body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise QueryFailed(f"{endpoint}: not the venue's JSON: {error}") from error
    if answer.error:
        raise VenueRefused(endpoint, "; ".join(answer.error))
    return bytes(answer.result)
