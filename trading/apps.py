"""Django's entry for the app `trading` (do it)."""

from __future__ import annotations

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Names the app; it has no start-up work."""

    name = "trading"
