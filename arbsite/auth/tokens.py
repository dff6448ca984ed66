"""Tokens of a session: a short access token and a refresh token that is used once.

Both are signed JWTs naming their session (`sid`); the session row is the authority, so a
sign-out, a disabled user or a changed password works on the next request. Signature,
algorithm, audience, issuer, type and expiry are checked by simplejwt.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, Token

from arbsite.auth.sessions import live_session
from arbsite.models import Session, User


class RefreshToken(Token):
    """Good for one renewal, while its session lives."""

    token_type = "refresh"  # noqa: S105 - the name of a kind, no password
    lifetime = api_settings.REFRESH_TOKEN_LIFETIME


def access_token(session: Session) -> str:
    """A signed access token of this session."""
    token = AccessToken.for_user(session.user)
    token["sid"] = str(session.id)
    return str(token)


def session_id_of(token: Token) -> UUID:
    """The session a checked token names; raises AuthenticationFailed when it names none."""
    try:
        return UUID(str(token.get("sid")))
    except ValueError as error:
        raise AuthenticationFailed("Sign in again.", code="session_ended") from error


class SessionAuthentication(JWTAuthentication):
    """`Authorization: Bearer <access token>` of a session that is still live."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]
        """The session's user; 401 for a session that is over or another user's."""
        session = live_session(session_id_of(validated_token))
        if session is None or str(session.user_id) != validated_token.get("user_id"):
            raise AuthenticationFailed("Sign in again.", code="session_ended")
        return session.user


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells the schema generator what `SessionAuthentication` wants."""

    target_class = SessionAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """The OpenAPI security scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
