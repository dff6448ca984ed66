"""What the desk last found out about itself, over HTTP: canaries, preflights and starts.

Every finding carries its instant, so that a reader can tell its age. Not here: the venues'
health, which is in the engine's status frame, and what machines ask (`arbsite.health`).
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbsite.auth.roles import Word
from arbsite.clock import SystemClock, ns_from_at
from arbsite.inputs import Query, read_query
from arbsite.schema import describe
from risk.inspection import Check
from risk.models import Inspection
from risk.services import PREFLIGHT_LASTS
from trading.models import EngineStart
from trading.process.canaries import EVERY_S

SHOWN_STARTS = 10
# How long a green finding counts, s; kinds without an entry stay as they are.
_LASTS_S = {"preflight": PREFLIGHT_LASTS.total_seconds(), "canary": EVERY_S}


class InspectionPicture(msgspec.Struct, frozen=True):
    """The latest inspection of a kind. `lasts_s`: how long it counts, None for ever."""

    kind: str
    at_ns: int
    is_green: bool
    actor: str
    checks: list[Check]
    lasts_s: float | None


class StartPicture(msgspec.Struct, frozen=True):
    """One start of an engine; ms from its beginning, None where it ended before."""

    shard: str
    epoch: int
    at_ns: int
    reconciled_ms: float | None
    settled_ms: float | None
    stages_ms: dict[str, float]


class HealthPicture(msgspec.Struct, frozen=True):
    """As of `at_ns`: the latest inspection of each kind, the last starts, newest first."""

    at_ns: int
    inspections: list[InspectionPicture]
    starts: list[StartPicture]


class HealthView(APIView):
    """GET /v1/health."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=HealthPicture, query=Query)
    def get(self, request: Request) -> Response:
        """The latest canaries and preflight with their age, and how the engine started."""
        read_query(request, Query)
        picture = HealthPicture(
            at_ns=SystemClock().now_ns(),
            inspections=latest_inspections(),
            starts=[_start(row) for row in EngineStart.objects.order_by("-id")[:SHOWN_STARTS]],
        )
        return Response(msgspec.to_builtins(picture))


def latest_inspections() -> list[InspectionPicture]:
    """The newest inspection of every kind that was ever made."""
    found = (
        Inspection.objects.filter(kind=kind).order_by("-at").first()
        for kind in Inspection.Kind.values
    )
    return [
        InspectionPicture(
            kind=row.kind,
            at_ns=ns_from_at(row.at),
            is_green=row.is_green,
            actor=row.actor,
            checks=msgspec.convert(row.checks, list[Check]),
            lasts_s=_LASTS_S.get(row.kind),
        )
        for row in found
        if row is not None
    ]


def _start(row: EngineStart) -> StartPicture:
    def after_ms(at_ns: int | None) -> float | None:
        return None if at_ns is None or row.began_ns is None else (at_ns - row.began_ns) / 1e6

    return StartPicture(
        shard=row.shard,
        epoch=row.epoch,
        at_ns=ns_from_at(row.at),
        reconciled_ms=after_ms(row.reconciled_ns),
        settled_ms=after_ms(row.settled_ns),
        stages_ms=row.stages or {},
    )


urlpatterns = [path("health", HealthView.as_view())]
