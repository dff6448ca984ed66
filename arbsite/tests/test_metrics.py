"""The list of series for people is the list in the code, and a process serves its own."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from arbsite import metrics

_DOCUMENT = Path(__file__).resolve().parents[2] / "deploy" / "metrics.md"
_ROW = re.compile(r"^\| `(?P<name>[a-z0-9_]+)` \| (?P<kind>\w+) \| (?P<labels>[^|]+) \| .+ \|$")


def _declared() -> dict[str, tuple[str, tuple[str, ...]]]:
    found = {}
    for series in vars(metrics).values():
        if isinstance(series, MetricWrapperBase):
            kind = type(series).__name__.lower()
            name = series._name + ("_total" if isinstance(series, Counter) else "")
            found[name] = (kind, tuple(series._labelnames))
    return found


def _documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    rows = filter(None, map(_ROW.match, _DOCUMENT.read_text().splitlines()))
    return {
        row["name"]: (row["kind"], tuple(re.findall(r"`(\w+)`", row["labels"]))) for row in rows
    }


def test_the_document_lists_every_series_with_its_type_and_labels() -> None:
    assert _documented() == _declared()


def test_every_series_is_ours_and_names_its_unit_or_counts() -> None:
    units = (
        "_total",
        "_us",
        "_ms",
        "_usd",
        "_bps",
        "_depth",
        "_lag",
        "_mode",
        "_trades",
        "_ratio",
        "_down",
        "_awake",
        "_units",
    )
    for name in _declared():
        assert name.startswith("spreadline_")
        assert name.endswith((*units, "_clients")), name


def test_series_are_of_the_three_plain_types() -> None:
    kinds = {kind for kind, _ in _declared().values()}
    assert kinds == {t.__name__.lower() for t in (Counter, Gauge, Histogram)}


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_process_serves_its_series_on_its_own_port(monkeypatch: pytest.MonkeyPatch) -> None:
    assert metrics.start_metrics_server() is None
    monkeypatch.setenv("SPREADLINE_METRICS_PORT", "0")
    port = metrics.start_metrics_server()
    metrics.REFUSALS.labels(gate="test_gate").inc()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    assert 'spreadline_refusals_total{gate="test_gate"} 1.0' in text
