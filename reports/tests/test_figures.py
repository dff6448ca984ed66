"""The command that prints everything: refusals, tables, and the age of what consoles get."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.core.management import CommandError, call_command

from arbsite.clock import ManualClock
from arbsite.streams import GROUP, layer_message
from reports.promise_tables import aligned, cells, markdown, summary
from reports.promises import none_of, part, quantile
from reports.staleness import StalenessWatch

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
