"""Django's entry for the app `inventory` (what do we own)."""

from __future__ import annotations

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """Names the app; it has no start-up work."""

    name = "inventory"
