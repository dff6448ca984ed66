"""The parts of a chaos run: its plan, the simulator's page, its verdict and its report."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from arbsite.errors import SetupError
from arbsite.home import Home
from arbsite.supervised import running_pids
from feeds.sim.faults import FaultBoard, FaultControl
from feeds.sim.hosting import serve
from feeds.sim.solana.blocks import SOLANA_KNOBS, SOLANA_SHOTS
from reports.chaos.account import Account
from reports.chaos.board import FaultPage
from reports.chaos.plan import ENDS_ENGINE, KILLED, Act, plan_of

CLEAN = {
    "duplicate_orders": 0,
    "duplicate_exec_try": 0,
    "ledger_minus_truth": {},
    "wrong_references": [],
    "missing_references": [],
    "needs_operator": 0,
}


@pytest.fixture
def board() -> Iterator[tuple[FaultBoard, FaultPage]]:
    """The real knobs of both venues behind their page, on a loop in a thread of its own."""
    board, loop = FaultBoard(), asyncio.new_event_loop()
    board.declare(SOLANA_KNOBS, shots=SOLANA_SHOTS)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    opening = serve([("/sim/faults", FaultControl(board))])
    host = asyncio.run_coroutine_threadsafe(opening, loop).result(10)
    try:
        yield board, FaultPage(host.port)
    finally:
        asyncio.run_coroutine_threadsafe(host.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def test_a_seed_is_a_plan() -> None:
    plan = plan_of(7, 600.0, engine_ends=3)
    assert plan == plan_of(7, 600.0, engine_ends=3) != plan_of(8, 600.0, engine_ends=3)
    assert [act.at_s for act in plan] == sorted(act.at_s for act in plan)
    assert all(0 < act.at_s < 600 for act in plan)
    assert {act.name for act in plan if act.is_kill} <= set(KILLED)
    assert sum(act.is_kill and act.name in ENDS_ENGINE for act in plan) == 3
    assert not any(act.name in ENDS_ENGINE for act in plan_of(7, 600.0, engine_ends=0))


def test_every_drawn_fault_is_a_knob_that_takes_it(board: tuple[FaultBoard, FaultPage]) -> None:
    knobs, page = board
    page.open()
    drawn = {act.name: act for seed in range(20) for act in plan_of(seed, 600.0, engine_ends=0)}
    faults = [act for act in drawn.values() if not act.is_kill]
    assert len(faults) >= 25
    for act in faults:
        assert page.turn(act)
    assert "kraken.stall" in page.on()
    assert page.reset()
    assert page.on() == []
    assert not knobs.is_on("kraken.stall")


def test_a_page_that_is_away_or_refuses_is_said(board: tuple[FaultBoard, FaultPage]) -> None:
    _, page = board
    with pytest.raises(SetupError, match="no knob"):
        page.turn(Act(0.0, "kraken.nonsense", True, 1.0))
    away = FaultPage(1)
    with pytest.raises(SetupError, match="No simulator answers"):
        away.open()
    assert not away.turn(Act(0.0, "kraken.stall", True, 1.0))
    assert away.on() == []


def test_a_clean_run_has_no_violation() -> None:
    account = Account(seed=3, minutes=2)
    account.count_kill("relay")
    account.note(1.25, "kill -9 relay")
    account.judge(CLEAN, [], [])
    page = account.markdown()
    assert "# Chaos, seed 3, 2 minutes: no violation" in page
    assert "| ledger − truth | 0 exactly |" in page
    assert "| 1.2 | kill -9 relay |" in page
    assert "| processes killed | relay 1 |" in page


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"duplicate_orders": 2}, "executed twice"),
        ({"duplicate_exec_try": 1}, "fired at twice"),
        ({"ledger_minus_truth": {"kraken USD": "0.01"}}, "ledger minus truth"),
        ({"wrong_references": ["T1"]}, "wrong in the ledger: T1"),
        ({"missing_references": ["T2"]}, "missing in the ledger: T2"),
    ],
)
def test_each_difference_is_a_violation(found: dict[str, object], words: str) -> None:
    account = Account(seed=3, minutes=2)
    account.judge(CLEAN | found, [], [])
    assert len(account.violations) == 1
    assert words in account.violations[0]
    assert "1 violations" in account.markdown()


def test_a_desk_that_does_not_settle_or_come_back_is_a_violation() -> None:
    account = Account(seed=3, minutes=2)
    account.judge({}, ["t-1"], ["relay"])
    assert len(account.violations) == 3
    assert "| ledger − truth | unknown |" in account.markdown()


def test_it_refuses_what_is_not_a_running_simulated_desk(
    settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SetupError, match="No desk runs"):
        running_pids(Home(tmp_path))
    with pytest.raises(CommandError, match="--minutes"):
        call_command("chaos", minutes=0.0)
    monkeypatch.setattr(settings, "HOME", Home(tmp_path))
    with pytest.raises(CommandError, match="No desk runs"):
        call_command("chaos", minutes=1.0)
    monkeypatch.setattr(settings, "IS_SIM", False)
    with pytest.raises(CommandError, match="simulator only"):
        call_command("chaos", minutes=1.0)
