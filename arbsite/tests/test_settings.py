"""What the settings promise: deny by default, policy headers, endpoints from one variable."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import identify_hasher, make_password
from django.core.management import call_command
from django.http.response import ResponseHeaders
from django.test import AsyncClient, Client
from django.test.utils import override_settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from arbsite.headers import CONTENT_SECURITY_POLICY


def _settings_in_a_fresh_process(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    code = (
        "import django.conf; s = django.conf.settings;"
        "print(s.SOLANA_ENDPOINTS); print(s.KRAKEN_WS_URL); print(s.SESSION_COOKIE_NAME)"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "arbsite.settings"} | variables,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


def test_endpoints_and_urls_come_from_the_environment() -> None:
    done = _settings_in_a_fresh_process(
        {
            "SPREADLINE_PROFILE": "live",
            "SPREADLINE_HTTPS": "1",
            "SOLANA_ENDPOINTS": "one|alpha|https://a|wss://a ; two|beta|https://b|wss://b;",
        }
    )
    assert done.stdout.splitlines() == [
        "(('one', 'alpha', 'https://a', 'wss://a'), ('two', 'beta', 'https://b', 'wss://b'))",
        "wss://ws.kraken.com/v2",
        "__Host-session",
    ]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"SPREADLINE_PROFILE": "prod"}, "choose one of sim, paper, live"),
        ({"SOLANA_ENDPOINTS": "a|b|c"}, "write label|provider|http url|ws url"),
        ({"SPREADLINE_SECRET_KEY_FILE": "/nowhere/key"}, "/nowhere/key, which cannot be read"),
    ],
)
def test_wrong_settings_name_the_remedy(variables: dict[str, str], sentence: str) -> None:
    done = _settings_in_a_fresh_process(variables)
    assert done.returncode != 0
    assert sentence in done.stderr.splitlines()[-1]


def test_a_view_that_says_nothing_about_access_denies_a_stranger() -> None:
    class Forgotten(APIView):
        def get(self, request: Request) -> Response:
            return Response({"open": True})

    answer = Forgotten.as_view()(APIRequestFactory().get("/forgotten"))
    assert answer.status_code in (401, 403)


def test_passwords_are_hashed_with_scrypt_in_production() -> None:
    from arbsite import settings as product

    with override_settings(PASSWORD_HASHERS=product.PASSWORD_HASHERS):
        assert identify_hasher(make_password("correct horse battery")).algorithm == "scrypt"


def _assert_policy(headers: ResponseHeaders) -> None:
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_answers_carry_the_policy_headers_and_no_inline_script() -> None:
    _assert_policy(Client().get("/missing").headers)
    assert "script-src 'self';" in CONTENT_SECURITY_POLICY


async def test_answers_of_the_async_stack_carry_them_too() -> None:
    _assert_policy((await AsyncClient().get("/missing")).headers)


@pytest.mark.django_db
def test_the_database_is_postgresql_and_people_are_ours() -> None:
    from django.db import connection

    assert connection.vendor == "postgresql"
    user = get_user_model().objects.create_user("ada", password="irrelevant here")
    assert get_user_model().objects.get(username="ada") == user


@pytest.mark.django_db
def test_migrations_say_what_the_models_say() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
