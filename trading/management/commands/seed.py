"""`manage.py seed`: give a new desk its markets, first configurations, controls and keys."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from trading import seeding


class Command(BaseCommand):
    help = (
        "Prepare a new desk; safe to repeat. On the sim profile: three markets with a first "
        "configuration each, keys of the simulated accounts, mode LIVE. On every other "
        "profile: mode OBSERVE until an operator goes live."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_SIM:
            created = seeding.seed_simulated_desk()
            seeding.write_simulated_keys()
            if created:
                self.stdout.write(f"markets seeded: {', '.join(created)}")
        mode = seeding.seed_controls()
        self.stdout.write(f"first mode {mode.upper()} (kept if the desk already had one)")
