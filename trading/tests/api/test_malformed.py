"""Input nobody should send: a 4xx with a reason, never a 500, and nothing stored."""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from arbsite.parsers import read_json
from arbsite.tests.auth.people import signed_in
from risk.models import Command
from trading.models import AssetConfig
from trading.tests.intents import open_desk

BODIES: dict[str, bytes] = {
    "no json": b"{",
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"SOL"',
    "number": b"7",
    "NUL in text": b'{"reason":"a\\u0000b"}',
    "NUL in key": b'{"reason\\u0000":"a"}',
    "lone surrogate": b'{"reason":"\\ud800"}',
    "lone low surrogate": b'{"reason":"\\udc00x"}',
    "invalid UTF-8": b'{"reason":"\xff\xfe"}',
    "UTF-16": '{"reason":"x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"reason":"x"}',
    "100k deep": b'{"reason":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "900 deep": b'{"reason":' + b"[" * 900 + b"]" * 900 + b"}",
    "33 deep": b"[" * 33 + b"]" * 33,
    "duplicate keys": b'{"reason":"a","reason":"b"}',
    "NaN": b'{"reason":NaN}',
    "Infinity": b'{"reason":-Infinity}',
    "1e400": b'{"reason":1e400}',
    "5000 digits": b'{"reason":' + b"9" * 5000 + b"}",
    "wrong type": b'{"reason":7}',
    "bool as text": b'{"reason":true}',
    "unknown field": b'{"reason":"x","is_admin":true}',
    "too long": json.dumps({"reason": "x" * 501}).encode(),
    "3 MB": json.dumps({"reason": "x" * 3_000_000}).encode(),
}
SCOPES = [
    "",
    "sol",
    "SOL ",
    "SOL\n",
    "ＳＯＬ",
    "S\u200bOL",
    "\u202eLOS",
    "S" * 17,
    "**",
    "*;",
    None,
    7,
]
NUMBERS = [
    "-1", "-0", "+1", "1_0", "１０", "٣", "1e3", "0x10", " 1", "1 ", "1\n", "", ".5", "5.", "NaN",
    "Infinity", "1,5", "9" * 21, "9" * 5000, "0." + "1" * 19, 5, 5.5, True, None, [], {},
]  # fmt: skip
WHOLE = [-1, 2**31, 10**30, 1.5, "7", True, None]
QUERIES = [
    "asset=%00", "asset=sol", "asset=SOL%0A", "asset=%EF%BC%B3", "asset=SOL&asset=SOL", "asset=",
    "limit=abc", "limit=0", "limit=-1", "limit=201", "limit=1_0", "limit=%EF%BC%91",
    "limit=" + "9" * 5000, "limit=", "ordering=id", "n=1", "%00=1", "cursor=x", "cursor=%00",
    "cursor=" + "A" * 121, "cursor=MQ", "cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OS5h", "cursor=..",
]  # fmt: skip
WINDOW_QUERIES = [
    "min_edge=NaN", "min_edge=inf", "min_edge=1e5", "min_edge=٣", "gate=%27", "direction=up",
    "since=yesterday", "since=2026-01-01", "since=2026-01-01T00:00:00", "decision=TAKEN",
    "gate=" + "a" * 65,
]  # fmt: skip


@pytest.fixture
def admin(db: None, caplog: pytest.LogCaptureFixture) -> APIClient:
    cache.clear()
    caplog.set_level(logging.CRITICAL, logger="arbsite.problems")
    open_desk("SOL")
    return signed_in("admin")


def send(client: APIClient, method: str, address: str, raw: bytes) -> Any:
    key = {"HTTP_IDEMPOTENCY_KEY": str(uuid4())}
    return client.generic(method, address, raw, content_type="application/json", **key)


def refusal(answer: Any) -> str:
    """The code of a proper refusal."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.content[:200])
    body = answer.json()
    assert set(body) <= {"code", "detail", "request_id", "fields"}
    assert body["detail"]
    assert "Traceback" not in body["detail"]
    return str(body["code"])


@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_body_is_refused_everywhere(admin: APIClient, name: str) -> None:
    for method, address in (
        ("POST", "/v1/controls/resume"),
        ("PUT", "/v1/config/SOL"),
        ("POST", "/v1/config/SOL/approve"),
        ("POST", "/v1/auth/token"),
    ):
        refusal(send(admin, method, address, BODIES[name]))
    assert Command.objects.count() == 0
    assert AssetConfig.objects.count() == 1


def test_only_json_is_read(admin: APIClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = admin.generic("POST", "/v1/auth/token", b"a=b", content_type=kind)
        assert answer.status_code == 415


def test_a_scope_is_a_star_or_an_asset(admin: APIClient) -> None:
    for scope in SCOPES:
        raw = json.dumps({"scope": scope}).encode()
        assert refusal(send(admin, "POST", "/v1/controls/pause", raw)) == "invalid", scope


@pytest.mark.parametrize("field", ["max_notional_usd", "min_edge_bps", "cex_depth_cap"])
def test_a_limit_is_plain_decimal_text(admin: APIClient, field: str) -> None:
    for value in NUMBERS:
        raw = json.dumps({"version": 1, "reason": "x", field: value}).encode()
        assert refusal(send(admin, "PUT", "/v1/config/SOL", raw)) == "invalid", value
    assert AssetConfig.objects.count() == 1


@pytest.mark.parametrize("field", ["daily_trades_cap", "max_slot_lag", "version"])
def test_a_count_is_a_whole_number_in_range(admin: APIClient, field: str) -> None:
    for value in WHOLE:
        raw = json.dumps({"version": 1, "reason": "x", "enabled": False, field: value}).encode()
        assert refusal(send(admin, "PUT", "/v1/config/SOL", raw)) == "invalid", value
    assert AssetConfig.objects.count() == 1


def test_a_fraction_outside_its_range_is_refused_by_name(admin: APIClient) -> None:
    for value in ("0", "1.0001", "1.5"):
        raw = json.dumps({"version": 1, "reason": "x", "cex_depth_cap": value}).encode()
        assert "depth" in send(admin, "PUT", "/v1/config/SOL", raw).json()["detail"]


@pytest.mark.parametrize("address", ["/v1/windows", "/v1/opportunities", "/v1/trades"])
def test_a_malformed_query_is_refused(admin: APIClient, address: str) -> None:
    extra = [] if address == "/v1/trades" else WINDOW_QUERIES
    for query in QUERIES + extra:
        assert refusal(admin.get(f"{address}?{query}")) == "invalid", query


def test_queries_at_the_edge_of_time_are_answered(admin: APIClient) -> None:
    for at in ("0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"):
        for name in ("since", "until"):
            assert admin.get(f"/v1/windows?{name}={at}").status_code == 200


def test_an_endpoint_without_parameters_takes_none(admin: APIClient) -> None:
    for address in ("/v1/status", "/v1/inventory", "/v1/config/SOL"):
        assert admin.get(address).status_code == 200
        assert refusal(admin.get(f"{address}?verbose=1")) == "invalid"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=JSON | st.dictionaries(st.sampled_from(["scope", "reason", "confirm"]), JSON))
def test_no_body_makes_a_server_error(admin: APIClient, value: Any) -> None:
    raw = json.dumps(value).encode("utf-8", "surrogatepass")
    assert send(admin, "POST", "/v1/controls/live", raw).status_code < 500


@given(value=JSON)
def test_good_json_reads_as_the_standard_library_reads_it(value: Any) -> None:
    try:
        raw = json.dumps(value, allow_nan=False).encode()
        "".join(_texts(value)).encode()
    except (ValueError, UnicodeEncodeError):
        return
    if "\x00" not in "".join(_texts(value)) and len(raw) < 1000:
        whole = [int(text) for text in _numbers(value)]
        if all(abs(number) < 10**38 for number in whole):
            assert read_json(raw) == json.loads(raw)


def _texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for entry in value for text in _texts(entry)]
        case dict():
            return [text for pair in value.items() for entry in pair for text in _texts(entry)]
    return []


def _numbers(value: Any) -> list[int]:
    match value:
        case bool():
            return []
        case int():
            return [value]
        case list():
            return [number for entry in value for number in _numbers(entry)]
        case dict():
            return [number for entry in value.values() for number in _numbers(entry)]
    return []
