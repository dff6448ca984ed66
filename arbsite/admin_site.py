"""The admin pages: a second door to the same acts, with the same locks.

Rights come from the permission words, not from Django's per-model rights; what moves money
is changed through services only, so everything else is shown read-only. Where the profile
asks for a second factor the whole site does. Loaded by each app's `admin`.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django_otp.admin import OTPAdminSite

from arbsite.auth.roles import Word

if settings.SPREADLINE_REQUIRE_OTP:
    # Django's own default site, asking for a verified device at the door.
    admin.site.__class__ = OTPAdminSite

admin.site.site_header = "Spreadline"
admin.site.site_title = "Spreadline"
admin.site.index_title = "Configuration and records"


def may(request: HttpRequest, word: Word) -> bool:
    """Whether the signed-in staff member's role has this word."""
    user = request.user
    return bool(user.is_active and user.is_staff and user.has_perm(f"arbsite.{word}"))


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows rows to who may read; adds, changes and deletes nothing."""

    list_per_page = 50
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Readers see the section."""
        return may(request, "read")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Readers see the rows."""
        return may(request, "read")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: rows are written by services."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: rows are written by services."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: history stays."""
        return False
