"""`manage.py figures`: every promise of the product measured and printed by one command."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arbsite.clock import SystemClock, at_from_ns, seeded_random
from arbsite.errors import DomainError, SetupError
from arbsite.home import REPOSITORY
from reports import audit, promise_proofs, service_levels
from reports.drills import Drill, Drills, require_running
from reports.promise_tables import aligned, cells, markdown, summary
from reports.promises import Level, none_of, quantile, unseen
from reports.staleness import StalenessWatch

CLOCK = SystemClock()
SEEDS, QUICK_SEEDS = 2_000, 100
# Enough lives for each wrong policy to meet what it is wrong about.
WRONG_SEEDS = 60
SETTLE_S = 180.0
# What was not asked for cannot be seen.
UNASKED = {
    "kill → last send p99": "ask with --drills",
    "pause → last send p99": "ask with --drills",
    "restart → reconciled p95": "ask with --deaths",
    "restart → able to trade p95": "ask with --deaths",
    "restart → open trades proven p95": "ask with --deaths",
}
STALENESS_LIMIT_MS = 200
_EXAMPLES = """examples:
  manage.py figures                            prove 2,000 seeds, then watch 10 minutes
  manage.py figures --quick --minutes 3        100 seeds, 3 minutes
  manage.py figures --drills --deaths 20       20 kills, 20 pauses and 20 dead engines besides
  manage.py figures --report figures.md        write the table to a file too

