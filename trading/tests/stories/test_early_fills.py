"""The private stream repeats our last fills before recovery has begun (found by seed 1922)."""

from __future__ import annotations

import asyncio

from trading.tests.stories.desk import Scene, story


@story
async def test_a_fill_told_before_recovery_does_not_send_the_old_second_leg(scene: Scene) -> None:
    engine = await scene.engine()
    # The order fills, its executions are lost: the next engine hears of them first.
    scene.faults.set("kraken.heartbeat_only", True, seconds=2.0)
    await engine.executor.execute(scene.intent("cex_first"))
    await asyncio.sleep(0.9)
    await engine.kill()
    await asyncio.sleep(1.5)
    heir = await scene.engine()
    await heir.until_idle()
    assert heir.solana.counters.sends == 0
    attempts = await scene.attempts()
    assert (attempts["cex#1"], attempts["dex#1"]) == ("done", "stale")
    assert (await scene.trade())["state"] == "closed"
