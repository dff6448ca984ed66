"""`manage.py poison`: copy a recording with seeded faults, to try the checks against."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from arbsite.errors import FeedCorrupt, SetupError
from feeds.recording.format import SUFFIX
from feeds.recording.poison import poison_recording
from feeds.recording.reader import open_runs


class Command(BaseCommand):
    """Writes the poisoned recording, and beside it the list of what was done."""

    help = (
        "Copy a market recording into one file with a share of its frames dropped, duplicated, "
        "held back behind the next, or corrupted, at places that the seed decides. OUT must end "
        "in .rec; OUT.poisons.jsonl names every fault (stream, number, kind, time, the frame as "
        "it was). `manage.py verify_book OUT` must then exit with 1. Counts by kind are printed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what is copied where, and how badly."""
        parser.add_argument("recording", type=Path, help="a .rec file, or a folder of one run")
        parser.add_argument("out", type=Path, help="the poisoned copy, a new .rec file")
        parser.add_argument("--seed", type=int, default=1, help="which faults (default 1)")
        parser.add_argument(
            "--share", type=float, default=0.02, help="of the data frames (default 0.02)"
        )

    def handle(self, **options: Any) -> None:
        """Copy and list."""
        out: Path = options["out"]
        if out.suffix != SUFFIX or out.exists():
            raise CommandError(f"{out} must be a new file that ends in {SUFFIX}.")
        if not 0 < options["share"] < 1:
            raise CommandError("--share must lie between 0 and 1.")
        try:
            runs = open_runs(options["recording"], "market")
            if len(runs) > 1:
                raise CommandError("The folder holds several runs; name one file.")
            done = poison_recording(runs[0], out, seed=options["seed"], share=options["share"])
        except (SetupError, FeedCorrupt) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
        listed = out.with_name(out.name + ".poisons.jsonl")
        encode = msgspec.json.Encoder().encode
        listed.write_bytes(b"".join(encode(poison) + b"\n" for poison in done))
        kinds = Counter(poison.kind for poison in done)
        self.stdout.write(f"{len(done)} frames poisoned: {dict(sorted(kinds.items()))}")
