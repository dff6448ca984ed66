"""Commands over HTTP: who, once, in which order, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import override_settings
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.test import APIClient

from arbsite.models import AuditLog, User
from arbsite.tests.auth.people import signed_in
from risk import services
from risk.models import Command, Control, Incident


@pytest.fixture
def operator(db: None) -> APIClient:
    cache.clear()
    for scope in ("*", "SOL"):
        services.set_first_mode(scope, "live", actor="test", reason="test")
    return signed_in("operator")


def send(client: APIClient, action: str, key: str | None = None, **body: Any) -> Any:
    return client.post(
        f"/v1/controls/{action}",
        body,
        format="json",
        headers={"Idempotency-Key": key or str(uuid4())},
    )


def test_pause_and_resume_reach_the_database_and_the_log(operator: APIClient) -> None:
    paused = send(operator, "pause", scope="*", reason="lunch")
    assert paused.status_code == 202
    assert paused.json() == {
        "command_id": str(Command.objects.get().id),
        "state": "accepted",
        "control_version": 2,
    }
    assert Control.objects.get(scope="*").effective_mode == "stop_new"
    resumed = send(operator, "resume", scope="*", reason="back")
    assert resumed.json()["control_version"] == 3
    assert Control.objects.get(scope="*").effective_mode == "live"
    actions = AuditLog.objects.filter(actor="operator", action__startswith="control")
    assert list(actions.order_by("id").values_list("action", "reason")) == [
        ("control.pause", "lunch"),
        ("control.resume", "back"),
    ]


def test_the_same_key_has_one_effect_and_the_same_answer(operator: APIClient) -> None:
    key = str(uuid4())
    first = send(operator, "pause", key, scope="SOL", reason="x")
    again = send(operator, "pause", key.upper(), scope="SOL", reason="x")
    assert again.json() == first.json()
    assert Command.objects.count() == 1
    for action, body in (
        ("pause", {"scope": "SOL", "reason": "y"}),
        ("pause", {"scope": "*", "reason": "x"}),
        ("observe", {"scope": "SOL", "reason": "x"}),
    ):
        other = send(operator, action, key, **body)
        assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    assert Control.objects.get(scope="SOL").version == 2


@pytest.mark.django_db(transaction=True)
def test_many_clicks_with_one_key_are_one_command() -> None:
    cache.clear()
    services.set_first_mode("*", "live", actor="test", reason="test")
    client = signed_in("operator")
    key = str(uuid4())

    def click(_: int) -> tuple[int, str]:
        answer = send(client, "kill", key, scope="*")
        connections.close_all()
        return answer.status_code, answer.json()["command_id"]

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(click, range(12)))
    assert len(answers) == 1
    assert Incident.objects.count() == Command.objects.count() == 1


@pytest.mark.parametrize(
    "key", ["", "x", "1" * 36, "00000000-0000-0000-0000-00000000000g", "a" * 5000]
)
def test_a_command_without_a_proper_key_is_refused(operator: APIClient, key: str) -> None:
    answer = operator.post(
        "/v1/controls/pause", {}, format="json", headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["fields"]


def test_what_a_command_needs_is_said(operator: APIClient) -> None:
    assert send(operator, "pause", scope="DOGE").status_code == 404
    assert send(operator, "resume", scope="*", reason="x").json()["code"] == "not_paused"
    assert send(operator, "pause").status_code == 202
    assert send(operator, "resume", reason=" ").json()["code"] == "reason_required"
    assert send(operator, "observe").status_code == 202
    for confirm in ("go live", "", None):
        assert send(operator, "live", reason="x", confirm=confirm).status_code == 400
    assert send(operator, "live", reason="x", confirm="GO LIVE").status_code == 202
    assert Control.objects.get(scope="*").effective_mode == "live"


def test_the_kill_switch_is_reset_by_an_admin_who_types_the_incident(
    operator: APIClient,
) -> None:
    assert send(operator, "kill", reason="smoke").status_code == 202
    incident = operator.get("/v1/incidents?state=open").json()["rows"][0]
    assert incident["rule"] == "kill_switch"
    assert send(operator, "resume", reason="x").json()["code"] == "killed"
    number = incident["number"]
    assert send(operator, "reset", reason="x", incident=number).status_code == 403
    admin = signed_in("admin")
    assert send(admin, "reset", reason="x", incident=number + 1).json()["code"] == "wrong_incident"
    assert send(admin, "reset", reason="x", incident=number).status_code == 202
    assert Control.objects.get(scope="*").effective_mode == "observe"
    assert operator.get("/v1/incidents?state=open").json() == {"rows": [], "next": None}


def test_an_incident_is_acknowledged_once(operator: APIClient) -> None:
    services.trip("SOL", "daily_loss", text="lost", value="600", limit="500")
    number = Incident.objects.get().number
    for _ in range(2):
        answer = operator.post(f"/v1/incidents/{number}/ack", {}, format="json")
        assert (answer.status_code, answer.json()["state"]) == (200, "acked")
    assert AuditLog.objects.filter(action="incident.ack").count() == 1
    assert operator.post("/v1/incidents/999999/ack", {}, format="json").status_code == 404
    assert operator.post(f"/v1/incidents/{'9' * 30}/ack", {}, format="json").status_code == 404
    assert operator.post(f"/v1/incidents/{'9' * 5000}/ack", {}, format="json").status_code == 404


def test_incidents_come_in_pages(operator: APIClient) -> None:
    for number in range(5):
        services.trip("SOL", f"rule{number}", text="t", value="1", limit="0")
    seen: list[int] = []
    cursor = ""
    while True:
        page = operator.get(f"/v1/incidents?limit=2{cursor}").json()
        seen += [row["number"] for row in page["rows"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == sorted(Incident.objects.values_list("number", flat=True), reverse=True)


def test_status_before_the_engine_was_ever_heard(operator: APIClient) -> None:
    shown = operator.get("/v1/status").json()
    assert shown["status"] is None
    assert shown["status_age_ms"] is None
    assert [row["scope"] for row in shown["controls"]] == ["*", "SOL"]


@override_settings(SPREADLINE_REQUIRE_OTP=True)
def test_outside_the_simulator_going_live_needs_a_fresh_code(operator: APIClient) -> None:
    assert send(operator, "observe").status_code == 202
    body = {"reason": "x", "confirm": "GO LIVE"}
    refused = send(operator, "live", **body)
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    user = User.objects.get(username="operator")
    device = TOTPDevice.objects.create(user=user, name="phone", confirmed=True)
    code = f"{totp(device.bin_key):06d}"
    assert send(operator, "live", **body, code=code).status_code == 202
    assert send(operator, "observe").status_code == 202
    assert send(operator, "live", **body, code=code).status_code == 403
