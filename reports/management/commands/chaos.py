"""`manage.py chaos`: break a running simulated desk at random, and see that its books hold."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arbsite.clock import SystemClock, utc_now
from arbsite.errors import SetupError
from reports.chaos.account import Account
from reports.chaos.board import FaultPage
from reports.chaos.plan import plan_of
from reports.chaos.run import ChaosRun, check_is_running
from trading.models import EngineStart
from trading.storage.lease import RESTART_WINDOW

_EXAMPLES = """examples:
  manage.py up --scenario busy                     in one terminal
  manage.py chaos --seed 7 --minutes 5             in another
  manage.py chaos --seed 7 --minutes 5 --report chaos.md

Faults of both venues and kill -9 on any program are drawn from the seed; the same seed
makes the same plan. At the end all faults end, the desk settles, and the ledger is compared
with the simulated venues' truth: exit code 1 names what was violated. Engine starts are
limited (SPREADLINE_MAX_ENGINE_STARTS within ten minutes put a desk into OBSERVE): the plan
kills the engine only as often as is left; raise it for a longer drill."""


class Command(BaseCommand):
    help = "Draw faults and kills on a running simulated desk, then settle and audit it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES
        parser.add_argument("--seed", type=int, default=1, help="what is drawn (default 1)")
        parser.add_argument("--minutes", type=float, default=5.0, help="how long (default 5)")
        parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.IS_SIM:
            raise CommandError(
                "chaos breaks things on purpose: it runs on the simulator only"
                f" (this is the profile {settings.SPREADLINE_PROFILE})."
            )
        if not 0 < options["minutes"] <= 24 * 60:
            raise CommandError("--minutes must be above 0 and at most 1440.")
        account = Account(seed=options["seed"], minutes=options["minutes"])
        try:
            self._run(account)
        except SetupError as error:
            raise CommandError(str(error)) from error
        self._end_line()
        self._write(account, options["report"])
        for text in account.violations:
            self.stdout.write(f"VIOLATED  {text}")
        if account.violations:
            raise SystemExit(1)
        self.stdout.write(
            f"No violation: {account.faults} faults, {sum(account.kills.values())} kills,"
            f" {account.trades} trades, {account.captures} captured, ledger - truth 0 exactly."
        )

    def _run(self, account: Account) -> None:
        home, run_s = settings.HOME, account.minutes * 60
        check_is_running(home)
        page = FaultPage(home.ports()["kraken"])
        page.open()
        recent = EngineStart.objects.filter(at__gt=utc_now() - RESTART_WINDOW).count()
        left = max(0, settings.SPREADLINE_MAX_ENGINE_STARTS - recent)
        if timedelta(seconds=run_s) > RESTART_WINDOW:
            self.stderr.write(f"The engine will be ended at most {left} times in this run.")
        acts = plan_of(account.seed, run_s, engine_ends=left)
        ChaosRun(home, page, SystemClock(), self._tell).carry_out(account, acts, run_s)

    def _tell(self, text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[Kchaos | {text}")
        else:
            sys.stderr.write(f"chaos | {text}\n")
        sys.stderr.flush()

    def _end_line(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\n")

    def _write(self, account: Account, path: Path | None) -> None:
        if path is None:
            return
        try:
            path.write_text(account.markdown())
        except OSError as error:
            raise CommandError(f"--report: {path} cannot be written ({error.strerror}).") from error
        self.stdout.write(f"The report is in {path}.")
