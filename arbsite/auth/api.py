"""Sign in, stay signed in, sign out, and the ticket for the console socket.

The access token travels in the answer and lives in the page's memory; the refresh token is
an HttpOnly, SameSite=Strict cookie that only these endpoints read. Not here: what a session
is (`auth.services`).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.urls import path
from msgspec import Meta
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken

from arbsite.auth import services, throttle
from arbsite.auth.roles import Word, role_of, words_of
from arbsite.auth.step_up import may_sign_in
from arbsite.auth.tickets import issue_ticket
from arbsite.auth.tokens import (
    RefreshToken,
    SessionAuthentication,
    access_token,
    session_id_of,
)
from arbsite.inputs import Nothing, Query, read_body, read_query
from arbsite.models import Session, User
from arbsite.schema import describe

COOKIE = "__Host-refresh" if settings.IS_HTTPS else "refresh"


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """Who signs in. `code` is needed by users with a second factor."""

    username: Annotated[str, Meta(min_length=1, max_length=150)]
    password: Annotated[str, Meta(min_length=1, max_length=256)]
    code: Annotated[str, Meta(max_length=16)] = ""


class UserPicture(msgspec.Struct, frozen=True):
    """Who is signed in and what the console may offer; the server checks again each time."""

    username: str
    role: str
    permissions: list[Word]


class Grant(msgspec.Struct, frozen=True):
    """An access token (5 minutes) and its user."""

    access: str
    user: UserPicture


class Ticket(msgspec.Struct, frozen=True):
    """Opens the console socket once, within 30 seconds."""

    ticket: str


class TokenView(APIView):
    """POST /v1/auth/token: sign in."""

    authentication_classes = ()
    permission_classes = ()

    @describe(answer=Grant, body=Credentials, is_public=True)
    def post(self, request: Request) -> Response:
        """Give a session for a right password; the same 401 whatever was wrong."""
        read_query(request, Query)
        credentials = read_body(request, Credentials)
        address = str(request.META.get("REMOTE_ADDR", ""))
        throttle.refuse_when_guessing(address, credentials.username)
        user = authenticate(request, username=credentials.username, password=credentials.password)
        if isinstance(user, User) and not may_sign_in(user, credentials.code):
            throttle.count_failure(address, credentials.username)
            user = None
        if not isinstance(user, User):
            raise AuthenticationFailed(
                "User name, password or code is wrong.", code="invalid_credentials"
            )
        return _granted(*services.sign_in(user))


class RefreshView(APIView):
    """POST /v1/auth/refresh: the next access token, by the cookie."""

    authentication_classes = ()
    permission_classes = ()

    @describe(answer=Grant, body=Nothing, is_public=True)
    def post(self, request: Request) -> Response:
        """Exchange the cookie's token; a token seen before ends its session."""
        read_query(request, Query)
        read_body(request, Nothing)
        _refuse_foreign_page(request)
        renewed = services.renew(request.COOKIES.get(COOKIE, ""))
        if renewed is None:
            raise AuthenticationFailed("Sign in again.", code="session_ended")
        return _granted(*renewed)


class LogoutView(APIView):
    """POST /v1/auth/logout: end the session everywhere, its open sockets included."""

    authentication_classes = ()
    permission_classes = ()

    @describe(answer=None, status=204, body=Nothing, is_public=True)
    def post(self, request: Request) -> Response:
        """End whatever session the cookie or the access token names; never fails."""
        read_query(request, Query)
        read_body(request, Nothing)
        _refuse_foreign_page(request)
        for session_id in _sessions_named(request):
            services.sign_out(session_id)
        response = Response(status=204)
        response.delete_cookie(COOKIE, path="/", samesite="Strict")
        return response


class TicketView(APIView):
    """POST /v1/stream/ticket: a way into the console socket."""

    words: ClassVar[dict[str, Word]] = {"POST": "read"}

    @describe(answer=Ticket, body=Nothing)
    def post(self, request: Request) -> Response:
        """A ticket bound to this session."""
        read_query(request, Query)
        read_body(request, Nothing)
        return Response(msgspec.to_builtins(Ticket(issue_ticket(_session_id(request)))))


def is_own_origin(origin: str, host: str) -> bool:
    """Whether a browser's Origin is this site (or one the deployment trusts)."""
    return urlsplit(origin).netloc == host or origin in settings.CSRF_TRUSTED_ORIGINS


def _refuse_foreign_page(request: HttpRequest | Request) -> None:
    """A cookie is sent by the browser, not by the page: check which page it was."""
    origin = request.META.get("HTTP_ORIGIN")
    if origin is not None and not is_own_origin(origin, request.get_host()):
        raise PermissionDenied("This request comes from another site.")


def _session_id(request: Request) -> UUID:
    assert isinstance(request.auth, AccessToken)
    return session_id_of(request.auth)


def _sessions_named(request: Request) -> set[UUID]:
    """Sessions of a valid cookie and of a valid access token; neither needs to be there."""
    found: set[UUID] = set()
    with suppress(TokenError, AuthenticationFailed):
        cookie = request.COOKIES.get(COOKIE, "")
        found.add(session_id_of(RefreshToken(cookie)))  # type: ignore[arg-type]
    with suppress(AuthenticationFailed):
        signed_in = SessionAuthentication().authenticate(request)
        if signed_in is not None:
            found.add(session_id_of(signed_in[1]))
    return found


def _granted(session: Session, refresh: RefreshToken) -> Response:
    user = session.user
    picture = UserPicture(user.username, role_of(user), words_of(user))
    response = Response(msgspec.to_builtins(Grant(access_token(session), picture)))
    response.set_cookie(
        COOKIE,
        str(refresh),
        max_age=int((session.expires_at - session.refreshed_at).total_seconds()),
        path="/",
        secure=settings.IS_HTTPS,
        httponly=True,
        samesite="Strict",
    )
    response["Cache-Control"] = "no-store"
    return response


urlpatterns = [
    path("auth/token", TokenView.as_view()),
    path("auth/refresh", RefreshView.as_view()),
    path("auth/logout", LogoutView.as_view()),
    path("stream/ticket", TicketView.as_view()),
]
