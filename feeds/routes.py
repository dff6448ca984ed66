"""The desk's use of Jupiter in one process: settings to adapter, samples to metrics and log.

Follows the Solana feed's events for the newest pool states and slot, keeps the sampler
running and offers the fallback to the engine's host. Built by `assembly`; the protocol and
the choice itself are in `venues/jupiter`, the judgement of what may be signed in
`venues/solana/route_firewall`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from django.conf import settings

from arbsite import metrics
from arbsite.clock import Clock, system_random
from arbsite.errors import SetupError
from arbsite.logs import event_logger
from feeds.market.events import MarketEvent, PoolInvalidated, PoolUpdated, SlotAdvanced
from feeds.market.pools import Pool, QuoteRefused, Swap
from feeds.market.spec import MarketSpec
from feeds.venues.base import MarketSink
from feeds.venues.jupiter.client import JupiterClient, JupiterSettings
from feeds.venues.jupiter.fallback import Fallback, RouteSampler, SampleAsk
from feeds.venues.jupiter.quotes import RouteAsk, RouteQuote, RouteRefused, RouteSample
from feeds.venues.solana.programs import PoolKind, ProgramIds, associated_token_address
from feeds.venues.solana.route_firewall import RoutePolicy
from feeds.venues.transport import Transport

log = event_logger(__name__)

LABEL_KINDS: dict[str, PoolKind] = {
    "Whirlpool": "whirlpool",
    "Raydium CP": "cpmm",
    "Raydium": "ammv4",
}
"""Jupiter's names of the exchanges whose instructions the signing firewall can read."""

SAMPLE_QUOTE_UNITS = 100
_NS = 1_000_000_000


def route_labels() -> frozenset[str]:
    """The exchanges a route may use, by Jupiter's names; SetupError on one not readable."""
    labels = frozenset(settings.JUPITER_DEXES)
    unknown = sorted(labels - LABEL_KINDS.keys())
    if unknown:
        raise SetupError(
            f"JUPITER_DEXES names {', '.join(unknown)}; choose from {', '.join(LABEL_KINDS)}."
        )
    return labels


def route_policy() -> RoutePolicy:
    """What the signing firewall allows: nothing while the fallback is off."""
    if not settings.JUPITER_FALLBACK:
        return RoutePolicy()
    return RoutePolicy(
        dexes=frozenset(LABEL_KINDS[label] for label in route_labels()),
        is_pinned=settings.JUPITER_PINNED,
    )


def _api_key() -> str:
    if not settings.JUPITER_API_KEY_FILE:
        return ""
    try:
        return Path(settings.JUPITER_API_KEY_FILE).read_text().strip()
    except OSError as error:
        raise SetupError(
            f"JUPITER_API_KEY_FILE: {settings.JUPITER_API_KEY_FILE} cannot be read "
            f"({error.strerror})."
        ) from error


class FollowedChain:
    """The newest slot and pool states as the feed publishes them, and the block height.

    `last_valid_height` asks whoever keeps blockhashes fresh; 0 means not known.
    """

    def __init__(self, last_valid_height: Callable[[], int]) -> None:
        self.pools: dict[str, Pool] = {}
        self._slot = 0
        self._last_valid_height = last_valid_height

    @property
    def slot(self) -> int:
        return self._slot

    @property
    def last_valid_height(self) -> int:
        return self._last_valid_height()

    def take(self, event: MarketEvent) -> None:
        """Note a pool state, its invalidation, or a slot."""
        if isinstance(event, PoolUpdated):
            self.pools[event.pool] = event.state
        elif isinstance(event, SlotAdvanced):
            self._slot = event.slot
        elif isinstance(event, PoolInvalidated):
            self.pools.pop(event.pool, None)


