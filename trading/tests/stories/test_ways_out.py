"""A parked trade leaves OPERATOR: each way ends with our ledger equal to the venues' truth."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from arbsite.clock import SystemClock, at_from_ns, uuid7
from feeds.venues.base import CexOrder
from trading.execution.resolution_orders import ResolutionOrders
from trading.tests.stories.desk import EngineProcess, Scene, story

D = Decimal


def orders_of(engine: EngineProcess) -> ResolutionOrders:
    return ResolutionOrders(engine.store, engine.executor, engine.desk.clock, shard="main")


async def order(scene: Scene, act: str, **columns: Any) -> UUID:
    """What `trading.resolutions` writes, straight into the table."""
    trade, order_id = await scene.trade(), uuid7()
    at = at_from_ns(SystemClock().now_ns())
    values = {
        "venue": "", "reference": "", "detail": {}, "expires_at": at + timedelta(minutes=5)
    } | columns  # fmt: skip
    async with await psycopg.AsyncConnection.connect(scene.dsn) as conn:
        await conn.execute(
            "INSERT INTO trading_resolution (id, trade_id, act, state, venue, reference, detail,"
            ' "user", idempotency_key, reason, approved_by, answer, created_at, expires_at)'
            " VALUES (%s, %s, %s, 'requested', %s, %s, %s, 'ada', %s, 'why', '', '', %s, %s)",
            [
                order_id, trade["id"], act, values["venue"], values["reference"],
                Jsonb(values["detail"]), str(order_id), at, values["expires_at"],
            ],
        )  # fmt: skip
    return order_id


async def answer(scene: Scene, order_id: UUID) -> dict[str, Any]:
    (row,) = await scene.rows("SELECT * FROM trading_resolution WHERE id = %s", order_id)
    return row


async def carried_out(
    scene: Scene, engine: EngineProcess, act: str, **columns: Any
) -> dict[str, Any]:
    order_id = await order(scene, act, **columns)
    await orders_of(engine).take()
    await engine.until_idle()
    return await answer(scene, order_id)


async def parked(scene: Scene) -> EngineProcess:
    """1 SOL bought on the pool that Kraken did not take, all hedges used up."""
    engine = await scene.engine()
    scene.faults.set("kraken.zero_fill_p", 1.0)
    await engine.executor.execute(scene.intent("dex_first"))
    await engine.until_idle()
    assert (await scene.trade())["state"] == "operator"
    scene.faults.set("kraken.zero_fill_p", 0.0)
    return engine


async def place_by_hand(scene: Scene, engine: EngineProcess, side: str = "sell") -> str:
    """An order a person places past the engine; returns its id at the venue."""
    deadline_ns = scene.venues.clock.now_ns() + 10**9
    ack = await engine.kraken.submit(
        CexOrder("by hand", "SOL/USD", side, D(1), D("151.00"), deadline_ns)
    )
    await asyncio.sleep(0.5)
    return ack.order_id


@story
async def test_flatten_with_a_preview_and_one_order(scene: Scene) -> None:
    engine = await parked(scene)
    preview = await carried_out(scene, engine, "preview")
    assert (preview["state"], preview["detail"]["side"]) == ("done", "sell")
    assert (preview["detail"]["price"], preview["detail"]["qty"]) == ("151.50", "1.00000000")
    assert D(preview["detail"]["cost_usd"]) > 0
    orders = len(scene.venues.exchange.accounts.orders)
    done = await carried_out(scene, engine, "flatten", detail=preview["detail"])
    assert done["answer"] == "order hedge#4 was sent"
    trade = await scene.trade()
    assert (trade["state"], trade["outcome"], trade["residual_base"]) == ("closed", "hedged", 0)
    assert len(scene.venues.exchange.accounts.orders) == orders + 1
    (day,) = await scene.rows("SELECT * FROM risk_riskday")
    assert day["realised"] == trade["realised_pnl_usd"] == trade["day_pnl_usd"]
    assert len(engine.closed) == 1


@story
async def test_a_flatten_that_does_not_fill_is_a_persons_again(scene: Scene) -> None:
    engine = await parked(scene)
    preview = await carried_out(scene, engine, "preview")
    scene.venues.quote(bid=14_000)
    orders = len(scene.venues.exchange.accounts.orders)
    await carried_out(scene, engine, "flatten", detail=preview["detail"])
    trade = await scene.trade()
    assert trade["state"] == "operator"
    assert trade["reason"].endswith("left after the flatten that was ordered")
    assert len(scene.venues.exchange.accounts.orders) == orders + 1


@story
async def test_a_killed_desk_flattens_only_what_a_person_orders(scene: Scene) -> None:
    engine = await parked(scene)
    scene.mode = "halt"
    preview = await carried_out(scene, engine, "preview")
    await carried_out(scene, engine, "flatten", detail=preview["detail"])
    assert (await scene.trade())["state"] == "closed"


@story
async def test_a_flatten_for_another_residual_is_refused(scene: Scene) -> None:
    engine = await parked(scene)
    preview = await carried_out(scene, engine, "preview")
    refused = await carried_out(
        scene, engine, "flatten", detail=preview["detail"] | {"residual_base": "2"}
    )
    assert (refused["state"], refused["answer"]) == (
        "refused",
        "the residual moved since the preview",
    )
    assert (await scene.trade())["state"] == "operator"


@story
async def test_keep_it_as_inventory(scene: Scene) -> None:
    engine = await parked(scene)
    done = await carried_out(scene, engine, "keep")
    assert done["state"] == "done"
    trade = await scene.trade()
    assert (trade["state"], trade["residual_base"]) == ("closed", 1)
    assert (trade["reason"], trade["is_verified"]) == ("kept as inventory by ada", True)


@story
async def test_attach_the_order_a_person_placed_by_hand(scene: Scene) -> None:
    engine = await parked(scene)
    order_id = await place_by_hand(scene, engine)
    done = await carried_out(scene, engine, "attach", venue="kraken", reference=order_id)
    assert done["state"] == "done", done["answer"]
    trade = await scene.trade()
    assert (trade["state"], trade["residual_base"], trade["is_verified"]) == ("closed", 0, True)
    # The person's own client id is none of ours: the audit of orders knows it by its fills.
    durable = await scene.rows("SELECT order_id FROM trading_attempt WHERE order_id <> ''")
    assert order_id in {row["order_id"] for row in durable}
    scene.is_audited = False
    await scene._verify_fills()
    ours = await scene.rows(
        "SELECT venue, venue_asset, sum(delta) AS total FROM trading_ledgerentry"
        " GROUP BY venue, venue_asset HAVING sum(delta) <> 0"
    )
    assert {(r["venue"], r["venue_asset"]): r["total"] for r in ours} == scene.venues.true_sums()


@story
async def test_a_record_that_is_not_there_or_of_another_trade_is_refused(scene: Scene) -> None:
    engine = await parked(scene)
    refused = await carried_out(scene, engine, "attach", venue="kraken", reference="OABC-1")
    assert refused["answer"] == "Kraken's records since this trade do not have it"
    refused = await carried_out(scene, engine, "attach", venue="solana", reference="1" * 64)
    assert refused["state"] == "refused"
    own = (await scene.rows("SELECT signature FROM trading_attempt WHERE leg = 'dex'"))[0]
    done = await carried_out(scene, engine, "attach", venue="solana", reference=own["signature"])
    assert done["answer"].startswith("it is a swap of this trade")
    trade = await scene.trade()
    assert (trade["state"], trade["residual_base"]) == ("operator", 1)


@story
async def test_a_proof_that_finds_nothing_leaves_the_trade_parked(scene: Scene) -> None:
    engine = await parked(scene)
    done = await carried_out(scene, engine, "prove")
    assert done["answer"].startswith("asked about 5 attempts: no news")
    assert (await scene.trade())["state"] == "operator"
    (first,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'cex'")
    assert any("as a person ordered" in str(item.get("asked")) for item in first["evidence"])


@story
async def test_stop_resending_ends_the_broadcasts_of_a_live_swap(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("solana.land_p", 0.0)
    await engine.executor.execute(scene.intent("dex_first"))
    await asyncio.sleep(1.5)
    order_id = await order(scene, "stop_resending")
    await orders_of(engine).take()
    await asyncio.sleep(0.3)
    assert (await answer(scene, order_id))["state"] == "done"
    sends = engine.solana.counters.sends
    await engine.kill()
    engine = await scene.engine()
    await engine.until_idle()
    assert engine.solana.counters.sends == 0
    assert sends > 0
    assert await scene.attempts() == {"cex#1": "stale", "dex#1": "dead"}


@story
async def test_an_order_wakes_the_engine_once_and_looking_for_orders_wakes_nobody(
    scene: Scene,
) -> None:
    """Whoever looks at a wake-up and wakes itself by looking never sleeps again."""
    engine = await parked(scene)
    async with await psycopg.AsyncConnection.connect(scene.dsn, autocommit=True) as listener:
        await listener.execute("LISTEN spreadline")
        await orders_of(engine).take()
        await order(scene, "keep")
        await orders_of(engine).take()
        await engine.until_idle()
        await listener.execute("NOTIFY spreadline, 'the end'")
        heard = []
        async for note in listener.notifies(timeout=5):
            heard.append(note.payload)
            if note.payload == "the end":
                break
    assert heard.count("resolution") == 1


@story
async def test_an_order_taken_by_an_engine_that_died_is_carried_out_by_the_next(
    scene: Scene,
) -> None:
    engine = await parked(scene)
    order_id = await order(scene, "keep")
    async with await psycopg.AsyncConnection.connect(scene.dsn) as conn:
        await conn.execute(
            "UPDATE trading_resolution SET state = 'taken', epoch = %s", [engine.store.epoch]
        )
    await engine.kill()
    second = await scene.engine()
    await orders_of(second).take()
    await second.until_idle()
    assert (await answer(scene, order_id))["state"] == "done"
    assert (await scene.trade())["state"] == "closed"


@story
async def test_an_engine_that_was_replaced_takes_no_orders(scene: Scene) -> None:
    engine = await parked(scene)
    order_id = await order(scene, "keep")
    await scene.engine()
    await orders_of(engine).take()
    assert (await answer(scene, order_id))["state"] == "requested"


@story
async def test_an_order_nobody_took_in_time_expires(scene: Scene) -> None:
    engine = await parked(scene)
    past = at_from_ns(scene.venues.clock.now_ns()) - timedelta(seconds=1)
    expired = await carried_out(scene, engine, "keep", expires_at=past)
    assert expired["state"] == "expired"
    assert (await scene.trade())["state"] == "operator"
