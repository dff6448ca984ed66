"""An engine that rehearses between its inputs decides as one that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trading.engine import rehearsal
from trading.journal import day
from trading.journal.replaying import Replayer, open_journal, setup_of


def test_rehearsals_change_no_decision_of_a_simulated_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = day.record_day(tmp_path, minutes=1.0)
    journal = open_journal(tmp_path)
    engine = setup_of(journal).build()
    priced: list[Any] = []

    def price_size(*args: Any) -> Any:
        priced.append(rehearsed(*args))

    rehearsed = rehearsal.price_size
    monkeypatch.setattr(rehearsal, "price_size", price_size)
    handle = engine.handle

    def after_rehearsals(event: Any) -> Any:
        for _ in engine.state.assets:
            engine.rehearse()
        return handle(event)

    engine.handle = after_rehearsals  # type: ignore[method-assign]
    replayer = Replayer(engine)
    for record in journal.records():
        replayer.take(record)
    report = replayer.finish(is_torn=False)
    assert report.is_equal
    assert report.replayed_hash == found.decisions_hash
    assert len(found.lines) > 10
    assert len(priced) > report.inputs
