"""Stored studies over HTTP: back-tests, ablations and feasibility reports, newest first.

Read-only: studies are made by commands. The detail of a study carries its series ready to
draw. Not here: computing anything (`trading.backtest`, `reports.feasibility`).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec
from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbsite.auth.roles import Word
from arbsite.inputs import Asset, Page, Query, cursor_of, read_cursor, read_query
from arbsite.schema import describe
from reports import studies
from reports.ablation_study import AblationResult
from reports.models import BacktestRun, FeasibilityReport
from reports.studies import FeasibilityHead, StudyHead
from trading.backtest.figures import Figures


class StudyQuery(Page, kw_only=True):
    """Which studies."""

    kind: Literal["backtest", "ablation"] | None = None


class StudyPage(msgspec.Struct, frozen=True):
    """Studies without their results; `next` is None on the last page."""

    rows: list[StudyHead]
    next: str | None


class StudyPicture(msgspec.Struct, frozen=True):
    """A whole study: `columns` of a back-test, `ablation` of an ablation, the other empty."""

    head: StudyHead
    parameters: list[dict[str, str]]
    columns: list[Figures]
    ablation: AblationResult | None


class FeasibilityQuery(Page, kw_only=True):
    """Which feasibility reports."""

    asset: Asset | None = None


class FeasibilityPage(msgspec.Struct, frozen=True):
    """Feasibility reports; `next` is None on the last page."""

    rows: list[FeasibilityHead]
    next: str | None


class BacktestsView(APIView):
    """GET /v1/backtests."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=StudyPage, query=StudyQuery, name="backtests_list")
    def get(self, request: Request) -> Response:
        """Stored back-tests and ablations."""
        query = read_query(request, StudyQuery)
        after = read_cursor(query.cursor) if query.cursor else None
        found = list(studies.backtests(query.kind, after)[: query.limit + 1])
        listed = [studies.study_head(run) for run in found[: query.limit]]
        return Response(msgspec.to_builtins(StudyPage(listed, _next(listed, found, query.limit))))


class BacktestView(APIView):
    """GET /v1/backtests/{id}."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=StudyPicture, query=Query, name="backtests_one")
    def get(self, request: Request, study_id: UUID) -> Response:
        """One study with everything a report page draws."""
        read_query(request, Query)
        run = BacktestRun.objects.filter(id=study_id).first()
        if run is None:
            raise Http404
        is_ablation = run.kind == BacktestRun.Kind.ABLATION
        head = msgspec.to_builtins(studies.study_head(run))
        answer: dict[str, Any] = {
            "head": head,
            "parameters": [] if is_ablation else run.parameters,
            "columns": [] if is_ablation else run.results,
            "ablation": _ablation(run) if is_ablation else None,
        }
        return Response(answer)


class FeasibilityListView(APIView):
    """GET /v1/feasibility."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=FeasibilityPage, query=FeasibilityQuery, name="feasibility_list")
    def get(self, request: Request) -> Response:
        """Stored feasibility reports."""
        query = read_query(request, FeasibilityQuery)
        after = read_cursor(query.cursor) if query.cursor else None
        found = list(studies.feasibility_reports(query.asset, after)[: query.limit + 1])
        listed = [studies.feasibility_head(row) for row in found[: query.limit]]
        page = FeasibilityPage(listed, _next(listed, found, query.limit))
        return Response(msgspec.to_builtins(page))


class FeasibilityView(APIView):
    """GET /v1/feasibility/{id}."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=FeasibilityHead, query=Query, name="feasibility_one")
    def get(self, request: Request, study_id: UUID) -> Response:
        """One feasibility report."""
        read_query(request, Query)
        row = FeasibilityReport.objects.filter(id=study_id).first()
        if row is None:
            raise Http404
        return Response(msgspec.to_builtins(studies.feasibility_head(row)))


def _ablation(run: BacktestRun) -> dict[str, Any]:
    """A stored ablation; what its version did not know yet is filled in."""
    found: dict[str, Any] = msgspec.to_builtins(msgspec.convert(run.results, AblationResult))
    return found


def _next(
    listed: list[StudyHead] | list[FeasibilityHead],
    found: list[BacktestRun] | list[FeasibilityReport],
    limit: int,
) -> str | None:
    if len(found) <= limit:
        return None
    return cursor_of(listed[-1].created_at_ns, listed[-1].id)


urlpatterns = [
    path("backtests", BacktestsView.as_view()),
    path("backtests/<uuid:study_id>", BacktestView.as_view()),
    path("feasibility", FeasibilityListView.as_view()),
    path("feasibility/<uuid:study_id>", FeasibilityView.as_view()),
]
