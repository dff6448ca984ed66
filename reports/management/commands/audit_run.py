"""`manage.py audit_run`: does what we wrote down equal what really happened?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arbsite.errors import DomainError
from reports import audit


class Command(BaseCommand):
    help = (
        "Compare our ledger with the simulated venues' truth, reference by reference, and count "
        "duplicates. With --settle it pauses the engine first, waits until every trade is "
        "booked, and resumes afterwards, so that nothing is left in flight. The last line is "
        "JSON; the exit code is 1 when anything differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--truth",
            type=Path,
            default=settings.HOME.path / "simulator" / "truth.sqlite3",
            help="the simulator's truth file (default: this installation's)",
        )
        parser.add_argument("--settle", action="store_true", help="pause, wait, compare, resume")
        parser.add_argument(
            "--timeout", type=float, default=120.0, help="seconds to wait with --settle"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["truth"].is_file():
            raise CommandError(
                f"No truth file at {options['truth']}: run the simulator, or name it with --truth."
            )
        try:
            if options["settle"]:
                audit.pause_and_wait(options["timeout"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        try:
            report = audit.audit(options["truth"])
        finally:
            if options["settle"]:
                self._resume()
        self._print(report)
        if not report["ok"]:
            raise SystemExit(1)

    def _resume(self) -> None:
        try:
            audit.resume()
        except DomainError as error:
            self.stderr.write(f"Not resumed: {error}")

    def _print(self, report: dict[str, Any]) -> None:
        self.stdout.write(
            f"trades           {report['trades']} ({report['unfinished']} unfinished)"
        )
        self.stdout.write(
            f"completed        {report['completed']} over {report['completed_by_asset']}"
        )
        self.stdout.write(f"outcomes         {report['outcomes']}, verified {report['verified']}")
        self.stdout.write(
            f"duplicates       {report['duplicate_orders']} orders, "
            f"{report['duplicate_exec_try']} exec.try"
        )
        difference = report["ledger_minus_truth"] or "0 exactly"
        self.stdout.write(f"ledger - truth   {difference} ({report['in_flight']} in flight)")
        self.stdout.write(json.dumps(report))
