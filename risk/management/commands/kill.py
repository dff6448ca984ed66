"""`manage.py kill`: halt the desk; with --local, without anything else running."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from arbsite.clock import uuid7
from arbsite.errors import DomainError
from arbsite.home import Home, current_home
from risk import services


class Command(BaseCommand):
    """HALT through the database, or by a file and a signal on the engine's machine."""

    help = (
        "Halt the desk or one asset: nothing is sent any more, not even again; hedges wait for "
        "a person. Needs only PostgreSQL. --local needs nothing: it puts a file into the home "
        "and signals the engines, which obey within 250 ms; remove the file with --lift, "
        "restart the engine, then reset the kill switch in the console."
    )
    # Must work when everything else is away.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("scope", nargs="?", default="*", help="an asset (default: everything)")
        parser.add_argument("--local", action="store_true", help="halt this machine's engines")
        parser.add_argument("--lift", action="store_true", help="with --local: remove the file")
        parser.add_argument("--user", default="terminal", help="who kills, for the audit log")
        parser.add_argument("--reason", default="", help="why, for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["local"]:
            self._locally(current_home(), is_lift=options["lift"])
            return
        try:
            accepted = services.kill(
                options["scope"], user=options["user"], key=str(uuid7()), reason=options["reason"]
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(services.DATABASE_AWAY) from error
        self.stdout.write(f"Killed (control version {accepted.control_version}).")

    def _locally(self, home: Home, *, is_lift: bool) -> None:
        if is_lift:
            home.kill_file.unlink(missing_ok=True)
            self.stdout.write("The kill file is gone; restart the engine, then reset the kill.")
            return
        try:
            home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.kill_file.touch(mode=0o600)
        except OSError as error:
            # The signal alone still halts what runs now.
            self.stderr.write(f"{home.kill_file} cannot be written ({error.strerror}).")
        told = [pid for path in home.engine_pid_files if (pid := _signal(path.read_text()))]
        self.stdout.write(f"Killed locally; engines signalled: {told or 'none is running here'}.")


def _signal(text: str) -> int | None:
    """Signal the engine whose pid file says `text`; None when it is not running."""
    try:
        pid = int(text)
        # A number that was given to another program since must not be signalled.
        if b"run_engine" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return None
        os.kill(pid, signal.SIGUSR1)
    except (ValueError, OSError):
        return None
    return pid
