"""`manage.py service_levels`: which of the product's promises hold on this desk?"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand

from arbsite.clock import SystemClock
from reports import prediction, service_levels
from reports.promise_tables import aligned, cells
from reports.promises import Level

_EXAMPLES = """examples:
  manage.py service_levels                all trades and windows in the database
  manage.py service_levels --minutes 10   only those of the last ten minutes
  manage.py service_levels --json         one JSON document, for programs

Latencies of the tick path and of the durable intent come from the running engine's
metrics; they read "no data" while no engine runs. A promise with fewer than 20
observations is not judged. The exit code is 1 when one fails."""


class Command(BaseCommand):
    help = (
        "Print the service levels: target, what was seen, of how many, the 95 % interval, and "
        "whether the promise holds; then the prediction error by cause and asset."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES
        parser.add_argument(
            "--minutes", type=float, default=None, help="look back so far (default: everything)"
        )
        parser.add_argument("--json", action="store_true", help="print JSON instead of tables")

    def handle(self, *args: Any, **options: Any) -> None:
        since_ns = 0
        if options["minutes"] is not None:
            since_ns = SystemClock().now_ns() - round(options["minutes"] * 60e9)
        port = settings.HOME.ports()["metrics_engine"]
        rows = service_levels.levels(since_ns=since_ns, metrics=service_levels.read_metrics(port))
        errors = prediction.pictures(since_ns=since_ns)
        if options["json"]:
            document = {"levels": rows, "prediction": errors}
            self.stdout.write(msgspec.json.encode(document).decode())
        else:
            self._print(rows, errors)
        if any(row.verdict == "fails" for row in rows):
            raise SystemExit(1)

    def _print(self, rows: list[Level], errors: list[prediction.PredictionPicture]) -> None:
        heads = ("asset", "n", "book slip", "pool slip", "fees", "landing", "residual", "error USD")
        causes = [
            (
                each.asset,
                str(each.figures.n),
                each.causes.cex_slip_usd,
                each.causes.dex_slip_usd,
                each.causes.fees_usd,
                each.causes.landing_usd,
                each.causes.residual_usd,
                each.causes.error_usd,
            )
            for each in errors
        ]
        for line in [*aligned(cells(rows)), "", *aligned([heads, *causes])]:
            self.stdout.write(line)
