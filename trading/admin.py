"""Admin pages of configurations, windows and trades.

A configuration is edited as a form over the version in force (`risk.versions_admin`);
windows and trades are read-only.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from arbsite.admin_site import ReadOnlyAdmin, may
from arbsite.events import MODES_BY_STRICTNESS
from risk.versions_admin import VersionForm, VersionsAdmin
from trading import services
from trading.models import AssetConfig, Attempt, Fill, LedgerEntry, Trade, Window


class ConfigForm(VersionForm):
    """The form of a version, its mode chosen from the words."""

    mode = forms.ChoiceField(choices=[(mode, mode) for mode in MODES_BY_STRICTNESS])

    class Meta:
        model = AssetConfig
        fields = (*services.TIGHTER, "reason")


@admin.register(AssetConfig)
class AssetConfigAdmin(VersionsAdmin):
    """Versions of every asset's configuration."""

    versions: ClassVar = services.VERSIONS
    form = ConfigForm
    list_display = ("asset", "version", "status", "mode", "enabled", "created_by", "in_force_at")
    list_filter: ClassVar = ("status", "asset")
    ordering = ("asset", "-version")


@admin.register(Window)
class WindowAdmin(ReadOnlyAdmin):
    """Windows and what was decided on each."""

    list_display = ("window_id", "asset", "direction", "decision", "gate", "net_bps", "intents")
    list_filter: ClassVar = ("asset", "decision", "direction")


class AttemptInline(admin.TabularInline):  # type: ignore[type-arg]
    """The orders and transactions of a trade."""

    model = Attempt
    extra = 0
    can_delete = False
    fields = ("leg", "seq", "venue", "side", "qty", "filled_base", "state", "order_id")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Readers."""
        return may(request, "read")


class LedgerInline(admin.TabularInline):  # type: ignore[type-arg]
    """What was booked for a trade."""

    model = LedgerEntry
    extra = 0
    can_delete = False
    fields = ("venue", "venue_asset", "delta", "kind", "reference")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Readers."""
        return may(request, "read")


@admin.register(Trade)
class TradeAdmin(ReadOnlyAdmin):
    """Trades with their legs and ledger."""

    list_display = ("id", "asset", "state", "outcome", "notional_usd", "realised_pnl_usd")
    list_filter: ClassVar = ("asset", "state", "outcome")
    inlines = (AttemptInline, LedgerInline)


@admin.register(Fill)
class FillAdmin(ReadOnlyAdmin):
    """Executions by the venues' own ids."""

    list_display = ("venue", "venue_fill_id", "status", "base_delta", "quote_delta", "fee")
