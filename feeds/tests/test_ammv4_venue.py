"""An AMM v4 pool from the chain to the market's ear and back: followed, traded, followed."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from solders.keypair import Keypair

from arbsite.errors import NotSent
from feeds.market.events import MarketEvent, PoolUpdated
from feeds.market.pools import AmmV4Pool, Swap
from feeds.market.quote import quote
from feeds.sim import seeding
from feeds.sim.solana.accounts import Core, Token
from feeds.sim.tests.solana.test_ammv4 import POOL
from feeds.tests.conformance.venues import ENDPOINTS, SimVenues, run_patient
from feeds.venues.base import DexReceipt, DexSwap
from feeds.venues.solana.feed import SolanaFeed
from feeds.venues.solana.programs import PoolRef
from feeds.venues.solana.trading import SolanaTrading, TradingSettings


class Rig:
    """Feed and trading adapter on the simulated nodes, and a chain with that pool."""

    def __init__(self) -> None:
        self.venues = SimVenues()
        owner = seeding.ammv4_authority()
        core = msgspec.structs.replace(POOL, vault_a_raw=0, vault_b_raw=0)
        self.venues.chain.bank.load(
            [
                (POOL.address, Core(core)),
                (POOL.vault_a, Token(POOL.mint_a, owner, POOL.vault_a_raw)),
                (POOL.vault_b, Token(POOL.mint_b, owner, POOL.vault_b_raw)),
            ],
            self.venues.chain.newest.slot,
        )
        self.heard: list[MarketEvent] = []
        clock = self.venues.clock
        self.feed = SolanaFeed(
            self.venues.transport(), ENDPOINTS, [(POOL.address, "ammv4")],
            clock=clock, rng=self.venues.stream("feed"), sink=self.heard.append,
        )  # fmt: skip
        self.trading = SolanaTrading(
            self.venues.transport(), ENDPOINTS,
            Keypair.from_bytes(self.venues.credentials.wallet_secret),
            {POOL.address: PoolRef.from_pool(POOL)}.get,
            TradingSettings(mints=(POOL.mint_a, POOL.mint_b)),
            clock=clock, rng=self.venues.stream("trading"), sink=lambda _: None,
        )  # fmt: skip

    def states(self) -> list[AmmV4Pool]:
        found = [event.state for event in self.heard if isinstance(event, PoolUpdated)]
        return [state for state in found if isinstance(state, AmmV4Pool)]

    async def until_heard(self, count: int) -> AmmV4Pool:
        async with asyncio.timeout(60):
            while len(self.states()) < count:
                await asyncio.sleep(0.05)
        return self.states()[-1]

    async def executed(self, swap: DexSwap) -> DexReceipt:
        signed = self.trading.sign(swap)
        await self.trading.broadcast(signed.raw)
        async with asyncio.timeout(60):
            while True:
                found = await self.trading.receipt(signed.signature, commitment="confirmed")
                if found is not None:
                    return found
                await asyncio.sleep(0.1)


def leg(found: Swap, *, a_to_b: bool) -> DexSwap:
    return DexSwap(POOL.address, "ammv4", a_to_b, True, found.amount_in, found.amount_out)


async def _follow_and_trade() -> None:
    rig = Rig()
    rig.venues.start()
    running = [asyncio.create_task(each.run()) for each in (rig.feed, rig.trading)]
    try:
        state = await rig.until_heard(1)
        assert state == msgspec.structs.replace(POOL, slot=state.slot)
        async with asyncio.timeout(60):
            while not rig.trading.is_ready:
                await asyncio.sleep(0.05)
        for a_to_b in (True, False):
            # Quoted on what was heard; equality with the minimum passes.
            found = quote(state, 5 * 10**7, exact_in=True, a_to_b=a_to_b)
            assert isinstance(found, Swap)
            heard = len(rig.states())
            receipt = await rig.executed(leg(found, a_to_b=a_to_b))
            mints = (POOL.mint_a, POOL.mint_b) if a_to_b else (POOL.mint_b, POOL.mint_a)
            assert receipt.deltas_raw == {mints[0]: -found.amount_in, mints[1]: found.amount_out}
            state = await rig.until_heard(heard + 1)
            after = found.after
            assert isinstance(after, AmmV4Pool)
            assert state == msgspec.structs.replace(after, slot=state.slot)
        unfit = msgspec.structs.replace(leg(found, a_to_b=True), threshold_raw=0)
        with pytest.raises(NotSent, match="threshold is zero"):
            rig.trading.sign(unfit)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await rig.venues.stop()


def test_a_followed_pool_is_traded_at_the_quote_and_heard_to_have_moved() -> None:
    run_patient(_follow_and_trade())
