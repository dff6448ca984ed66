"""Stored studies: the commands that make them, the API that shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from arbsite.tests.auth.people import signed_in
from reports.models import BacktestRun, FeasibilityReport
from trading.backtest.simulated import SimulatedMarket
from trading.backtest.source import Tape

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer() -> Iterator[APIClient]:
    cache.clear()
    return signed_in("viewer")


def said(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def got(client: APIClient, address: str) -> Any:
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


def test_a_back_test_is_printed_stored_and_shown(viewer):
    text = said(
        "backtest", "sim:busy:7:1.5", "--set", "fee_tier=10", "--set", "tip_lamports=200000",
        "--vs", "--set", "leg_order=concurrent",
    )  # fmt: skip
    run = BacktestRun.objects.get()
    assert f"stored as {run.id}" in text
    assert "capture, count" in text
    assert "fills    by the landing and latency model" in text
    assert run.parameters == [
        {"fee_tier": "10", "tip_lamports": "200000"},
        {"leg_order": "concurrent"},
    ]
    (row,) = got(viewer, "/v1/backtests")["rows"]
    assert row["columns"] == ["fee_tier=10, tip_lamports=200000", "leg_order=concurrent"]
    whole = got(viewer, f"/v1/backtests/{run.id}")
    first, second = whole["columns"]
    assert first["attempts"] == len(first["series"]["equity"]) > 3
    assert set(second["orders"]) <= {"concurrent"}
    assert len(first["series"]["windows_by_hour"]) == 24
    assert whole["ablation"] is None


def test_the_same_words_give_the_same_result():
    for _ in range(2):
        said("backtest", "sim:busy:7:0.5", "--seed", "3")
    first, second = BacktestRun.objects.values_list("results", flat=True)
    assert first == second


def test_only_the_asked_span_is_run(tmp_path):
    market = SimulatedMarket("busy", 7, 1.0)
    Tape(market.name, market.specs, market.events()).save(tmp_path / "tape")
    said("backtest", str(tmp_path / "tape"), "--from", "+20", "--to", "+40")
    run = BacktestRun.objects.get()
    assert 19e9 < run.to_ns - run.from_ns <= 20e9


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sim:wild"], "no scenario 'wild'"),
        (["sim:busy:x"], "is not a simulated market"),
        (["nowhere.rec"], "There is no nowhere.rec"),
        (["sim:busy:7:1", "--set", "edge=1"], "No parameter 'edge'"),
        (["sim:busy:7:1", "--from", "noon"], "give a UTC time"),
        (["sim:busy:7:1", "--from", "+9999"], "No market facts in that span"),
        (["sim:busy:7:1", "--asset", "doge"], "no simulated market of DOGE"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_sentence(words, says):
    with pytest.raises(CommandError, match=says):
        said("backtest", *words)
    assert not BacktestRun.objects.exists()


def test_feasibility_abstains_on_little_data_and_is_stored(viewer):
    text = said("feasibility", "SOL", "--source", "sim:busy:7:1")
    assert text.startswith("SOL: ABSTAIN - 0.02 h of data")
    row = FeasibilityReport.objects.get()
    (shown,) = got(viewer, "/v1/feasibility?asset=SOL")["rows"]
    assert (shown["id"], shown["verdict"], shown["taker_bps"]) == (str(row.id), "abstain", "10")
    assert shown["results"]["windows_per_day"] is None
    assert got(viewer, f"/v1/feasibility/{row.id}") == shown
    assert got(viewer, "/v1/feasibility?asset=JUP")["rows"] == []


def test_feasibility_names_the_assets_there_are():
    with pytest.raises(CommandError, match="no simulated market of DOGE"):
        said("feasibility", "DOGE")
    with pytest.raises(CommandError, match="must be above 0"):
        said("feasibility", "SOL", "--source", "sim:busy:7:1", "--notional", "0")


def test_an_ablation_is_printed_stored_and_shown(viewer, monkeypatch):
    from reports.management.commands import ablate

    monkeypatch.setattr(ablate, "_QUICK_MINUTES", {"busy": 0.5})
    text = said("ablate", "--quick", "--no-grid", "--jobs", "1")
    assert "full system" in text
    assert "PnL over the best fixed size  " in text
    run = BacktestRun.objects.get(kind="ablation")
    whole = got(viewer, f"/v1/backtests/{run.id}")
    policies = [row["policy"] for row in whole["ablation"]["rows"]]
    assert {"full system", "always concurrent", "1 % slippage", "no gates"} <= set(policies)
    assert whole["columns"] == []
    (promised,) = whole["ablation"]["promises"]
    names = [level["name"] for level in promised["levels"]]
    assert names[0] == "detect → both fills p50"
    assert names[-1] == "PnL over the best fixed size that waits"
    assert {lead["kind"] for lead in whole["ablation"]["leads"]} == {"fixed", "waits for"}


def test_pages_follow_each_other(viewer):
    for seed in range(3):
        said("backtest", "sim:busy:7:0.1", "--seed", str(seed))
    first = got(viewer, "/v1/backtests?limit=2")
    second = got(viewer, f"/v1/backtests?limit=2&cursor={first['next']}")
    seeds = [row["seed"] for row in first["rows"] + second["rows"]]
    assert seeds == [2, 1, 0]
    assert second["next"] is None
    assert got(viewer, "/v1/backtests?kind=ablation")["rows"] == []


def test_an_unknown_study_is_not_found(viewer):
    missing = "00000000-0000-7000-8000-000000000000"
    assert viewer.get(f"/v1/backtests/{missing}").status_code == 404
    assert viewer.get(f"/v1/feasibility/{missing}").status_code == 404
