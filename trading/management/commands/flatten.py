"""`manage.py flatten`: flatten every parked trade, one preview after the other."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading.models import Trade


class Command(BaseCommand):
    """Runs `resolve --flatten` for each trade that is with an operator."""

    help = (
        "Flatten every parked trade of an asset, or of all: each is priced on the live book "
        "and sent only when you type FLATTEN. Needs PostgreSQL and a running engine; a killed "
        "desk still carries out what a person confirms."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("asset", nargs="?", help="e.g. SOL (default: every asset)")
        parser.add_argument("--user", required=True, help="who orders this")
        parser.add_argument("--reason", required=True, help="why; kept in the audit log")
        parser.add_argument("--yes", action="store_true", help="do not ask again")

    def handle(self, *args: Any, **options: Any) -> None:
        parked = Trade.objects.filter(state="operator").order_by("detect_ns")
        if options["asset"]:
            parked = parked.filter(asset=options["asset"])
        trades = list(parked)
        if not trades:
            self.stdout.write("No trade is parked; nothing to flatten.")
            return
        failed = 0
        for number, trade in enumerate(trades, 1):
            what = f"{trade.residual_base.normalize():f} {trade.asset}"
            self.stdout.write(f"{number}/{len(trades)}: {trade.id}, {what} left over")
            try:
                call_command(
                    "resolve", str(trade.id), flatten=True, user=options["user"],
                    reason=options["reason"], yes=options["yes"], stdout=self.stdout,
                )  # fmt: skip
            except CommandError as error:
                failed += 1
                self.stderr.write(str(error))
        if failed:
            raise CommandError(f"{failed} of {len(trades)} trades were not flattened.")
