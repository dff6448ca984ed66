"""Engines killed at every point: the next one finishes the trade, and nothing happens twice.

`verify` after each story holds orders, fills and ledger against the venues' own truth.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from arbsite.clock import seeded_random
from feeds.tests.conformance.venues import run_patient
from trading.intent import LegOrder
from trading.records import DayRelease, TradeRecord
from trading.storage.intent_line import IntentText
from trading.storage.store import TradeStore
from trading.tests.stories.desk import Scene, story, tell

ORDERS: tuple[LegOrder, ...] = ("concurrent", "dex_first", "cex_first")
# From before anything left to after the swap is final.
MOMENTS_S = (0.0, 0.005, 0.012, 0.03, 0.08, 0.2, 0.45, 0.6, 0.9, 1.5, 3.0, 8.0, 14.0)


class Mortal(TradeStore):
    """Dies at its n-th durable act, just before or just after the commit."""

    deaths: asyncio.Event
    acts_left = 10**9
    dies_after_commit = False

    async def commit(self, trade: TradeRecord, *, release: DayRelease | None = None) -> None:
        await self._die_when_due(before=True)
        await super().commit(trade, release=release)
        await self._die_when_due(before=False)

    async def _call_record_intent(self, text: IntentText) -> str:
        await self._die_when_due(before=True)
        verdict = await super()._call_record_intent(text)
        await self._die_when_due(before=False)
        return verdict

    async def _die_when_due(self, *, before: bool) -> None:
        if before:
            self.acts_left -= 1
        if self.acts_left == 0 and before != self.dies_after_commit:
            self.deaths.set()
            await asyncio.Event().wait()


async def trade_and_die(scene: Scene, order: LegOrder, acts: int, *, after: bool) -> bool:
    """Finish what the last engine left, trade, and tell whether we lived to the n-th act."""
    engine = await scene.engine(Mortal)
    await engine.until_idle()
    scene.venues.quote()
    store = engine.store
    assert isinstance(store, Mortal)
    store.deaths, store.acts_left, store.dies_after_commit = asyncio.Event(), acts, after
    executing = asyncio.create_task(engine.executor.execute(scene.intent(order)))
    idle = asyncio.create_task(until_executed(engine, executing))
    dying = asyncio.create_task(store.deaths.wait())
    await asyncio.wait({dying, idle}, return_when=asyncio.FIRST_COMPLETED)
    has_died = dying.done()
    for task in (executing, idle, dying):
        task.cancel()
    await engine.kill()
    await asyncio.gather(executing, idle, dying, return_exceptions=True)
    return has_died


async def until_executed(engine: Any, executing: asyncio.Task[None]) -> None:
    await executing
    await engine.until_idle()


@pytest.mark.parametrize("order", ORDERS)
def test_killed_before_and_after_every_commit(desk_url: str, order: LegOrder) -> None:
    async def body(scene: Scene) -> None:
        died = 0
        for acts in range(1, 30):
            fates = [
                await trade_and_die(scene, order, acts, after=after) for after in (False, True)
            ]
            died += sum(fates)
            if not any(fates):
                break
        assert died >= 8
        heir = await scene.engine()
        await heir.until_idle()
        trades = await scene.rows("SELECT state, residual_base FROM trading_trade")
        assert {row["state"] for row in trades} == {"closed"}
        assert {row["residual_base"] for row in trades} == {0}

    run_patient(tell(desk_url, body))


@pytest.mark.parametrize("order", ORDERS)
def test_killed_at_any_moment(desk_url: str, order: LegOrder) -> None:
    async def body(scene: Scene) -> None:
        for moment_s in MOMENTS_S:
            scene.venues.quote()
            engine = await scene.engine()
            await engine.executor.execute(scene.intent(order))
            await asyncio.sleep(moment_s)
            await engine.kill()
        engine = await scene.engine()
        await engine.until_idle()
        trades = await scene.rows("SELECT state, residual_base FROM trading_trade")
        assert {row["state"] for row in trades} == {"closed"}
        assert {row["residual_base"] for row in trades} == {0}

    run_patient(tell(desk_url, body))


@story
async def test_killed_after_the_swap_left_keeps_the_old_signal_from_being_sent(
    scene: Scene,
) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent("dex_first"))
    await asyncio.sleep(0.05)
    await engine.kill()
    heir = await scene.engine()
    await heir.until_idle()
    assert await scene.attempts() == {"cex#1": "stale", "dex#1": "done", "hedge#1": "done"}
    (stale,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'cex'")
    assert stale["evidence"][0]["answer"] == "planned before a restart"


@story
async def test_killed_while_recovering(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.ack_lost_placed_p", 1.0)
    await engine.executor.execute(scene.intent())
    await asyncio.sleep(0.1)
    for pause_s in (0.0, 0.1, 0.4, 1.0, 2.0):
        await engine.kill()
        engine = await scene.engine()
        await asyncio.sleep(pause_s)
    await engine.until_idle()
    assert (await scene.trade())["outcome"] == "both"
    assert len(scene.venues.exchange.accounts.orders) == 1


@story
async def test_the_venue_was_away_at_the_restart(scene: Scene) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent())
    await asyncio.sleep(0.03)
    await engine.kill()
    scene.faults.set("kraken.html_502_p", 1.0, seconds=10.0)
    heir = await scene.engine()
    await heir.until_idle()
    assert (await scene.trade())["state"] == "closed"


FAULTS: tuple[tuple[str, Any], ...] = (
    ("kraken.ack_lost_placed_p", 0.3),
    ("kraken.ack_lost_not_placed_p", 0.3),
    ("kraken.service_busy_p", 0.3),
    ("kraken.partial_p", 0.4),
    ("kraken.zero_fill_p", 0.2),
    ("kraken.duplicate_execution_p", 0.5),
    ("kraken.executions_first_p", 0.5),
    ("kraken.sequence_gap", True),
    ("kraken.drop_sockets", True),
    ("kraken.html_502_p", 0.4),
    ("kraken.visibility_lag_s", 2.5),
    ("solana.fail_next", True),
    ("solana.land_p", 0.4),
    ("solana.drop_tx_p", 0.5),
    ("solana.rpc_429_p", 0.3),
    ("solana.rpc_timeout_p", 0.2),
    ("solana.drop_sockets", True),
    ("solana.fork", True),
)


@pytest.mark.parametrize("seed", range(4))
def test_many_trades_many_faults_many_deaths(desk_url: str, seed: int) -> None:
    """Twelve trades under random faults; every third engine is killed at a random moment."""
    rng = seeded_random(f"deaths/{seed}")

    async def body(scene: Scene) -> None:
        engine = await scene.engine()
        for _ in range(12):
            scene.venues.quote()
            for name, value in rng.sample(FAULTS, 3):
                if isinstance(value, bool):
                    scene.faults.set(name, value)
                else:
                    scene.faults.set(name, value, seconds=rng.uniform(1.0, 6.0))
            await engine.executor.execute(scene.intent(rng.choice(ORDERS), sol="0.5"))
            await asyncio.sleep(rng.choice((0.01, 0.1, 1.0, 20.0)))
            if rng.random() < 0.3:
                await engine.kill()
                engine = await scene.engine()
        scene.faults.reset()
        scene.faults.set("solana.land_p", 1.0)
        # Longer than any proof, and than a reconciliation.
        await asyncio.sleep(100.0)
        await engine.until_idle()
        assert len(await scene.rows("SELECT id FROM trading_trade")) >= 3

    run_patient(tell(desk_url, body))
