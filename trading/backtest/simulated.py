"""The simulated world as a source of market facts, without sockets: fast and repeatable.

The world runs on its own event clock; what its venues would have sent is turned into the
events the feeds would have published, with the venues' delays. Nobody of ours trades in
it: our effect is the paper desk's projection. Not here: protocols, checksums on the wire.
"""

from __future__ import annotations

import hashlib
import heapq
import zlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from arbsite.clock import ManualClock, seeded_random
from arbsite.units import text_from_int
from feeds.market.events import (
    BookUpdated,
    FeedProof,
    InstrumentUpdated,
    Level,
    MarketEvent,
    PoolUpdated,
    SlotAdvanced,
    VenueStatus,
)
from feeds.market.spec import MARK_SYMBOLS, MarketSpec
from feeds.sim import seeding
from feeds.sim.kraken.latency import Latency
from feeds.sim.kraken.records import BookChanged, ExchangeEvent
from feeds.sim.scenarios import Scenario, scenario_of
from feeds.sim.seeding import SimMarket
from feeds.sim.solana.blocks import Block
from feeds.sim.truth import TruthStore
from feeds.sim.world import World

# A weekday at 06:00 UTC: the intraday profile is at its mean there.
START_NS = 1_790_056_800_000_000_000
DEPTH = 10
_STEP_NS = 50_000_000
_HEARTBEAT_NS = 1_000_000_000
_SOL_SYMBOL = "SOL/USD"
_FRAME_LATENCY_NS = 3_000_000


