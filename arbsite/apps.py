"""Django's entry for the app `arbsite` (the ground every other app stands on)."""

from __future__ import annotations

from django.apps import AppConfig


class ArbsiteConfig(AppConfig):
    """Names the app; it has no start-up work."""

    name = "arbsite"
