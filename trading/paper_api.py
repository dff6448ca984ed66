"""The gap between the paper desk and the live one, over HTTP.

Paper trades themselves are `GET /v1/trades?book=paper`. Not here: any figure that adds the
two books up; there is none.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from django.urls import path
from msgspec import Meta
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbsite.auth.roles import Word
from arbsite.clock import SystemClock
from arbsite.inputs import Query, read_query
from arbsite.schema import describe
from trading.paper_selectors import PaperGap, paper_gaps

_DAY_NS = 86_400_000_000_000


class PaperQuery(Query, kw_only=True):
    """How many days back from now."""

    days: Annotated[int, Meta(ge=1, le=366)] = 7


class PaperPicture(msgspec.Struct, frozen=True):
    """Both books side by side over one period, by asset."""

    since_ns: int
    until_ns: int
    assets: list[PaperGap]


class PaperView(APIView):
    """GET /v1/paper."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=PaperPicture, query=PaperQuery)
    def get(self, request: Request) -> Response:
        """Paper beside live: trades, PnL a trade, capture and latency, and the gap of each."""
        days = read_query(request, PaperQuery).days
        until_ns = SystemClock().now_ns()
        since_ns = until_ns - days * _DAY_NS
        gaps = paper_gaps(since_ns=since_ns, until_ns=until_ns)
        return Response(msgspec.to_builtins(PaperPicture(since_ns, until_ns, gaps)))


urlpatterns = [path("paper", PaperView.as_view())]
