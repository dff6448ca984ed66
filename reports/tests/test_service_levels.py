"""The table of promises: verdicts, intervals, and what it says when there is nothing."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command

from reports import service_levels
from reports.promises import Level
from reports.service_levels import buckets_of
from reports.tests.test_prediction import booked, desk  # noqa: F401 - a fixture
from trading.models import Trade

METRICS = """
# HELP spreadline_intent_commit_ms Durable intent
spreadline_intent_commit_ms_bucket{le="0.5"} 10.0
spreadline_intent_commit_ms_bucket{le="1.0"} 60.0
spreadline_intent_commit_ms_bucket{le="3.0"} 97.0
spreadline_intent_commit_ms_bucket{le="+Inf"} 100.0
spreadline_intent_commit_ms_count 100.0
spreadline_detect_to_wire_ms_bucket{le="2.0",leg="cex"} 30.0
spreadline_detect_to_wire_ms_bucket{le="+Inf",leg="cex"} 30.0
spreadline_detect_to_wire_ms_bucket{le="2.0",leg="dex"} 20.0
spreadline_detect_to_wire_ms_bucket{le="+Inf",leg="dex"} 20.0
"""


def by_name(**options: object) -> dict[str, Level]:
    return {row.name: row for row in service_levels.levels(**options)}


def test_an_empty_desk_promises_nothing(db: None) -> None:
    rows = service_levels.levels()
    assert {row.verdict for row in rows} == {"no data"}
    assert {row.n for row in rows} == {0}


def test_histograms_are_read_over_their_labels_and_judged_by_the_bucket(db: None) -> None:
    assert buckets_of(METRICS, "spreadline_detect_to_wire_ms") == [
        (2.0, 50.0),
        (float("inf"), 50.0),
    ]
    rows = by_name(metrics=METRICS)
    assert rows["durable intent p50"].verdict == "holds"
    assert rows["durable intent p50"].interval == "0.5 – 1"
    assert rows["durable intent p99"].verdict == "fails"
    assert (rows["detect → wire p99"].n, rows["detect → wire p99"].verdict) == (50, "holds")


def test_promises_are_judged_on_enough_trades_only(desk: None) -> None:  # noqa: F811
    for number in range(30):
        booked(number, lands=number % 3 > 0)
    Trade.objects.filter(outcome="both").update(both_filled_ns=Trade.objects.first().detect_ns)
    rows = by_name()
    assert rows["attempts with both legs filled"].seen == "66.7%"
    assert rows["attempts with both legs filled"].n == 30
    assert rows["verified"].verdict == "holds"
    assert rows["partial or hedged"].seen == "0.0%"
    assert rows["capture of eligible windows"].verdict == "no data"
    assert rows["prediction error, WAPE"].verdict == "fails"
    assert rows["detect → both fills p50"].verdict == "holds"


def test_the_command_prints_the_table_and_fails_with_a_promise(desk: None) -> None:  # noqa: F811
    for number in range(30):
        booked(number, lands=False)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("service_levels", stdout=out)
    shown = out.getvalue()
    assert "prediction error, WAPE" in shown
    assert "fails" in shown
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("service_levels", "--json", stdout=out)
    document = json.loads(out.getvalue())
    assert document["prediction"][0]["figures"]["n"] == 30