class SimulatedMarket:
    """A scenario's market of `minutes`, seeded; `strength` scales how often rivals act."""

    def __init__(
        self,
        scenario: str,
        seed: int,
        minutes: float,
        *,
        assets: Sequence[str] | None = None,
        strength: float = 1.0,
    ) -> None:
        markets = seeding.simulated_markets()
        wanted = set(assets or [market.spec.asset for market in markets])
        unknown = wanted - {market.spec.asset for market in markets}
        if unknown:
            raise ValueError(f"no simulated market of {', '.join(sorted(unknown))}")
        self._markets = [market for market in markets if market.spec.asset in wanted]
        self._scenario = with_strength(scenario_of(scenario), strength)
        self._seed = seed
        self._end_ns = START_NS + round(minutes * 60e9)
        self.name = f"simulated {scenario}, seed {seed}, {minutes:g} min"
        if strength != 1.0:
            self.name += f", rivals x{strength:g}"
        self.specs: Mapping[str, MarketSpec] = {m.spec.asset: m.spec for m in self._markets}

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last receive time."""
        return START_NS, self._end_ns

    def digest(self) -> str:
        """A hash of everything that makes this market: parameters version, scenario, seed."""
        named = [self.name, msgspec.json.encode(self._scenario).decode(), sorted(self.specs)]
        return hashlib.sha256(msgspec.json.encode(named)).hexdigest()

    def events(self) -> Iterator[MarketEvent]:
        """Run the world and tell what would have been received."""
        world = World(self._scenario, self._seed, TruthStore(), ManualClock(START_NS))
        ears = _Ears(world, self._markets, self._seed)
        world.start()
        at_ns = START_NS
        while at_ns < self._end_ns:
            at_ns += _STEP_NS
            world.schedule.run_until(at_ns)
            yield from ears.heard_until(at_ns)
        world.stop()


def with_strength(scenario: Scenario, strength: float) -> Scenario:
    """The scenario with every competitor acting `strength` times as often (at most always)."""
    if strength == 1.0:
        return scenario
    assets = {}
    for name, asset in scenario.assets.items():
        rivals = tuple(
            msgspec.structs.replace(rival, act_p=min(1.0, rival.act_p * strength))
            for rival in asset.competitors
        )
        assets[name] = msgspec.structs.replace(asset, competitors=rivals)
    return msgspec.structs.replace(scenario, assets=assets)


class _Ears:
    """Collects what the world shows, each with the time at which it would be received."""

    def __init__(self, world: World, markets: list[SimMarket], seed: int) -> None:
        self._world = world
        self._markets = markets
        self._rng = seeded_random(f"{seed}/frames")
        self._latency = Latency()
        self._heap: list[tuple[int, int, MarketEvent]] = []
        self._count = 0
        quotes = {q for m in markets for q in (m.spec.cex_quote, m.spec.pool_quote)}
        self._symbols = {m.spec.cex_symbol for m in markets} | {_SOL_SYMBOL}
        self._symbols |= {MARK_SYMBOLS[quote] for quote in quotes if quote in MARK_SYMBOLS}
        self._last: dict[str, tuple[tuple[Level, ...], tuple[Level, ...]]] = {}
        self._recv: dict[str, int] = {}
        self._beat_ns = START_NS
        self._open()
        world.exchange.listen(self._hear_exchange)
        world.views[0].listeners.append(self._hear_block)

    def heard_until(self, at_ns: int) -> Iterator[MarketEvent]:
        """What has been received by `at_ns`, in order."""
        while self._beat_ns <= at_ns:
            self._add(self._beat_ns, FeedProof("kraken", "*", self._beat_ns))
            self._beat_ns += _HEARTBEAT_NS
        while self._heap and self._heap[0][0] <= at_ns:
            yield heapq.heappop(self._heap)[2]

    def _add(self, recv_ns: int, event: MarketEvent) -> None:
        self._count += 1
        heapq.heappush(self._heap, (recv_ns, self._count, event))

    def _open(self) -> None:
        at_ns = START_NS
        self._add(at_ns, VenueStatus("kraken", "online", 20.0, at_ns, 0.0))
        self._add(at_ns, VenueStatus("solana", "online", 6.0, at_ns))
        for market in self._markets:
            self._add(at_ns, _instrument(market.spec, at_ns))
        slot = self._world.chain.slot
        for market in self._markets:
            self._add_pool(market, slot, at_ns)
        self._add(at_ns, SlotAdvanced(slot, 0, at_ns))
        self._add(at_ns, FeedProof("solana", "*", at_ns))

    def _add_pool(self, market: SimMarket, slot: int, recv_ns: int) -> None:
        state = self._world.chain.bank.pool(market.spec.pool)
        state = msgspec.structs.replace(state, slot=slot)
        self._add(recv_ns, PoolUpdated(market.spec.pool, slot, state, recv_ns))

    def _hear_exchange(self, event: ExchangeEvent) -> None:
        if not isinstance(event, BookChanged) or event.symbol not in self._symbols:
            return
        bids, asks = tuple(event.bids[:DEPTH]), tuple(event.asks[:DEPTH])
        if self._last.get(event.symbol) == (bids, asks) or not bids or not asks:
            return
        self._last[event.symbol] = (bids, asks)
        # The exchange stamps with a clock that stands still here: the schedule's is true.
        at_ns = self._world.schedule.now_ns
        recv_ns = at_ns + round(self._latency.one_way_s(self._rng) * 1e9)
        # Frames of one socket never overtake each other.
        recv_ns = self._recv["kraken"] = max(recv_ns, self._recv.get("kraken", 0) + 1)
        pair = self._world.exchange.pairs[event.symbol]
        self._add(
            recv_ns,
            BookUpdated(
                symbol=event.symbol,
                bids=bids,
                asks=asks,
                price_precision=pair.price_precision,
                qty_precision=pair.qty_precision,
                # A name of the content; no wire, so not the venue's own checksum.
                checksum=zlib.crc32(repr((bids, asks)).encode()),
                venue_at_ns=at_ns,
                recv_ns=recv_ns,
            ),
        )

    def _hear_block(self, block: Block) -> None:
        recv_ns = self._world.schedule.now_ns + _FRAME_LATENCY_NS
        for market in self._markets:
            pool = market.pool
            if block.changed & {pool.address, pool.vault_a, pool.vault_b}:
                self._add_pool(market, block.slot, recv_ns)
        self._add(recv_ns, SlotAdvanced(block.slot, 0, recv_ns))
        self._add(recv_ns, FeedProof("solana", "*", recv_ns))


def opening_balances() -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """What the simulated desk owns at the opening: (Kraken, chain), whole units."""
    kraken = {asset: Decimal(amount) for asset, amount in seeding.KRAKEN_OPENING.items()}
    names = {m.spec.base_mint: m.spec.asset for m in seeding.simulated_markets()}
    names[seeding.USDC_MINT] = "USDC"
    solana = {
        names[mint]: Decimal(raw).scaleb(-seeding.decimals_of(mint))
        for mint, raw in seeding.wallet_opening().items()
    }
    return kraken, solana


def _instrument(spec: MarketSpec, at_ns: int) -> InstrumentUpdated:
    return InstrumentUpdated(
        symbol=spec.cex_symbol,
        status="online",
        price_precision=spec.price_precision,
        qty_precision=spec.qty_precision,
        price_increment=text_from_int(spec.price_increment_ticks, spec.price_precision),
        qty_increment=text_from_int(spec.qty_increment_lots, spec.qty_precision),
        qty_min=text_from_int(spec.qty_min_lots, spec.qty_precision),
        cost_min=spec.cost_min,
        recv_ns=at_ns,
    )
