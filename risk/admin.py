"""Admin pages of controls, counters and incidents: read-only; commands are the console's."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from arbsite.admin_site import ReadOnlyAdmin
from risk.models import Command, Control, Incident, Inspection, RiskDay


@admin.register(Control)
class ControlAdmin(ReadOnlyAdmin):
    """What each scope may do now."""

    list_display = ("scope", "effective_mode", "mode", "version", "actor", "since_at")


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
