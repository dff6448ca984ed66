"""Stores finished studies and reads them back for the API: written once, never changed.

Services and selectors of one small room, because a study has no other life than these.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Q, QuerySet

from arbsite.clock import at_from_ns, ns_from_at, utc_now
from reports.feasibility import Feasibility
from reports.models import BacktestRun, FeasibilityReport
from trading.backtest.run import BacktestResult

Place = tuple[int, UUID]


class StudyHead(msgspec.Struct, frozen=True):
    """A stored study without its results."""

    id: str
    kind: str
    source: str
    source_hash: str
    seed: int
    from_ns: int
    to_ns: int
    columns: list[str]
    version: str
    took_s: float
    created_at_ns: int


class FeasibilityHead(msgspec.Struct, frozen=True):
    """A stored feasibility report, whole: it is small."""

    id: str
    asset: str
    verdict: str
    taker_bps: str
    source: str
    source_hash: str
    version: str
    created_at_ns: int
    results: Feasibility


def store_backtest(
    result: BacktestResult, parameters: list[dict[str, str]], *, took_s: float
) -> BacktestRun:
    """Write a finished back-test."""
    return BacktestRun.objects.create(
        source=result.source[:200],
        source_hash=result.source_hash,
        seed=result.seed,
        from_ns=result.from_ns,
        to_ns=result.to_ns,
        parameters=parameters,
        results=msgspec.to_builtins(result.columns),
        version=settings.SPREADLINE_VERSION,
        took_s=took_s,
        created_at=utc_now(),
    )


def store_ablation(
    results: msgspec.Struct, *, source: str, seed: int, parameters: dict[str, Any], took_s: float
) -> BacktestRun:
    """Write a finished ablation; `results` are its tables."""
    now = utc_now()
    return BacktestRun.objects.create(
        kind=BacktestRun.Kind.ABLATION,
        source=source[:200],
        source_hash="",
        seed=seed,
        from_ns=0,
        to_ns=0,
        parameters=parameters,
        results=msgspec.to_builtins(results),
        version=settings.SPREADLINE_VERSION,
        took_s=took_s,
        created_at=now,
    )


def store_feasibility(found: Feasibility, *, source: str, source_hash: str) -> FeasibilityReport:
    """Write a finished feasibility report."""
    return FeasibilityReport.objects.create(
        asset=found.asset,
        verdict=found.verdict,
        taker_bps=found.taker_bps,
        source=source[:200],
        source_hash=source_hash,
        results=msgspec.to_builtins(found),
        version=settings.SPREADLINE_VERSION,
        created_at=utc_now(),
    )


def backtests(kind: str | None = None, after: Place | None = None) -> QuerySet[BacktestRun]:
    """Stored studies, newest first, after a place of the list."""
    rows = BacktestRun.objects.defer("results").order_by("-created_at", "-id")
    if kind is not None:
        rows = rows.filter(kind=kind)
    return rows if after is None else rows.filter(_older(after))


def feasibility_reports(
    asset: str | None = None, after: Place | None = None
) -> QuerySet[FeasibilityReport]:
    """Stored feasibility reports, newest first."""
    rows = FeasibilityReport.objects.order_by("-created_at", "-id")
    if asset is not None:
        rows = rows.filter(asset=asset)
    return rows if after is None else rows.filter(_older(after))


def study_head(run: BacktestRun) -> StudyHead:
    """A study as a list shows it."""
    parameters = run.parameters
    columns = [_label(each) for each in parameters] if isinstance(parameters, list) else []
    return StudyHead(
        id=str(run.id),
        kind=run.kind,
        source=run.source,
        source_hash=run.source_hash,
        seed=run.seed,
        from_ns=run.from_ns,
        to_ns=run.to_ns,
        columns=columns,
        version=run.version,
        took_s=run.took_s,
        created_at_ns=ns_from_at(run.created_at),
    )


def feasibility_head(row: FeasibilityReport) -> FeasibilityHead:
    """A feasibility report as the API shows it."""
    return FeasibilityHead(
        id=str(row.id),
        asset=row.asset,
        verdict=row.verdict,
        taker_bps=format(row.taker_bps.normalize(), "f"),
        source=row.source,
        source_hash=row.source_hash,
        version=row.version,
        created_at_ns=ns_from_at(row.created_at),
        results=msgspec.convert(row.results, Feasibility, strict=False),
    )


def _older(after: Place) -> Q:
    at, key = at_from_ns(after[0]), after[1]
    return Q(created_at__lt=at) | Q(created_at=at, id__lt=key)


def _label(parameters: dict[str, str]) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(parameters.items())) or "as configured"
