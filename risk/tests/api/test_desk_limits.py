"""The desk's limits in the admin pages: tighter at once, looser after another admin's yes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client, override_settings

from arbsite.auth.services import create_user
from arbsite.models import AuditLog
from arbsite.tests.auth.people import PASSWORD
from risk import desk_limits
from risk.models import DeskLimits

WHERE = "/admin/risk/desklimits/"
FORM = {
    "max_open_usd": "100000",
    "daily_notional_cap_usd": "10000000",
    "fee_floor_sol": "0.05",
    "reason": "because",
}


def page_of(name: str) -> Client:
    create_user(name, PASSWORD, "admin")
    client = Client()
    assert client.login(username=name, password=PASSWORD)
    return client


@pytest.fixture
def page(db: None) -> Client:
    desk_limits.seed_first()
    return page_of("admin")


def save(page: Client, **changes: str) -> Any:
    row = DeskLimits.objects.get(status="in_force")
    return page.post(f"{WHERE}{row.id}/change/", {**FORM, **changes}, follow=True)


def in_force() -> DeskLimits:
    return DeskLimits.objects.get(status="in_force")


def test_tighter_limits_are_in_force_at_once(page: Client) -> None:
    answer = save(page, max_open_usd="50000", fee_floor_sol="0.1")
    assert "Version 2 of The desk&#x27;s limits is in force." in answer.content.decode()
    row = in_force()
    assert (row.version, row.max_open_usd, row.fee_floor_sol) == (2, 50_000, Decimal("0.1"))
    entry = AuditLog.objects.get(action="desk_limits.tighten")
    assert (entry.before["max_open_usd"], entry.after["max_open_usd"]) == ("100000", "50000")
    assert entry.reason == "because"


@override_settings(SPREADLINE_APPROVERS=2)
@pytest.mark.parametrize(
    "change", [{"max_open_usd": "200000"}, {"fee_floor_sol": "0.01"}], ids=["more", "less kept"]
)
def test_looser_limits_wait_for_others(page: Client, change: dict[str, str]) -> None:
    save(page, **change)
    assert in_force().version == 1
    row = DeskLimits.objects.get(version=2)

    def approve(who: Client) -> str:
        body = {"action": "approve", "_selected_action": [str(row.id)]}
        return who.post(WHERE, body, follow=True).content.decode()

    assert "Somebody else must approve" in approve(page)
    assert "waiting for approval" in approve(page_of("second"))
    assert in_force().version == 1
    assert "now in force" in approve(page_of("third"))
    assert in_force().version == 2


def test_a_negative_limit_is_refused(page: Client) -> None:
    answer = save(page, max_open_usd="-1")
    assert "desk_no_negative" in answer.content.decode()
    assert in_force().version == 1


def test_the_first_limits_are_made_once(page: Client) -> None:
    save(page, max_open_usd="50000")
    desk_limits.seed_first()
    assert in_force().version == 2
