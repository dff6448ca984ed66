"""Every route × method × kind of caller: nothing is open that this table does not open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from arbsite.auth.roles import ROLES
from arbsite.clock import utc_now
from arbsite.headers import CONTENT_SECURITY_POLICY
from arbsite.models import Session, User
from arbsite.tests.auth.people import ROLE_NAMES, signed_in

PUBLIC = "public"
TRADE_ID = "00000000-0000-7000-8000-000000000000"
ORDER_ID = "00000000-0000-7000-8000-000000000001"
STUDY_ID = "00000000-0000-7000-8000-000000000002"
# Address → method → the word it needs.
TABLE: dict[str, dict[str, str]] = {
    "/v1/auth/token": {"POST": PUBLIC},
    "/v1/auth/refresh": {"POST": PUBLIC},
    "/v1/auth/logout": {"POST": PUBLIC},
    "/v1/stream/ticket": {"POST": "read"},
    "/v1/status": {"GET": "read"},
    "/v1/controls/pause": {"POST": "trade"},
    "/v1/controls/resume": {"POST": "trade"},
    "/v1/controls/observe": {"POST": "trade"},
    "/v1/controls/paper": {"POST": "trade"},
    "/v1/controls/live": {"POST": "trade"},
    "/v1/controls/kill": {"POST": "trade"},
    "/v1/controls/reset": {"POST": "admin"},
    "/v1/incidents": {"GET": "read"},
    "/v1/incidents/1/ack": {"POST": "trade"},
    "/v1/inventory": {"GET": "read"},
    "/v1/opportunities": {"GET": "read"},
    "/v1/windows": {"GET": "read"},
    "/v1/trades": {"GET": "read"},
    "/v1/paper": {"GET": "read"},
    "/v1/risk": {"GET": "read"},
    "/v1/health": {"GET": "read"},
    f"/v1/trades/{TRADE_ID}": {"GET": "read"},
    f"/v1/trades/{TRADE_ID}/prediction": {"GET": "read"},
    f"/v1/trades/{TRADE_ID}/resolve": {"POST": "trade"},
    f"/v1/trades/{TRADE_ID}/resolutions": {"GET": "read"},
    f"/v1/trades/{TRADE_ID}/resolutions/{ORDER_ID}/approve": {"POST": "trade"},
    "/v1/config/SOL": {"GET": "read", "PUT": "admin"},
    "/v1/config/SOL/approve": {"POST": "admin"},
    "/v1/config/SOL/reject": {"POST": "admin"},
    "/v1/prediction": {"GET": "read"},
    "/v1/prediction/SOL/propose": {"POST": "admin"},
    "/v1/service-levels": {"GET": "read"},
    "/v1/backtests": {"GET": "read"},
    f"/v1/backtests/{STUDY_ID}": {"GET": "read"},
    "/v1/feasibility": {"GET": "read"},
    f"/v1/feasibility/{STUDY_ID}": {"GET": "read"},
    "/v1/schema": {"GET": "read"},
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def ask(client: APIClient, method: str, address: str) -> int:
    body = {"data": "{}", "content_type": "application/json"} if method in ("POST", "PUT") else {}
    return client.generic(method, address, **body).status_code  # type: ignore[arg-type]


def word_of(address: str, method: str) -> str | None:
    return TABLE[address].get("GET" if method == "HEAD" else method)


def patterns(found: Any = None, prefix: str = "") -> list[tuple[str, Any]]:
    listed: list[tuple[str, Any]] = []
    for entry in get_resolver().url_patterns if found is None else found:
        where = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            listed += patterns(entry.url_patterns, where)
        elif isinstance(entry, URLPattern):
            listed.append((where, entry.callback))
    return listed


def test_the_table_has_every_route_and_method() -> None:
    implemented = {
        (callback.view_class, method.upper())
        for where, callback in patterns()
        if where.startswith("v1/")
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(callback.view_class, method)
    }
    listed = {
        (get_resolver().resolve(address).func.view_class, method)
        for address, words in TABLE.items()
        for method in words
    }
    assert implemented == listed


def test_outside_v1_there_is_only_what_is_meant_to_be() -> None:
    outside = [where for where, _ in patterns() if not where.startswith(("v1/", "admin/"))]
    assert outside == ["healthz", "metrics", "^(?!(?:v1|admin|static|assets)(?:/|$))"]


@pytest.mark.django_db
def test_each_role_may_do_what_its_words_say_and_nothing_else() -> None:
    cache.clear()
    for role in ROLE_NAMES:
        client = signed_in(role)
        for address, words in TABLE.items():
            if PUBLIC in words.values():
                continue
            for method in METHODS:
                word = word_of(address, method)
                status = ask(client, method, address)
                where = (role, method, address, status)
                if word is None:
                    assert status == 405, where
                elif f"arbsite.{word}" in ROLES[role]:
                    assert status not in (401, 403, 405), where
                    assert status < 500, where
                else:
                    assert status == 403, where


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["nobody", "expired", "disabled", "no role"])
def test_without_standing_nothing_is_open(who: str) -> None:
    cache.clear()
    client = APIClient() if who == "nobody" else signed_in("admin")
    if who == "expired":
        Session.objects.update(expires_at=utc_now())
    elif who == "disabled":
        User.objects.update(is_active=False)
    elif who == "no role":
        User.objects.get().groups.clear()
    for address, words in TABLE.items():
        if PUBLIC in words.values():
            continue
        for method in METHODS:
            status = ask(client, method, address)
            expected = {403, 405} if who == "no role" else {401}
            if who == "no role" and word_of(address, method) is not None:
                expected = {403}
            assert status in expected, (method, address, status)


@pytest.mark.django_db
def test_public_routes_answer_without_a_user_and_only_to_post() -> None:
    cache.clear()
    client = APIClient()
    expected = {"/v1/auth/token": 400, "/v1/auth/refresh": 401, "/v1/auth/logout": 204}
    for address, status in expected.items():
        assert ask(client, "POST", address) == status
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            assert ask(client, method, address) == 405


@pytest.mark.django_db
def test_every_answer_carries_the_headers_of_a_closed_site() -> None:
    client = signed_in("viewer")
    for address in (*TABLE, "/healthz", "/", "/trades/1", "/admin/login/", "/v1/nothing"):
        headers = client.get(address).headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY, address
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.django_db
def test_unknown_addresses_of_the_api_are_404_in_its_own_form() -> None:
    for address in ("/v1/", "/v1/nothing", "/v1/config/sol", "/v1/config/SOL%00", "/v1/trades/x"):
        answer = APIClient().get(address)
        assert answer.status_code == 404, address
        assert answer.json()["code"] == "not_found"


def test_the_schema_in_the_repository_is_current(tmp_path: Path) -> None:
    fresh = tmp_path / "openapi.json"
    call_command("spectacular", format="openapi-json", file=str(fresh), validate=True)
    kept = settings.BASE_DIR / "frontend" / "openapi.json"
    assert json.loads(kept.read_text()) == json.loads(fresh.read_text()), (
        "run `manage.py spectacular --format openapi-json --file frontend/openapi.json`"
    )


@pytest.mark.django_db
def test_the_schema_lists_exactly_the_table() -> None:
    schema = signed_in("viewer").get("/v1/schema").json()
    described = {
        (path, method.upper()) for path, methods in schema["paths"].items() for method in methods
    }
    names = {
        "1": "{number}",
        TRADE_ID: "{trade_id}",
        ORDER_ID: "{order_id}",
        STUDY_ID: "{study_id}",
        "SOL": "{asset}",
    }
    listed = {
        ("/".join(names.get(part, part) for part in address.split("/")), method)
        for address, words in TABLE.items()
        for method in words
        if address != "/v1/schema"
    }
    assert described == listed


# ---- pages and health ---------------------------------------------------------------


@pytest.mark.django_db
def test_the_console_answers_every_deep_link(settings: Any, tmp_path: Path) -> None:
    settings.CONSOLE_DIST = tmp_path
    client = APIClient()
    assert client.get("/trades").status_code == 503
    (tmp_path / "index.html").write_text("<!doctype html>console")
    for address in ("/", "/trades", "/risk/incidents/41"):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert client.get("/assets/gone.js").status_code == 404
    assert client.post("/trades").status_code == 405


@pytest.mark.django_db
def test_health_and_metrics_tell_this_machine_only() -> None:
    client = APIClient()
    assert client.get("/healthz").json() == {"status": "ok", "failing": []}
    assert b"spreadline_console_clients" in client.get("/metrics").content
    assert APIClient(REMOTE_ADDR="10.0.0.9").get("/metrics").status_code == 404
    proxied = APIClient(HTTP_X_FORWARDED_FOR="127.0.0.1")
    assert proxied.get("/metrics").status_code == 404


def test_health_names_what_is_away(settings: Any, unused_tcp_port: int, db: None) -> None:
    settings.CACHES = {
        "default": {
            **settings.CACHES["default"],
            "LOCATION": f"redis://127.0.0.1:{unused_tcp_port}",
        }
    }
    answer = APIClient().get("/healthz")
    assert (answer.status_code, answer.json()["failing"]) == (503, ["cache"])
