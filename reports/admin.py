"""Day reports for their readers: a list, never an edit."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from reports.models import DayReport


@admin.register(DayReport)
class DayReportAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only."""

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

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: DayReport | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DayReport | None = None) -> bool:
        return False
