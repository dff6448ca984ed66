"""Django's entry for the app `feeds` (what the world is and how we speak to it)."""

from __future__ import annotations

from django.apps import AppConfig


class FeedsConfig(AppConfig):
    """Names the app; it has no start-up work."""

    name = "feeds"
