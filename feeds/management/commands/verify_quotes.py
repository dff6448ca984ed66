"""`manage.py verify_quotes`: compare our swap math with what the programs did on chain."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from arbsite.errors import FeedCorrupt, SetupError
from feeds import golden
from feeds.recording.pool_checks import verify_recorded_pools
from feeds.recording.reader import is_recording, open_runs


class Command(BaseCommand):
    """Prints one JSON object as its last line; exit code 1 when a row is wrong."""

    help = (
        "Quote every swap of a golden file (Whirlpool or CPMM rows, one JSON object a line, "
        "plain or .gz) and compare amounts and the whole pool state afterwards with the row's "
        "'onchain' column. The last line of output is JSON: rows = exact + refused_as_chain + "
        "the number of ids in wrong. A row the chain refused is right when we refuse it with "
        "the same code, or with cause 'compute' where the chain ran out of compute units. Of a "
        "recording of ours (a .rec file or a folder) every account is decoded again, the order "
        "of slots is checked, and where one swap explains a change of a pool, that swap is "
        "quoted on the state before and must give the state after exactly (requoted); changes "
        "by several swaps at once or by liquidity are only counted (unexplained). Exit code 0 "
        "when nothing is wrong, 1 when something is, 2 when the file cannot be read."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file."""
        parser.add_argument(
            "file", type=Path, help="golden rows (plain or .gz), or a recording (.rec or folder)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify and report."""
        log = golden.CheckLog(sys.stderr)
        if is_recording(options["file"]):
            self._verify_recording(options["file"], log)
            return
        try:
            report = golden.verify_quotes(options["file"], note=log.note, progress=log.progress)
        except SetupError as error:
            raise CommandError(str(error), returncode=2) from error
        log.finish()
        self.stdout.write(msgspec.json.encode(report).decode())
        if report.wrong:
            sys.exit(1)

    def _verify_recording(self, path: Path, log: golden.CheckLog) -> None:
        try:
            reports = [
                verify_recorded_pools(run, note=log.note, progress=log.progress)
                for run in open_runs(path, "market")
            ]
        except (SetupError, FeedCorrupt) as error:
            raise CommandError(str(error), returncode=2) from error
        log.finish()
        for report in reports:
            self.stdout.write(msgspec.json.encode(report).decode())
        if any(report.wrong for report in reports):
            sys.exit(1)
