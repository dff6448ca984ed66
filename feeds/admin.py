"""Admin page of markets: read-only, because a swapped address drains a wallet."""

from __future__ import annotations

from django.contrib import admin

from arbsite.admin_site import ReadOnlyAdmin
from feeds.models import Market


@admin.register(Market)
class MarketAdmin(ReadOnlyAdmin):
    """Where each asset trades, and every address in use."""

    list_display = ("asset", "cex_symbol", "pool_kind", "pool", "is_enabled", "is_verified")
