"""`manage.py record` against the served simulator: an own process records, then verifies."""

from __future__ import annotations

import io
import signal
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from feeds import assembly
from feeds.models import Market
from feeds.recording.reader import open_runs
from feeds.sim import seeding
from feeds.sim.tests.world.test_service import Served


def markets() -> list[Market]:
    """The simulated markets as rows that are not stored."""
    found = []
    for each in seeding.simulated_markets():
        fields = {name: getattr(each.spec, name) for name in each.spec.__struct_fields__}
        fields["cost_min"] = Decimal(each.spec.cost_min)
        fields["tick_spacing"] = getattr(each.pool, "tick_spacing", None)
        found.append(Market(**fields, vault_a=each.pool.vault_a, vault_b=each.pool.vault_b))
    return found


def test_a_recording_alone_is_made_and_verifies(
    tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Served(tmp_path / "simulator")
    try:
        urls = served.urls
        settings.KRAKEN_WS_URL = urls["kraken"].replace("http", "ws") + "/v2"
        settings.SOLANA_ENDPOINTS = tuple(
            (label, label, urls[label], urls[label].replace("http", "ws"))
            for label in ("sim-a", "sim-b")
        )
        settings.RECORDINGS = tmp_path / "recordings"
        settings.RECORDING_ENABLED = True
        monkeypatch.setattr(assembly, "enabled_markets", markets)
        out = io.StringIO()
        call_command("record", "--seconds", "4", stdout=out)
    finally:
        served.end(signal.SIGTERM)
    assert "records in" in out.getvalue()
    assert ", 0 lost" in out.getvalue()
    (run,) = open_runs(settings.RECORDINGS, "market")
    assert all(segment.is_whole for segment in run.segments)
    assert run.records_count > 20
    call_command("verify_book", str(settings.RECORDINGS), stdout=out)
    call_command("verify_quotes", str(settings.RECORDINGS), stdout=out)


def test_what_cannot_be_recorded_is_one_sentence(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "enabled_markets", list)
    with pytest.raises(CommandError, match="No enabled, verified market"):
        call_command("record", "--seconds", "1")
    monkeypatch.setattr(assembly, "enabled_markets", markets)
    settings.RECORDING_ENABLED = False
    with pytest.raises(CommandError, match="forbids recording"):
        call_command("record", "--seconds", "1")
    with pytest.raises(CommandError, match="would end before it begins"):
        call_command("record", "--until", "2020-01-01T00:00")
    with pytest.raises(CommandError, match="give a UTC time"):
        call_command("record", "--until", "tomorrow")
