"""Response headers that Django 5.2 does not set itself: the content security policy.

A middleware, listed in settings above WhiteNoise so that static files carry it too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# No inline script and no inline style anywhere: the console sets styles through the DOM,
# and nothing is loaded from another origin.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
PERMISSIONS_POLICY = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"

SyncResponder = Callable[[HttpRequest], HttpResponseBase]
AsyncResponder = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class SecurityHeaders:
    """Add the policy to every response that has none, on sync and async stacks."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: SyncResponder | AsyncResponder) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._respond_async(request)
        response = cast(SyncResponder, self._get_response)(request)
        return _with_policy(response)

    async def _respond_async(self, request: HttpRequest) -> HttpResponseBase:
        return _with_policy(await cast(AsyncResponder, self._get_response)(request))


def _with_policy(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
    return response
