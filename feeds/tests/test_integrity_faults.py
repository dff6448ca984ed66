"""Faults of the chain's data on the running simulator: refused alone, and recovered from."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from arbsite.clock import LoopClock, seeded_random
from feeds.market.events import MarketEvent, PoolInvalidated, PoolUpdated, SlotAdvanced
from feeds.sim.control import routes
from feeds.sim.hosting import PipeTransport
from feeds.sim.scenarios import scenario_of
from feeds.sim.solana.accounts import Bank, Ledger
from feeds.sim.truth import TruthStore
from feeds.sim.virtual_loop import run_virtual
from feeds.sim.world import World
from feeds.venues.solana.feed import SolanaFeed
from feeds.venues.solana.rpc_channel import RpcEndpoint

START_NS = 1_790_000_000_000_000_000
ENDPOINTS = tuple(
    RpcEndpoint(label, "simulator", f"http://{label}", f"ws://{label}")
    for label in ("sim-a", "sim-b")
)
_PRICES = ("sqrt_price", "liquidity", "vault_a_raw", "vault_b_raw", "protocol_fees_a")


class Past(Ledger):
    """The chain's accounts as of the end of a slot."""

    def __init__(self, bank: Bank, slot: int) -> None:
        super().__init__()
        self._bank = bank
        self._slot = slot

    def get(self, address: str) -> Any:
        return self._bank.at(address, self._slot)


class Watched:
    """A lively world, the feed on both its nodes, and what it said of each pool last."""

    def __init__(self, world: World, clock: LoopClock) -> None:
        self.world = world
        self.events: list[MarketEvent] = []
        self.last: dict[str, PoolUpdated | PoolInvalidated] = {}
        hosts = {e.label: routes(world, n) for e, n in zip(ENDPOINTS, world.nodes, strict=True)}
        self.transport = PipeTransport(hosts)
        self.feed = SolanaFeed(
            self.transport,
            ENDPOINTS,
            [(market.spec.pool, market.spec.pool_kind) for market in world.markets],
            clock=clock,
            rng=seeded_random(1),
            sink=self.take,
        )

    def take(self, event: MarketEvent) -> None:
        self.events.append(event)
        if isinstance(event, PoolUpdated | PoolInvalidated):
            self.last[event.pool] = event

    def is_usable(self, pool: str) -> bool:
        return isinstance(self.last[pool], PoolUpdated)

    def wrong(self) -> list[str]:
        """Usable pools whose state is not the chain's at the slot it is said to be of."""
        found = []
        for pool, told in self.last.items():
            if isinstance(told, PoolUpdated):
                true = Past(self.world.chain.bank, told.slot).pool(pool)
                names = [n for n in _PRICES if hasattr(true, n)]
                found += [n for n in names if getattr(told.state, n) != getattr(true, n)]
        return found


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    clock = LoopClock(START_NS)
    world = World(scenario_of("busy"), 7, TruthStore(), clock)
    desk = Watched(world, clock)
    world.start()
    tasks = [asyncio.create_task(each) for each in (world.schedule.run(clock), desk.feed.run())]
    await asyncio.sleep(10)
    try:
        yield desk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await desk.transport.close()
        world.stop()


@pytest.mark.parametrize("word", ["closed", "reowned", "resized"])
def test_a_pool_account_given_up_stops_that_pool_alone_until_it_is_back(word: str) -> None:
    async def session() -> None:
        async with watched() as desk:
            pool, *others = (market.spec.pool for market in desk.world.markets)
            desk.world.faults.set("solana.pool_accounts", {pool: word})
            await asyncio.sleep(12)
            assert not desk.is_usable(pool)
            assert all(desk.is_usable(other) for other in others)
            before = len(desk.events)
            await asyncio.sleep(12)
            told = {e.pool for e in desk.events[before:] if isinstance(e, PoolUpdated)}
            assert told == set(others)
            desk.world.faults.reset("solana.pool_accounts")
            await asyncio.sleep(12)
            assert desk.is_usable(pool)
            assert desk.wrong() == []

    run_virtual(session())


def test_a_fork_withdraws_what_was_told_of_the_abandoned_slot() -> None:
    async def session() -> tuple[int, int]:
        async with watched() as desk:
            for _ in range(40):
                desk.world.faults.set("solana.fork", True)
                await asyncio.sleep(2.5)
                assert desk.wrong() == []
            reasons = [e.reason for e in desk.events if isinstance(e, PoolInvalidated)]
            assert all(desk.is_usable(market.spec.pool) for market in desk.world.markets)
            return sum("abandoned" in reason for reason in reasons), len(reasons)

    withdrawn, invalidated = run_virtual(session())
    assert withdrawn >= 5
    assert withdrawn == invalidated


def test_reads_from_an_old_bank_are_refused_and_the_other_node_serves() -> None:
    async def session() -> None:
        async with watched() as desk:
            before = len(desk.events)
            desk.world.faults.set("solana.node_b_stale_reads", 20)
            await asyncio.sleep(60)
            after = desk.events[before:]
            assert not [e for e in after if isinstance(e, PoolInvalidated)]
            slots: dict[str, int] = {}
            for event in after:
                if isinstance(event, PoolUpdated):
                    assert event.slot >= slots.get(event.pool, 0)
                    slots[event.pool] = event.slot
            assert len(slots) == 3
            assert desk.wrong() == []
            assert desk.feed.counters.refused_reads >= 10
            assert [e for e in after if isinstance(e, SlotAdvanced)][-1].lag_slots == 0

    run_virtual(session())
