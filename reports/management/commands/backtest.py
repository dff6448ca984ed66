"""`manage.py backtest`: parameter sets side by side over recorded or simulated facts."""

from __future__ import annotations

import sys
from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arbsite.clock import SystemClock, ns_from_at
from arbsite.errors import SetupError
from reports import studies
from reports.progress import ProgressBar
from reports.study_sources import SOURCE_HELP, Opened, open_source
from reports.study_tables import backtest_lines
from trading.backtest.desk import DeskSetup
from trading.backtest.parameters import parameter_names, parse_set, setup_from
from trading.backtest.run import run_backtest

_EXAMPLES = """examples:
  manage.py backtest sim:busy:7:20
      twenty minutes of the busy market, as configured
  manage.py backtest sim:normal:1:600 --set fee_tier=10 --set min_edge_bps=2 \\
      --vs --set fee_tier=10 --set min_edge_bps=5 --vs --set leg_order=concurrent
      three columns over the same ten hours
  manage.py backtest journals/ --from +600 --to +4200 --set landing.land_p=0.5
      an hour of the newest journal, with a harder chain

All columns meet the same facts and, wherever they make the same trade, the same luck (--seed).
Capture counts windows as they would have been without our own trades. Results are stored and
shown by the console; they are results of a model of fills and are called that."""


class _NewColumn(Action):
    """`--vs` begins the next parameter set."""

    def __call__(self, parser: Any, namespace: Namespace, *_: Any) -> None:
        namespace.columns = [*(namespace.columns or [[]]), []]


class _Set(Action):
    """`--set name=value` belongs to the column begun last."""

    def __call__(self, parser: Any, namespace: Namespace, values: Any, *_: Any) -> None:
        columns: list[list[str]] = [list(each) for each in (namespace.columns or [[]])]
        columns[-1].append(str(values))
        namespace.columns = columns


class Command(BaseCommand):
    help = (
        "Run the engine over recorded or simulated market facts, fill its intents on paper by "
        "the landing and latency model, and print and store what each parameter set came to: "
        "capture, PnL by term, prediction errors, times, windows and what blocked them."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES + "\n\nparameters: " + ", ".join(parameter_names())
        parser.add_argument("source", help=SOURCE_HELP)
        parser.add_argument("--from", dest="begin", help="UTC time (ISO 8601) or +SECONDS")
        parser.add_argument("--to", dest="end", help="UTC time (ISO 8601) or +SECONDS")
        parser.add_argument(
            "--set",
            dest="columns",
            action=_Set,
            default=None,
            metavar="NAME=VALUE",
            help="a parameter of the current column; repeat it",
        )
        parser.add_argument(
            "--vs", dest="columns", action=_NewColumn, nargs=0, help="begin another column"
        )
        parser.add_argument("--asset", action="append", help="only this asset; repeat it")
        parser.add_argument("--seed", type=int, default=1, help="luck of the fills (default 1)")
        parser.add_argument("--windows", type=int, default=10, help="windows to print (default 10)")
        parser.add_argument("--no-store", action="store_true", help="print only")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._run(options)
        except SetupError as error:
            raise CommandError(str(error)) from error

    def _run(self, options: dict[str, Any]) -> None:
        parameters = [parse_set(words) for words in options["columns"] or [[]]]
        opened = open_source(options["source"], assets=_assets(options["asset"]))
        setups = [_setup(opened, values) for values in parameters]
        first_ns = opened.source.span_ns[0]
        clock = SystemClock()
        begun_ns = clock.monotonic_ns()
        result = run_backtest(
            opened.source,
            setups,
            options["seed"],
            from_ns=instant_ns(options["begin"], first_ns),
            to_ns=instant_ns(options["end"], first_ns),
            progress=ProgressBar(sys.stderr, "back-test"),
        )
        took_s = (clock.monotonic_ns() - begun_ns) / 1e9
        if not result.events:
            raise SetupError("No market facts in that span; look at --from and --to.")
        for line in backtest_lines(result, took_s=took_s, windows=options["windows"]):
            self.stdout.write(line)
        if not options["no_store"]:
            run = studies.store_backtest(result, parameters, took_s=took_s)
            self.stdout.write(f"stored as {run.id}")


def instant_ns(text: str | None, first_ns: int) -> int | None:
    """A UTC time, or seconds after the first fact; SetupError when it is neither."""
    if text is None:
        return None
    try:
        if text.startswith("+"):
            return first_ns + round(float(text[1:]) * 1e9)
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise SetupError(f"{text}: give a UTC time like 2026-11-22T10:00 or +60.") from error
    return ns_from_at(at if at.tzinfo else at.replace(tzinfo=UTC))


def _assets(words: Sequence[str] | None) -> list[str] | None:
    return None if words is None else [word.upper() for word in words]


def _setup(opened: Opened, values: dict[str, str]) -> DeskSetup:
    return setup_from(
        values,
        opened.source.specs,
        kraken=opened.kraken,
        solana=opened.solana,
        base=opened.settings,
    )
