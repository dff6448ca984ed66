"""The desk's limits and its residual risk over HTTP; the limits are edited in the admin pages."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbsite.auth.roles import Word
from arbsite.clock import SystemClock
from arbsite.inputs import Query, read_query
from arbsite.schema import describe
from trading.risk_selectors import RiskPicture, risk_picture


class RiskView(APIView):
    """GET /v1/risk."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=RiskPicture, query=Query)
    def get(self, request: Request) -> Response:
        """The desk's limits, what is used of them, and the worst case with its inputs."""
        read_query(request, Query)
        return Response(msgspec.to_builtins(risk_picture(SystemClock().now_ns())))


urlpatterns = [path("risk", RiskView.as_view())]
