"""The command that prints everything: refusals, tables, and the age of what consoles get."""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from arbsite.clock import ManualClock
from arbsite.streams import GROUP, layer_message
from reports import promise_proofs, studies
from reports.ablation_study import AblationResult
from reports.management.commands.figures import explained
from reports.promise_tables import aligned, cells, markdown, summary
from reports.promises import none_of, part, quantile
from reports.staleness import StalenessWatch
from trading.backtest.ablation import Lead
from trading.backtest.intervals import Estimate

NOW_NS = 1_767_225_600 * 10**9


def test_it_says_what_it_needs(db: None, settings: Any) -> None:
    with pytest.raises(CommandError, match="No engine runs here"):
        call_command("figures", minutes=0.1)
    with pytest.raises(CommandError, match="--minutes must be above 0"):
        call_command("figures", minutes=0)
    settings.IS_SIM = False
    with pytest.raises(CommandError, match="simulated venues only"):
        call_command("figures")


def test_promises_are_told_as_a_table_and_as_markdown() -> None:
    rows = [
        quantile("kill", [10.0] * 30, 0.99, 250, "ms", " (3 saw one)"),
        quantile("restart", [9.0] * 30, 0.95, 3, "s"),
        part("capture", [True] * 5, 0.6, is_floor=True),
        none_of("duplicates", 0, 7),
        none_of("differences", 1, 7),
    ]
    beside = part("beside", [True] * 30, None, is_floor=True)
    assert cells([beside])[1][-1] == "–"
    assert summary([beside]) == "0 hold, 0 fail, 0 not judged."
    assert [row.verdict for row in rows] == ["holds", "fails", "no data", "holds", "fails"]
    assert summary(rows) == "2 hold, 2 fail, 1 not judged."
    lines = aligned(cells(rows))
    assert lines[1].split("  ")[0] == "kill"
    assert lines[0].index("verdict") == lines[1].index("holds") == lines[2].index("fails")
    text = markdown(rows, title="T", notes=["a note"])
    assert text.startswith("# T\n\n- a note\n\n| promise |")
    assert "| kill | ≤ 250 ms | 10 ms (3 saw one) | 30 | 10 – 10 | holds |" in text


def test_what_no_desk_can_show_is_read_from_where_it_is_proven(db: None, tmp_path: Path) -> None:
    table = tmp_path / "faults.md"
    assert promise_proofs.faults(table).verdict == "no data"
    table.write_text("| # | a |\n|---|---|\n| 1 | `t.py::test_a` |\n| 2 | not automated: why |\n")
    few = promise_proofs.faults(table)
    assert (few.seen, few.n, few.verdict) == ("1", 2, "fails")
    table.write_text("| 1 | `t.py::test_a` |\n" * 60)
    assert promise_proofs.faults(table).verdict == "holds"
    (missing,) = promise_proofs.gains()
    assert (missing.seen, missing.verdict) == ("run manage.py ablate first", "no data")
    told = [
        Lead("busy", "fixed", "fixed 5000 USD", Estimate(0.3, 0.2, 0.4, 80), 40),
        Lead("busy", "waits for", "waits for 5000 USD", Estimate(0.1, 0.0, 0.2, 80), 40),
    ]
    studies.store_ablation(
        AblationResult([], [], {}, told), source="s", seed=1, parameters={}, took_s=1.0
    )
    alone, waiting = promise_proofs.gains()
    assert (alone.name, alone.seen) == (
        "PnL over the best fixed size, busy",
        "+30.0% (fixed 5000 USD)",
    )
    assert (alone.verdict, waiting.target) == ("holds", "–")


def test_a_row_that_nobody_asked_for_says_how_to_ask() -> None:
    kill = explained(quantile("kill → last send p99", [], 0.99, 250, "ms"))
    assert (kill.seen, kill.target, kill.verdict) == ("ask with --drills", "≤ 250 ms", "no data")
    seen = quantile("kill → last send p99", [3.0] * 30, 0.99, 250, "ms")
    assert explained(seen) is seen
    capture = part("capture", [], 0.6, is_floor=True)
    assert explained(capture) is capture


def test_a_wrong_policy_that_is_not_caught_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def prove(_: str, *, policy: str, **__: Any) -> None:
        if policy != "no deadline":
            raise CommandError("3 of 60 seeds broke the protocol.")

    monkeypatch.setattr(promise_proofs, "call_command", prove)
    level = promise_proofs.caught(60, OutputWrapper(StringIO()))
    # Five are found out by the first twenty lives, the other is given all sixty.
    assert (level.seen, level.n, level.verdict) == ("5, not no deadline", 160, "fails")


async def test_the_age_of_a_picture_is_taken_when_it_arrives() -> None:
    layer, clock = InMemoryChannelLayer(), ManualClock(NOW_NS)
    watch = StalenessWatch(clock)
    task = asyncio.create_task(watch.collect(layer))
    while GROUP not in layer.groups:
        await asyncio.sleep(0)
    await layer.group_send(GROUP, dict(layer_message("status", NOW_NS, data="{}")))
    await layer.group_send(GROUP, dict(layer_message("spreads", NOW_NS - 70_000_000)))
    async with asyncio.timeout(10):
        while not watch.ages_ms:
            await asyncio.sleep(0)
        watch.end()
        await task
    assert watch.ages_ms == [70.0]
    assert not layer.groups.get(GROUP)
