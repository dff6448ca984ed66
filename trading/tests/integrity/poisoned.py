"""One virtual run of the desk on poisoned feeds, beside the truth of the same world."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from arbsite.clock import LoopClock, seeded_random
from feeds.market.events import (
    BookInvalidated,
    BookUpdated,
    MarketEvent,
    PoolInvalidated,
    PoolUpdated,
)
from feeds.market.pools import Pool
from feeds.recording.poison import Poison, PoisonedTransport, Poisoner
from feeds.sim.control import routes
from feeds.sim.hosting import PipeTransport
from feeds.sim.scenarios import scenario_of
from feeds.sim.solana.accounts import Bank, Ledger
from feeds.sim.truth import TruthStore
from feeds.sim.virtual_loop import run_virtual
from feeds.sim.world import World
from feeds.venues.kraken.books import FeedTimings
from feeds.venues.kraken.feed import KrakenFeed
from feeds.venues.kraken.framed import FrameInHand
from feeds.venues.solana.feed import SolanaFeed
from feeds.venues.solana.rpc_channel import RpcEndpoint
from trading.effects import Effect, Execute, RequestStop
from trading.intent import Intent
from trading.journal.day import START_NS, ScriptedDesk

MS = 1_000_000
STREAMS = ("kraken", "sim-a", "sim-b")
ENDPOINTS = tuple(
    RpcEndpoint(label, "simulator", f"http://{label}", f"ws://{label}") for label in STREAMS[1:]
)
# A thousand times the faults of a bad day must test the books, not the reconnecting.
PATIENT = FeedTimings(failures_to_reconnect=1_000_000)
# Notifications on a static-fee pool carry these too; no quote uses them.
_UNQUOTED = frozenset(
    {"fee_growth_global_a", "fee_growth_global_b", "protocol_fee_owed_a", "protocol_fee_owed_b"}
)
_SYMBOL = re.compile(rb'"symbol":"([^"]+)"')
Sides = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]


class Fired(msgspec.Struct, frozen=True):
    """An intent, the book it was decided on, and by how many slots its pool was behind."""

    intent: Intent
    at_ns: int
    used: Sides
    pool_slots_behind: int


class Run:
    """What one run did, was told, and what was true."""

    def __init__(self) -> None:
        self.poisons: list[Poison] = []
        self.frames = 0
        self.events: list[MarketEvent] = []
        self.wrong_pools: list[tuple[str, int, list[str]]] = []
        self.venue_books: dict[str, list[tuple[int, Sides]]] = {}
        self.fired: list[Fired] = []
        self.stops: list[RequestStop] = []
        self.book_faults: Counter[str] = Counter()
        self.pool_faults: Counter[str] = Counter()
        self.solana: dict[str, int] = {}

    @property
    def wrong_books(self) -> list[BookUpdated]:
        """Books published to the desk that the venue never had."""
        true = {symbol: {b for _, b in told} for symbol, told in self.venue_books.items()}
        return [
            event
            for event in self.events
            if isinstance(event, BookUpdated)
            and (event.bids, event.asks) not in true.get(event.symbol, set())
        ]

    def seconds_to_notice(self) -> list[float]:
        """For each book frame lost, ruined or late: how long until its book was heard of again.

        What is heard is a book that fits its checksum, or that the book is not to be used.
        """
        heard: dict[str, list[int]] = {}
        for event in self.events:
            if isinstance(event, BookUpdated | BookInvalidated):
                heard.setdefault(event.symbol, []).append(event.recv_ns)
        waits = []
        for poison in self.poisons:
            symbol = _SYMBOL.search(poison.frame)
            if symbol is None or b'"channel":"book"' not in poison.frame:
                continue
            times = heard[symbol[1].decode()]
            at = bisect_right(times, poison.at_ns)
            if poison.kind != "duplicate" and at < len(times):
                waits.append((times[at] - poison.at_ns) / 1e9)
        return sorted(waits)

    def behind_ms(self, fired: Fired, levels: int) -> float:
        """How long ago the venue's best `levels` stopped being those of a decision, ms."""

        def best(sides: Sides) -> Sides:
            return sides[0][:levels], sides[1][:levels]

        told = self.venue_books[fired.intent.spec.cex_symbol]
        at = bisect_right(told, fired.at_ns, key=lambda each: each[0])
        if any(best(sides) == best(fired.used) for _, sides in told[at : at + 3]):
            # The desk heard it before the witness did.
            return 0.0
        used, changed_ns = best(fired.used), fired.at_ns
        for at_ns, sides in reversed(told[:at]):
            if best(sides) == used:
                return (fired.at_ns - changed_ns) / MS
            changed_ns = at_ns
        return math.inf


