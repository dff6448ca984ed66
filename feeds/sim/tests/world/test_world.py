"""One seed is one world; tokens are conserved; forks and restarts leave no trace."""

from __future__ import annotations

import asyncio
import hashlib
import json
from decimal import Decimal

import pytest

from arbsite.clock import LoopClock, ManualClock
from feeds.sim import seeding
from feeds.sim.competitors import pool_price
from feeds.sim.control import routes
from feeds.sim.hosting import PipeTransport
from feeds.sim.scenarios import SCENARIOS, scenario_of
from feeds.sim.truth import TruthStore
from feeds.sim.virtual_loop import run_virtual
from feeds.sim.world import World

START_NS = 1_790_000_000_000_000_000


def started(name: str = "busy", seed: int = 7, truth: TruthStore | None = None) -> World:
    world = World(scenario_of(name), seed, truth or TruthStore(), ManualClock(START_NS))
    world.start()
    return world


def run(world: World, seconds: float) -> None:
    world.schedule.run_until(world.schedule.now_ns + int(seconds * 1e9))


def path(world: World, seconds: int) -> str:
    """A digest of everything the world showed, second by second."""
    digest = hashlib.sha256()
    for _ in range(seconds):
        run(world, 1.0)
        books = [world.exchange.levels(symbol) for symbol in sorted(world.makers)]
        accounts = sorted(world.chain.bank.items(), key=lambda item: item[0])
        digest.update(repr((books, accounts, world.chain.newest.blockhash)).encode())
    return digest.hexdigest()


def test_the_same_seed_is_the_same_world():
    assert path(started(), 30) == path(started(), 30)


def test_another_seed_is_another_world():
    assert path(started(seed=7), 3) != path(started(seed=8), 3)


def test_catching_up_in_one_leap_is_the_same_path_as_small_steps():
    leap, steps = started(), started()
    run(leap, 20)
    for _ in range(200):
        run(steps, 0.1)
    assert dict(leap.chain.bank.items()) == dict(steps.chain.bank.items())
    assert leap.exchange.levels("SOL/USD") == steps.exchange.levels("SOL/USD")


@pytest.mark.parametrize("name", SCENARIOS)
def test_tokens_and_lamports_are_conserved_to_the_unit(name):
    world = started(name)
    before = world.chain.bank.totals()
    run(world, 60)
    assert world.chain.bank.totals() == before
    moved = [world.chain.bank.pool(market.spec.pool) != market.pool for market in world.markets]
    assert any(moved)


def test_forks_in_a_lively_market_lose_and_make_nothing():
    world = started()
    before = world.chain.bank.totals()
    for _ in range(60):
        run(world, 0.9)
        world.faults.set("solana.fork", True)
    run(world, 5)
    assert world.chain.bank.totals() == before
    assert world.chain.slot - 300_000_000 - (world.chain.height - 280_000_000) >= 55


