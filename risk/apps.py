"""Django's entry for the app `risk` (may we)."""

from __future__ import annotations

from django.apps import AppConfig


class RiskConfig(AppConfig):
    """Names the app; it has no start-up work."""

    name = "risk"
