"""`manage.py audit_run`: does what we wrote down equal what really happened?"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arbsite.clock import uuid7
from arbsite.errors import DomainError
from feeds import assembly
from reports import selectors
from reports.profiles import compare_ledgers, repeated
from risk import services as risk
from trading.models import Trade

POLL_S = 0.5


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
        if options["settle"]:
            self._pause_and_wait(options["timeout"])
        try:
            report = self._audit(options["truth"])
        finally:
            if options["settle"]:
                self._resume()
        self._print(report)
        if not report["ok"]:
            raise SystemExit(1)

    def _pause_and_wait(self, timeout_s: float) -> None:
        risk.pause("*", user="audit", key=str(uuid7()), reason="audit of a run")
        deadline = time.perf_counter() + timeout_s
        while Trade.objects.filter(state__in=["open", "hedging"]).exists():
            if time.perf_counter() > deadline:
                raise CommandError(
                    "Some trades did not finish in time; the engine stays paused. "
                    "Look at /v1/trades, then resume from the console."
                )
            time.sleep(POLL_S)

    def _resume(self) -> None:
        try:
            risk.resume("*", user="audit", key=str(uuid7()), reason="audit finished")
        except DomainError as error:
            self.stderr.write(f"Not resumed: {error}")

    def _audit(self, path: Path) -> dict[str, Any]:
        accounts = {assembly.kraken_credentials().key, str(assembly.wallet().pubkey())}
        truth = selectors.truth_picture(path, accounts)
        compared = compare_ledgers(
            selectors.our_movements(),
            truth.movements,
            in_flight=selectors.unbooked_references(),
        )
        duplicate_orders = repeated(truth.client_ids)
        tries = selectors.tries_per_window()
        refired = {window: count for window, count in tries.items() if count > 1}
        counts = selectors.trade_counts()
        return {
            **counts,
            "exec_try": sum(tries.values()),
            "duplicate_exec_try": len(refired),
            "venue_orders": len(truth.client_ids),
            "duplicate_orders": len(duplicate_orders),
            "truth_movements": len(truth.movements),
            "ledger_minus_truth": {k: str(v) for k, v in compared.difference.items()},
            "wrong_references": list(compared.wrong_references),
            "missing_references": list(compared.missing_references),
            "in_flight": len(compared.in_flight_references),
            "ok": compared.is_equal and not duplicate_orders and not refired,
        }

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
