"""The database slow, away, or silent about a commit: nothing is sent that is not durable."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg

from arbsite.errors import Fenced
from trading.records import DayRelease, TradeRecord
from trading.storage.intent_line import IntentText
from trading.storage.store import TradeStore
from trading.tests.stories.desk import Scene, story


class Outage(TradeStore):
    """Real commits; the test decides when the server is away, slow, or loses its answer."""

    is_down = False
    loses_answers = 0
    intent_delay_s = 0.0

    async def commit(self, trade: TradeRecord, *, release: DayRelease | None = None) -> None:
        before = trade.version
        if self.is_down:
            raise psycopg.OperationalError("connection refused")
        await super().commit(trade, release=release)
        if self.loses_answers:
            self.loses_answers -= 1
            trade.version = before
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    async def _call_record_intent(self, text: IntentText) -> str:
        if self.is_down:
            raise psycopg.OperationalError("connection refused")
        verdict = await super()._call_record_intent(text)
        await asyncio.sleep(self.intent_delay_s)
        if self.loses_answers:
            self.loses_answers -= 1
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return verdict

    async def has_trade(self, trade_id: Any) -> bool:
        if self.is_down:
            raise psycopg.OperationalError("connection refused")
        return await super().has_trade(trade_id)


@story
async def test_an_intent_older_than_200_ms_is_not_sent(scene: Scene) -> None:
    engine = await scene.engine(Outage)
    engine.store.intent_delay_s = 0.25
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "stale", "dex#1": "stale"}
    trade = await scene.trade()
    assert trade["reason"] == "not sent: the intent was 250 ms old"
    assert (trade["state"], trade["wired_ns"]) == ("closed", None)
    assert scene.venues.exchange.accounts.orders == {}
    assert engine.solana.counters.sends == 0
    (closed,) = engine.closed
    assert (closed.outcome, closed.cex_filled_ratio, closed.dex_landed) == ("stale", None, None)


@story
async def test_a_wall_clock_set_back_makes_no_old_intent_young(scene: Scene) -> None:
    engine = await scene.engine(Outage)
    engine.store.intent_delay_s = 0.25
    ahead_ns = scene.venues.clock.now_ns() + 3600 * 10**9
    await engine.executor.execute(scene.intent(decided_ns=ahead_ns))
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "stale", "dex#1": "stale"}


@story
async def test_no_database_means_no_trade(scene: Scene) -> None:
    engine = await scene.engine(Outage)
    engine.store.is_down = True
    executing = asyncio.create_task(engine.executor.execute(scene.intent()))
    await asyncio.sleep(5.0)
    engine.store.is_down = False
    await executing
    await engine.until_idle()
    assert await scene.attempts() == {}
    (refused,) = [event for event in engine.heard if type(event).__name__ == "IntentRefused"]
    assert refused.reason == "the database lost the intent"


@story
async def test_a_lost_answer_of_the_intent_is_asked_for_and_the_trade_goes_on(
    scene: Scene,
) -> None:
    engine = await scene.engine(Outage)
    engine.store.loses_answers = 1
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert (await scene.trade())["outcome"] == "both"


@story
async def test_an_intent_whose_commit_stays_unknown_is_found_and_closed_unsent(
    scene: Scene,
) -> None:
    engine = await scene.engine(Outage)
    engine.store.loses_answers = 2
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "stale", "dex#1": "stale"}
    assert (await scene.trade())["state"] == "closed"


@story
async def test_the_second_leg_waits_for_the_database(scene: Scene) -> None:
    engine = await scene.engine(Outage)
    await engine.executor.execute(scene.intent("dex_first"))
    engine.store.is_down = True
    await asyncio.sleep(2.0)
    assert scene.venues.chain.landed_count == 1
    assert scene.venues.exchange.accounts.orders == {}
    engine.store.is_down = False
    await engine.until_idle()
    assert (await scene.trade())["residual_base"] == 0
    assert len(scene.venues.exchange.accounts.orders) == 1


@story
async def test_a_short_outage_only_delays_the_second_leg(scene: Scene) -> None:
    engine = await scene.engine(Outage)
    await engine.executor.execute(scene.intent("dex_first"))
    runner = next(iter(engine.executor._runners))
    while runner.trade.attempts[0].state == "planned":
        engine.store.is_down = True
        await asyncio.sleep(0.01)
    assert scene.venues.exchange.accounts.orders == {}
    engine.store.is_down = False
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "done"}
    assert (await scene.trade())["outcome"] == "both"


@story
async def test_every_commit_loses_its_first_answer(scene: Scene) -> None:
    class Forgetful(Outage):
        async def commit(self, trade: TradeRecord, *, release: DayRelease | None = None) -> None:
            self.loses_answers = 0 if self.loses_answers or self.is_second else 1
            self.is_second = not self.is_second
            await super().commit(trade, release=release)

        is_second = False

    engine = await scene.engine(Forgetful)
    scene.faults.set("solana.fail_next", True)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert (await scene.trade())["outcome"] == "hedged"
    (day,) = await scene.rows("SELECT * FROM risk_riskday")
    assert (day["notional_reserved"], day["notional_used"]) == (0, 150)


@story
async def test_two_engines_started_by_mistake_trade_once(scene: Scene) -> None:
    old = await scene.engine()
    await old.executor.execute(scene.intent("cex_first"))
    new = await scene.engine()
    await old.executor.failed.wait()
    assert isinstance(old.executor.failure, Fenced)
    await old.kill()
    await new.until_idle()
    assert len(scene.venues.exchange.accounts.orders) <= 2
    assert (await scene.trade())["residual_base"] == 0


@story
async def test_an_engine_that_was_replaced_cannot_start_a_trade(scene: Scene) -> None:
    old = await scene.engine()
    new = await scene.engine()
    intent = scene.intent()
    try:
        await old.executor.execute(intent)
    except Fenced:
        pass
    else:
        raise AssertionError("a stale engine recorded an intent")
    await new.executor.execute(intent)
    await new.until_idle()
    assert len(scene.venues.exchange.accounts.orders) == 1
