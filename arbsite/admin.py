"""Admin pages of people and the audit log."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest

from arbsite import admin_site
from arbsite.admin_site import ReadOnlyAdmin
from arbsite.auth import services
from arbsite.auth.roles import ROLES, role_of
from arbsite.errors import DomainError
from arbsite.models import AuditLog, User

# Groups are the roles of `auth.roles`; editing them here would undo that table.
admin.site.unregister(Group)


class UserForm(forms.ModelForm):  # type: ignore[type-arg]
    """A person's role and whether they may sign in; a password only when it is (re)set."""

    role = forms.ChoiceField(choices=[(role, role) for role in ROLES])
    password = forms.CharField(
        required=False,
        max_length=256,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters. Leave it empty to keep the present one.",
    )

    class Meta:
        model = User
        fields = ("username", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["role"].initial = role_of(self.instance)
        else:
            self.fields["password"].required = True


@admin.register(User)
class UserAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """People, for who has the right to manage them; every change is a service's."""

    form = UserForm
    fields = ("username", "role", "password", "is_active")
    list_display = ("username", "role", "is_active", "last_login")
    search_fields = ("username",)

    @admin.display(description="Role")
    def role(self, user: User) -> str:
        """The user's one role."""
        return role_of(user)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """A name in the audit log never changes its meaning."""
        return ["username"] if obj is not None else []

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody: people are disabled, their history stays."""
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: User,
        form: UserForm,
        change: bool,
    ) -> None:
        """Create or change through the service."""
        wanted = form.cleaned_data
        actor = request.user.get_username()
        if obj == request.user and wanted["role"] != role_of(obj):
            raise PermissionDenied("Somebody else must change your role.")
        try:
            if not change:
                made = services.create_user(
                    obj.username, wanted["password"], wanted["role"], actor=actor
                )
                obj.pk = made.pk
                return
            services.change_user(
                obj,
                role=wanted["role"],
                is_active=wanted["is_active"],
                password=wanted["password"],
                actor=actor,
            )
        except DomainError as error:
            form.add_error(None, str(error))
            messages.error(request, str(error))


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    """Who did what; never editable."""

    list_display = ("id", "at", "actor", "action", "target", "reason")
    list_filter: ClassVar = ("action",)
    search_fields = ("actor", "target", "action")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Admins and who has the right to the log."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Admins and who has the right to the log."""
        return admin_site.may(request, "admin") or (
            admin_site.may(request, "read") and request.user.has_perm("arbsite.view_auditlog")
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Newest first."""
        return super().get_queryset(request).order_by("-id")
