"""When Jupiter may stand in for the direct pool, and the sampler that compares the two.

The direct pool's quote always comes first: it is exact, free and a microsecond old. Only
when that pool cannot be quoted, and the setting allows it, is the aggregator asked; its
refusal is a counted no-trade. The sampler asks for one small quote now and then so that
the difference in price and latency is known before it is needed. Hosted by the engine's
process; knows no strategy.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from arbsite.clock import Clock
from feeds.market.pools import Pool, QuoteRefused, Swap
from feeds.market.quote import quote
from feeds.venues.jupiter.client import ChainHead, JupiterClient
from feeds.venues.jupiter.quotes import RouteAsk, RouteQuote, RouteRefused, RouteSample

PoolOf = Callable[[str], Pool | None]
"""The newest valid state of a pool by address, None when it must not be used."""

_MS = 1_000_000
_S = 1_000_000_000

# Refusals that say something of the amount, not of the pool: another venue is no answer.
_OF_THE_AMOUNT = frozenset({"zero_amount", "amount_out_of_range"})


class FallbackCounts:
    """How often each way was taken; the host reads the fields."""

    def __init__(self) -> None:
        self.direct = 0
        self.routed = 0
        self.refused: Counter[str] = Counter()


class Fallback:
    """Chooses between the direct pool and Jupiter for one ask."""

    def __init__(self, client: JupiterClient, pool_of: PoolOf, *, is_allowed: bool) -> None:
        self.counts = FallbackCounts()
        self._client = client
        self._pool_of = pool_of
        self._is_allowed = is_allowed

    async def quote(
        self, ask: RouteAsk, *, min_out: int, now_s: int
    ) -> Swap | RouteQuote | RouteRefused | QuoteRefused:
        """Quote directly; ask Jupiter for a signable route only when that is impossible.

        A refusal by the amount is handed back as it is. A `Swap` below `min_out` is too:
        a worse price is no reason to go elsewhere, the caller decides.
        """
        direct = self._direct(ask, now_s)
        if isinstance(direct, Swap):
            self.counts.direct += 1
            return direct
        if direct is not None and direct.cause in _OF_THE_AMOUNT:
            return direct
        found: RouteQuote | RouteRefused = RouteRefused("not_allowed")
        if self._is_allowed:
            found = await self._client.route(ask, min_out=min_out)
        if isinstance(found, RouteRefused):
            self.counts.refused[found.cause] += 1
        else:
            self.counts.routed += 1
        return found

    def _direct(self, ask: RouteAsk, now_s: int) -> Swap | QuoteRefused | None:
        pool = self._pool_of(ask.pool)
        return None if pool is None else direct_quote(pool, ask, now_s)


def direct_quote(pool: Pool, ask: RouteAsk, now_s: int) -> Swap | QuoteRefused:
    """Quote the ask on the pool itself."""
    a_to_b = ask.mint_in == pool.mint_a
    return quote(pool, ask.amount_in, exact_in=True, a_to_b=a_to_b, now_s=now_s)


class SampleAsk(msgspec.Struct, frozen=True):
    """One thing to compare again and again."""

    asset: str
    ask: RouteAsk
    a_to_b: bool


class RouteSampler:
    """Asks one quote per `every_s`, in turn; `latest` has the newest sample of each."""

    def __init__(
        self,
        client: JupiterClient,
        pool_of: PoolOf,
        asks: Iterable[SampleAsk],
        sink: Callable[[RouteSample], None],
        *,
        clock: Clock,
        chain: ChainHead,
        every_s: float = 30.0,
    ) -> None:
        self.latest: dict[tuple[str, bool], RouteSample] = {}
        self._client = client
        self._pool_of = pool_of
        self._asks = list(asks)
        self._sink = sink
        self._clock = clock
        self._chain = chain
        self._every_s = every_s

    async def run(self) -> None:
        """Sample until cancelled; a refusal is a sample too."""
        while self._asks:
            for one in self._asks:
                await asyncio.sleep(self._every_s)
                found = await self.sample(one)
                self.latest[one.asset, one.a_to_b] = found
                self._sink(found)

    async def sample(self, one: SampleAsk) -> RouteSample:
        """Compare once. The direct quote is taken when Jupiter's has arrived, so both are new."""
        asked_at_ns = self._clock.now_ns()
        found = await self._client.quote(one.ask)
        started_ns = self._clock.monotonic_ns()
        pool = self._pool_of(one.ask.pool)
        direct = pool and direct_quote(pool, one.ask, self._clock.now_ns() // _S)
        direct_ms = (self._clock.monotonic_ns() - started_ns) / _MS
        return sample_of(
            one,
            found,
            asked_at_ns=asked_at_ns,
            direct_out=direct.amount_out if isinstance(direct, Swap) else None,
            direct_ms=direct_ms,
            slot=self._chain.slot,
        )


def sample_of(
    one: SampleAsk,
    found: RouteQuote | RouteRefused,
    *,
    asked_at_ns: int,
    direct_out: int | None,
    direct_ms: float,
    slot: int,
) -> RouteSample:
    """Put an answer beside the direct quote of the same amount; a refusal is a sample too."""
    if isinstance(found, RouteRefused):
        return RouteSample(
            one.asset, one.a_to_b, found.cause, one.ask.amount_in, asked_at_ns,
            direct_out=direct_out,
        )  # fmt: skip
    context_slot = found.context_slot
    return RouteSample(
        asset=one.asset,
        a_to_b=one.a_to_b,
        outcome="ok",
        amount_in=one.ask.amount_in,
        asked_at_ns=asked_at_ns,
        latency_ms=found.latency_ms,
        latency_delta_ms=found.latency_ms - direct_ms,
        route_id=found.route_id,
        dexes=found.dexes,
        jupiter_out=found.amount_out,
        direct_out=direct_out,
        delta_bps=(found.amount_out / direct_out - 1) * 10_000 if direct_out else None,
        lag_slots=slot - context_slot if slot and context_slot is not None else None,
    )
