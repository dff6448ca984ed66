"""`manage.py run_engine`: the one process that decides and trades."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from argparse import ArgumentParser
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arbsite.bus import bus_from_url
from arbsite.clock import SystemClock
from arbsite.errors import Fenced, SetupError
from arbsite.metrics import start_metrics_server
from feeds import assembly
from feeds.models import Market
from trading.host import EngineHost


class Command(BaseCommand):
    help = (
        "Run the engine until SIGTERM: takes the shard's lease (a second engine waits as a "
        "standby), reconciles every unfinished trade with both venues, then decides. Feeds are "
        "hosted in this process by default; --feeds bus takes them from `run_feed` processes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--feeds",
            choices=["inline", "bus"],
            default="inline",
            help="inline (default) saves the 0.2 ms hop; bus isolates the feeds",
        )
        parser.add_argument("--shard", default="main", help="the lease to hold (default: main)")

    def handle(self, *args: Any, **options: Any) -> None:
        start_metrics_server()
        markets = assembly.enabled_markets()
        if not markets:
            raise CommandError("No enabled, verified market: run `manage.py seed` first.")
        try:
            uvloop.run(self._run(options, markets))
        except SetupError as error:
            raise CommandError(str(error)) from error
        except Fenced as error:
            raise CommandError(f"Fenced: {error}. Another engine owns the shard.") from error

    async def _run(self, options: dict[str, Any], markets: list[Market]) -> None:
        clock = SystemClock()
        bus = bus_from_url(settings.BUS_URL)
        host = EngineHost(
            dsn=settings.DATABASE_URL,
            shard=options["shard"],
            specs={market.asset: market.spec for market in markets},
            venues=lambda market_sink, trading_sink: assembly.Venues(
                markets, clock=clock, market_sink=market_sink, trading_sink=trading_sink
            ),
            bus=bus,
            feeds=options["feeds"],
            clock=clock,
            profile=settings.SPREADLINE_PROFILE,
            max_recent_starts=settings.SPREADLINE_MAX_ENGINE_STARTS,
            holder=f"{socket.gethostname()}:{os.getpid()}",
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, host.stop)
        try:
            await host.run()
        finally:
            await bus.close()
