"""manage.py run_simulator: the simulated venues in one process, in real time.

Speaks Kraken's, Solana's and Jupiter's own protocols on loopback; the truth lies in
HOME/truth.sqlite3 and survives a kill. Prints one JSON line with the ports when it
serves. Called by the `up` supervisor and by hand.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from arbsite.clock import SystemClock
from arbsite.errors import SetupError
from feeds.sim import service
from feeds.sim.scenarios import SCENARIOS, scenario_of
from feeds.sim.service import Ports


class Command(BaseCommand):
    """Serve the simulated Kraken, Solana and Jupiter until SIGTERM or Ctrl-C."""

    help = (
        "Serve the simulated Kraken exchange, two Solana nodes and Jupiter on 127.0.0.1. "
        "Fault knobs: POST /sim/faults on any port; truth: GET /sim/truth/summary. "
        "Example: manage.py run_simulator --scenario busy --seed 7 --kraken-port 0"
    )
    # The simulator needs no database of the product.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options; defaults are this installation's."""
        parser.add_argument(
            "--scenario", choices=SCENARIOS, default=settings.SPREADLINE_SCENARIO,
            help="how lively the market is (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument(
            "--seed", type=int, default=settings.SPREADLINE_SEED,
            help="the same seed gives the same market (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument(
            "--home", type=Path, default=settings.HOME.path / "simulator",
            help="folder of truth.sqlite3 (default: %(default)s)",
        )  # fmt: skip
        for option, key in (
            ("--kraken-port", "kraken"),
            ("--solana-port-a", "solana_a"),
            ("--solana-port-b", "solana_b"),
            ("--jupiter-port", "jupiter"),
        ):
            parser.add_argument(
                option, type=int, default=settings.PORTS[key],
                help="0 takes a free one (default: %(default)s)",
            )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal; exit 1 with one sentence when a port or the home is unfit."""
        ports = Ports(
            options["kraken_port"],
            options["solana_port_a"],
            options["solana_port_b"],
            options["jupiter_port"],
        )
        try:
            options["home"].mkdir(parents=True, exist_ok=True)
            asyncio.run(self._serve(options, ports))
        except (SetupError, OSError) as error:
            raise CommandError(str(error)) from error

    async def _serve(self, options: dict[str, Any], ports: Ports) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await service.run(
            scenario_of(options["scenario"]),
            options["seed"],
            options["home"],
            ports,
            SystemClock(),
            stop,
            self._say_ready,
        )

    def _say_ready(self, ports: Ports) -> None:
        host = service.LOOPBACK
        self.stdout.write(
            f'{{"kraken": "http://{host}:{ports.kraken}", '
            f'"sim-a": "http://{host}:{ports.solana_a}", '
            f'"sim-b": "http://{host}:{ports.solana_b}", '
            f'"jupiter": "http://{host}:{ports.jupiter}"}}'
        )
        self.stdout.flush()
