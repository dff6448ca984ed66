"""Sends whose outcome nobody told: an order is found, or proven not to be there."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from arbsite.errors import NotSent
from feeds.sim.kraken.records import OrderRequest
from feeds.venues.base import CexOrderState
from trading.tests.stories.desk import Scene, story


@story
async def test_the_ack_is_lost_and_the_order_was_placed_so_it_is_booked_once(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.ack_lost_placed_p", 1.0)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "done"}
    assert (await scene.trade())["outcome"] == "both"
    assert len(scene.venues.exchange.accounts.orders) == 1


@story
async def test_ack_and_stream_are_lost_so_the_order_is_found_in_the_records(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.ack_lost_placed_p", 1.0)
    await engine.executor.execute(scene.intent())
    while not scene.venues.exchange.accounts.orders:
        await asyncio.sleep(0.001)
    scene.faults.set("kraken.drop_sockets", True)
    scene.faults.set("kraken.ack_lost_placed_p", 0.0)
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "done"}
    assert (await scene.trade())["outcome"] == "both"
    assert len(scene.venues.exchange.accounts.orders) == 1


@story
async def test_the_order_never_arrived_so_it_is_dead_after_two_empty_reads(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.ack_lost_not_placed_p", 1.0)
    await engine.executor.execute(scene.intent("cex_first"))
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "dead", "dex#1": "stale"}
    (cex,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'cex'")
    reads = [item["at_ns"] for item in cex["evidence"] if "asked" in item]
    assert len(reads) == 2
    assert reads[0] - cex["deadline_ns"] > 3_500_000_000
    assert reads[1] - reads[0] >= 1_000_000_000
    assert (await scene.trade())["outcome"] == "missed"


@story
async def test_an_empty_read_that_waited_for_its_turn_is_still_a_second_before_the_next(
    scene: Scene,
) -> None:
    engine = await scene.engine()
    ask = engine.kraken.find_orders
    asked_ns: list[int] = []
    answered_ns: list[int] = []

    async def ask_slowly(*args: Any, **options: Any) -> list[CexOrderState]:
        asked_ns.append(scene.venues.clock.now_ns())
        await asyncio.sleep(0.9)
        found = await ask(*args, **options)
        answered_ns.append(scene.venues.clock.now_ns())
        return found

    engine.kraken.find_orders = ask_slowly  # type: ignore[method-assign]
    scene.faults.set("kraken.ack_lost_not_placed_p", 1.0)
    await engine.executor.execute(scene.intent("cex_first"))
    await engine.until_idle()
    assert (await scene.attempts())["cex#1"] == "dead"
    assert asked_ns[-1] - answered_ns[-2] >= 1_000_000_000


@story
async def test_the_order_never_arrived_but_the_swap_landed_so_we_hedge(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.ack_lost_not_placed_p", 1.0)
    await engine.executor.execute(scene.intent())
    await asyncio.sleep(1.0)
    scene.faults.set("kraken.ack_lost_not_placed_p", 0.0)
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "dead", "dex#1": "done", "hedge#1": "done"}
    assert (await scene.trade())["outcome"] == "hedged"


@story
async def test_a_failed_query_is_no_evidence_of_absence(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.ack_lost_not_placed_p", 1.0)
    scene.faults.set("kraken.html_502_p", 1.0, seconds=30.0)
    await engine.executor.execute(scene.intent("cex_first"))
    await asyncio.sleep(25.0)
    assert (await scene.attempts())["cex#1"] == "unknown"
    await engine.until_idle()
    assert (await scene.attempts())["cex#1"] == "dead"


@story
async def test_busy_is_not_a_refusal(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.service_busy_p", 1.0)
    await engine.executor.execute(scene.intent("cex_first"))
    await asyncio.sleep(0.5)
    states = await scene.attempts()
    executed = len(scene.venues.exchange.accounts.orders)
    assert states["cex#1"] == ("done" if executed else "unknown")
    await engine.until_idle()
    assert (await scene.attempts())["cex#1"] == ("done" if executed else "dead")


@story
async def test_a_refusal_ends_the_leg_at_once(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.rate_limited_p", 1.0)
    await engine.executor.execute(scene.intent("cex_first"))
    await asyncio.sleep(0.5)
    assert await scene.attempts() == {"cex#1": "dead", "dex#1": "stale"}
    await engine.until_idle()
    assert (await scene.trade())["outcome"] == "missed"


@story
async def test_fills_come_before_the_ack_and_twice(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.executions_first_p", 1.0)
    scene.faults.set("kraken.duplicate_execution_p", 1.0)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert (await scene.trade())["outcome"] == "both"


@story
async def test_an_execution_is_lost_so_the_records_fill_the_gap(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.sequence_gap", True)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert (await scene.trade())["outcome"] == "both"


@story
async def test_records_show_up_late(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.visibility_lag_s", 8.0)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    trade = await scene.trade()
    assert (trade["outcome"], trade["is_verified"]) == ("both", True)


@story
async def test_a_dead_order_shows_up_after_all_and_is_unwound(scene: Scene) -> None:
    """The venue's records lag longer than our proof waits, and its stream is cut."""
    engine = await scene.engine()
    scene.faults.set("kraken.visibility_lag_s", 20.0)
    scene.faults.set("kraken.ack_lost_placed_p", 1.0)
    await engine.executor.execute(scene.intent("cex_first"))
    while not scene.venues.exchange.accounts.orders:
        await asyncio.sleep(0.001)
    # The new socket's snapshot must not tell either: only records remain.
    scene.faults.set("kraken.silent_after_ack", True)
    scene.faults.set("kraken.drop_sockets", True)
    scene.faults.set("kraken.ack_lost_placed_p", 0.0)
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "dead", "dex#1": "stale"}
    assert (await scene.trade())["state"] == "closed"
    scene.faults.set("kraken.silent_after_ack", False)
    await asyncio.sleep(40.0)
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "stale", "hedge#1": "done"}
    trade = await scene.trade()
    assert (trade["state"], trade["outcome"], trade["residual_base"]) == ("closed", "hedged", 0)
    assert scene.stops == []


