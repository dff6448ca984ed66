"""`manage.py run_engine`: the one process that decides and trades."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arbsite.bus import bus_from_url
from arbsite.clock import SystemClock, process_began_ns
from arbsite.errors import Fenced, SetupError
from arbsite.home import current_home
from arbsite.metrics import start_metrics_server
from feeds import assembly
from feeds.models import Market
from feeds.recording.writer import SpoolLimits
from trading.execution.ports import OrdersPerMinute
from trading.execution.residual import ResidualLimits
from trading.journal.format import EngineSetup
from trading.journal.keeper import EngineJournal, start_journal
from trading.process.engine_parts import EngineParts
from trading.process.host import EngineHost


class Command(BaseCommand):
    help = (
        "Run the engine until SIGTERM: takes the shard's lease (a second engine waits as a "
        "standby, and takes over when the first is gone or silent), reconciles every unfinished "
        "trade with both venues, then decides. Feeds are "
        "hosted in this process by default; --feeds bus takes them from `run_feed` processes. "
        "Raw market data and the journal of every input and decision are kept in the home's "
        "recordings and journals folders (SPREADLINE_RECORDING=off keeps neither)."
    )

    # They import every page of the API, a fifth of a restart; every other command runs them.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--feeds",
            choices=["inline", "bus"],
            default="inline",
            help="inline (default) saves the 0.2 ms hop; bus isolates the feeds",
        )
        parser.add_argument("--shard", default="main", help="the lease to hold (default: main)")
        parser.add_argument(
            "--assets",
            default="",
            help="trade only these (comma separated; default: all); every shard needs its own "
            "assets and its own Kraken key (KRAKEN_KEY_FILE)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        start_metrics_server()
        markets = _chosen(assembly.enabled_markets(), options["assets"])
        try:
            uvloop.run(self._run(options, markets))
        except SetupError as error:
            raise CommandError(str(error)) from error
        except Fenced as error:
            raise CommandError(f"Fenced: {error}. Another engine owns the shard.") from error

    async def _run(self, options: dict[str, Any], markets: list[Market]) -> None:
        clock, home = SystemClock(), current_home()
        (home.path / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
        bus = bus_from_url(settings.BUS_URL)
        is_hosting_feeds = options["feeds"] == "inline"
        recorder = assembly.market_recorder(markets, clock) if is_hosting_feeds else None
        parts = EngineParts(
            dsn=settings.DATABASE_URL,
            shard=options["shard"],
            specs={market.asset: market.spec for market in markets},
            venues=lambda market_sink, trading_sink: assembly.Venues(
                markets,
                clock=clock,
                market_sink=market_sink,
                trading_sink=trading_sink,
                recorder=recorder,
            ),
            bus=bus,
            clock=clock,
            profile=settings.SPREADLINE_PROFILE,
            holder=f"{socket.gethostname()}:{os.getpid()}",
            key_name=assembly.kraken_credentials().fingerprint,
            lease_silent_s=settings.SPREADLINE_LEASE_SILENT_S,
            journal=_journal if settings.RECORDING_ENABLED else None,
            in_hand=recorder.in_hand if recorder is not None else None,
            kill_file=home.kill_file,
            mark_file=home.database_mark_file(options["shard"]),
            sample_share=0.0 if settings.IS_SIM else settings.SPREADLINE_OBSERVE_SAMPLE_SHARE,
            limits=ResidualLimits(
                max_provisional_usd=Decimal(settings.SPREADLINE_MAX_PROVISIONAL_USD),
                max_keep_usd=Decimal(settings.SPREADLINE_MAX_KEEP_USD),
                max_naked_usd=Decimal(settings.SPREADLINE_MAX_NAKED_USD),
            ),
            orders_per_minute=OrdersPerMinute(
                settings.SPREADLINE_ORDERS_PER_MINUTE_ASSET, settings.SPREADLINE_ORDERS_PER_MINUTE
            ),
        )
        host = EngineHost(
            parts,
            bus=bus,
            feeds=options["feeds"],
            max_recent_starts=settings.SPREADLINE_MAX_ENGINE_STARTS,
            began_ns=process_began_ns(),
            keeps_awake=settings.KEEP_AWAKE,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, host.stop)
        loop.add_signal_handler(signal.SIGHUP, parts.rotation.asked.set)
        loop.add_signal_handler(signal.SIGUSR1, parts.local_kill.pull, "a signal")
        pid_file = home.engine_pid_file(options["shard"])
        pid_file.write_text(str(os.getpid()))
        try:
            await host.run()
        finally:
            pid_file.unlink(missing_ok=True)
            await bus.close()


def _chosen(markets: list[Market], names: str) -> list[Market]:
    """The markets of this shard; CommandError when there is none, or a name is unknown."""
    if not markets:
        raise CommandError("No enabled, verified market: run `manage.py seed` first.")
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    known = {market.asset for market in markets}
    if wanted - known:
        raise CommandError(
            f"--assets: {', '.join(sorted(wanted - known))} not enabled here;"
            f" there are {', '.join(sorted(known))}."
        )
    return [market for market in markets if not wanted or market.asset in wanted]


def _journal(setup: EngineSetup) -> EngineJournal:
    return start_journal(
        setup,
        settings.JOURNALS,
        clock=SystemClock(),
        software=settings.SPREADLINE_VERSION,
        profile=settings.SPREADLINE_PROFILE,
        writer_id=os.getpid(),
        limits=SpoolLimits(folder_bytes=round(settings.JOURNAL_MAX_GB * 1e9)),
    )
