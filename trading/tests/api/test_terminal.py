"""The commands of the bad hour: they need PostgreSQL only, and one of them not even that."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from arbsite.auth.services import create_user
from arbsite.clock import utc_now
from arbsite.models import AuditLog
from arbsite.tests.auth.people import PASSWORD
from risk import desk_limits, services
from risk.models import Control, Incident
from trading import resolutions
from trading.models import EngineLease, Resolution
from trading.tests.api.test_lists import add_trade

TRADE = UUID(int=1)


def told(command: str, *args: Any, **options: Any) -> str:
    out = StringIO()
    call_command(command, *args, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def desk(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPREADLINE_HOME", str(tmp_path))
    for scope in ("*", "SOL"):
        services.set_first_mode(scope, "live", actor="test", reason="test")
    desk_limits.seed_first()
    EngineLease.objects.create(shard="main", epoch=1, holder="h:1", heartbeat_at=utc_now())
    add_trade(1, state="operator", residual_base=Decimal(1), reason="no hedge attempts left")
    create_user("ada", PASSWORD, "operator")
    create_user("vic", PASSWORD, "viewer")


@pytest.mark.usefixtures("desk")
def test_status_pause_and_kill() -> None:
    said = told("status")
    assert "SOL  live" in said
    assert "of 100000 USD open" in said
    assert "worst case" in said
    assert "1 SOL left over  no hedge attempts left" in said
    assert "h:1 is alive" in said
    told("pause", "SOL", user="ada", reason="odd fills")
    assert Control.objects.get(scope="SOL").effective_mode == "stop_new"
    told("kill", user="ada", reason="odder")
    assert Control.objects.get(scope="*").effective_mode == "halt"
    assert f"Incident {Incident.objects.get().number} (critical)" in told("status")
    acts = AuditLog.objects.filter(actor="ada").order_by("id").values_list("action", flat=True)
    assert list(acts) == ["control.pause", "control.kill"]
    with pytest.raises(CommandError, match="is killed"):
        told("pause")
    with pytest.raises(CommandError, match="not traded here"):
        told("pause", "DOGE")


@pytest.mark.usefixtures("desk")
def test_without_the_database_each_names_the_local_switch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("connection refused")

    for name in ("pause", "kill"):
        monkeypatch.setattr(services, name, away)
        with pytest.raises(CommandError, match="kill --local"):
            told(name)
    monkeypatch.setattr("risk.selectors.control_rows", away)
    with pytest.raises(CommandError, match="kill --local"):
        told("status")
    assert "none is running here" in told("kill", local=True)
    assert (tmp_path / "KILLED").exists()
    told("kill", local=True, lift=True)
    assert not (tmp_path / "KILLED").exists()


@pytest.mark.usefixtures("desk")
def test_a_pid_that_is_not_an_engine_is_not_signalled(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "engine-main.pid").write_text("1")
    (tmp_path / "run" / "engine-b.pid").write_text("not a number")
    assert "none is running here" in told("kill", local=True)


@pytest.mark.usefixtures("desk")
def test_reconcile_lists_what_is_not_booked() -> None:
    said = told("reconcile")
    assert "h:1 is alive" in said
    # The two legs of the fixture are done but not marked as booked.
    assert "2 attempts and 0 fills are not booked yet." in said


@pytest.mark.usefixtures("desk")
def test_resolve_orders_through_the_same_door(monkeypatch: pytest.MonkeyPatch) -> None:
    made = resolutions.request

    def answered(*args: Any, **kwargs: Any) -> Resolution:
        row = made(*args, **kwargs)
        row.state, row.answer, row.answered_at = "done", "kept", utc_now()
        row.detail = {"limit_price": "149.98"}
        row.save()
        return row

    monkeypatch.setattr(resolutions, "request", answered)
    beginning = str(TRADE)[:30]
    assert "Done: kept." in told("resolve", beginning, keep=True, user="ada", reason="small")
    said = told("resolve", beginning, flatten=True, user="ada", reason="small", yes=True)
    assert "limit_price  149.98" in said
    assert set(Resolution.objects.values_list("act", flat=True)) == {"keep", "preview", "flatten"}
    said = told("flatten", "SOL", user="ada", reason="all of it", yes=True)
    assert "1/1" in said
    assert told("flatten", "ETH", user="ada", reason="x").startswith("No trade is parked")


@pytest.mark.usefixtures("desk")
def test_resolve_says_what_is_wrong_in_one_sentence() -> None:
    for who, why in (("nobody", "not a user here"), ("vic", "may not trade")):
        with pytest.raises(CommandError, match=why):
            told("resolve", str(TRADE), keep=True, user=who, reason="x")
    with pytest.raises(CommandError, match="0 open trades begin with"):
        told("resolve", "zzz", keep=True, user="ada", reason="x")
    with pytest.raises(CommandError, match="Write --attach"):
        told("resolve", str(TRADE), attach="kraken", user="ada", reason="x")
    with pytest.raises(CommandError, match="No answer within 0 s: the engine h:1 is alive"):
        told("resolve", str(TRADE), prove=True, user="ada", reason="x", wait=0.0)
    with pytest.raises(CommandError, match="Another order about this trade is open"):
        told("resolve", str(TRADE), keep=True, user="ada", reason="x")
