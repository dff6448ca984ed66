"""The desk's own findings over HTTP: the latest of each kind, with its age, and the starts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from arbsite.clock import SystemClock, at_from_ns, utc_now
from arbsite.tests.auth.people import signed_in
from risk.inspection import Check
from risk.models import Inspection
from risk.services import record_inspection
from trading.models import EngineStart

pytestmark = pytest.mark.django_db
SECOND = 1_000_000_000


def test_an_unused_desk_has_found_nothing() -> None:
    answer = signed_in("viewer").get("/v1/health").json()
    assert (answer["inspections"], answer["starts"]) == ([], [])


def test_only_the_latest_of_each_kind_is_told_with_its_instant() -> None:
    clock = Check("clock offset", False, "2.1 s", "set this machine's clock by NTP")
    record_inspection("canary", [clock], actor="engine")
    Inspection.objects.update(at=utc_now() - timedelta(hours=3))
    before_ns = SystemClock().now_ns()
    record_inspection("canary", [Check("clock offset", True, "0.1 s")], actor="engine")
    record_inspection("preflight", [clock], actor="ann")
    answer = signed_in("viewer").get("/v1/health").json()
    found = {row["kind"]: row for row in answer["inspections"]}
    assert set(found) == {"canary", "preflight"}
    assert found["canary"]["is_green"]
    assert not found["preflight"]["is_green"]
    # Stored to the microsecond.
    assert before_ns - 1_000 <= found["canary"]["at_ns"] <= answer["at_ns"]
    assert found["preflight"]["checks"][0]["remedy"] == "set this machine's clock by NTP"
    assert (found["canary"]["lasts_s"], found["preflight"]["lasts_s"]) == (86_400, 900)


def test_starts_are_told_newest_first_with_their_lengths() -> None:
    began_ns = SystemClock().now_ns() - 60 * SECOND
    at = at_from_ns(began_ns + SECOND)
    EngineStart.objects.create(shard="main", epoch=1, at=at)
    EngineStart.objects.create(
        shard="main",
        epoch=2,
        at=at,
        began_ns=began_ns,
        reconciled_ns=began_ns + 2 * SECOND,
        stages={"loaded": 900.0, "reconciled": 2000.0},
    )
    newer, older = signed_in("viewer").get("/v1/health").json()["starts"]
    assert (newer["epoch"], newer["reconciled_ms"], newer["settled_ms"]) == (2, 2000.0, None)
    assert newer["stages_ms"]["loaded"] == 900.0
    assert (older["epoch"], older["reconciled_ms"], older["stages_ms"]) == (1, None, {})
