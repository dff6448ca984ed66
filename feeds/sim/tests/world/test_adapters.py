"""The product's own Solana adapters against this world: what they say is the truth."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine

import msgspec
from solders.keypair import Keypair

from arbsite.clock import LoopClock, seeded_random
from feeds.market.clmm import arrays_for_swap
from feeds.market.events import PoolUpdated, SlotAdvanced
from feeds.market.pools import Swap, Whirlpool
from feeds.market.quote import quote
from feeds.sim import seeding
from feeds.sim.control import routes
from feeds.sim.hosting import PipeTransport
from feeds.sim.scenarios import scenario_of
from feeds.sim.solana.accounts import Bank, Ledger
from feeds.sim.truth import TruthStore
from feeds.sim.virtual_loop import run_virtual
from feeds.sim.world import World
from feeds.venues.base import DexSwap, TokenBalance, TxSighting
from feeds.venues.solana.feed import SolanaFeed
from feeds.venues.solana.programs import PoolRef
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.trading import SolanaTrading, TradingSettings

START_NS = 1_790_000_000_000_000_000
ENDPOINTS = tuple(
    RpcEndpoint(label, "simulator", f"http://{label}", f"ws://{label}")
    for label in ("sim-a", "sim-b")
)


class Past(Ledger):
    """The chain's accounts as of the end of a slot."""

    def __init__(self, bank: Bank, slot: int) -> None:
        super().__init__()
        self._bank = bank
        self._slot = slot

    def get(self, address):
        return self._bank.at(address, self._slot)


@contextlib.asynccontextmanager
async def hosted(scenario: str = "busy"):
    """A running world behind pipes: (world, clock, transport)."""
    clock = LoopClock(START_NS)
    world = World(scenario_of(scenario), 7, TruthStore(), clock)
    transport = PipeTransport(
        {
            "sim-a": routes(world, world.nodes[0]),
            "sim-b": routes(world, world.nodes[1]),
        }
    )
    world.start()
    async with running(world.schedule.run(clock)):
        yield world, clock, transport
    await transport.close()
    world.stop()


@contextlib.asynccontextmanager
async def running(main: Coroutine):
    """Run a task beside the block and cancel it at its end."""
    task = asyncio.create_task(main)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def differences(found, truth) -> list[str]:
    """Fields in which two pool states differ; arrays only as far as both hold them."""
    ours, theirs = msgspec.structs.asdict(found), msgspec.structs.asdict(truth)
    ignored = {"slot", "tick_arrays"}
    names = [name for name in ours if name not in ignored and ours[name] != theirs[name]]
    if isinstance(found, Whirlpool):
        held = {array.start_index: array for array in theirs["tick_arrays"]}
        common = [array for array in ours["tick_arrays"] if array.start_index in held]
        assert common
        names += ["arrays" for array in common if held[array.start_index] != array]
    return names


def test_every_pool_the_feed_publishes_is_the_chains_at_that_slot():
    async def session() -> dict[str, int]:
        async with hosted() as (world, clock, transport):
            seen: dict[str, int] = {}
            slots: list[int] = []
            wrong: list[object] = []

            def sink(event) -> None:
                if isinstance(event, SlotAdvanced):
                    slots.append(event.slot)
                if isinstance(event, PoolUpdated):
                    seen[event.pool] = seen.get(event.pool, 0) + 1
                    truth = Past(world.chain.bank, event.slot).pool(event.pool)
                    if found := differences(event.state, truth):
                        wrong.append((event.pool, event.slot, found))

            pools = [(market.spec.pool, market.spec.pool_kind) for market in world.markets]
            feed = SolanaFeed(
                transport, ENDPOINTS, pools, clock=clock, rng=seeded_random(1), sink=sink
            )
            async with running(feed.run()):
                await asyncio.sleep(60)
            assert wrong == []
            assert len(slots) > 130
            return seen

    seen = run_virtual(session())
    assert set(seen) == {market.spec.pool for market in seeding.simulated_markets()}
    assert min(seen.values()) > 15


def swap_for(world: World, asset: str, now_s: int) -> tuple[DexSwap, Swap]:
    """A small exact-in swap at any price, and its quote."""
    market = seeding.market_of(asset)
    pool = world.chain.bank.pool(market.spec.pool)
    mint = pool.mint_a
    amount = world.chain.bank.raw(seeding.token_account_of(world.credentials.wallet, mint)) // 50
    found = quote(pool, amount, exact_in=True, a_to_b=True, now_s=now_s)
    assert isinstance(found, Swap)
    starts = arrays_for_swap(pool, True) if isinstance(pool, Whirlpool) else ()
    swap = DexSwap(
        pool=pool.address,
        pool_kind=market.spec.pool_kind,
        a_to_b=True,
        exact_in=True,
        amount_raw=amount,
        threshold_raw=found.amount_out * 9 // 10,
        tick_array_starts=starts,
        cu_price_micro_lamports=100_000,
        tip_lamports=10_000,
    )
    return swap, found


def test_the_trading_adapter_signs_lands_and_books_what_really_happened():
    async def session() -> None:
        async with hosted("calm") as (world, clock, transport):
            world.faults.set("solana.land_p", 1.0)
            refs = {m.spec.pool: PoolRef.from_pool(m.pool) for m in world.markets}
            events: list[object] = []
            settings = TradingSettings(
                mints=tuple(sorted(seeding.wallet_opening())), tip_accounts=seeding.tip_accounts()
            )
            desk = SolanaTrading(
                transport, ENDPOINTS, Keypair.from_bytes(world.credentials.wallet_secret),
                refs.get, settings, clock=clock, rng=seeded_random(2), sink=events.append,
            )  # fmt: skip
            async with running(desk.run()):
                # The short fuse signs on a hash about 110 blocks old: wait for one.
                await asyncio.sleep(60)
                assert desk.is_ready
                for asset in ("SOL", "JUP", "WIF"):
                    await one_trade(world, desk, asset, events, clock)
                balances = await desk.balances()
            true = world.chain.books.balances_raw(world.credentials.wallet, world.chain.bank)
            assert balances == true

    async def one_trade(world, desk, asset, events, clock) -> None:
        swap, _ = swap_for(world, asset, clock.now_ns() // 10**9)
        signed = desk.sign(swap)
        desk.watch(signed.signature)
        await desk.broadcast(signed.raw)
        await asyncio.sleep(20)
        sightings = [e for e in events if isinstance(e, TxSighting)]
        mine = [e for e in sightings if e.signature == signed.signature]
        assert mine
        assert {e.error for e in mine} == {None}
        receipt = await desk.receipt(signed.signature, commitment="finalized")
        record = world.chain.record(signed.signature)
        assert receipt.slot == record.slot
        assert receipt.fee_lamports == record.meta.fee_lamports == 25_000
        assert receipt.tip_lamports == 10_000
        market = seeding.market_of(asset)
        assert receipt.deltas_raw[market.pool.mint_a] == -swap.amount_raw
        assert receipt.deltas_raw[market.pool.mint_b] >= swap.threshold_raw
        told = [e for e in events if isinstance(e, TokenBalance)]
        last = {e.mint: e.raw for e in told}
        account = seeding.token_account_of(world.credentials.wallet, market.pool.mint_b)
        assert last[market.pool.mint_b] == world.chain.bank.raw(account)

    run_virtual(session())
