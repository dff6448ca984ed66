"""The prediction error and the promises over HTTP: figures, causes, and the proposal.

GET /v1/prediction and /v1/trades/{id}/prediction read; POST /v1/prediction/{asset}/propose
writes a configuration version that waits for approval like any other; GET
/v1/service-levels holds our promises against what was seen. Not here: computing
(`reports.prediction`, `reports.service_levels`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import ClassVar
from uuid import UUID

import msgspec
from django.conf import settings
from django.urls import path, re_path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbsite.auth.roles import Word
from arbsite.clock import ns_from_at
from arbsite.errors import DomainError
from arbsite.inputs import Query, read_query
from arbsite.models import User
from arbsite.schema import describe
from reports import prediction, service_levels
from reports.prediction import CauseSums, PredictionPicture
from reports.promises import Level
from trading import services
from trading.models import Trade
from trading.selectors import plain
from trading.services import ConfigPicture


class PredictionQuery(Query, kw_only=True):
    """Which trades: those detected on a UTC day, or all of them."""

    day: date | None = None


class PredictionPage(msgspec.Struct, frozen=True):
    """All assets together (`*`) first, then each."""

    day: date | None
    rows: list[PredictionPicture]


class TradeErrorPicture(msgspec.Struct, frozen=True):
    """Where one trade's prediction went wrong; no causes before it is booked."""

    expected_usd: str
    realised_usd: str | None
    causes: CauseSums | None


class ServiceLevelPage(msgspec.Struct, frozen=True):
    """Every promise, over all trades and the running engine's own histograms."""

    rows: list[Level]


class PredictionView(APIView):
    """GET /v1/prediction."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=PredictionPage, query=PredictionQuery)
    def get(self, request: Request) -> Response:
        """Bias, WAPE, median, calibration, coverage and causes of the predictions' errors."""
        asked = read_query(request, PredictionQuery)
        since_ns, until_ns = _bounds(asked.day)
        rows = prediction.pictures(since_ns=since_ns, until_ns=until_ns)
        return Response(msgspec.to_builtins(PredictionPage(asked.day, rows)))


class TradePredictionView(APIView):
    """GET /v1/trades/{id}/prediction."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=TradeErrorPicture, query=Query)
    def get(self, request: Request, trade_id: UUID) -> Response:
        """One trade's error by cause."""
        read_query(request, Query)
        trade = Trade.objects.filter(id=trade_id).first()
        if trade is None:
            raise DomainError("There is no such trade.", code="unknown_trade", status=404)
        booked = prediction.finished(prediction.closed_trades().filter(id=trade_id))
        realised = trade.realised_pnl_usd
        picture = TradeErrorPicture(
            expected_usd=plain(trade.expected_pnl_usd),
            realised_usd=None if realised is None else plain(realised),
            causes=prediction.cause_sums(booked) if booked else None,
        )
        return Response(msgspec.to_builtins(picture))


class ServiceLevelsView(APIView):
    """GET /v1/service-levels."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=ServiceLevelPage, query=Query)
    def get(self, request: Request) -> Response:
        """Each promise: target, what was seen of how many, and whether it holds."""
        read_query(request, Query)
        series = service_levels.read_metrics(settings.HOME.ports()["metrics_engine"])
        page = ServiceLevelPage(service_levels.levels(metrics=series))
        return Response(msgspec.to_builtins(page))


class ProposeView(APIView):
    """POST /v1/prediction/{asset}/propose."""

    words: ClassVar[dict[str, Word]] = {"POST": "admin"}

    @describe(answer=ConfigPicture, status=202, body=None)
    def post(self, request: Request, asset: str) -> Response:
        """Propose the haircut that the asset's errors ask for; it waits for approval."""
        read_query(request, Query)
        user = request.user
        assert isinstance(user, User)
        prediction.propose_haircut(asset, user=user)
        return Response(msgspec.to_builtins(services.config_picture(asset)), status=202)


def _bounds(day: date | None) -> tuple[int, int | None]:
    """The day in ns UTC; raises DomainError (400) for one the clock cannot count."""
    if day is None:
        return 0, None
    try:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        from_ns, until_ns = ns_from_at(start), ns_from_at(start + timedelta(days=1))
    except OverflowError as error:
        raise DomainError("That day is out of range.", code="invalid") from error
    if not 0 <= from_ns < until_ns < 2**63:
        raise DomainError("That day is out of range.", code="invalid")
    return from_ns, until_ns


urlpatterns = [
    path("prediction", PredictionView.as_view()),
    path("trades/<uuid:trade_id>/prediction", TradePredictionView.as_view()),
    path("service-levels", ServiceLevelsView.as_view()),
    re_path(r"^prediction/(?P<asset>[A-Z0-9]{1,16})/propose\Z", ProposeView.as_view()),
]
