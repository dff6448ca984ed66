"""Django's entry for the app `trading` (do it)."""

from __future__ import annotations

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Gives the console socket its first pictures of windows and trades."""

    name = "trading"

    def ready(self) -> None:
        """Register the snapshot providers."""
        from arbsite.streams import register_snapshot
        from trading import selectors

        register_snapshot("opportunities", selectors.opportunities_picture)
        register_snapshot("trades", selectors.trades_picture)
