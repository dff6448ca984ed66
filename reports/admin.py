"""Day reports and stored studies for their readers: lists, never an edit."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from reports.models import BacktestRun, DayReport, FeasibilityReport


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list whose rows nobody adds, changes or deletes here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(DayReport)
class DayReportAdmin(ReadOnlyAdmin):
    """Figures of a day."""

    list_display = (
        "day",
        "asset",
        "trades",
        "both_filled",
        "partials",
        "missed",
        "realised_pnl_usd",
        "expected_pnl_usd",
        "eligible_windows",
        "captured_windows",
        "computed_at",
    )
    list_filter = ("asset", "day")


@admin.register(BacktestRun)
class BacktestRunAdmin(ReadOnlyAdmin):
    """Back-tests and ablations."""

    list_display = ("created_at", "kind", "source", "seed", "version", "took_s")
    list_filter = ("kind", "created_at")


@admin.register(FeasibilityReport)
class FeasibilityReportAdmin(ReadOnlyAdmin):
    """Feasibility reports."""

    list_display = ("created_at", "asset", "verdict", "taker_bps", "source", "version")
    list_filter = ("asset", "verdict")
