"""People for tests: users with a role and clients that are signed in."""

from __future__ import annotations

from typing import Any

from rest_framework.test import APIClient

from arbsite.auth.roles import ROLES, Role
from arbsite.auth.services import create_user

PASSWORD = "correct horse battery staple"
ROLE_NAMES: tuple[Role, ...] = tuple(ROLES)


def sign_in(client: APIClient, username: str, password: str = PASSWORD) -> Any:
    return client.post(
        "/v1/auth/token", {"username": username, "password": password}, format="json"
    )


def signed_in(role: Role, username: str = "") -> APIClient:
    """A client of a new user with this role, carrying its access token and cookie."""
    name = username or role
    create_user(name, PASSWORD, role)
    client = APIClient()
    answer = sign_in(client, name)
    assert answer.status_code == 200, answer.content
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    return client
