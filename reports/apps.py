"""Django's entry for the app `reports` (what happened)."""

from __future__ import annotations

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """Names the app; it has no start-up work."""

    name = "reports"
