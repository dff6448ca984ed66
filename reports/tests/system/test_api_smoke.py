"""Bad input against the running desk: refused with a reason, never a server error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from reports.tests.system.desk import Answer, Desk

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(autouse=True)
def no_server_error(desk: Desk) -> Iterator[None]:
    """Whatever a test sends, the web server's log tells of no failure of its own."""
    seen = len(desk.log("web"))
    yield
    new = desk.log("web")[seen:]
    assert "Traceback" not in new, new
    assert '"ERROR"' not in new, new


def _assert_refused(answer: Answer, status: int, code: str | None = None) -> None:
    assert answer.status == status, answer.body
    assert set(answer.body) >= {"code", "detail", "request_id"}
    if code is not None:
        assert answer.body["code"] == code


def test_a_stranger_sees_nothing(desk: Desk) -> None:
    for path in ("/v1/status", "/v1/trades", "/v1/config/SOL", "/v1/inventory"):
        assert desk.anonymous("GET", path).status == 401
    assert desk.anonymous("POST", "/v1/controls/kill", {}).status == 401
    wrong = {"username": desk.username, "password": "not this one"}
    assert desk.anonymous("POST", "/v1/auth/token", wrong).status == 401


def test_what_exists_answers(desk: Desk) -> None:
    status = desk.api("GET", "/v1/status")
    assert status.status == 200
    assert {row["scope"] for row in status.body["controls"]} >= {"*", "SOL", "JUP", "WIF"}
    for path in ("/v1/trades", "/v1/opportunities", "/v1/windows", "/v1/incidents"):
        answer = desk.api("GET", path)
        assert answer.status == 200, answer.body
        assert isinstance(answer.body["rows"], list)
    assert desk.anonymous("GET", "/").status == 200


def test_an_unknown_asset_is_not_found(desk: Desk) -> None:
    _assert_refused(desk.api("GET", "/v1/config/NOPE"), 404)
    body = {"scope": "NOPE", "reason": "test"}
    key = {"Idempotency-Key": str(uuid4())}
    _assert_refused(desk.api("POST", "/v1/controls/pause", body, headers=key), 404)


@pytest.mark.parametrize(
    "value",
    ['"NaN"', "NaN", "Infinity", '"-1"', "-1", '"1e9"', '"١٢"', '"1_0"', '""', "null", "[]"],
)
def test_a_cap_that_is_no_amount_changes_nothing(desk: Desk, value: str) -> None:
    before = desk.api("GET", "/v1/config/SOL").body
    version = desk.value(
        "select version from trading_assetconfig where asset = 'SOL' and status = 'in_force'"
    )
    raw = f'{{"version": {version}, "reason": "test", "max_notional_usd": {value}}}'
    _assert_refused(desk.api("PUT", "/v1/config/SOL", raw=raw.encode()), 400)
    assert desk.api("GET", "/v1/config/SOL").body == before


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b'{"reason": "a", "reason": "b"}',
        b'{"scope": "*", "reason": "\\u0000"}',
        b'{"scope": "*", "reason": "\\ud800"}',
        b'{"scope": "*", "surprise": 1}',
        b"[" * 5000 + b"]" * 5000,
        b'{"reason": ' + b"9" * 5000 + b"}",
        b'{"reason": "' + b"x" * 70_000 + b'"}',
    ],
    ids=[
        "cut", "empty", "not-utf8", "twice", "nul", "surrogate", "unknown-field", "deep",
        "long-number", "too-long",
    ],
)  # fmt: skip
def test_a_malformed_command_has_no_effect(desk: Desk, raw: bytes) -> None:
    version = "select version from risk_control where scope = '*'"
    before = desk.value(version)
    headers = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
    answer = desk.api("POST", "/v1/controls/resume", raw=raw, headers=headers)
    assert 400 <= answer.status < 500, answer.body
    assert set(answer.body) >= {"code", "detail", "request_id"}
    assert desk.value(version) == before


def test_a_query_nobody_defined_is_refused(desk: Desk) -> None:
    _assert_refused(desk.api("GET", "/v1/trades?limti=5"), 400)
    _assert_refused(desk.api("GET", "/v1/trades?limit=-1"), 400)
    _assert_refused(desk.api("GET", "/v1/opportunities?min_edge=nan"), 400)
    _assert_refused(desk.api("GET", "/v1/trades?cursor=%00"), 400)


def test_a_command_without_a_key_is_refused(desk: Desk) -> None:
    body = {"scope": "*", "reason": "test"}
    _assert_refused(desk.api("POST", "/v1/controls/pause", body), 400)
    wrong = {"Idempotency-Key": "not-a-uuid"}
    _assert_refused(desk.api("POST", "/v1/controls/pause", body, headers=wrong), 400)


def test_a_repeated_command_has_one_effect(desk: Desk) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    body = {"scope": "WIF", "reason": "twice"}
    first = desk.api("POST", "/v1/controls/pause", body, headers=headers)
    again = desk.api("POST", "/v1/controls/pause", body, headers=headers)
    assert (first.status, again.status) == (202, 202)
    assert first.body == again.body
    other = json.loads(json.dumps(body)) | {"reason": "another"}
    _assert_refused(desk.api("POST", "/v1/controls/pause", other, headers=headers), 409)
    key = {"Idempotency-Key": str(uuid4())}
    resumed = desk.api("POST", "/v1/controls/resume", body, headers=key)
    assert resumed.status == 202, resumed.body
