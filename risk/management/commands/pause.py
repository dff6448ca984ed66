"""`manage.py pause`: no new trades; what is in flight is finished and hedged."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from arbsite.clock import uuid7
from arbsite.errors import DomainError
from risk import services


class Command(BaseCommand):
    """STOP-NEW through the same door as the console's button."""

    help = (
        "Pause the desk or one asset: no new trades, what is in flight is finished. Needs only "
        "PostgreSQL, which wakes the engine itself. If that is away: `kill --local`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("scope", nargs="?", default="*", help="an asset (default: everything)")
        parser.add_argument("--user", default="terminal", help="who pauses, for the audit log")
        parser.add_argument("--reason", default="", help="why, for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            accepted = services.pause(
                options["scope"], user=options["user"], key=str(uuid7()), reason=options["reason"]
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(services.DATABASE_AWAY) from error
        self.stdout.write(f"Paused (control version {accepted.control_version}).")