def test_pools_follow_kraken_because_competitors_bring_them_back():
    world = started()
    gaps = []
    for _ in range(240):
        run(world, 0.5)
        for market in world.markets:
            bid, ask = world.exchange.levels(market.spec.cex_symbol)
            mid = (bid[0][0] + ask[0][0]) / 2 * 10.0**-market.spec.price_precision
            mid *= world.usd_of(market.spec.cex_quote) / world.usd_of("USDC")
            pool = world.chain.bank.pool(market.spec.pool)
            gaps.append(abs(pool_price(pool, market) / mid - 1) * 1e4)
    gaps.sort()
    assert gaps[len(gaps) // 2] < 15
    assert gaps[len(gaps) * 9 // 10] < 45
    assert sum(each.trades for each in world.competitors) > 20


def test_books_keep_their_shape_and_never_cross():
    world = started("violent")
    for _ in range(120):
        run(world, 0.5)
        for symbol in world.makers:
            bids, asks = world.exchange.levels(symbol)
            assert bids[0][0] < asks[0][0]
            assert 8 <= len(bids) <= 25
            assert 8 <= len(asks) <= 25
    for symbol in ("USDC/USD", "USDT/USD"):
        assert 0.99 < world.prices[symbol.partition("/")[0]].usd < 1.01


def test_a_restart_goes_on_from_the_truth(tmp_path):
    truth_path = tmp_path / "truth.sqlite3"
    world = started(truth=TruthStore(truth_path))
    run(world, 30)
    accounts, summary = dict(world.chain.bank.items()), world.summary()
    # The dead world is not closed: its rows must already be there.
    clock = ManualClock(world.schedule.now_ns + 10_000_000_000)
    again = World(scenario_of("busy"), 7, TruthStore(truth_path), clock)
    assert dict(again.chain.bank.items()) == accounts
    restored = again.summary()
    assert restored["kraken"] == summary["kraken"]
    assert restored["solana"]["balances"] == summary["solana"]["balances"]
    assert restored["starts"] == 2
    assert again.chain.slot >= world.chain.slot + 20
    for asset, price in world.prices.items():
        assert again.prices[asset].usd == pytest.approx(price.usd, rel=2e-3)
    again.start()
    totals = again.chain.bank.totals()
    run(again, 30)
    assert again.chain.bank.totals() == totals


def test_both_venues_serve_through_pipes_in_virtual_time():
    async def session() -> list[object]:
        clock = LoopClock(START_NS)
        world = World(scenario_of("busy"), 7, TruthStore(), clock)
        transport = PipeTransport(
            {
                "kraken": routes(world, world.kraken),
                "sim-a": routes(world, world.nodes[0]),
                "sim-b": routes(world, world.nodes[1]),
            }
        )
        world.start()
        moving = asyncio.create_task(world.schedule.run(clock))
        slots = await transport.connect("ws://sim-a/")
        await slots.send('{"jsonrpc":"2.0","id":1,"method":"slotSubscribe"}')
        books = await transport.connect("ws://kraken/v2")
        await books.send(
            '{"method":"subscribe","params":{"channel":"book","symbol":["SOL/USD"],"depth":10}}'
        )
        seen = [json.loads(await slots.recv()) for _ in range(40)]
        seen += [json.loads(await books.recv()) for _ in range(60)]
        moving.cancel()
        reply = await transport.http("GET", "http://sim-b/sim/truth/summary")
        seen.append(json.loads(reply.body))
        await slots.close()
        await books.close()
        await transport.close()
        world.stop()
        return seen

    first, second = run_virtual(session()), run_virtual(session())
    assert first == second
    notices = [frame for frame in first if frame.get("method") == "slotNotification"]
    assert len(notices) == 39
    assert any(frame.get("channel") == "book" for frame in first)


def test_our_opening_inventory_is_balanced_and_in_the_ledger():
    world = started()
    summary = world.summary()
    usd = {"USD": 1.0, "USDT": 1.0, "USDC": 1.0} | {
        market.spec.asset: market.start_usd for market in world.markets
    }
    kraken = summary["kraken"]["balances"]
    for market in world.markets:
        assert Decimal(kraken[market.spec.asset]) * Decimal(market.start_usd) == pytest.approx(
            Decimal(50_000), rel=Decimal("0.001")
        )
    assert sum(float(amount) * usd[asset] for asset, amount in kraken.items()) > 200_000
    for account in (world.credentials.kraken_key, world.credentials.wallet):
        entries = world.truth.ledger(account)
        assert entries
        assert {entry.kind for entry in entries} == {"opening"}
    assert summary["solana"]["balances"]["SOL"] == "5.000000000"


def test_the_three_markets_cover_both_kinds_and_both_orientations():
    specs = [market.spec for market in seeding.simulated_markets()]
    assert {spec.pool_kind for spec in specs} == {"whirlpool", "cpmm"}
    assert {spec.base_is_a for spec in specs} == {True, False}
    assert {spec.cex_quote for spec in specs} == {"USD", "USDT"}
    for market in seeding.simulated_markets():
        pool, spec = market.pool, market.spec
        assert seeding.key_of(pool.mint_a) < seeding.key_of(pool.mint_b)
        assert (pool.mint_a if spec.base_is_a else pool.mint_b) == spec.base_mint
        assert spec.raw_from_lots(spec.step_lots) > 0