class RouteDesk:
    """Jupiter as this process uses it."""

    def __init__(
        self,
        transport: Transport,
        specs: Iterable[MarketSpec],
        *,
        wallet: str,
        clock: Clock,
        ids: ProgramIds,
        last_valid_height: Callable[[], int],
    ) -> None:
        specs = list(specs)
        self.chain = FollowedChain(last_valid_height)
        mints = {mint for spec in specs for mint in (spec.base_mint, spec.quote_mint)}
        chosen = JupiterSettings(
            url=settings.JUPITER_URL,
            taker=wallet,
            labels=route_labels(),
            own_accounts=frozenset(associated_token_address(wallet, mint, ids) for mint in mints),
            shape="v1" if settings.JUPITER_API == "v1" else "v2",
            is_pinned=settings.JUPITER_PINNED,
            per_second=settings.JUPITER_RPS,
        )
        self.client = JupiterClient(
            transport, chosen, clock=clock, rng=system_random(), chain=self.chain,
            api_key=_api_key(),
        )  # fmt: skip
        self._fallback = Fallback(
            self.client, self.chain.pools.get, is_allowed=settings.JUPITER_FALLBACK
        )
        self._sampler = RouteSampler(
            self.client, self.chain.pools.get, [_sample_ask(spec) for spec in specs],
            self._note, clock=clock, chain=self.chain,
            every_s=max(1.0, settings.JUPITER_SAMPLE_SECONDS),
        )  # fmt: skip
        self._clock = clock

    @property
    def latest(self) -> dict[tuple[str, bool], RouteSample]:
        """The newest comparison by asset and direction (True: a is given)."""
        return self._sampler.latest

    def around(self, sink: MarketSink) -> MarketSink:
        """Follow the events on their way to `sink`, after it: the engine comes first."""
        take = self.chain.take

        def both(event: MarketEvent) -> None:
            sink(event)
            take(event)

        return both

    async def run(self) -> None:
        """Sample until cancelled; idle where sampling is turned off."""
        if settings.JUPITER_SAMPLE_SECONDS > 0:
            await self._sampler.run()
        await asyncio.Event().wait()

    async def quote(
        self, ask: RouteAsk, *, min_out: int
    ) -> Swap | RouteQuote | RouteRefused | QuoteRefused:
        """Quote the direct pool, or ask for a signable route where that cannot be."""
        now_s = self._clock.now_ns() // _NS
        found = await self._fallback.quote(ask, min_out=min_out, now_s=now_s)
        if isinstance(found, RouteRefused):
            metrics.JUPITER_FALLBACKS.labels(outcome=found.cause).inc()
            log.warning(
                "route.refused", pool=ask.pool, cause=found.cause, detail=found.detail[:200]
            )
        elif isinstance(found, RouteQuote):
            metrics.JUPITER_FALLBACKS.labels(outcome="routed").inc()
            log.info("route.found", pool=ask.pool, route=found.route_id, ms=found.latency_ms)
        return found

    def _note(self, sample: RouteSample) -> None:
        metrics.JUPITER_SAMPLES.labels(outcome=sample.outcome).inc()
        if sample.latency_ms is not None:
            metrics.JUPITER_LATENCY_MS.observe(sample.latency_ms)
        if sample.latency_delta_ms is not None:
            metrics.JUPITER_LATENCY_DELTA_MS.labels(asset=sample.asset).set(sample.latency_delta_ms)
        if sample.delta_bps is not None:
            metrics.JUPITER_PRICE_DELTA_BPS.labels(asset=sample.asset).set(sample.delta_bps)
        log.info(
            "route.sampled",
            asset=sample.asset,
            outcome=sample.outcome,
            asked_at_ns=sample.asked_at_ns,
            route=sample.route_id,
            latency_delta_ms=sample.latency_delta_ms,
            delta_bps=sample.delta_bps,
            lag_slots=sample.lag_slots,
        )


def _sample_ask(spec: MarketSpec) -> SampleAsk:
    """Buy base for a small amount of the pool's quote asset."""
    amount = SAMPLE_QUOTE_UNITS * 10**spec.quote_decimals
    ask = RouteAsk(spec.pool, spec.quote_mint, spec.base_mint, amount)
    return SampleAsk(spec.asset, ask, a_to_b=not spec.base_is_a)
