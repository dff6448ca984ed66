"""The admin page of settings kept as versions: a form over the one in force.

Saving makes a new version through `risk.versions`, exactly as the API does: tighter at once,
looser waits. Proposals are approved or rejected by actions. Used by `risk.admin` and
`trading.admin`, each for its own model.
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
from arbsite.models import User
from risk.versions import Versions


class VersionForm(forms.ModelForm):  # type: ignore[type-arg]
    """The fields of a version, with the reason for changing them."""

    reason = forms.CharField(max_length=500, help_text="Why; kept in the audit log.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["reason"] = ""

    def _post_clean(self) -> None:
        """Leave the row alone: Django would write the new values into the version in force.

        Ranges are checked by the service on the new version.
        """


class VersionsAdmin(ReadOnlyAdmin):
    """Versions of one kind of settings; the subclass names them."""

    versions: ClassVar[Versions[Any]]
    form = VersionForm
    list_filter: ClassVar[Any] = ("status",)
    actions = ("approve", "reject")

    @property
    def _facts(self) -> list[str]:
        """What the service writes itself."""
        return [self.versions.scope, "version", "status", "created_by", "created_at", "in_force_at"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Everything that can be changed; who, when and why of the version beside it."""
        return [*self._facts, *self.versions.ranks, "reason"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What the service writes itself."""
        return self._facts

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Admins, and only the version in force: old ones are history."""
        return may(request, "admin") and (obj is None or obj.status == "in_force")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make a new version; the row shown stays as it is."""
        assert isinstance(request.user, User)
        try:
            made = self.versions.change(
                getattr(obj, self.versions.scope),
                {name: form.cleaned_data[name] for name in self.versions.ranks},
                version=obj.version,
                user=request.user,
                reason=form.cleaned_data["reason"],
            )
        except DomainError as error:
            messages.error(request, str(error))
            return
        waits = made.status == "proposed"
        state = "waits for approval" if waits else "is in force"
        messages.success(request, f"Version {made.version} of {self._name(made)} {state}.")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A version has no related rows, and the form has no unsaved ones."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit log is the record; Django's own would name the wrong version."""

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Back to the list, with what the service said."""
        meta = self.model._meta
        where = f"admin:{meta.app_label}_{meta.model_name}_changelist"
        return HttpResponseRedirect(reverse(where))

    @admin.action(description="Approve the selected proposals")
    def approve(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Approve in the name of the signed-in admin."""
        self._decide(request, queryset, self.versions.approve, "approved")

    @admin.action(description="Reject the selected proposals")
    def reject(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Reject in the name of the signed-in admin."""
        self._decide(request, queryset, self.versions.reject, "rejected")

    def _decide(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        act: Callable[..., Any],
        word: str,
    ) -> None:
        assert isinstance(request.user, User)
        if not may(request, "admin"):
            messages.error(request, "Your role does not permit this.")
            return
        for row in queryset.order_by(self.versions.scope, "version"):
            try:
                made = act(getattr(row, self.versions.scope), row.version, user=request.user)
            except DomainError as error:
                messages.error(request, str(error))
            else:
                state = made.get_status_display().lower()
                messages.success(
                    request, f"Version {made.version} of {self._name(made)}: {word}, now {state}."
                )

    def _name(self, row: Any) -> str:
        return self.versions.name(getattr(row, self.versions.scope))
