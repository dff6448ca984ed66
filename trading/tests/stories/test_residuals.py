"""What happens to a residual: each way out, its limits, and what is kept about it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import psycopg

from arbsite.errors import ResidualMoved
from trading.execution.ports import OrdersPerMinute
from trading.execution.residual import ResidualLimits
from trading.tests.stories.desk import EngineProcess, Scene, replace, story

D = Decimal


async def hedges(scene: Scene) -> list[dict[str, Any]]:
    return await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'hedge' ORDER BY seq")


async def acts(scene: Scene) -> list[str]:
    return [verdict["act"] for verdict in (await scene.trade())["verdicts"]]


async def leave_a_long_residual(scene: Scene, engine: EngineProcess) -> None:
    """The swap lands, the book falls away before the order: 1 SOL is left over."""
    await engine.executor.execute(scene.intent("dex_first"))
    scene.venues.exchange.quote_ladder("SOL/USD", [(15_000, 10**10)], [(15_151, 10**10)])
    while not scene.venues.exchange.accounts.orders:
        await asyncio.sleep(0.01)


@story
async def test_the_order_after_the_swap_may_spend_the_rest_of_the_edge(scene: Scene) -> None:
    scene.market = {"taker": D("0.001")}
    engine = await scene.engine()
    intent = scene.intent("dex_first", cex_limit_ticks=15_150)
    await engine.executor.execute(intent)
    scene.venues.quote(bid=15_120)
    await engine.until_idle()
    (order,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'cex'")
    # 30 bps of slippage below 151.50 is the asset's cap; the edge would have paid for more.
    assert order["limit_price"] == D("151.05")
    trade = await scene.trade()
    assert (trade["outcome"], await hedges(scene)) == ("both", [])
    assert trade["realised_pnl_usd"] > 0


@story
async def test_the_limit_after_the_swap_never_gives_the_edge_away(scene: Scene) -> None:
    scene.market = {"taker": D("0.001")}
    scene.settings = replace(scene.settings, slippage_cap_bps=D(500))
    engine = await scene.engine()
    intent = scene.intent("dex_first")
    await engine.executor.execute(intent)
    await engine.until_idle()
    (order,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'cex'")
    worst = D(intent.dex_threshold_raw).scaleb(-6)
    assert 0 <= order["limit_price"] * D("0.999") - worst < D("0.02")


@story
async def test_a_second_swap_is_taken_when_it_is_cheaper(scene: Scene) -> None:
    spec = scene.venues.spec
    scene.market = {
        "taker": D("0.004"),
        "pool": scene.venues.chain.bank.pool(spec.pool),
        "pool_quote_usd": D(1),
    }
    engine = await scene.engine()
    scene.faults.set("solana.fail_next", True)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    (hedge,) = await hedges(scene)
    assert (hedge["venue"], hedge["side"], hedge["filled_base"]) == ("solana", "buy", 1)
    trade = await scene.trade()
    assert (trade["outcome"], trade["residual_base"]) == ("hedged", 0)
    (verdict,) = trade["verdicts"]
    assert (verdict["act"], verdict["venue"]) == ("hedge", "solana")
    costs = {(way["act"], way["venue"]): way["cost_usd"] for way in verdict["ways"]}
    assert D(costs["hedge", "solana"]) < D(costs["cross_back", "kraken"])


@story
async def test_a_wide_book_is_waited_for(scene: Scene) -> None:
    engine = await scene.engine()
    await leave_a_long_residual(scene, engine)
    while await acts(scene) != ["wait"]:
        await asyncio.sleep(0.05)
    scene.venues.quote(bid=15_090)
    await engine.until_idle()
    assert await acts(scene) == ["wait", "hedge"]
    (hedge,) = await hedges(scene)
    assert hedge["filled_base"] == 1


@story
async def test_a_wait_ends_when_the_price_runs_away(scene: Scene) -> None:
    scene.limits = ResidualLimits(max_wait_s=60.0)
    engine = await scene.engine()
    await leave_a_long_residual(scene, engine)
    while await acts(scene) != ["wait"]:
        await asyncio.sleep(0.05)
    began = asyncio.get_running_loop().time()
    scene.venues.exchange.quote_ladder("SOL/USD", [(14_900, 10**10)], [(15_100, 10**10)])
    while not await hedges(scene):
        await asyncio.sleep(0.05)
    assert asyncio.get_running_loop().time() - began < 2
    await engine.until_idle()
    assert (await scene.trade())["residual_base"] == 0


@story
async def test_a_small_residual_is_kept_where_hedging_is_dearer(scene: Scene) -> None:
    scene.market = {"taker": D("0.004"), "kraken_base": D(1000), "solana_base": D(1000)}
    scene.limits = ResidualLimits(max_keep_usd=D(200), max_wait_s=0.0)
    engine = await scene.engine()
    await leave_a_long_residual(scene, engine)
    await engine.until_idle()
    trade = await scene.trade()
    assert (trade["state"], trade["residual_base"]) == ("closed", 1)
    assert (trade["reason"], trade["is_verified"]) == ("kept as inventory", True)
    assert await hedges(scene) == []


@story
async def test_above_the_provisional_cap_the_hedge_waits_for_proof(scene: Scene) -> None:
    scene.limits = ResidualLimits(max_provisional_usd=D(100))
    engine = await scene.engine()
    scene.faults.set("solana.fail_next", True)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    (swap,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'dex'")
    (hedge,) = await hedges(scene)
    final = next(item for item in swap["evidence"] if item.get("event") == "filled_terminal")
    assert hedge["sent_ns"] >= final["at_ns"]
    wait, hedged = (await scene.trade())["verdicts"]
    assert (wait["is_provisional"], hedged["is_provisional"]) == (True, False)


@story
async def test_below_the_cap_the_hedge_goes_as_soon_as_the_failure_is_confirmed(
    scene: Scene,
) -> None:
    engine = await scene.engine()
    scene.faults.set("solana.fail_next", True)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    (verdict,) = (await scene.trade())["verdicts"]
    assert verdict["is_provisional"] is True
    assert verdict["naked_ms"] < 5_000


@story
async def test_a_parked_loss_counts_against_the_day_at_once(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.zero_fill_p", 1.0)
    await engine.executor.execute(scene.intent("dex_first"))
    scene.venues.quote(bid=14_000)
    await engine.until_idle()
    trade = await scene.trade()
    assert trade["state"] == "operator"
    (day,) = await scene.rows("SELECT * FROM risk_riskday")
    # One SOL bought near 150.1, marked at the middle of 140.00 and 140.01.
    assert D("-10.5") < day["realised"] < D("-9.5")
    assert (day["realised"], day["notional_reserved"]) == (trade["day_pnl_usd"], 150)
    told = trade["verdicts"][-1]
    assert told["act"] == "operator"
    # 26 bps of 140 USD (the taker fee is not known here) and half a tick.
    assert told["suggestion"] == "sell it on kraken, about 0.37 USD"


@story
async def test_a_hedge_is_refused_when_the_records_know_more_than_we_do(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("solana.fail_next", True)
    await engine.executor.execute(scene.intent())
    while not await scene.rows("SELECT 1 FROM trading_fill"):
        await asyncio.sleep(0.01)
    async with await psycopg.AsyncConnection.connect(scene.dsn) as conn:
        await conn.execute(
            "INSERT INTO trading_fill SELECT gen_random_uuid(), venue, 'unheard of', 'observed',"
            " base_delta, quote_delta, quote_asset, fee, fee_asset, at_ns, attempt_id"
            " FROM (SELECT venue, base_delta, quote_delta, quote_asset, fee, fee_asset, at_ns,"
            " attempt_id FROM trading_fill) AS f"
        )
    await engine.executor.failed.wait()
    assert isinstance(engine.executor.failure, ResidualMoved)
    assert await hedges(scene) == []
    assert len(scene.venues.exchange.accounts.orders) == 1
    scene.is_audited = False


@story
async def test_too_many_orders_within_a_minute_stop_what_is_new(scene: Scene) -> None:
    engine = await scene.engine()
    engine.executor = type(engine.executor)(
        msgspec.structs.replace(engine.desk, orders_per_minute=OrdersPerMinute(asset=3))
    )
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert len(await scene.rows("SELECT * FROM trading_trade")) == 1
    assert scene.stops == [("SOL", "order_rate")]
    assert engine.heard[-1].reason == "order_rate"
    await asyncio.sleep(60)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert len(await scene.rows("SELECT * FROM trading_trade")) == 2


@story
async def test_too_much_naked_in_all_stops_the_desk_and_is_still_hedged(scene: Scene) -> None:
    scene.limits = ResidualLimits(max_naked_usd=D(100))
    engine = await scene.engine()
    scene.faults.set("solana.fail_next", True)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert ("*", "naked_limit") in scene.stops
    assert (await scene.trade())["outcome"] == "hedged"
