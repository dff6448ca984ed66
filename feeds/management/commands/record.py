"""`manage.py record`: both venues' raw market data into a recording, and nothing else."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import UTC, datetime
from typing import Any

import uvloop
from django.core.management.base import BaseCommand, CommandError

from arbsite.clock import SystemClock, ns_from_at
from arbsite.errors import SetupError
from arbsite.metrics import start_metrics_server
from feeds import assembly
from feeds.market.events import BookUpdated, MarketEvent, PoolUpdated
from feeds.models import Market
from feeds.recording.market import MarketRecorder
from feeds.venues.sockets import SocketTransport

_REPORT_S = 10.0
_EXAMPLES = """examples:
  manage.py record --seconds 600                 ten minutes
  manage.py record --until 2026-11-23T08:00      until that UTC time
  manage.py verify_book .spreadline/recordings   check every checksum of what was recorded
  manage.py verify_quotes .spreadline/recordings decode and quote its pools again

A running engine records by itself. Files rotate, and the oldest are deleted above
SPREADLINE_RECORDING_MAX_GB; Ctrl-C ends the recording cleanly, and a kill loses a second."""


class Command(BaseCommand):
    """Hosts both feeds without an engine; prints what was recorded every ten seconds."""

    help = (
        "Record the raw frames of the Kraken and Solana feeds with their receive times, for "
        "verification, replay and back-tests. Nothing is decided or traded."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES
        length = parser.add_mutually_exclusive_group()
        length.add_argument("--seconds", type=float, help="how long (default: until Ctrl-C)")
        length.add_argument("--until", help="a UTC time, ISO 8601")

    def handle(self, *args: Any, **options: Any) -> None:
        start_metrics_server()
        markets = assembly.enabled_markets()
        if not markets:
            raise CommandError("No enabled, verified market: run `manage.py seed` first.")
        seconds = _seconds(options)
        try:
            recorder = assembly.market_recorder(markets, SystemClock(), "record")
            if recorder is None:
                raise SetupError("SPREADLINE_RECORDING=off forbids recording; unset it.")
            uvloop.run(self._record(markets, recorder, seconds))
        except SetupError as error:
            raise CommandError(str(error)) from error
        spool = recorder.spool
        self.stdout.write(f"{spool.written} records in {spool.folder}, {spool.lost} lost")

    async def _record(
        self, markets: list[Market], recorder: MarketRecorder, seconds: float | None
    ) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        counts = {"books": 0, "pools": 0}

        def sink(event: MarketEvent) -> None:
            counts["books"] += isinstance(event, BookUpdated)
            counts["pools"] += isinstance(event, PoolUpdated)

        transport, clock = SocketTransport(), SystemClock()
        feeds = [
            build(transport, markets, clock, sink, recorder)
            for build in (assembly.kraken_feed, assembly.solana_feed)
        ]
        tasks = [asyncio.create_task(feed.run()) for feed in feeds]
        tasks.append(asyncio.create_task(self._report(recorder, counts)))
        ending = asyncio.create_task(_ending(stop, seconds))
        done, _ = await asyncio.wait([*tasks, ending], return_when=asyncio.FIRST_COMPLETED)
        for task in [*tasks, ending]:
            task.cancel()
        await asyncio.gather(*tasks, ending, return_exceptions=True)
        await transport.close()
        await asyncio.to_thread(recorder.close)
        for task in done - {ending}:
            task.result()

    async def _report(self, recorder: MarketRecorder, counts: dict[str, int]) -> None:
        while True:
            await asyncio.sleep(_REPORT_S)
            self.stdout.write(
                f"{recorder.spool.written} records: {counts['books']} book and "
                f"{counts['pools']} pool updates; {recorder.spool.lost} lost"
            )


async def _ending(stop: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _seconds(options: dict[str, Any]) -> float | None:
    if options["until"] is None:
        seconds: float | None = options["seconds"]
    else:
        try:
            at = datetime.fromisoformat(options["until"])
        except ValueError as error:
            raise CommandError("--until: give a UTC time like 2026-11-23T08:00.") from error
        at_ns = ns_from_at(at if at.tzinfo else at.replace(tzinfo=UTC))
        seconds = (at_ns - SystemClock().now_ns()) / 1e9
    if seconds is not None and seconds <= 0:
        raise CommandError("The recording would end before it begins; give a later time.")
    return seconds
