"""`manage.py feasibility`: does this pair clear its costs at my fee tier?"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arbsite.errors import SetupError
from reports import studies
from reports.feasibility import Costs, Feasibility, assess, sample_gaps
from reports.progress import ProgressBar
from reports.study_sources import SOURCE_HELP, Opened, open_source
from reports.study_tables import feasibility_lines
from trading.backtest.parameters import FEE_TIER, parse_set, setup_from
from trading.backtest.watching import watched
from trading.compute_units import PRIOR_UNITS
from trading.intent import AssetSettings
from trading.pricing import chain_fee_usd

_EXAMPLES = """examples:
  manage.py feasibility SOL --source sim:normal:1:1440
  manage.py feasibility WIF --source journals/ --fee-tier 26

CLEARS and FAILS are said only when the whole interval says so; otherwise the answer is
ABSTAIN. Observations two seconds apart resemble each other, so the interval stands on the
number of independent observations they are worth, which is printed."""


class Command(BaseCommand):
    help = (
        "Compare an asset's observed gaps with what a trade costs at a taker tier: break-even "
        "gap, expected windows a day with their interval, the largest fee that still clears, "
        "or the honest answer that the data does not tell. Stored and shown by the console."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES
        parser.add_argument("asset")
        parser.add_argument("--source", default="sim:normal:1:240", help=SOURCE_HELP)
        parser.add_argument("--fee-tier", default="10", help="taker fee in bps (default 10)")
        parser.add_argument(
            "--notional", type=Decimal, default=Decimal(5000), help="size of a trade in USD"
        )
        parser.add_argument("--sol-usd", type=Decimal, default=Decimal(150), help="price of SOL")
        parser.add_argument("--no-store", action="store_true", help="print only")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._run(options)
        except SetupError as error:
            raise CommandError(str(error)) from error

    def _run(self, options: dict[str, Any]) -> None:
        asset = options["asset"].upper()
        opened = open_source(options["source"], assets=[asset])
        if asset not in opened.source.specs:
            known = ", ".join(sorted(opened.source.specs))
            raise SetupError(f"The source has no market of {asset}; it has {known}.")
        if options["notional"] <= 0:
            raise SetupError("--notional must be above 0.")
        found = self._assess(opened, asset, options)
        for line in feasibility_lines(found, opened.source.name):
            self.stdout.write(line)
        if not options["no_store"]:
            row = studies.store_feasibility(
                found, source=opened.source.name, source_hash=opened.source.digest()
            )
            self.stdout.write(f"stored as {row.id}")

    def _assess(self, opened: Opened, asset: str, options: dict[str, Any]) -> Feasibility:
        setup = setup_from(
            parse_set([f"{FEE_TIER}={options['fee_tier']}"]),
            {asset: opened.source.specs[asset]},
            kraken=opened.kraken,
            solana=opened.solana,
            base=opened.settings,
        )
        progress = ProgressBar(sys.stderr, "gaps")
        events = watched(opened.source, progress)
        samples = sample_gaps(opened.source.specs[asset], events)
        taker = next(iter(setup.taker.values()))
        return assess(asset, samples, costs_of(setup.settings[asset], taker, options))


def costs_of(settings: AssetSettings, taker: Decimal, options: dict[str, Any]) -> Costs:
    """What a trade of that size costs at those settings."""
    chain = chain_fee_usd(
        base_fee_lamports=5_000,
        cu_limit=PRIOR_UNITS,
        cu_price_micro_lamports=settings.cu_price_micro_lamports,
        tip_lamports=settings.tip_lamports,
        sol_usd=options["sol_usd"],
    )
    return Costs(
        taker_bps=taker * 10_000,
        haircut_bps=settings.haircut_bps,
        min_edge_bps=settings.min_edge_bps,
        chain_fee_usd=chain,
        notional_usd=options["notional"],
    )
