"""Drills on a desk without an engine: what they order, and that they leave it as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from arbsite.clock import seeded_random, utc_now
from arbsite.errors import SetupError
from arbsite.home import Home
from reports import drills
from reports.drills import Drills, require_running
from risk.models import Command, Control, Incident
from trading.models import EngineLease
from trading.tests.intents import open_desk


@pytest.fixture
def drill(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drills:
    open_desk("SOL")
    for name in ("PREY_S", "HOLD_S", "PARKING_S", "STROKE_S"):
        monkeypatch.setattr(drills, name, 0.0)
    return Drills(Home(tmp_path), seeded_random(1))


def test_a_kill_is_reset_and_the_desk_is_live_again(drill: Drills) -> None:
    drill.perform("kill")
    drill.perform("pause")
    done = Command.objects.order_by("created_at").values_list("action", flat=True)
    assert list(done) == ["kill", "reset", "live", "pause", "resume"]
    assert Control.objects.get(scope="*").effective_mode == "live"
    assert Incident.objects.get().state == "closed"


def test_only_the_engine_that_holds_the_lease_is_struck(drill: Drills, tmp_path: Path) -> None:
    EngineLease.objects.create(shard="main", epoch=1, holder="here:4242", heartbeat_at=utc_now())
    with pytest.raises(SetupError, match="not the one that holds the lease"):
        drill.perform("death")
    file = Home(tmp_path).engine_pid_file("main")
    file.parent.mkdir(parents=True)
    file.write_text("4243")
    with pytest.raises(SetupError, match="not the one that holds the lease"):
        drill.perform("death")


def test_figures_need_a_live_engine(db: None) -> None:
    with pytest.raises(SetupError, match="make run"):
        require_running()
    open_desk("SOL")
    EngineLease.objects.create(shard="main", epoch=1, holder="here:1", heartbeat_at=utc_now())
    require_running()
    Control.objects.filter(scope="*").update(mode="stop_new")
    with pytest.raises(SetupError, match="The engine is PAUSED"):
        require_running()
