"""What the desk owns where, as last read."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbsite import events
from arbsite.auth.roles import Word
from arbsite.inputs import Query, read_query
from arbsite.schema import describe
from arbsite.streams import kept_picture
from inventory.selectors import BalancePicture, latest_balances


class InventoryPicture(msgspec.Struct, frozen=True):
    """The engine's last frame (None: never heard) and the stored samples."""

    frame: events.InventoryFrame | None
    balances: list[BalancePicture]


class InventoryView(APIView):
    """GET /v1/inventory."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=InventoryPicture, query=Query)
    def get(self, request: Request) -> Response:
        """Holdings and drift as the engine last said, and each venue's last balances."""
        read_query(request, Query)
        picture = kept_picture("inventory")
        frame = None if picture is None else msgspec.json.decode(picture.data)
        return Response({"frame": frame, "balances": msgspec.to_builtins(latest_balances())})


urlpatterns = [path("inventory", InventoryView.as_view())]
