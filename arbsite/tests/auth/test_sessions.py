"""Sign-in, renewal, reuse, sign-out and forged tokens, through the real endpoints."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jwt
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.test import Client, override_settings
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.test import APIClient

from arbsite.auth import throttle
from arbsite.auth.services import change_user, create_user
from arbsite.clock import utc_now
from arbsite.errors import DomainError
from arbsite.models import AuditLog, Session, User
from arbsite.tests.auth.people import PASSWORD, sign_in, signed_in

WHERE = "/v1/stream/ticket"


@pytest.fixture(autouse=True)
def _no_memory_of_other_tests() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def renew(client: APIClient, **headers: str) -> int:
    return client.post("/v1/auth/refresh", {}, format="json", **headers).status_code


def can_enter(client: APIClient) -> bool:
    status = client.post(WHERE, {}, format="json").status_code
    assert status in (200, 401)
    return status == 200


@pytest.mark.django_db
def test_signing_in_names_the_user_and_hides_the_refresh_token() -> None:
    create_user("olga", PASSWORD, "operator")
    client = APIClient()
    answer = sign_in(client, "olga")
    assert answer.json()["user"] == {
        "username": "olga",
        "role": "operator",
        "permissions": ["read", "trade"],
    }
    assert set(answer.json()) == {"access", "user"}
    cookie = answer.cookies["refresh"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
@pytest.mark.parametrize("username", ["olga", "nobody", "gone"])
def test_a_failed_sign_in_does_not_say_why(username: str) -> None:
    create_user("olga", PASSWORD, "viewer")
    create_user("gone", PASSWORD, "viewer")
    User.objects.filter(username="gone").update(is_active=False)
    password = PASSWORD if username == "gone" else "not the password"
    answer = sign_in(APIClient(), username, password)
    assert answer.status_code == 401
    body = answer.json()
    assert body.pop("request_id")
    assert body == {
        "code": "invalid_credentials",
        "detail": "User name, password or code is wrong.",
    }


@pytest.mark.django_db
def test_guessing_is_slowed_for_the_guesser_only() -> None:
    create_user("olga", PASSWORD, "operator")
    guesser = APIClient(REMOTE_ADDR="10.0.0.1")
    statuses = [
        sign_in(guesser, "olga", "guess").status_code for _ in range(throttle.FAILURES_PER_USER + 1)
    ]
    assert statuses == [401] * throttle.FAILURES_PER_USER + [429]
    assert sign_in(guesser, "OLGA").status_code == 429
    assert sign_in(APIClient(REMOTE_ADDR="10.0.0.2"), "olga").status_code == 200


@pytest.mark.django_db
def test_the_admin_pages_are_no_second_way_to_guess() -> None:
    create_user("ada", PASSWORD, "admin")
    door = "/admin/login/"
    guesser = Client(REMOTE_ADDR="10.0.0.1")
    for _ in range(throttle.FAILURES_PER_USER):
        assert guesser.post(door, {"username": "ada", "password": "guess"}).status_code == 200
    right = {"username": "ada", "password": PASSWORD}
    assert guesser.post(door, right).status_code == 200
    assert sign_in(APIClient(REMOTE_ADDR="10.0.0.1"), "ada").status_code == 429
    assert Client(REMOTE_ADDR="10.0.0.2").post(door, right).status_code == 302


@pytest.mark.django_db
def test_one_machine_cannot_try_many_names() -> None:
    guesser = APIClient(REMOTE_ADDR="10.0.0.1")
    for number in range(throttle.FAILURES_PER_ADDRESS):
        assert sign_in(guesser, f"name{number}").status_code == 401
    answer = sign_in(guesser, "another")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) == throttle.WINDOW_S


@pytest.mark.django_db
def test_a_renewed_token_works_and_a_spent_one_ends_the_session() -> None:
    client = signed_in("viewer")
    spent = client.cookies["refresh"].value
    assert renew(client) == 200
    assert client.cookies["refresh"].value != spent
    assert can_enter(client)
    thief = APIClient()
    thief.cookies["refresh"] = spent
    assert renew(thief) == 401
    assert renew(client) == 401
    assert not can_enter(client)
    assert AuditLog.objects.get(action="session.end").reason == "reuse of a spent token"


@pytest.mark.django_db(transaction=True)
def test_of_many_renewals_at_once_one_wins() -> None:
    cookie = signed_in("viewer").cookies["refresh"].value

    def attempt(_: int) -> int:
        client = APIClient()
        client.cookies["refresh"] = cookie
        status = renew(client)
        connections.close_all()
        return status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(attempt, range(24)))
    assert sorted(statuses) == [200] + [401] * 23


@pytest.mark.django_db
def test_signing_out_ends_access_and_renewal() -> None:
    client = signed_in("viewer")
    assert client.post("/v1/auth/logout", {}, format="json").status_code == 204
    assert not can_enter(client)
    assert Session.objects.get().end_reason == "signed out"
    assert APIClient().post("/v1/auth/logout", {}, format="json").status_code == 204


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["disabled", "password", "expired", "deleted"])
def test_access_ends_with_the_reason_for_it(change: str) -> None:
    client = signed_in("viewer")
    user = User.objects.get()
    match change:
        case "disabled":
            User.objects.update(is_active=False)
        case "password":
            user.set_password("another long password")
            user.save()
        case "expired":
            Session.objects.update(expires_at=utc_now())
        case "deleted":
            user.delete()
    assert not can_enter(client)
    assert renew(client) == 401


@pytest.mark.django_db
def test_renewing_never_passes_the_absolute_limit() -> None:
    client = signed_in("viewer")
    almost = utc_now() - timedelta(hours=11, minutes=59)
    Session.objects.update(created_at=almost)
    assert renew(client) == 200
    assert Session.objects.get().expires_at == almost + timedelta(hours=12)


@pytest.mark.django_db
def test_a_role_taken_away_is_gone_at_once() -> None:
    client = signed_in("viewer")
    user = User.objects.get()
    user.groups.clear()
    assert client.post(WHERE, {}, format="json").status_code == 403
    change_user(user, role="security", is_active=True, actor="test")
    assert can_enter(client)


@pytest.mark.django_db
def test_another_site_cannot_use_the_cookie() -> None:
    client = signed_in("viewer")
    assert renew(client, HTTP_ORIGIN="http://evil.example") == 403
    assert renew(client, HTTP_ORIGIN="http://testserver.evil.example") == 403
    assert renew(client, HTTP_ORIGIN="null") == 403
    assert renew(client, HTTP_ORIGIN="http://testserver") == 200


def _claims(access: str) -> dict[str, object]:
    body = access.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def _forgeries(access: str, refresh: str) -> dict[str, str]:
    key, claims = settings.SECRET_KEY, _claims(access)
    head, body, seal = access.split(".")
    flipped = seal[:-5] + ("A" if seal[-5] != "A" else "B") + seal[-4:]

    def signed(**changes: object) -> str:
        return jwt.encode({**claims, **changes}, key, algorithm="HS256")

    return {
        "none": jwt.encode(claims, None, algorithm="none"),
        "HS512": jwt.encode(claims, key + "0" * 64, algorithm="HS512"),
        "other key": jwt.encode(claims, "k" * 64, algorithm="HS256"),
        "bit flip": f"{head}.{body}.{flipped}",
        "refresh as access": refresh,
        "audience": signed(aud="other"),
        "issuer": signed(iss="other"),
        "expired": signed(exp=1),
        "no session": jwt.encode(
            {k: v for k, v in claims.items() if k != "sid"}, key, algorithm="HS256"
        ),
        "session is no id": signed(sid="\x00"),
        "other user": signed(user_id="999999"),
        "garbage": "a.b.c",
        "kid": jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": "../../etc/passwd"}),
    }


@pytest.mark.django_db
def test_forged_tokens_are_refused() -> None:
    client = signed_in("admin")
    access = client._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    for name, forged in _forgeries(access, client.cookies["refresh"].value).items():
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {forged}")
        assert not can_enter(client), name
    as_refresh = APIClient()
    as_refresh.cookies["refresh"] = access
    assert renew(as_refresh) == 401


@pytest.mark.django_db
def test_a_second_factor_is_asked_of_who_has_one_and_works_once() -> None:
    user = create_user("olga", PASSWORD, "admin")
    device = TOTPDevice.objects.create(user=user, name="phone", confirmed=True)
    code = f"{totp(device.bin_key):06d}"
    body = {"username": "olga", "password": PASSWORD, "code": code}
    assert sign_in(APIClient(), "olga").status_code == 401
    assert APIClient().post("/v1/auth/token", body, format="json").status_code == 200
    assert APIClient().post("/v1/auth/token", body, format="json").status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["short", "password1234"])
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(DomainError, match="password"):
        create_user("olga", password, "viewer")
    assert User.objects.count() == 0


@pytest.mark.django_db
def test_names_are_checked_and_unique() -> None:
    create_user("olga", PASSWORD, "viewer")
    for name in ("olga", "", "a b", "a\x00b", "x" * 151):
        with pytest.raises(DomainError):
            create_user(name, PASSWORD, "viewer")


def test_real_passwords_are_stored_with_scrypt() -> None:
    from arbsite.settings import PASSWORD_HASHERS

    with override_settings(PASSWORD_HASHERS=PASSWORD_HASHERS):
        from django.contrib.auth.hashers import check_password, make_password

        stored = make_password(PASSWORD)
        assert stored.startswith("scrypt$")
        assert check_password(PASSWORD, stored)
