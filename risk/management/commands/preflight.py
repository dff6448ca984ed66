"""`manage.py preflight`: is everything in order for going live?"""

from __future__ import annotations

import asyncio
import getpass
import sys
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arbsite.clock import SystemClock
from arbsite.errors import SetupError
from feeds import assembly
from feeds.models import Market
from feeds.venues.sockets import SocketTransport
from risk import services
from risk.inspection import Check, is_green
from risk.preflight import Preflight, fee_floor_sol, local_checks


class Command(BaseCommand):
    help = (
        "Look at the keys, both venues, the markets, the database and this machine, and print a "
        "table: green, or red with what was seen and the remedy. The result is stored; a desk "
        "whose venues are real goes live only with a green one of the last 15 minutes. Trades "
        "nothing: the one order is only validated. Exit code 1 when something is red."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--no-store", action="store_true", help="look only, store nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, print, store."""
        markets = assembly.enabled_markets()
        try:
            checks = [*local_checks(markets), *asyncio.run(_ask_venues(markets, fee_floor_sol()))]
        except SetupError as error:
            raise CommandError(str(error), returncode=2) from error
        for check in checks:
            word = "green" if check.is_green else "RED"
            self.stdout.write(f"{word:<6} {check.name:<27} {check.seen}")
            if not check.is_green:
                self.stdout.write(f"{'':<34} remedy: {check.remedy}")
        if not options["no_store"]:
            services.record_inspection("preflight", checks, actor=f"command ({getpass.getuser()})")
        if not is_green(checks):
            sys.exit(1)


async def _ask_venues(markets: list[Market], floor_sol: Decimal) -> list[Check]:
    transport = SocketTransport()
    try:
        return await Preflight(transport, SystemClock(), fee_floor_sol=floor_sol).run(markets)
    finally:
        await transport.close()
