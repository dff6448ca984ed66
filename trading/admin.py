"""Admin pages of configurations, windows and trades.

A configuration is edited as a form over the version in force; saving makes a new version
through `trading.services`, exactly as the API does: tighter at once, looser waits. Proposals
are approved or rejected by actions. Windows and trades are read-only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from arbsite.admin_site import ReadOnlyAdmin, may
from arbsite.errors import DomainError
from arbsite.events import MODES_BY_STRICTNESS
from arbsite.models import User
from trading import services
from trading.models import AssetConfig, Attempt, Fill, LedgerEntry, Trade, Window


class ConfigForm(forms.ModelForm):  # type: ignore[type-arg]
    """The fields of a version, with the reason for changing them."""

    mode = forms.ChoiceField(choices=[(mode, mode) for mode in MODES_BY_STRICTNESS])
    reason = forms.CharField(max_length=500, help_text="Why; kept in the audit log.")

    class Meta:
        model = AssetConfig
        fields = (*services.TIGHTER, "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["reason"] = ""

    def _post_clean(self) -> None:
        """Leave the row alone: Django would write the new values into the version in force.

        Ranges are checked by the service on the new version.
        """


@admin.register(AssetConfig)
class AssetConfigAdmin(ReadOnlyAdmin):
    """Versions of every asset's configuration."""

    form = ConfigForm
    list_display = ("asset", "version", "status", "mode", "enabled", "created_by", "in_force_at")
    list_filter: ClassVar = ("status", "asset")
    ordering = ("asset", "-version")
    actions = ("approve", "reject")

    def get_fields(self, request: HttpRequest, obj: AssetConfig | None = None) -> Any:
        """Everything that can be changed; who, when and why of the version beside it."""
        facts = ["asset", "version", "status", "created_by", "created_at", "in_force_at"]
        return [*facts, *services.TIGHTER, "reason"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: AssetConfig | None = None
    ) -> list[str]:
        """What the service writes itself."""
        return ["asset", "version", "status", "created_by", "created_at", "in_force_at"]

    def has_change_permission(self, request: HttpRequest, obj: AssetConfig | None = None) -> bool:
        """Admins, and only the version in force: old ones are history."""
        return may(request, "admin") and (obj is None or obj.status == "in_force")

    def save_model(self, request: HttpRequest, obj: AssetConfig, form: Any, change: bool) -> None:
        """Make a new version; the row shown stays as it is."""
        assert isinstance(request.user, User)
        changes = {name: form.cleaned_data[name] for name in services.TIGHTER}
        try:
            made = services.change_config(
                obj.asset,
                changes,
                version=obj.version,
                user=request.user,
                reason=form.cleaned_data["reason"],
            )
        except DomainError as error:
            messages.error(request, str(error))
            return
        waits = made.status == AssetConfig.Status.PROPOSED
        messages.success(
            request,
            f"Version {made.version} of {made.asset} waits for approval."
            if waits
            else f"Version {made.version} of {made.asset} is in force.",
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A version has no related rows, and the form has no unsaved ones."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit log is the record; Django's own would name the wrong version."""

    def response_change(self, request: HttpRequest, obj: AssetConfig) -> HttpResponse:
        """Back to the list, with what the service said."""
        return HttpResponseRedirect(reverse("admin:trading_assetconfig_changelist"))

    @admin.action(description="Approve the selected proposals")
    def approve(self, request: HttpRequest, queryset: QuerySet[AssetConfig]) -> None:
        """Approve in the name of the signed-in admin."""
        self._decide(request, queryset, services.approve_config, "approved")

    @admin.action(description="Reject the selected proposals")
    def reject(self, request: HttpRequest, queryset: QuerySet[AssetConfig]) -> None:
        """Reject in the name of the signed-in admin."""
        self._decide(request, queryset, services.reject_config, "rejected")

    def _decide(
        self,
        request: HttpRequest,
        queryset: QuerySet[AssetConfig],
        act: Callable[..., AssetConfig],
        word: str,
    ) -> None:
        assert isinstance(request.user, User)
        if not may(request, "admin"):
            messages.error(request, "Your role does not permit this.")
            return
        for row in queryset.order_by("asset", "version"):
            try:
                made = act(row.asset, row.version, user=request.user)
            except DomainError as error:
                messages.error(request, str(error))
            else:
                state = made.get_status_display().lower()
                messages.success(
                    request, f"Version {made.version} of {made.asset}: {word}, now {state}."
                )


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
