"""Configuration: tighter at once, looser after approval, through the API and the admin."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.core.cache import cache
from django.db import connections
from django.test import Client, override_settings
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from arbsite import audit
from arbsite.auth.services import change_user, create_user
from arbsite.events import MODES_BY_STRICTNESS
from arbsite.models import AuditLog, User
from arbsite.tests.auth.people import PASSWORD, signed_in
from trading.models import AssetConfig
from trading.services import TIGHTER, VERSIONS
from trading.tests.intents import open_desk

WHERE = "/v1/config/SOL"


@pytest.fixture
def admin(db: None) -> APIClient:
    cache.clear()
    open_desk("SOL")
    return signed_in("admin")


def put(client: APIClient, version: int = 1, **changes: Any) -> Any:
    body = {"version": version, "reason": "because", **changes}
    return client.put(WHERE, body, format="json")


def decide(client: APIClient, word: str, version: int) -> Any:
    return client.post(f"{WHERE}/{word}", {"version": version}, format="json")


def in_force() -> AssetConfig:
    return AssetConfig.objects.get(asset="SOL", status="in_force")


def test_a_tightening_is_in_force_at_once(admin: APIClient) -> None:
    answer = put(admin, min_edge_bps="3.5", daily_loss_cap_usd="400", enabled=False)
    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"2"'
    shown = answer.json()
    assert (shown["in_force"]["version"], shown["in_force"]["min_edge_bps"]) == (2, "3.5")
    assert shown["proposals"] == []
    row = in_force()
    assert (row.daily_loss_cap_usd, row.enabled, row.created_by) == (Decimal(400), False, "admin")
    assert AssetConfig.objects.get(version=1).status == "superseded"
    entry = AuditLog.objects.get(action="config.tighten")
    assert entry.before == {"enabled": "True", "min_edge_bps": "2", "daily_loss_cap_usd": "500"}
    assert entry.after == {"enabled": "False", "min_edge_bps": "3.5", "daily_loss_cap_usd": "400"}
    assert audit.first_broken_row() is None


def test_a_loosening_waits_and_is_approved(admin: APIClient) -> None:
    answer = put(admin, min_edge_bps="1", daily_loss_cap_usd="400")
    assert answer.status_code == 202
    shown = answer.json()
    assert shown["in_force"]["version"] == 1
    (proposal,) = shown["proposals"]
    assert proposal["approvals_needed"] == 1
    assert {(c["field"], c["is_looser"]) for c in proposal["changes"]} == {
        ("min_edge_bps", True),
        ("daily_loss_cap_usd", False),
    }
    approved = decide(admin, "approve", 2)
    assert approved.status_code == 200
    assert approved.json()["in_force"]["min_edge_bps"] == "1"
    assert decide(admin, "approve", 2).json()["code"] == "not_waiting"
    actions = AuditLog.objects.filter(action__startswith="config").order_by("id")
    assert list(actions.values_list("action", flat=True)) == [
        "config.propose",
        "config.approve",
        "config.in_force",
    ]


def test_a_rejected_proposal_is_gone(admin: APIClient) -> None:
    put(admin, min_edge_bps="1")
    assert decide(admin, "reject", 2).json()["proposals"] == []
    assert decide(admin, "approve", 2).status_code == 409
    assert in_force().version == 1


def test_nobody_overwrites_what_they_have_not_seen(admin: APIClient) -> None:
    assert put(admin, min_edge_bps="3").status_code == 200
    late = put(admin, min_edge_bps="4")
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    body = {"reason": "x", "min_edge_bps": "4"}
    assert admin.put(WHERE, body, format="json").status_code == 428
    for header, status in (('"1"', 409), ("x", 400), ("²", 400), ("9" * 5000, 400), ('"2"', 200)):
        answer = admin.put(WHERE, body, format="json", headers={"If-Match": header})
        assert answer.status_code == status, header
    both = {**body, "version": 2, "min_edge_bps": "5"}
    assert admin.put(WHERE, both, format="json", headers={"If-Match": "3"}).status_code == 400


def test_a_proposal_dies_with_the_version_it_was_shown_against(admin: APIClient) -> None:
    put(admin, max_notional_usd="6000")
    assert put(admin, min_edge_bps="3").status_code == 200
    answer = decide(admin, "approve", 2)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_waiting")
    assert in_force().max_notional_usd == Decimal(5000)


def test_an_old_proposal_cannot_be_approved(admin: APIClient) -> None:
    put(admin, max_notional_usd="6000")
    row = AssetConfig.objects.get(version=2)
    row.created_at -= timedelta(hours=25)
    row.save(update_fields=["created_at"])
    assert decide(admin, "approve", 2).json()["code"] == "expired"


def test_a_change_needs_substance_and_a_reason(admin: APIClient) -> None:
    assert put(admin).json()["code"] == "unchanged"
    assert put(admin, min_edge_bps="2.000").json()["code"] == "unchanged"
    assert put(admin, min_edge_bps="3", reason="  ").json()["code"] == "reason_required"
    assert put(admin, min_edge_bps="3", status="in_force").status_code == 400
    assert admin.get("/v1/config/DOGE").json()["code"] == "unknown_asset"
    assert decide(admin, "approve", 9).json()["code"] == "unknown_version"


@override_settings(SPREADLINE_APPROVERS=2)
def test_outside_the_simulator_two_others_must_approve(admin: APIClient) -> None:
    put(admin, max_notional_usd="6000")
    own = decide(admin, "approve", 2)
    assert (own.status_code, own.json()["code"]) == (403, "own_proposal")
    second, third = signed_in("admin", "second"), signed_in("admin", "third")
    for _ in range(2):
        assert decide(second, "approve", 2).status_code == 202
    assert in_force().version == 1
    # An approval stops counting when its giver may no longer approve.
    change_user(User.objects.get(username="second"), role="viewer", is_active=True, actor="t")
    assert decide(third, "approve", 2).status_code == 202
    assert decide(signed_in("admin", "fourth"), "approve", 2).status_code == 200
    assert in_force().max_notional_usd == Decimal(6000)


@pytest.mark.django_db(transaction=True)
def test_of_many_changes_from_one_version_one_wins() -> None:
    cache.clear()
    open_desk("SOL")
    client = signed_in("admin")

    def change(number: int) -> int:
        status = put(client, min_edge_bps=str(3 + number)).status_code
        connections.close_all()
        return status

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(change, range(8)))
    assert statuses == [200] + [409] * 7
    assert AssetConfig.objects.filter(status="in_force").count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_engine_is_woken_at_commit(test_database_url: str) -> None:
    cache.clear()
    open_desk("SOL")
    client = signed_in("admin")
    with psycopg.connect(test_database_url, autocommit=True) as listener:
        listener.execute("LISTEN spreadline")
        assert put(client, min_edge_bps="3").status_code == 200
        woken = [notify.payload for notify in listener.notifies(timeout=5, stop_after=1)]
    assert woken == ["config"]


# ---- the table of what is tighter -----------------------------------------------------


def values_of(name: str) -> st.SearchStrategy[Any]:
    if name == "enabled":
        return st.booleans()
    if name == "mode":
        return st.sampled_from(MODES_BY_STRICTNESS)
    if name == "leg_order":
        return st.sampled_from(["auto", "concurrent", "dex_first", "cex_first"])
    if isinstance(AssetConfig._meta.get_field(name).default, Decimal):
        return st.decimals(min_value=0, max_value=10**6, places=3)
    return st.integers(min_value=0, max_value=30_000)


def test_the_table_has_every_field_that_can_be_changed() -> None:
    kept = {"id", "asset", "version", "status", "created_by", "reason", "created_at", "in_force_at"}
    columns = {field.name for field in AssetConfig._meta.concrete_fields}
    assert set(TIGHTER) == columns - kept


@given(data=st.data(), name=st.sampled_from(sorted(TIGHTER)))
def test_no_two_values_are_each_tighter_than_the_other(data: st.DataObject, name: str) -> None:
    one, two, three = (data.draw(values_of(name)) for _ in range(3))
    assert not VERSIONS.is_looser(name, one, one)
    if one != two:
        assert VERSIONS.is_looser(name, one, two) or VERSIONS.is_looser(name, two, one)
    if not VERSIONS.is_looser(name, one, two) and not VERSIONS.is_looser(name, two, three):
        assert not VERSIONS.is_looser(name, one, three)


@pytest.mark.parametrize(
    ("name", "tight", "loose"),
    [
        ("enabled", False, True),
        ("mode", "halt", "live"),
        ("mode", "observe", "paper"),
        ("min_edge_bps", Decimal(3), Decimal(2)),
        ("min_profit_usd", Decimal(1), Decimal(0)),
        ("cooldown_ms", 100, 0),
        ("max_notional_usd", Decimal(1), Decimal(2)),
        ("daily_loss_cap_usd", Decimal(1), Decimal(2)),
        ("max_frame_age_ms", 500, 1500),
        ("intents_per_window", 1, 2),
        ("inventory_band_pct", Decimal(10), Decimal(40)),
    ],
)
def test_the_direction_is_the_one_that_risks_less(name: str, tight: Any, loose: Any) -> None:
    assert VERSIONS.is_looser(name, tight, loose)
    assert not VERSIONS.is_looser(name, loose, tight)


@pytest.mark.parametrize("name", ["leg_order", "max_hedges"])
def test_what_has_no_order_is_always_approved(name: str) -> None:
    pair = ("auto", "dex_first") if name == "leg_order" else (2, 3)
    assert VERSIONS.is_looser(name, *pair)
    assert VERSIONS.is_looser(name, *reversed(pair))


# ---- the admin pages ------------------------------------------------------------------


@pytest.fixture
def pages(db: None) -> Client:
    open_desk("SOL")
    create_user("ada", PASSWORD, "admin")
    client = Client()
    assert client.login(username="ada", password=PASSWORD)
    return client


def form(row: AssetConfig, **changes: Any) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in TIGHTER} | {"reason": "by hand"} | changes
    return {name: value for name, value in values.items() if value is not False}


def change_page(row: AssetConfig) -> str:
    return f"/admin/trading/assetconfig/{row.pk}/change/"


def test_the_admin_tightens_at_once_and_keeps_the_old_version(pages: Client) -> None:
    row = in_force()
    answer = pages.post(change_page(row), form(row, min_edge_bps="4"), follow=True)
    assert b"Version 2 of SOL is in force" in answer.content
    row.refresh_from_db()
    assert (row.status, row.min_edge_bps) == ("superseded", Decimal(2))
    assert in_force().min_edge_bps == Decimal(4)
    assert AuditLog.objects.get(action="config.tighten").actor == "ada"


def test_the_admin_loosens_by_a_proposal_and_its_approval(pages: Client) -> None:
    row = in_force()
    answer = pages.post(change_page(row), form(row, max_notional_usd="7000"), follow=True)
    assert b"waits for approval" in answer.content
    assert in_force() == row
    proposal = AssetConfig.objects.get(status="proposed")
    act = {"action": "approve", "_selected_action": [str(proposal.pk)]}
    pages.post("/admin/trading/assetconfig/", act, follow=True)
    assert in_force().max_notional_usd == Decimal(7000)


def test_the_admin_shows_a_refusal_and_changes_nothing(pages: Client) -> None:
    row = in_force()
    for changes in ({"cex_depth_cap": "1.5"}, {"min_edge_bps": "-1"}, {"mode": "yolo"}):
        pages.post(change_page(row), form(row, **changes), follow=True)
        assert AssetConfig.objects.get() == row
    row.refresh_from_db()
    assert row.cex_depth_cap == Decimal("0.9")


def test_old_versions_and_records_are_read_only(pages: Client) -> None:
    row = in_force()
    pages.post(change_page(row), form(row, min_edge_bps="4"))
    assert pages.post(change_page(row), form(row, min_edge_bps="9")).status_code == 403
    for section in ("trading/trade", "trading/window", "risk/control", "risk/incident"):
        assert pages.get(f"/admin/{section}/").status_code == 200
        assert pages.get(f"/admin/{section}/add/").status_code == 403
    assert pages.get("/admin/arbsite/auditlog/").status_code == 200
    assert pages.get("/admin/arbsite/user/").status_code == 403


def test_who_is_no_staff_does_not_enter_the_admin(pages: Client) -> None:
    create_user("oleg", PASSWORD, "operator")
    client = Client()
    assert client.login(username="oleg", password=PASSWORD)
    assert client.get("/admin/trading/assetconfig/").status_code == 302


def test_security_manages_people_and_cannot_trade(pages: Client) -> None:
    create_user("sam", PASSWORD, "security")
    client = Client()
    assert client.login(username="sam", password=PASSWORD)
    row = in_force()
    assert client.post(change_page(row), form(row, min_edge_bps="4")).status_code == 403
    person = {"username": "new", "role": "operator", "password": PASSWORD, "is_active": "on"}
    assert client.post("/admin/arbsite/user/add/", person).status_code == 302
    made = User.objects.get(username="new")
    assert made.check_password(PASSWORD)
    person = {"role": "viewer", "password": ""}
    assert client.post(f"/admin/arbsite/user/{made.pk}/change/", person).status_code == 302
    made.refresh_from_db()
    assert (made.is_active, list(made.groups.values_list("name", flat=True))) == (False, ["viewer"])
    own = User.objects.get(username="sam")
    person = {"role": "admin", "password": "", "is_active": "on"}
    assert client.post(f"/admin/arbsite/user/{own.pk}/change/", person).status_code == 403
    weak = {"username": "weak", "role": "viewer", "password": "short", "is_active": "on"}
    client.post("/admin/arbsite/user/add/", weak)
    assert not User.objects.filter(username="weak").exists()
