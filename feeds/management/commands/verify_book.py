"""`manage.py verify_book`: replay recorded Kraken book frames and check every checksum."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from arbsite.errors import FeedCorrupt, SetupError
from feeds import golden
from feeds.recording.checks import verify_recorded_books
from feeds.recording.reader import is_recording, open_runs


def _whole_number(text: str, minimum: int) -> int:
    if not text.isdecimal() or int(text) < minimum:
        raise argparse.ArgumentTypeError(f"must be a whole number from {minimum} up, not {text!r}")
    return int(text)


def _precision(text: str) -> int:
    return _whole_number(text, 0)


def _depth(text: str) -> int:
    return _whole_number(text, 1)


class Command(BaseCommand):
    """Prints one JSON object as its last line; exit code 1 when a checksum mismatched."""

    help = (
        "Rebuild order books from recorded Kraken WebSocket v2 'book' frames, one JSON object "
        "a line (.ndjson or .ndjson.gz), and verify the checksum of every snapshot and update. "
        "The last line of output is JSON: frames = verified + mismatched. After a mismatch "
        "every frame of that symbol up to its next snapshot counts as mismatched. Other frames "
        "(heartbeat, status, acknowledgements) are ignored. A recording of ours (a .rec file or "
        "a folder of them) knows its own precisions: every run is verified file by file, and "
        "frames between a gap and the next snapshot count as unanchored. Exit code 0 when all "
        "matched, 1 when one did not, 2 when the file cannot be read."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file and the shape of its books."""
        parser.add_argument(
            "file", type=Path, help="book frames (plain or .gz), or a recording (.rec or folder)"
        )
        parser.add_argument(
            "--price-precision",
            type=_precision,
            help="decimals of a price, e.g. 1 for BTC/USD (instrument channel: price_precision); "
            "not with a recording",
        )
        parser.add_argument(
            "--qty-precision",
            type=_precision,
            help="decimals of a quantity, usually 8 (instrument channel: qty_precision); not with "
            "a recording",
        )
        parser.add_argument(
            "--depth",
            type=_depth,
            default=10,
            help="levels a side of the recorded subscription: 10, 25, 100, 500 or 1000",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify and report."""
        log = golden.CheckLog(sys.stderr)
        if is_recording(options["file"]):
            self._verify_recording(options["file"], log)
            return
        if options["price_precision"] is None or options["qty_precision"] is None:
            raise CommandError(
                "Plain frames need --price-precision and --qty-precision.", returncode=2
            )
        try:
            report = golden.verify_book(
                options["file"],
                options["price_precision"],
                options["qty_precision"],
                options["depth"],
                note=log.note,
                progress=log.progress,
            )
        except SetupError as error:
            raise CommandError(str(error), returncode=2) from error
        log.finish()
        if report.ignored:
            self.stdout.write(f"{report.ignored} other frames ignored")
        if not report.frames:
            self.stdout.write("no book frames in this file")
        counts = {name: getattr(report, name) for name in ("frames", "verified", "mismatched")}
        self.stdout.write(msgspec.json.encode(counts).decode())
        if report.mismatched:
            sys.exit(1)

    def _verify_recording(self, path: Path, log: golden.CheckLog) -> None:
        try:
            reports = [
                verify_recorded_books(run, note=log.note, progress=log.progress)
                for run in open_runs(path, "market")
            ]
        except (SetupError, FeedCorrupt) as error:
            raise CommandError(str(error), returncode=2) from error
        log.finish()
        for report in reports:
            self.stdout.write(msgspec.json.encode(report).decode())
        if any(report.mismatched for report in reports):
            sys.exit(1)