@story
async def test_an_order_of_nobody_stops_the_desk(scene: Scene) -> None:
    engine = await scene.engine()
    venues = scene.venues
    venues.exchange.place(
        venues.credentials.kraken_key,
        OrderRequest(
            symbol="SOL/USD",
            side="sell",
            qty=Decimal("0.5"),
            limit_price=Decimal("151.50"),
            deadline_ns=venues.clock.now_ns() + 10**9,
        ),
    )
    await asyncio.sleep(0.5)
    assert scene.stops == [("*", "stray_fill")]
    await engine.until_idle()
    # What a hand traded is not the desk's trade: the audit of this story must not find it.
    scene.is_audited = False


@story
async def test_solana_answers_are_lost_but_the_swap_is_found_by_its_signature(
    scene: Scene,
) -> None:
    engine = await scene.engine()
    scene.faults.set("solana.rpc_timeout_p", 1.0, seconds=6.0)
    await engine.executor.execute(scene.intent())
    await asyncio.sleep(3.0)
    assert (await scene.attempts())["dex#1"] in ("unknown", "acked")
    await engine.until_idle()
    assert (await scene.trade())["outcome"] == "both"


@story
async def test_dropped_bytes_are_sent_again_until_they_land(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("solana.drop_tx_p", 1.0, seconds=2.5)
    await engine.executor.execute(scene.intent("dex_first"))
    await engine.until_idle()
    assert (await scene.trade())["outcome"] == "both"
    assert engine.solana.counters.sends >= 3
    assert scene.venues.chain.landed_count == 1


@story
async def test_an_adapter_that_is_not_ready_refuses_before_anything_is_durable(
    scene: Scene,
) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.drop_sockets", True)
    await asyncio.sleep(0.01)
    await engine.executor.execute(scene.intent())
    assert await scene.rows("SELECT * FROM trading_trade") == []
    (refused,) = [event for event in engine.heard if type(event).__name__ == "IntentRefused"]
    assert "not ready" in refused.reason


@story
async def test_a_leg_that_never_left_is_not_counted_as_a_try(scene: Scene) -> None:
    engine = await scene.engine()

    class Closed(type(engine.kraken)):
        async def submit(self, order):
            raise NotSent("the private socket is not up")

    engine.kraken.__class__ = Closed
    await engine.executor.execute(scene.intent("cex_first"))
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "stale", "dex#1": "stale"}
    (closed,) = engine.closed
    assert (closed.outcome, closed.cex_filled_ratio, closed.dex_landed) == ("stale", None, None)
