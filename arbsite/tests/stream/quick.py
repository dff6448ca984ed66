"""The product's ASGI application with a socket that loses patience sooner."""

from __future__ import annotations

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

from arbsite.asgi import OwnPagesOnly, http_application
from arbsite.consumers import ConsoleConsumer

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": OwnPagesOnly(
            URLRouter(
                [
                    path(
                        "v1/stream",
                        ConsoleConsumer.as_asgi(ticket_s=0.3, hold_s=0.3, credit_s=0.9),
                    )
                ]
            )
        ),
    }
)
