"""Orders about a parked trade over HTTP: who, once, with what, and who else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import override_settings
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.test import APIClient

from arbsite.clock import utc_now
from arbsite.models import AuditLog, User
from arbsite.tests.auth.people import signed_in
from trading import resolutions
from trading.models import EngineLease, Resolution, Trade
from trading.tests.api.test_lists import add_trade

TRADE = UUID(int=1)


@pytest.fixture
def operator(db: None) -> APIClient:
    return open_desk()


def open_desk(residual: str = "1") -> APIClient:
    cache.clear()
    EngineLease.objects.create(shard="main", epoch=1, heartbeat_at=utc_now())
    add_trade(1, state="operator", residual_base=Decimal(residual), closed_ns=None)
    return signed_in("operator")


def send(client: APIClient, act: str, key: str | None = None, **body: Any) -> Any:
    return client.post(
        f"/v1/trades/{TRADE}/resolve",
        {"act": act, "reason": "seen at the venue"} | body,
        format="json",
        headers={"Idempotency-Key": key or str(uuid4())},
    )


def answered(act: str, **detail: str) -> Resolution:
    """As the engine leaves it."""
    row = Resolution.objects.get(act=act)
    row.state, row.answered_at, row.detail = "done", utc_now(), detail
    row.save()
    return row


def test_an_order_is_a_row_for_the_engine_and_a_row_in_the_log(operator: APIClient) -> None:
    answer = send(operator, "keep")
    assert answer.status_code == 202
    row = Resolution.objects.get()
    assert (answer.json()["id"], answer.json()["state"]) == (str(row.id), "requested")
    entry = AuditLog.objects.get(action="trade.keep")
    assert (entry.actor, entry.reason) == ("operator", "seen at the venue")
    assert entry.after["order"] == str(row.id)
    listed = operator.get(f"/v1/trades/{TRADE}/resolutions").json()["rows"]
    assert [each["id"] for each in listed] == [str(row.id)]


def test_the_same_key_is_one_order_and_another_order_needs_another_key(
    operator: APIClient,
) -> None:
    key = str(uuid4())
    first, again = send(operator, "keep", key), send(operator, "keep", key.upper())
    assert first.json() == again.json()
    assert send(operator, "prove", key).json()["code"] == "key_reused"
    assert send(operator, "prove").json()["code"] == "busy"
    assert Resolution.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_clicks_at_once_are_one_order() -> None:
    client, key = open_desk(), str(uuid4())

    def click(number: int) -> tuple[int, str]:
        answer = send(client, "keep", key if number % 2 else None)
        connections.close_all()
        return answer.status_code, answer.json().get("id", answer.json().get("code"))

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(click, range(12)))
    assert Resolution.objects.count() == 1
    assert answers <= {(202, str(Resolution.objects.get().id)), (409, "busy")}


def test_a_flatten_confirms_a_fresh_preview(operator: APIClient) -> None:
    assert send(operator, "flatten").json()["code"] == "preview_needed"
    assert send(operator, "preview", reason="").status_code == 202
    row = answered("preview", limit_price="149.98", residual_base="1")
    done = send(operator, "flatten", preview=str(row.id))
    assert (done.status_code, done.json()["detail"]["limit_price"]) == (202, "149.98")
    Resolution.objects.filter(act="flatten").update(state="refused")
    Resolution.objects.filter(act="preview").update(
        answered_at=utc_now() - resolutions.PREVIEW_LIFETIME * 2
    )
    assert send(operator, "flatten", preview=str(row.id)).json()["code"] == "preview_needed"


def test_what_makes_no_sense_is_refused_by_name(operator: APIClient) -> None:
    assert send(operator, "keep", reason=" ").json()["code"] == "reason_required"
    assert send(operator, "attach").json()["code"] == "reference_required"
    assert send(operator, "keep", venue="kraken", reference="T1").json()["code"] == "invalid"
    assert send(operator, "cancel").status_code == 400
    assert send(operator, "attach", venue="kraken", reference="1.5 SOL").status_code == 400
    assert send(operator, "attach", venue="kraken", reference="T1", qty="1").status_code == 400
    Trade.objects.update(state="hedging")
    assert send(operator, "keep").json()["code"] == "not_parked"
    assert send(operator, "stop_resending").status_code == 202
    Trade.objects.update(state="closed")
    assert send(operator, "stop_resending").json()["code"] == "closed"
    other = operator.get(f"/v1/trades/{UUID(int=9)}/resolutions")
    assert other.json()["code"] == "unknown_trade"


def test_an_order_nobody_took_makes_room_for_the_next(operator: APIClient) -> None:
    assert send(operator, "keep").status_code == 202
    Resolution.objects.update(expires_at=utc_now())
    assert send(operator, "prove").status_code == 202
    assert set(Resolution.objects.values_list("act", "state")) == {
        ("keep", "expired"),
        ("prove", "requested"),
    }


@pytest.mark.django_db
def test_a_viewer_may_look_and_not_order() -> None:
    open_desk()
    viewer = signed_in("viewer")
    assert send(viewer, "keep").status_code == 403
    assert viewer.get(f"/v1/trades/{TRADE}/resolutions").status_code == 200
    assert Resolution.objects.count() == 0


@override_settings(SPREADLINE_REQUIRE_OTP=True)
def test_every_act_but_a_preview_needs_the_second_factor(operator: APIClient) -> None:
    user = User.objects.get(username="operator")
    device = TOTPDevice.objects.create(user=user, confirmed=True)
    assert send(operator, "preview").status_code == 202
    answered("preview", limit_price="1")
    refused = send(operator, "keep", code="000000")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    TOTPDevice.objects.update(throttling_failure_count=0)
    key, code = str(uuid4()), f"{totp(device.bin_key):06d}"
    first = send(operator, "keep", key, code=code)
    assert first.status_code == 202
    # The second click carries the code that is used up; it is still the same order.
    assert send(operator, "keep", key, code=code).json() == first.json()
    Resolution.objects.update(state="done")
    assert send(operator, "prove", code=code).json()["code"] == "second_factor_required"


@override_settings(SPREADLINE_APPROVERS=2, SPREADLINE_RESOLVE_ALONE_USD="100")
def test_above_the_value_a_second_person_must_agree(operator: APIClient) -> None:
    waiting = send(operator, "keep").json()
    assert waiting["state"] == "waiting"
    address = f"/v1/trades/{TRADE}/resolutions/{waiting['id']}/approve"
    own = operator.post(address, {}, format="json")
    assert (own.status_code, own.json()["code"]) == (403, "own_order")
    second = signed_in("admin")
    approved = second.post(address, {"reason": "I agree"}, format="json")
    assert (approved.status_code, approved.json()["state"]) == (202, "requested")
    assert approved.json()["approved_by"] == "admin"
    assert second.post(address, {}, format="json").json() == approved.json()
    third = signed_in("operator", "third")
    assert third.post(address, {}, format="json").json()["code"] == "not_waiting"
    actions = AuditLog.objects.filter(target=f"trade {TRADE}").order_by("id")
    assert list(actions.values_list("actor", "action")) == [
        ("operator", "trade.keep"),
        ("admin", "trade.approve"),
    ]


@override_settings(SPREADLINE_APPROVERS=2, SPREADLINE_RESOLVE_ALONE_USD="151")
def test_below_the_value_and_for_looking_one_person_is_enough(operator: APIClient) -> None:
    for act in ("keep", "prove", "preview"):
        assert send(operator, act).json()["state"] == "requested"
        Resolution.objects.update(state="done")
