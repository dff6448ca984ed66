"""`manage.py prove`: the seeded proof of two-leg execution, with its figures."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arbsite.clock import SystemClock
from arbsite.embedded import Postgres, prepare_home
from arbsite.errors import SetupError
from arbsite.home import DEFAULT_PORTS, Home
from arbsite.readiness import postgres_answers, wait_until
from trading.proof.policies import POLICIES
from trading.proof.run import Figures, prove

CLOCK = SystemClock()
# A single life may see no trade; so many of them do.
LEAST_SEEDS = 20
_EXAMPLES = """examples:
  manage.py prove                                  2,000 seeds on two processes
  manage.py prove --seeds 20000 --jobs 4           a soak
  manage.py prove --from-seed 1234 --seeds 1 --log replay one seed with its whole event log
  manage.py prove --policy "resend on timeout" --seeds 100   see a wrong policy caught

Each seed is one short life of a desk in virtual time: the real engine, executor, recovery
and adapters over the simulated venues and a PostgreSQL server of the proof's own, with
faults, deaths, a second engine and commands of people drawn from the seed. At the end a
judge compares orders, fills, ledger and states with the venues' own truth and names what
is broken by the protocol's invariant (I1 … I14). Exit code 1 when a seed was bad."""


class Command(BaseCommand):
    help = "Prove two-leg execution on random short lives of a desk."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES
        parser.add_argument("--seeds", type=int, default=2000, help="how many (default 2000)")
        parser.add_argument("--from-seed", type=int, default=0, help="the first one (default 0)")
        parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
        parser.add_argument(
            "--policy", choices=sorted(POLICIES), default="protocol", help="who trades"
        )
        parser.add_argument("--log", action="store_true", help="print each seed's event log")
        parser.add_argument(
            "--server",
            metavar="URL",
            help="a PostgreSQL server to make the proof's databases on (default: one of its own)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["seeds"] < 1 or options["jobs"] < 1:
            raise CommandError("--seeds and --jobs must be at least 1.")
        first = options["from_seed"]
        seeds = range(first, first + options["seeds"])
        started_ns = CLOCK.monotonic_ns()
        # A stop asked for by a signal must take the server and the workers with it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        progress = Progress(len(seeds), is_shown=not options["log"])
        try:
            with _server(options["server"]) as url:
                figures, results = prove(
                    url,
                    seeds,
                    jobs=min(options["jobs"], len(seeds)),
                    policy=options["policy"],
                    is_logged=options["log"],
                    tell=progress.show,
                )
        except SetupError as error:
            raise CommandError(str(error)) from error
        progress.end()
        for result in results:
            for line in result.lines:
                self.stdout.write(line)
        for line in figures.lines((CLOCK.monotonic_ns() - started_ns) / 1e9):
            self.stdout.write(line)
        if figures.bad:
            raise CommandError(f"{len(figures.bad)} of {figures.seeds} seeds broke the protocol.")
        if figures.seeds >= LEAST_SEEDS and figures.trades < figures.seeds:
            raise CommandError(
                f"Only {figures.trades} trades in {figures.seeds} seeds: nothing was proven. "
                "Read what stops the desk with --log."
            )


class Progress:
    """A bar on a terminal, a line at every tenth elsewhere."""

    def __init__(self, total: int, *, is_shown: bool = True) -> None:
        self._total = total
        self._is_shown = is_shown
        self._tenths = 0

    def show(self, figures: Figures) -> None:
        """Draw where the run stands."""
        if not self._is_shown:
            return
        text = f"{figures.seeds}/{self._total} seeds, {figures.trades} trades, "
        text += f"{figures.deaths} deaths, {len(figures.bad)} bad"
        if sys.stderr.isatty():
            filled = 30 * figures.seeds // self._total
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (30 - filled)}] {text}")
        elif (tenths := 10 * figures.seeds // self._total) > self._tenths:
            self._tenths = tenths
            sys.stderr.write(f"prove | {text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the bar's line."""
        if self._is_shown and sys.stderr.isatty():
            sys.stderr.write("\n")


@contextmanager
def _server(url: str | None) -> Iterator[str]:
    """The given server, or a throw-away one in a temporary home."""
    if url:
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="spreadline-proof-"))
    home = Home(folder)
    home.ports_file.write_text(json.dumps({**DEFAULT_PORTS, "postgres": _free_port()}))
    prepare_home(home)
    postgres = Postgres(home, is_throw_away=True)
    service = postgres.prepare()
    with (folder / "postgres.log").open("ab") as output:
        process = subprocess.Popen(
            service.command,
            user=service.user,
            extra_groups=[] if service.user else None,
            cwd=service.directory,
            env={"PATH": os.environ["PATH"]} | service.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(
            lambda: postgres_answers(home.database_url()),
            failure=lambda: "the proof's PostgreSQL did not come up",
            timeout_s=30,
            is_alive=lambda: process.poll() is None,
        )
        yield home.database_url()
    finally:
        process.terminate()
        process.wait(timeout=20)
        for path in {folder, postgres.root}:
            shutil.rmtree(path, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
