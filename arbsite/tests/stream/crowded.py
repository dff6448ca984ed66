"""The product's ASGI application where a few sockets are a crowd."""

from __future__ import annotations

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

from arbsite.asgi import OwnPagesOnly, http_application
from arbsite.consumers import ConsoleConsumer
from arbsite.socket_caps import SocketCaps

PER_ADDRESS = 40
PER_USER = 3

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": OwnPagesOnly(
            URLRouter(
                [
                    path(
                        "v1/stream",
                        ConsoleConsumer.as_asgi(
                            ticket_s=30.0,
                            caps=SocketCaps(per_address=PER_ADDRESS, per_user=PER_USER),
                        ),
                    )
                ]
            )
        ),
    }
)
