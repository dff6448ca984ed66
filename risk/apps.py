"""Django's entry for the app `risk` (may we)."""

from __future__ import annotations

from django.apps import AppConfig


class RiskConfig(AppConfig):
    """Gives the console socket its first picture of incidents."""

    name = "risk"

    def ready(self) -> None:
        """Register the snapshot provider."""
        from arbsite.streams import register_snapshot
        from risk import selectors

        register_snapshot("incidents", selectors.incidents_picture)
