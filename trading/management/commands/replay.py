"""`manage.py replay`: the same engine fed from its journal must decide the same, to the byte."""

from __future__ import annotations

import shutil
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arbsite.clock import SystemClock, at_from_ns, ns_from_at
from arbsite.errors import FeedCorrupt, SetupError
from feeds.recording.reader import Recording
from trading.journal import day
from trading.journal.replaying import Difference, ReplayReport, open_journal, replay

_SHOWN_DIFFERENCES = 20
_RECORDS_A_SIGN = 5_000
_BAR = 30
_EXAMPLES = """examples:
  manage.py replay                              the newest journal of this installation
  manage.py replay journals/                    the newest run in that folder
  manage.py replay journals/2026…-00001.rec --until +300
                                                the first five minutes of that run
  manage.py replay --day                        the fixed simulated day against its pinned hash
  manage.py replay --day --pin                  accept this code's decisions as the new day

Exit code 0: every decision equal. 1: a decision differs. 2: the journal cannot be read."""


class Command(BaseCommand):
    """Prints both hashes and the rate; with a difference, its fields on both sides."""

    help = (
        "Feed an engine from a journal and compare every decision with the live one, byte by "
        "byte. A journal holds every input of the engine in order, so an equal hash proves "
        "that the decisions follow from the inputs alone; a difference means that the code "
        "changed since, or a bug. A journal whose writer died or was overloaded is replayed "
        "as far as it is whole, and that is said."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES
        parser.add_argument(
            "journal",
            nargs="?",
            type=Path,
            help="a folder of journals (its newest run) or one file of a run; "
            "default: the home's journals",
        )
        parser.add_argument(
            "--diff",
            action="store_true",
            help=f"show the first {_SHOWN_DIFFERENCES} differing decisions, not only the first",
        )
        parser.add_argument(
            "--until", help="stop at this UTC time (ISO 8601), or +SECONDS after the first input"
        )
        parser.add_argument(
            "--day", action="store_true", help="record and replay the fixed simulated day instead"
        )
        parser.add_argument(
            "--pin",
            action="store_true",
            help="with --day: accept the decisions; the change log must name the new hash",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["pin"] and not options["day"]:
            raise CommandError("--pin belongs to --day: only the fixed day has a pinned hash.")
        try:
            if options["day"]:
                self._replay_day(options)
                return
            report = self._replay(options["journal"] or settings.JOURNALS, options)
        except (SetupError, FeedCorrupt) as error:
            raise CommandError(str(error), returncode=2) from error
        if not report.is_equal:
            sys.exit(1)

    def _replay(self, path: Path, options: dict[str, Any]) -> ReplayReport:
        journal = open_journal(path)
        begun_ns = SystemClock().monotonic_ns()
        report = replay(
            journal,
            until_ns=_until_ns(options["until"], journal),
            kept_differences=_SHOWN_DIFFERENCES if options["diff"] else 1,
            progress=_Bar(journal.records_count),
        )
        self._tell(journal, report, (SystemClock().monotonic_ns() - begun_ns) / 1e9)
        return report

    def _tell(self, journal: Recording, report: ReplayReport, took_s: float) -> None:
        say = self.stdout.write
        say(f"journal {journal.header.run}, written by {journal.header.software}")
        say(f"{report.inputs} inputs from {_text(report.first_ns)} over {report.span_s:.1f} s")
        rate = report.span_s / took_s if took_s else 0.0
        say(f"replayed in {took_s:.2f} s: {rate:.0f} x real time")
        if report.lost:
            say(f"stopped at a gap: the writer lost {report.lost} records there")
        if not report.is_whole:
            say("the journal has no clean end; the last input's decisions may be missing")
        say(f"live     {report.live_decisions:6} decisions {report.live_hash}")
        say(f"replayed {report.replayed_decisions:6} decisions {report.replayed_hash}")
        if report.is_equal:
            say("equal: every decision is the same")
            return
        say(f"DIFFERENT: {report.difference_count} decisions")
        for difference in report.differences:
            self._show(difference)

    def _show(self, difference: Difference) -> None:
        say = self.stdout.write
        say(
            f"decision {difference.decision} at {_text(difference.at_ns)}, after input "
            f"{difference.input_number} ({difference.input_tag}):"
        )
        if difference.live is None or difference.replayed is None:
            side = "live" if difference.replayed is None else "replayed"
            text = difference.live or difference.replayed or b""
            say(f"  only {side}: {text.decode()}")
            return
        for name, live, replayed in difference.fields():
            say(f"  {name}: live {live!r}, replayed {replayed!r}")

    def _replay_day(self, options: dict[str, Any]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="spreadline-day-"))
        try:
            self.stderr.write("simulating the fixed day; this takes some seconds")
            found = day.record_day(folder)
            report = self._replay(folder, options | {"until": None})
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not report.is_equal:
            sys.exit(1)
        if options["pin"]:
            day.DAY_FILE.write_text(found.text())
            self.stdout.write(f"pinned; name {found.decisions_hash[:12]} in CHANGELOG.md")
            return
        pinned = day.pinned_day()
        if pinned.decisions_hash == found.decisions_hash:
            self.stdout.write("the day is the pinned one")
            return
        for line in day.differences(pinned, found):
            self.stdout.write(line)
        was, now = pinned.decisions_hash[:12], found.decisions_hash[:12]
        self.stdout.write(f"the pinned day is {was}, this code's {now}")
        sys.exit(1)


class _Bar:
    """A progress bar on a terminal; nothing elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = max(total, 1)
        self._is_shown = sys.stderr.isatty()

    def __call__(self, record: int) -> None:
        if not self._is_shown or (record % _RECORDS_A_SIGN and record + 1 < self._total):
            return
        share = (record + 1) / self._total
        done = round(share * _BAR)
        end = "\n" if record + 1 >= self._total else ""
        bar = "#" * done + "." * (_BAR - done)
        sys.stderr.write(f"\r[{bar}] {share:4.0%}{end}")
        sys.stderr.flush()


def _until_ns(text: str | None, journal: Recording) -> int | None:
    if text is None:
        return None
    try:
        if text.startswith("+"):
            first_ns = journal.segments[0].blocks[0][1].first_ns
            return first_ns + round(float(text[1:]) * 1e9)
        at = datetime.fromisoformat(text)
    except (ValueError, IndexError) as error:
        raise SetupError(
            f"--until {text}: give a UTC time like 2026-11-22T10:00 or +60."
        ) from error
    return ns_from_at(at if at.tzinfo else at.replace(tzinfo=UTC))


def _text(at_ns: int) -> str:
    return f"{at_from_ns(at_ns):%Y-%m-%d %H:%M:%S.%f} UTC"
