"""An engine of many assets with everything it needs before it may trade, for the benches.

Books come from `kraken_frames` through the feed's own parser; each asset has a Whirlpool of
52 ticks that is set near its book again and again, so that edges come and go. Imported by
the benches; not a command.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from decimal import Decimal
from math import log

import msgspec

from deploy.bench.kraken_frames import PRICE_PRECISION, QTY_PRECISION, symbols
from feeds.market.events import BookUpdated, MarketEvent, PoolUpdated, SlotAdvanced, VenueStatus
from feeds.market.pools import Whirlpool
from feeds.market.spec import MarketSpec
from feeds.market.tests.golden_rows import whirlpool
from feeds.market.ticks import sqrt_price_from_tick
from feeds.venues.kraken.books import BookSet, FeedTimings
from feeds.venues.kraken.counters import FeedCounters
from feeds.venues.kraken.wire import decode_frame, read_book
from trading.effects import Effect, Execute, SignalSeen
from trading.engine.core import Engine
from trading.inputs import (
    FeesKnown,
    HoldingsKnown,
    IntentRefused,
    ModeApplied,
    SettingsApplied,
    VenuesReady,
)
from trading.intent import AssetSettings

ASSETS = 20
# Raw quote (6 decimals) per raw base (9 decimals) of a price of one tick.
_TICK_VALUE = 10.0 ** (6 - 9 - PRICE_PRECISION)


def pool_of_52_ticks(tick: int) -> tuple[Whirlpool, dict[int, int]]:
    """26 positions around `tick` (spacing 4, fee 400), and the nets of their ends."""
    rng = random.Random(52)  # noqa: S311 the same pool in every run
    nets: dict[int, int] = {}
    liquidity = 3 * 10**13
    sides = [rng.sample(range(1, 170), 26) for _ in range(2)]
    for below, above in zip(*sides, strict=True):
        size = rng.randint(10**11, 10**12)
        nets[(tick // 4 - below) * 4] = size
        nets[(tick // 4 + above) * 4] = -size
        liquidity += size
    return whirlpool(tick, ticks=nets, liquidity=liquidity, within=10**12), nets


def spec_of(asset: str, symbol: str) -> MarketSpec:
    """A market like SOL/USD against SOL/USDC."""
    return MarketSpec(
        asset=asset,
        cex_symbol=symbol,
        cex_quote="USD",
        price_precision=PRICE_PRECISION,
        qty_precision=QTY_PRECISION,
        price_increment_ticks=1,
        qty_increment_lots=1,
        qty_min_lots=2_000_000,
        cost_min="0.5",
        pool=f"POOL-{asset}",
        pool_kind="whirlpool",
        pool_quote="USDC",
        base_mint=f"MINT-{asset}",
        quote_mint="MINT-USDC",
        base_is_a=True,
        base_decimals=9,
        quote_decimals=6,
    )


class BenchDesk:
    """The engine, the books of its symbols, and the pools that follow them."""

    def __init__(self, at_ns: int, count: int = ASSETS) -> None:
        """Configure everything as of `at_ns`; balances count as fresh for a minute."""
        self.names = symbols(count)
        self.assets = [name.removesuffix("/USD") for name in self.names]
        self.engine = Engine(
            {a: spec_of(a, name) for a, name in zip(self.assets, self.names, strict=True)}
        )
        self.signals = self.edges = self.intents = 0
        self._rng = random.Random(11)  # noqa: S311 the same pools in every run
        self._slot = 1_000
        self._pool, _ = pool_of_52_ticks(-18_972)
        self.last: MarketEvent | None = None
        numbers = itertools.count(1)
        self.books = BookSet(
            self.names,
            depth=10,
            timings=FeedTimings(),
            sink=self._keep,
            counters=FeedCounters(),
            next_req_id=lambda: next(numbers),
        )
        self._configure(at_ns)

    def parse(self, frame: bytes, recv_ns: int) -> BookUpdated:
        """Frame bytes to a verified book, as the feed does it."""
        self.books.on_book(read_book(frame), recv_ns, recv_ns)
        assert type(self.last) is BookUpdated
        return self.last

    def tell(self, event: MarketEvent) -> None:
        """Give a market event to the engine and count what it says, as the host does."""
        for effect in self.engine.handle(event):
            self._count(effect)

    def follow(self, book: BookUpdated, recv_ns: int) -> PoolUpdated:
        """The pool of a book's asset, set within a few basis points of the book."""
        self._slot += 1
        price = (book.bids[0][0] + book.asks[0][0]) / 2 * _TICK_VALUE
        # One in twelve leaves a gap that pays, in either direction.
        reach = 40 if self._rng.random() < 1 / 12 else 10
        tick = round(log(price) / log(1.0001)) + self._rng.choice((-reach, reach))
        asset = book.symbol.removesuffix("/USD")
        state = msgspec.structs.replace(
            self._pool,
            tick_current_index=tick,
            sqrt_price=sqrt_price_from_tick(tick) + 10**12,
            slot=self._slot,
        )
        return PoolUpdated(f"POOL-{asset}", self._slot, state, recv_ns)

    def _keep(self, event: MarketEvent) -> None:
        self.last = event

    def _count(self, effect: Effect) -> None:
        if isinstance(effect, SignalSeen):
            self.signals += 1
            self.edges += effect.is_opportunity
        elif isinstance(effect, Execute):
            self.intents += 1
            intent = effect.intent
            # Nobody trades here: the asset is free again for the next window.
            self.engine.handle(
                IntentRefused(
                    intent_key=intent.intent_key,
                    asset=intent.asset,
                    reason="bench",
                    at_ns=intent.decided_ns,
                )
            )

    def _configure(self, at: int) -> None:
        engine = self.engine
        mode = {"scope": "*", "mode": "live", "version": 1, "command_id": "bench"}
        engine.handle(ModeApplied(**mode, rule="desk", text="live", at_ns=at))  # type: ignore[arg-type]
        for asset in self.assets:
            settings = AssetSettings(asset=asset, version=1, mode="live")
            engine.handle(SettingsApplied(settings=settings, at_ns=at))
        taker = dict.fromkeys(self.names, Decimal("0.001"))
        engine.handle(FeesKnown(taker=taker, base_fee_lamports=5000, at_ns=at))
        engine.handle(VenuesReady(kraken=True, solana=True, at_ns=at))
        engine.handle(
            HoldingsKnown(
                kraken=dict.fromkeys([*self.assets, "USD"], Decimal(10**6)),
                solana_raw=dict.fromkeys([*self.assets, "USDC"], 10**15),
                at_ns=at,
            )
        )
        for venue in ("kraken", "solana"):
            engine.handle(VenueStatus(venue, "online", None, at, 0.0))  # type: ignore[arg-type]
        engine.handle(SlotAdvanced(self._slot, 0, at))
        engine.handle(
            BookUpdated("USDC/USD", ((9_999, 10**12),), ((10_001, 10**12),), 4, 8, 1, at, at)
        )
        self.books.start(at)
        self.books.on_instruments(decode_frame(_instruments(self.names)), at, at)  # type: ignore[arg-type]
        for asset in self.names:
            engine.state.feeds.pair_status[asset] = "online"


def _instruments(names: Sequence[str]) -> bytes:
    pairs = ",".join(
        f'{{"symbol":"{name}","status":"online","price_precision":{PRICE_PRECISION},'
        f'"qty_precision":{QTY_PRECISION},"price_increment":0.01,'
        '"qty_increment":0.00000001,"qty_min":0.02}'
        for name in names
    )
    kind = '"channel":"instrument","type":"snapshot"'
    return f'{{{kind},"data":{{"pairs":[{pairs}]}}}}'.encode()
