"""`manage.py poison`: the same seed is the same damage, and verify_book finds it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from feeds.recording.poison import KINDS
from feeds.recording.tests.recorded import record_world


def test_a_poisoned_copy_is_the_seeds_and_does_not_verify(tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    record_world(clean, 15.0)
    out = io.StringIO()
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        target = str(tmp_path / f"{name}.rec")
        call_command("poison", str(clean), target, seed=seed, share=0.05, stdout=out)
    one, again, two = (
        (tmp_path / f"{name}.rec.poisons.jsonl").read_text() for name in ("one", "again", "two")
    )
    assert one == again != two
    rows = [json.loads(line) for line in one.splitlines()]
    assert {row["kind"] for row in rows} == set(KINDS)
    assert {row["stream"] for row in rows} == {"kraken", "sim-a", "sim-b"}
    assert out.getvalue().startswith(f"{len(rows)} frames poisoned")
    call_command("verify_book", str(clean), stdout=io.StringIO())
    found = io.StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("verify_book", str(tmp_path / "one.rec"), stdout=found)
    assert stopped.value.code == 1
    assert json.loads(found.getvalue().splitlines()[-1])["mismatched"] > 0


def test_nothing_is_overwritten_and_a_bad_share_is_refused(tmp_path: Path) -> None:
    existing = tmp_path / "there.rec"
    existing.write_bytes(b"")
    with pytest.raises(CommandError, match="new file"):
        call_command("poison", str(tmp_path), str(existing))
    with pytest.raises(CommandError, match="between 0 and 1"):
        call_command("poison", str(tmp_path), str(tmp_path / "new.rec"), share=1.5)
    with pytest.raises(CommandError, match="no file"):
        call_command("poison", str(tmp_path / "empty"), str(tmp_path / "new.rec"))
