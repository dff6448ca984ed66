"""`manage.py ablate`: what each part of the policy is worth, and where the promises fail."""

from __future__ import annotations

import multiprocessing
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError

from arbsite.clock import SystemClock
from arbsite.errors import SetupError
from feeds.sim.scenarios import SCENARIOS
from reports import studies
from reports.ablation_study import result_of
from reports.progress import ProgressBar
from reports.study_tables import ablation_lines
from trading.backtest.ablation import Job, run_job
from trading.backtest.grid import STRENGTHS, run_grid

T = TypeVar("T")
# Minutes of each reference market per seed: long enough for some tens of windows.
_MINUTES = {"busy": 20.0, "violent": 60.0, "normal": 240.0, "calm": 480.0}
_QUICK_MINUTES = {"busy": 6.0}
_GRID_MINUTES, _QUICK_GRID_MINUTES = 20.0, 4.0
_EXAMPLES = """examples:
  manage.py ablate --quick                      the busy market, one seed, a small grid
  manage.py ablate --seeds 1 2 3 4 --scenario busy --no-grid
  manage.py ablate                              all scenarios, three seeds, and the grid

Every policy meets the same seeded markets and the same luck of its fills, so that the
differences are paired; intervals are bootstraps over minutes of market time. `fixed N USD`
decides when the full system does and trades N or nothing; `waits for N USD` looks again at
every tick of the window, so it picks its moment too; `three looks a window` is the full
system that may decide again once its own fills are seen. All fills are those of a model.

On an idle core a seed takes about 1 minute on busy, 2 on violent, 5 on normal, 10 on calm,
and the grid 2: two minutes with --quick, half an hour for everything in two processes."""


class Command(BaseCommand):
    help = (
        "Run the full system against fixed sizes, always-concurrent legs, percentage slippage, "
        "no gates and no rebalancing on the reference scenarios: capture, PnL, the worst 1 % of "
        "trades and naked exposure, each with its interval; and a grid of rival strength x "
        "chance of landing x fee tier that names the promises which fail. Stored."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES
        parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
        parser.add_argument(
            "--scenario", choices=SCENARIOS, action="append", help="only this one; repeat it"
        )
        parser.add_argument("--quick", action="store_true", help="one seed, short, busy only")
        parser.add_argument("--no-grid", action="store_true", help="leave the grid out")
        parser.add_argument("--no-store", action="store_true", help="print only")
        parser.add_argument("--jobs", type=int, default=2, choices=(1, 2), help="processes")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._run(options)
        except SetupError as error:
            raise CommandError(str(error)) from error

    def _run(self, options: dict[str, Any]) -> None:
        minutes = _QUICK_MINUTES if options["quick"] else _MINUTES
        scenarios = options["scenario"] or list(minutes)
        seeds = options["seeds"][:1] if options["quick"] else options["seeds"]
        clock = SystemClock()
        begun_ns = clock.monotonic_ns()
        # The longest markets first, so that the processes end together.
        jobs = [
            Job(name, seed, minutes.get(name, _QUICK_MINUTES["busy"]))
            for name in sorted(scenarios, key=lambda one: -_MINUTES[one])
            for seed in seeds
        ]
        runs = _spread("policies", run_job, [(job,) for job in jobs], options["jobs"])
        grid = []
        if not options["no_grid"]:
            length = _QUICK_GRID_MINUTES if options["quick"] else _GRID_MINUTES
            cells = [(Job("busy", seeds[0], length), strength) for strength in STRENGTHS]
            grid = _spread("grid", run_grid, cells, options["jobs"])
        result = result_of(
            [run for part in runs for run in part],
            [cell for part in grid for cell in part],
            seeds[0],
        )
        for line in ablation_lines(result):
            self.stdout.write(line)
        if options["no_store"]:
            return
        stored = studies.store_ablation(
            result,
            source=f"simulated {', '.join(scenarios)}; seeds {', '.join(map(str, seeds))}",
            seed=seeds[0],
            parameters={"seeds": seeds, "minutes": {job.scenario: job.minutes for job in jobs}},
            took_s=(clock.monotonic_ns() - begun_ns) / 1e9,
        )
        self.stdout.write(f"stored as {stored.id}")


def _spread(
    label: str, work: Callable[..., T], arguments: Sequence[tuple[Any, ...]], processes: int
) -> list[T]:
    """Run jobs over processes; results in the order of the arguments."""
    bar = ProgressBar(sys.stderr, f"{label:9}")
    bar(0.0)
    if processes == 1 or len(arguments) == 1:
        done = []
        for place, each in enumerate(arguments):

            def show(part: float, before: int = place) -> None:
                bar((before + part) / len(arguments))

            done.append(work(*each, progress=show))
        return done
    found: dict[int, T] = {}
    # Fresh interpreters: a forked child would share this process's database socket.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=processes, mp_context=context) as pool:
        waiting = {pool.submit(work, *each): place for place, each in enumerate(arguments)}
        for future in as_completed(waiting):
            found[waiting[future]] = future.result()
            bar(len(found) / len(arguments))
    return [found[place] for place in range(len(arguments))]
