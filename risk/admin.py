"""Admin pages of controls, counters and incidents, read-only, and of the desk's limits.

Commands are the console's; the limits are edited as versions (`risk.versions_admin`).
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from arbsite.admin_site import ReadOnlyAdmin
from arbsite.events import Mode
from risk import desk_limits
from risk.leaving import WORDS, leaves_by
from risk.models import Command, Control, DeskLimits, Incident, Inspection, RiskDay
from risk.versions_admin import VersionForm, VersionsAdmin


@admin.register(Control)
class ControlAdmin(ReadOnlyAdmin):
    """What each scope may do now."""

    list_display = ("scope", "effective_mode", "mode", "leaves", "version", "actor", "since_at")

    @admin.display(description="left by")
    def leaves(self, control: Control) -> str:
        """Who ends what holds the scope, and with what."""
        set_mode: Mode = control.mode  # type: ignore[assignment]
        return WORDS[leaves_by(set_mode, control.trips)]


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    """Who commanded what."""

    list_display = ("created_at", "user", "action", "scope", "control_version")
    ordering = ("-created_at",)


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    """Alarms and who dealt with them."""

    list_display = ("number", "priority", "state", "asset", "rule", "text", "opened_at")
    list_filter: ClassVar = ("state", "priority", "asset")


@admin.register(RiskDay)
class RiskDayAdmin(ReadOnlyAdmin):
    """What each asset has used of its daily limits."""

    list_display = ("day", "asset", "notional_used", "notional_reserved", "realised", "trades")
    ordering = ("-day", "asset")


@admin.register(Inspection)
class InspectionAdmin(ReadOnlyAdmin):
    """What preflights and canaries saw."""

    list_display = ("at", "kind", "is_green", "actor")
    list_filter: ClassVar = ("kind", "is_green")


class DeskLimitsForm(VersionForm):
    """The form of a version of the desk's limits."""

    class Meta:
        model = DeskLimits
        fields = (*desk_limits.TIGHTER, "reason")


@admin.register(DeskLimits)
class DeskLimitsAdmin(VersionsAdmin):
    """What all shards together may do."""

    versions: ClassVar = desk_limits.VERSIONS
    form = DeskLimitsForm
    list_display = (
        "version", "status", "max_open_usd", "daily_notional_cap_usd", "fee_floor_sol",
        "created_by", "in_force_at",
    )  # fmt: skip
    ordering = ("-version",)
