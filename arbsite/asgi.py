"""The ASGI entry that Daphne serves: HTTP to Django, /v1/stream to the console socket.

A WebSocket is accepted only from a page of this site: browsers let any page open one.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import WebsocketDenier
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbsite.settings")
# Before the imports below: they need the apps to be loaded.
http_application = get_asgi_application()

from django.core.exceptions import DisallowedHost  # noqa: E402
from django.core.handlers.asgi import ASGIRequest  # noqa: E402

from arbsite.auth.api import is_own_origin  # noqa: E402
from arbsite.consumers import ConsoleConsumer  # noqa: E402

Application = Callable[..., Awaitable[Any]]


class OwnPagesOnly:
    """Answers 403 to a WebSocket without an Origin, of another one, or for another host."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        application = self._application if _is_own(scope) else WebsocketDenier.as_asgi()
        return await application(scope, receive, send)


def _is_own(scope: dict[str, Any]) -> bool:
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin1")
    try:
        # Django's own reading of Host, with ALLOWED_HOSTS.
        host = ASGIRequest({**scope, "type": "http", "method": "GET"}, BytesIO()).get_host()
    except DisallowedHost:
        return False
    return bool(origin) and is_own_origin(origin, host)


application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": OwnPagesOnly(
            URLRouter(
                [
                    path("v1/stream", ConsoleConsumer.as_asgi()),
                    re_path(r"", WebsocketDenier.as_asgi()),
                ]
            )
        ),
    }
)
