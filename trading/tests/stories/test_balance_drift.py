"""Fault 40: what the venues hold and our records do not explain stops what it concerns.

The real watch on the simulated venues' balances: trades explain themselves, a hand does not.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from arbsite.models import AuditLog
from feeds.tests.conformance.venues import run_patient
from trading.process.balance_watch import RULE, BalanceWatch
from trading.process.holdings import Holdings
from trading.tests.stories.desk import EngineProcess, Scene, tell


class Watched:
    """A watch on the scene's venues, and the stops it has asked for."""

    def __init__(self, scene: Scene, engine: EngineProcess) -> None:
        self.stops: list[tuple[str, str, str, str]] = []
        self.trips: dict[str, dict[str, Any]] = {"*": {}, "SOL": {}}
        venues = scene.venues
        holdings = Holdings(
            [venues.spec], engine.kraken, engine.solana, venues.clock, lambda _: None
        )
        self.watch = BalanceWatch(
            engine.store,
            holdings,
            [venues.spec],
            venues.clock,
            raise_stop=self._stop,
            stopped_by=self.trips.__getitem__,
        )

    async def _stop(self, scope: str, rule: str, text: str, value: str, limit: str) -> None:
        assert rule == RULE
        self.stops.append((scope, text, value, limit))
        self.trips[scope][rule] = {}

    async def begin(self) -> None:
        """Anchor every balance once the young chain has confirmed its first slots."""
        await asyncio.sleep(5.0)
        await self.look()

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            await self.watch.look()


async def accepted() -> int:
    found = await sync_to_async(AuditLog.objects.filter(action="balance.accepted").count)()
    await sync_to_async(connections.close_all)()
    return found


@pytest.mark.parametrize("order", ["concurrent", "dex_first"])
def test_trades_and_failed_swaps_explain_themselves(desk_url: str, order: Any) -> None:
    async def body(scene: Scene) -> None:
        engine = await scene.engine()
        watched = Watched(scene, engine)
        await watched.begin()
        for number in range(3):
            if number == 1:
                scene.faults.set("solana.fail_next", True)
            await engine.executor.execute(scene.intent(order, sol=f"1.{number}"))
            for _ in range(5):
                await asyncio.sleep(0.4)
                await watched.look()
            await engine.until_idle()
            await watched.look(3)
        assert watched.stops == []

    run_patient(tell(desk_url, body))


@pytest.mark.parametrize(
    ("moved", "scope", "change"),
    [({"USD": "1000"}, "*", "+1000"), ({"SOL": "-2.5"}, "SOL", "-2.5")],
    ids=["a deposit", "a withdrawal"],
)
def test_a_hand_at_the_venue_is_named_with_numbers_and_age(
    desk_url: str, moved: dict[str, str], scope: str, change: str
) -> None:
    async def body(scene: Scene) -> None:
        # The truth has an entry that is no trade of ours: that is the story.
        scene.is_audited = False
        engine = await scene.engine()
        watched = Watched(scene, engine)
        await watched.begin()
        await engine.executor.execute(scene.intent())
        await engine.until_idle()
        scene.faults.set("kraken.moved_by_hand", moved)
        await watched.look()
        assert watched.stops == []
        await watched.look()
        ((stopped, text, value, limit),) = watched.stops
        (name,) = moved
        assert (stopped, value) == (scope, change)
        assert f"kraken {name}: unexplained change of {change} since" in text
        assert "read 0.0 s ago" in text
        held = (await engine.kraken.balances())[name]
        assert f"The venue says {held.normalize():f}, our records" in text
        assert 0 < Decimal(limit) < abs(Decimal(change))
        # Said once; while the stop stands nothing is accepted.
        await watched.look(3)
        assert len(watched.stops) == 1
        assert await accepted() == 0
        # Lifted by a person: an external event from now on, and the watch goes on.
        del watched.trips[scope][RULE]
        await watched.look(3)
        assert len(watched.stops) == 1
        assert await accepted() == 1
        await engine.executor.execute(scene.intent(sol="2"))
        await engine.until_idle()
        await watched.look(2)
        assert len(watched.stops) == 1
        scene.faults.set("kraken.moved_by_hand", moved)
        await watched.look(2)
        assert len(watched.stops) == 2

    run_patient(tell(desk_url, body))


def test_a_desk_that_is_never_all_booked_is_watched_too(desk_url: str) -> None:
    async def body(scene: Scene) -> None:
        scene.is_audited = False
        engine = await scene.engine()
        watched = Watched(scene, engine)
        await watched.begin()
        # The order is filled and known; its record is a minute away.
        scene.faults.set("kraken.visibility_lag_s", 60.0)
        await engine.executor.execute(scene.intent())
        await asyncio.sleep(5.0)
        assert (await scene.trade())["state"] == "open"
        await watched.look(3)
        assert watched.stops == []
        scene.faults.set("kraken.moved_by_hand", {"SOL": "0.5"})
        await watched.look(2)
        assert [(scope, value) for scope, _, value, _ in watched.stops] == [("SOL", "+0.5")]
        assert (await scene.trade())["state"] == "open"

    run_patient(tell(desk_url, body))


def test_what_happened_while_nobody_looked_is_found_by_the_next_engine(desk_url: str) -> None:
    async def body(scene: Scene) -> None:
        scene.is_audited = False
        engine = await scene.engine()
        await Watched(scene, engine).begin()
        await engine.kill()
        scene.faults.set("kraken.moved_by_hand", {"USD": "-1000"})
        heir = await scene.engine()
        watched = Watched(scene, heir)
        await watched.look(2)
        assert [value for _, _, value, _ in watched.stops] == ["-1000"]

    run_patient(tell(desk_url, body))


def test_small_differences_add_up(desk_url: str) -> None:
    async def body(scene: Scene) -> None:
        scene.is_audited = False
        engine = await scene.engine()
        watched = Watched(scene, engine)
        await watched.begin()
        dollars = (await engine.kraken.balances())["USD"]
        # Each far below the tolerance, every one followed by a trade that moves the anchor.
        for number in range(4):
            scene.faults.set("kraken.moved_by_hand", {"USD": f"{dollars * Decimal('0.00003'):.2f}"})
            await engine.executor.execute(scene.intent(sol=f"1.{number}"))
            await engine.until_idle()
            await watched.look(2)
        assert len(watched.stops) == 1

    run_patient(tell(desk_url, body))
