"""Trades in which one venue did not do its part: hedge, flatten, or hand over to a person."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise

from trading.execution.ports import Protocolled
from trading.tests.stories.desk import Scene, replace, story


@story
async def test_kraken_fills_but_the_swap_fails_so_we_hedge(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("solana.fail_next", True)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "done", "hedge#1": "done"}
    trade = await scene.trade()
    assert (trade["outcome"], trade["residual_base"]) == ("hedged", 0)
    fees = await scene.rows("SELECT * FROM trading_ledgerentry WHERE venue = 'solana'")
    assert [row["kind"] for row in fees] == ["fee"]
    assert engine.closed[0].dex_landed is False
    naked_s = (trade["naked_until_ns"] - trade["naked_from_ns"]) / 1e9
    assert 0 < naked_s < 5


@story
async def test_the_swap_breaks_its_threshold_so_we_hedge(scene: Scene) -> None:
    engine = await scene.engine()
    intent = scene.intent()
    await engine.executor.execute(
        replace(intent, dex_threshold_raw=intent.dex_expected_quote_raw - 1)
    )
    await engine.until_idle()
    assert (await scene.trade())["outcome"] == "hedged"


@story
async def test_kraken_fills_but_the_swap_expires_so_we_hedge_before_its_death_is_proven(
    scene: Scene,
) -> None:
    engine = await scene.engine()
    scene.faults.set("solana.land_p", 0.0)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "dead", "hedge#1": "done"}
    (dex,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'dex'")
    (hedge,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'hedge'")
    asked = [item for item in dex["evidence"] if "asked" in item]
    assert [item["asked"].rpartition(" ")[2] for item in asked] == ["confirmed", "finalized"]
    assert all(len(item["answer"]) == 2 for item in asked)
    assert asked[0]["at_ns"] <= hedge["sent_ns"] < asked[1]["at_ns"]
    assert (await scene.trade())["outcome"] == "hedged"


@story
async def test_the_swap_goes_first_and_fails_so_nothing_else_is_sent(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("solana.fail_next", True)
    await engine.executor.execute(scene.intent("dex_first"))
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "stale", "dex#1": "done"}
    assert scene.venues.exchange.accounts.orders == {}
    trade = await scene.trade()
    assert trade["outcome"] == "missed"
    assert trade["realised_pnl_usd"] < 0


@story
async def test_kraken_fills_a_part_so_the_rest_is_hedged(scene: Scene) -> None:
    scene.venues.exchange.quote_ladder("SOL/USD", [(15_150, 40_000_000)], [(15_151, 10**9)])
    engine = await scene.engine()
    await engine.executor.execute(scene.intent("dex_first"))
    while not scene.venues.exchange.accounts.orders:
        await asyncio.sleep(0.02)
    scene.venues.quote(bid=15_140)
    await engine.until_idle()
    hedge = (await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'hedge'"))[0]
    assert (hedge["side"], hedge["filled_base"]) == ("sell", Decimal("0.6"))
    assert (await scene.trade())["outcome"] == "hedged"


@story
async def test_a_residual_below_the_venue_minimum_is_dust(scene: Scene) -> None:
    scene.venues.exchange.quote_ladder("SOL/USD", [(15_150, 99_000_000)], [(15_151, 10**9)])
    engine = await scene.engine()
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    trade = await scene.trade()
    assert (trade["outcome"], trade["residual_base"]) == ("both", Decimal("0.01"))
    assert trade["reason"] == "below the venue's minimum order"
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "done"}


@story
async def test_hedges_run_out_so_an_operator_is_called(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.zero_fill_p", 1.0)
    await engine.executor.execute(scene.intent("dex_first"))
    await engine.until_idle()
    trade = await scene.trade()
    assert (trade["state"], trade["reason"]) == ("operator", "no hedge attempts left")
    assert trade["residual_base"] == 1
    assert scene.stops == [("SOL", "residual_parked")]
    assert engine.closed[0].outcome == "operator"
    states = await scene.attempts()
    assert [states[f"hedge#{n}"] for n in (1, 2, 3)] == ["done"] * 3
    sent = await scene.rows("SELECT sent_ns FROM trading_attempt WHERE leg = 'hedge' ORDER BY seq")
    times = [row["sent_ns"] for row in sent]
    assert all(b - a >= 500_000_000 for a, b in pairwise(times))


@story
async def test_a_residual_above_the_naked_limit_goes_to_an_operator(scene: Scene) -> None:
    scene.settings = replace(scene.settings, max_naked_usd=Decimal(100))
    engine = await scene.engine()
    scene.faults.set("kraken.zero_fill_p", 1.0)
    await engine.executor.execute(scene.intent("dex_first"))
    await engine.until_idle()
    assert (await scene.trade())["reason"] == "residual above the naked limit"
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "done"}


@story
async def test_a_stop_while_the_swap_lands_leaves_the_book_leg_unsent(scene: Scene) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent("dex_first"))
    scene.mode = "stop_new"
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "stale", "dex#1": "done", "hedge#1": "done"}
    assert (await scene.trade())["outcome"] == "hedged"


@story
async def test_a_kill_while_the_swap_lands_leaves_its_residual_to_a_person(scene: Scene) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent("dex_first"))
    await asyncio.sleep(0.05)
    scene.mode = "halt"
    sends = engine.solana.counters.sends
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "stale", "dex#1": "done"}
    assert (await scene.trade())["state"] == "operator"
    assert engine.solana.counters.sends == sends


@story
async def test_a_fork_takes_the_swap_back_and_it_lands_again(scene: Scene) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent())
    while (await scene.attempts())["dex#1"] != "acked":
        await asyncio.sleep(0.01)
    scene.faults.set("solana.fork", True)
    await engine.until_idle()
    trade = await scene.trade()
    assert (trade["outcome"], trade["residual_base"]) == ("both", 0)
    assert (await scene.attempts())["dex#1"] == "done"


@story
async def test_a_fork_takes_the_swap_back_for_good_so_we_hedge_after_all(scene: Scene) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent())
    while not engine.closed:
        await asyncio.sleep(0.01)
    scene.faults.set("solana.land_p", 0.0)
    scene.faults.set("solana.fork", True)
    await engine.until_idle()
    trade = await scene.trade()
    assert (trade["state"], trade["outcome"], trade["residual_base"]) == ("closed", "hedged", 0)
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "dead", "hedge#1": "done"}
    assert len(engine.closed) == 1


@story
async def test_a_hedge_waits_while_kraken_is_away(scene: Scene) -> None:
    engine = await scene.engine(protocol=Protocolled())
    scene.faults.set("solana.fail_next", True)
    await engine.executor.execute(scene.intent())
    while not any(order.filled_qty for order in scene.venues.exchange.accounts.orders.values()):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    scene.faults.set("kraken.stall", True, seconds=10.0)
    scene.faults.set("kraken.drop_sockets", True)
    await engine.until_idle()
    assert (await scene.trade())["outcome"] == "hedged"
