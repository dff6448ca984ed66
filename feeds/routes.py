"""The desk's use of Jupiter in one process: settings to adapter, samples to metrics and log.

Follows the Solana feed's events for the newest pool states and slot, keeps the sampler
running and offers the fallback to the engine's host. Built by `assembly`; the protocol and
the choice itself are in `venues/jupiter`, the judgement of what may be signed in
`venues/solana/route_firewall`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from math import floor, log1p
from math import log as ln
from pathlib import Path

from django.conf import settings

from arbsite import metrics
from arbsite.clock import Clock, system_random
from arbsite.errors import SetupError
from arbsite.events import RouteRow
from arbsite.logs import event_logger
from feeds.market.events import MarketEvent, PoolInvalidated, PoolUpdated, SlotAdvanced
from feeds.market.pools import Pool, QuoteRefused, Swap
from feeds.market.spec import MarketSpec
from feeds.market.ticks import MAX_TICK, MIN_TICK, TICKS_PER_ARRAY, array_start_of
from feeds.venues.base import MarketSink
from feeds.venues.jupiter.client import JupiterClient, JupiterSettings
from feeds.venues.jupiter.fallback import (
    Fallback,
    RouteSampler,
    SampleAsk,
    direct_quote,
    sample_of,
)
from feeds.venues.jupiter.quotes import (
    BoundRoute,
    RouteAsk,
    RouteQuote,
    RouteRefused,
    RouteSample,
)
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
_POLLED_SHARE = 0.8
# Arrays on either side of a quoted price that its swap may touch: three of them is the most
# a swap crosses, and the price may have moved by one before it lands.
_ARRAYS_ASIDE = 3


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

    `pools` are those that may be used, `last_known` any that ever could: to compare with,
    never to decide on. `last_valid_height` asks whoever keeps blockhashes fresh; 0 means
    not known.
    """

    def __init__(self, last_valid_height: Callable[[], int]) -> None:
        self.pools: dict[str, Pool] = {}
        self.last_known: dict[str, Pool] = {}
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
            self.pools[event.pool] = self.last_known[event.pool] = event.state
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
        tick_spacings: Mapping[str, int] | None = None,
    ) -> None:
        specs = list(specs)
        self._specs = {spec.pool: spec for spec in specs}
        self._tick_spacings = dict(tick_spacings or {})
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
            slippage_bps=settings.JUPITER_SLIPPAGE_BPS,
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
    def is_allowed(self) -> bool:
        """Whether a route may stand in for the pool at all."""
        return bool(settings.JUPITER_FALLBACK)

    @property
    def max_usd(self) -> float:
        """The most that one route may be worth."""
        return float(settings.JUPITER_MAX_USD)

    @property
    def every_s(self) -> float:
        """Seconds between two asks: a little less than the account's rate, for the sampler."""
        requests = 2 if self.client.settings.shape == "v1" else 1
        return requests / (self.client.settings.per_second * _POLLED_SHARE)

    @property
    def latest(self) -> dict[tuple[str, bool], RouteSample]:
        """The newest comparison by asset and direction (True: a is given)."""
        return self._sampler.latest

    def rows(self) -> tuple[RouteRow, ...]:
        """The newest answers as the console shows them, by asset and side."""
        base_is_a = {spec.asset: spec.base_is_a for spec in self._specs.values()}
        return tuple(
            RouteRow(
                asset=one.asset,
                side="sell" if one.a_to_b == base_is_a[one.asset] else "buy",
                outcome=one.outcome,
                route_id=one.route_id,
                asked_at_ns=one.asked_at_ns,
                latency_ms=one.latency_ms,
                latency_delta_ms=one.latency_delta_ms,
                delta_bps=one.delta_bps,
                lag_slots=one.lag_slots,
            )
            for _, one in sorted(self.latest.items())
        )

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

    async def bound(self, ask: RouteAsk) -> BoundRoute | None:
        """A signable quote where the pool has none; None (counted, logged) where there is none.

        What is compared with the pool's last known state is for people: that state was no
        longer good enough to trade on.
        """
        asked_at_ns, head = self._clock.now_ns(), self.chain.slot
        found = await self.quote(ask, min_out=1)
        if isinstance(found, Swap | QuoteRefused):
            return None
        pool = self.chain.last_known.get(ask.pool)
        direct = pool and direct_quote(pool, ask, asked_at_ns // _NS)
        sample = sample_of(
            SampleAsk(self._specs[ask.pool].asset, ask, self._is_a_to_b(ask)),
            found,
            asked_at_ns=asked_at_ns,
            direct_out=direct.amount_out if isinstance(direct, Swap) else None,
            direct_ms=0.0,
            slot=self.chain.slot,
        )
        self.latest[sample.asset, sample.a_to_b] = sample
        self._note(sample)
        if isinstance(found, RouteRefused):
            return None
        oldest = max(0, head - self.client.settings.max_lag_slots)
        return BoundRoute(
            quote=found,
            slot=oldest if found.context_slot is None else found.context_slot,
            tick_array_starts=self._arrays_around(found),
            delta_bps=sample.delta_bps,
        )

    def _is_a_to_b(self, ask: RouteAsk) -> bool:
        spec = self._specs[ask.pool]
        return (ask.mint_in == spec.base_mint) == spec.base_is_a

    def _arrays_around(self, found: RouteQuote) -> tuple[int, ...]:
        """The tick arrays of the asked pool around the quoted price; none for other kinds."""
        spacing = self._tick_spacings.get(found.ask.pool, 0)
        if not spacing:
            return ()
        ratio = found.amount_out / found.ask.amount_in
        price = ratio if self._is_a_to_b(found.ask) else 1 / ratio
        tick = min(max(floor(ln(price) / log1p(1e-4)), MIN_TICK), MAX_TICK)
        first, span = array_start_of(tick, spacing), TICKS_PER_ARRAY * spacing
        return tuple(first + aside * span for aside in range(-_ARRAYS_ASIDE, _ARRAYS_ASIDE + 1))

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
