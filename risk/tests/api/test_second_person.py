"""After a loss nobody resumes alone: two people, each with a factor of their own, once."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import override_settings
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.test import APIClient

from arbsite.auth.services import change_user
from arbsite.errors import DomainError
from arbsite.models import Approval, AuditLog, User
from arbsite.tests.auth.people import signed_in
from risk import services
from risk.models import Command, Control, Incident
from risk.selectors import control_rows

LIVE_RULES = override_settings(SPREADLINE_APPROVERS=2, SPREADLINE_REQUIRE_OTP=True)


class Person:
    """An operator with a client and a device that shows codes."""

    def __init__(self, name: str) -> None:
        # Signed in before there is a device: the door is not what is tested here.
        self.client: APIClient = signed_in("operator", name)
        user = User.objects.get(username=name)
        self._device = TOTPDevice.objects.create(user=user, name="phone", confirmed=True)

    def resume(self, *, key: str = "", code: str | None = None, scope: str = "SOL") -> Any:
        self._device.refresh_from_db()
        self._device.last_t = -1
        self._device.throttling_failure_count = 0
        self._device.throttling_failure_timestamp = None
        self._device.save()
        shown = f"{totp(self._device.bin_key):06d}" if code is None else code
        body = {"scope": scope, "reason": "looked at it", "code": shown}
        headers = {"Idempotency-Key": key or str(uuid4())}
        return self.client.post("/v1/controls/resume", body, format="json", headers=headers)


@pytest.fixture
def people(db: None) -> tuple[Person, Person]:
    cache.clear()
    for scope in ("*", "SOL"):
        services.set_first_mode(scope, "live", actor="test", reason="test")
    return Person("one"), Person("two")


def lose() -> None:
    services.trip("SOL", "daily_loss", text="lost", value="600 USD", limit="500 USD")


def in_force() -> str:
    return Control.objects.get(scope="SOL").effective_mode


@LIVE_RULES
def test_two_people_resume_after_a_loss(people: tuple[Person, Person]) -> None:
    one, two = people
    lose()
    row = next(row for row in control_rows() if row.scope == "SOL")
    assert (row.leaves_by, row.asked_by) == ("second_person", [])
    key = str(uuid4())
    first = one.resume(key=key)
    assert (first.status_code, first.json()["state"]) == (202, "waiting")
    assert one.resume(key=key).json() == first.json()
    # The same person again is still one person.
    assert one.resume().json()["state"] == "waiting"
    assert in_force() == "hedge_only"
    assert next(row for row in control_rows() if row.scope == "SOL").asked_by == ["one"]
    second = two.resume()
    assert (second.status_code, second.json()["state"]) == (202, "accepted")
    assert in_force() == "live"
    assert Incident.objects.get(rule="daily_loss").state == "closed"
    told = AuditLog.objects.filter(action__startswith="control.resume").order_by("id")
    assert list(told.values_list("actor", "action")) == [
        ("one", "control.resume.asked"),
        ("one", "control.resume.asked"),
        ("two", "control.resume"),
    ]


@LIVE_RULES
def test_each_person_proves_the_second_factor(people: tuple[Person, Person]) -> None:
    one, two = people
    lose()
    for code in ("", "000000"):
        refused = one.resume(code=code)
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    assert one.resume().json()["state"] == "waiting"
    assert two.resume(code="").status_code == 403
    assert in_force() == "hedge_only"
    assert Command.objects.count() == 1


@LIVE_RULES
@pytest.mark.parametrize("how", ["late", "another loss", "demoted"])
def test_a_yes_counts_for_these_trips_and_not_for_long(
    people: tuple[Person, Person], how: str
) -> None:
    one, two = people
    lose()
    one.resume()
    if how == "late":
        Approval.objects.update(at=Approval.objects.get().at - timedelta(minutes=16))
    elif how == "another loss":
        Control.objects.filter(scope="SOL").update(trips={})
        Incident.objects.update(state="closed")
        lose()
    else:
        user = User.objects.get(username="one")
        change_user(user, role="viewer", is_active=True, actor="test")
    assert two.resume().json()["state"] == "waiting"
    assert in_force() == "hedge_only"


@LIVE_RULES
def test_other_stops_need_one_person_and_no_code(people: tuple[Person, Person]) -> None:
    one, _ = people
    services.trip("SOL", "order_rate", text="t", value="121", limit="120")
    assert one.resume(code="").json()["state"] == "accepted"
    assert in_force() == "live"


@LIVE_RULES
def test_a_pause_over_a_loss_is_no_way_around_it(people: tuple[Person, Person]) -> None:
    one, _ = people
    lose()
    for act in (services.pause, services.observe):
        act("SOL", user="one", key=str(uuid4()), reason="x")
        assert one.resume().json()["state"] == "waiting"
    services.kill("SOL", user="one", key=str(uuid4()), reason="x")
    number = Incident.objects.get(rule="kill_switch").number
    services.reset("SOL", user="one", key=str(uuid4()), reason="x", incident=number)
    assert in_force() == "hedge_only"


@LIVE_RULES
def test_the_service_itself_refuses_without_the_factor(people: tuple[Person, Person]) -> None:
    lose()
    with pytest.raises(DomainError, match="second factor"):
        services.resume("SOL", user="one", key=str(uuid4()), reason="x")


def test_on_the_simulator_one_person_is_enough(people: tuple[Person, Person]) -> None:
    lose()
    assert people[0].resume(code="").json()["state"] == "accepted"
    assert in_force() == "live"


@LIVE_RULES
def test_the_terminal_says_who_must_still_agree(people: tuple[Person, Person]) -> None:
    lose()
    people[0].resume()
    out = StringIO()
    call_command("status", stdout=out)
    (line,) = [line for line in out.getvalue().splitlines() if "SOL" in line]
    assert "two people, each with a second factor" in line
    assert line.endswith("asked for by one")