The proof also runs six wrong policies and must catch each. What choosing the size is worth
comes from the newest stored ablation: run `manage.py ablate` before. What only tests or an
acceptance can show is listed with where it is shown.
Needs a running simulated desk: start one with `make run` in another terminal. Drills make
many engine starts: set SPREADLINE_MAX_ENGINE_STARTS=1000 for that desk, or each start after
the third puts it into OBSERVE (the drill brings it back). Latencies are of this machine with
all that runs on it. The engine's histograms begin anew when it dies: deaths come first. At
the end the desk is paused, settled, compared with the venues' truth, and resumed.
What drills break counts too: partials, naked time and misses are higher than without them.
A promise with fewer than 20 observations is not judged. Exit code 1 when one fails."""


class Command(BaseCommand):
    help = (
        "Measure every promise: run the seeded proof, watch a running simulated desk (with "
        "drills if asked), audit it, and print target, what was seen, of how many, the 95 % "
        "interval and the verdict."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES
        parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
        parser.add_argument("--seeds", type=int, default=SEEDS, help="to prove (default 2000)")
        parser.add_argument(
            "--quick",
            action="store_const",
            dest="seeds",
            const=QUICK_SEEDS,
            help=f"prove {QUICK_SEEDS} seeds only",
        )
        parser.add_argument(
            "--drills",
            type=int,
            nargs="?",
            const=20,
            default=0,
            metavar="N",
            help="N kills and N pauses during the watch (20 without a number)",
        )
        parser.add_argument(
            "--deaths", type=int, default=0, metavar="N", help="N dead engines before them"
        )
        parser.add_argument("--seed", type=int, default=1, help="when drills strike (default 1)")
        parser.add_argument("--report", type=Path, metavar="FILE", help="write Markdown there")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["minutes"] <= 0 or min(options["drills"], options["deaths"]) < 0:
            raise CommandError("--minutes must be above 0, --drills and --deaths not below it.")
        if not settings.IS_SIM:
            raise CommandError(
                "Figures are measured on the simulated venues only: start a desk with "
                "SPREADLINE_PROFILE=sim make run. On this profile ask manage.py service_levels."
            )
        try:
            require_running()
            rows = self._prove(options["seeds"])
            # The proof may have taken minutes.
            require_running()
            plan: list[Drill] = ["death"] * options["deaths"]
            for _ in range(options["drills"]):
                plan += ["kill", "pause"]
            rows += self._watch(options["minutes"], plan, options["seed"])
        except (SetupError, DomainError) as error:
            raise CommandError(str(error)) from error
        self._tell(rows, options)
        if any(row.verdict == "fails" for row in rows):
            raise SystemExit(1)

    # ---- the parts ------------------------------------------------------------------

    def _prove(self, seeds: int) -> list[Level]:
        return [
            promise_proofs.proven(seeds, self.stdout, self.stderr),
            promise_proofs.caught(WRONG_SEEDS, self.stderr),
            promise_proofs.faults(REPOSITORY / "deploy" / "faults.md"),
            *promise_proofs.gains(),
            *promise_proofs.elsewhere(),
        ]

    def _watch(self, minutes: float, plan: list[Drill], seed: int) -> list[Level]:
        since_ns, until_ns = CLOCK.now_ns(), CLOCK.monotonic_ns() + round(minutes * 60e9)
        with StalenessWatch(CLOCK) as staleness:
            self._drill(plan, seed)
            bar = Bar("watching the desk", until_ns, minutes * 60)
            while CLOCK.monotonic_ns() < until_ns:
                bar.show()
                time.sleep(1.0)
            bar.end()
        port = settings.HOME.ports()["metrics_engine"]
        series = service_levels.read_metrics(port)
        audited = self._audit()
        return [
            *map(explained, service_levels.levels(since_ns=since_ns, metrics=series)),
            quantile(
                "console: age on arrival p95", staleness.ages_ms, 0.95, STALENESS_LIMIT_MS, "ms"
            ),
            *audited,
        ]

    def _drill(self, plan: list[Drill], seed: int) -> None:
        """Perform the plan; one that the desk does not come back from ends it."""
        drills = Drills(settings.HOME, seeded_random(seed))
        for number, drill in enumerate(plan, 1):
            self.stderr.write(f"figures | drill {number} of {len(plan)}: {drill}")
            try:
                drills.perform(drill)
            except (SetupError, DomainError) as error:
                self.stderr.write(f"figures | no more drills: {error}")
                return

    def _audit(self) -> list[Level]:
        self.stderr.write("figures | settling and comparing with the venues' truth")
        names = ("duplicate orders", "windows fired at twice", "movements where ledger ≠ truth")
        try:
            audit.pause_and_wait(SETTLE_S)
            try:
                found = audit.audit(settings.HOME.path / "simulator" / "truth.sqlite3")
            finally:
                audit.resume()
        except DomainError as error:
            # Killed by a person meanwhile, say: what was watched is worth its table.
            self.stderr.write(f"figures | not audited: {error}")
            return [unseen(name, "0") for name in names]
        wrong = len(found["wrong_references"]) + len(found["missing_references"])
        differing = wrong + len(found["ledger_minus_truth"])
        return [
            none_of(names[0], found["duplicate_orders"], found["venue_orders"]),
            none_of(names[1], found["duplicate_exec_try"], found["exec_try"]),
            none_of(names[2], differing, found["truth_movements"]),
        ]

    def _tell(self, rows: list[Level], options: dict[str, Any]) -> None:
        for line in aligned(cells(rows)):
            self.stdout.write(line)
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        machine = f"{os.cpu_count()} cores, load over 1, 5 and 15 minutes {load}"
        self.stdout.write(f"\n{summary(rows)} Measured on {machine}.")
        if options["report"] is not None:
            at = f"{at_from_ns(CLOCK.now_ns()):%Y-%m-%d %H:%M} UTC"
            notes = [
                f"{at}, {machine}",
                f"at least {options['minutes']:g} minutes",
                f"{options['drills']} kills, as many pauses, {options['deaths']} dead engines",
                summary(rows),
            ]
            text = markdown(rows, title="Spreadline: the promises, measured", notes=notes)
            options["report"].write_text(text)
            self.stdout.write(f"Written to {options['report']}.")


def explained(level: Level) -> Level:
    """The same row; where nothing was seen because nobody asked, it says how to ask."""
    if level.n or level.name not in UNASKED:
        return level
    return unseen(level.name, level.target, UNASKED[level.name])


class Bar:
    """How much of the time is over: a bar on a terminal, a line a minute elsewhere."""

    def __init__(self, what: str, until_ns: int, total_s: float) -> None:
        self._what = what
        self._until_ns = until_ns
        self._total_s = total_s
        self._minute = -1

    def show(self) -> None:
        """Draw it."""
        left_s = max(0.0, (self._until_ns - CLOCK.monotonic_ns()) / 1e9)
        if sys.stderr.isatty():
            filled = round(30 * (1 - left_s / self._total_s))
            bar = f"[{'#' * filled}{'.' * (30 - filled)}]"
            sys.stderr.write(f"\r{bar} {self._what}, {left_s:.0f} s left ")
        elif (minute := int(left_s // 60)) != self._minute:
            self._minute = minute
            sys.stderr.write(f"figures | {self._what}, {left_s:.0f} s left\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the bar's line."""
        if sys.stderr.isatty():
            sys.stderr.write("\n")
