"""The fixed simulated day: its decisions are the pinned ones, or the change log says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading.journal import day
from trading.journal.replaying import open_journal, replay

CHANGELOG = Path(__file__).resolve().parents[3] / "CHANGELOG.md"


@pytest.mark.slow
def test_the_day_replays_and_its_decisions_are_the_pinned_ones(tmp_path: Path) -> None:
    found = day.record_day(tmp_path)
    report = replay(open_journal(tmp_path), kept_differences=5)
    assert report.differences == []
    assert report.replayed_hash == found.decisions_hash
    assert report.live_decisions == len(found.lines) > 100
    assert sum(" execute " in line for line in found.lines) > 10
    pinned = day.pinned_day()
    if not pinned.is_pinned:
        # Before the first pin there is nothing to hold the decisions against.
        return
    print("\n".join(day.differences(pinned, found)))
    assert pinned == found, (
        "The engine decides otherwise on the fixed day (diff above). If that is intended: "
        "`manage.py replay --day --pin`, and name the new hash in CHANGELOG.md."
    )
    assert pinned.decisions_hash[:12] in CHANGELOG.read_text(), (
        f"CHANGELOG.md must say why the decisions of day {pinned.decisions_hash[:12]} changed."
    )


def test_a_differing_day_shows_the_decisions_that_differ() -> None:
    pinned = day.Day("aa", ("1 execute SOL a", "2 window SOL b", "3 execute WIF c"))
    found = day.Day("bb", ("1 execute SOL a", "2 window SOL changed", "3 execute WIF c"))
    diff = day.differences(pinned, found)
    assert "-2 window SOL b" in diff
    assert "+2 window SOL changed" in diff
    assert day.Day("unpinned").is_pinned is False
    assert pinned.text() == "decisions aa\n1 execute SOL a\n2 window SOL b\n3 execute WIF c\n"