class _Desk(ScriptedDesk):
    """The scripted desk, its decisions heard."""

    def __init__(self, heard: Any, *args: Any) -> None:
        super().__init__(*args)
        handle = self._handle

        def hearing(event: Any) -> list[Effect]:
            effects = handle(event)
            for effect in effects:
                heard(effect)
            return effects

        self._handle = hearing


class _Past(Ledger):
    """The chain's accounts as of the end of a slot."""

    def __init__(self, bank: Bank, slot: int) -> None:
        super().__init__()
        self._bank = bank
        self._slot = slot

    def get(self, address: str) -> Any:
        return self._bank.at(address, self._slot)


def poisoned_run(folder: Path, *, seconds: float, share: float, seed: int) -> Run:
    """Trade a busy world for `seconds` with a share of all data frames poisoned."""
    return run_virtual(_session(folder, seconds, share, seed))


async def _session(folder: Path, seconds: float, share: float, seed: int) -> Run:
    clock, run = LoopClock(START_NS), Run()
    world = World(scenario_of("busy"), 7, TruthStore(), clock)
    specs = {market.spec.asset: market.spec for market in world.markets}
    symbols = sorted({s.cex_symbol for s in specs.values()} | {"USDC/USD", "USDT/USD"})
    hosts = {"kraken": routes(world, world.kraken)}
    hosts |= {e.label: routes(world, n) for e, n in zip(ENDPOINTS, world.nodes, strict=True)}
    transport = PipeTransport(hosts)
    poisoners = {
        name: Poisoner(name, seeded_random(f"poison {name} {seed}"), share) for name in STREAMS
    }
    poisoned = PoisonedTransport(transport, poisoners, clock)
    used: dict[str, BookUpdated] = {}

    def clean(event: MarketEvent) -> None:
        if isinstance(event, BookUpdated):
            told = run.venue_books.setdefault(event.symbol, [])
            told.append((event.recv_ns, (event.bids, event.asks)))

    def heard(effect: Effect) -> None:
        if isinstance(effect, RequestStop):
            run.stops.append(effect)
        if isinstance(effect, Execute):
            intent = effect.intent
            book = used[intent.spec.cex_symbol]
            assert book.checksum == intent.book_checksum
            changed = world.views[0].changed_at(intent.spec.pool, "processed")
            run.fired.append(
                Fired(
                    intent,
                    clock.now_ns(),
                    (book.bids, book.asks),
                    max(0, changed - intent.pool_slot),
                )
            )

    def dirty(event: MarketEvent) -> None:
        run.events.append(event)
        if isinstance(event, BookUpdated):
            used[event.symbol] = event
        elif isinstance(event, PoolUpdated):
            true = _Past(world.chain.bank, event.slot).pool(event.pool)
            if found := _differences(event.state, true):
                run.wrong_pools.append((event.pool, event.slot, found))
        elif isinstance(event, BookInvalidated):
            run.book_faults[event.reason] += 1
        elif isinstance(event, PoolInvalidated):
            run.pool_faults[event.reason] += 1
        desk.tell(event)

    in_hand = FrameInHand(10)
    desk = _Desk(heard, specs, folder, clock, in_hand)
    pools = [(spec.pool, spec.pool_kind) for spec in specs.values()]
    truth = KrakenFeed(
        transport, "ws://kraken/v2", symbols, clock=clock, rng=seeded_random(3), sink=clean
    )
    kraken = KrakenFeed(
        poisoned, "ws://kraken/v2", symbols,
        clock=clock, rng=seeded_random(1), sink=in_hand.around(dirty), timings=PATIENT,
        tap=in_hand.take,
    )  # fmt: skip
    solana = SolanaFeed(poisoned, ENDPOINTS, pools, clock=clock, rng=seeded_random(2), sink=dirty)
    world.start()
    try:
        async with _running(world.schedule.run(clock), truth.run()):
            async with _running(kraken.run(), solana.run(), desk.run()):
                await asyncio.sleep(seconds)
            # The venue's last books reach the witness after they reached the desk.
            await asyncio.sleep(5)
    finally:
        desk.journal.close()
        await transport.close()
        world.stop()
    for poisoner in poisoners.values():
        run.frames += poisoner.frames
        run.poisons += poisoner.done
    run.solana = dict(vars(solana.counters))
    return run


def _differences(told: Pool, true: Pool) -> list[str]:
    """Fields of a state, as quotes use them, that differ from the chain's."""
    names = [n for n in type(true).__struct_fields__ if n != "slot" and n not in _UNQUOTED]
    return [n for n in names if n != "tick_arrays" and getattr(told, n) != getattr(true, n)]


@contextlib.asynccontextmanager
async def _running(*work: Any) -> Any:
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in ended:
            task.result()
