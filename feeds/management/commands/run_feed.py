"""`manage.py run_feed kraken|solana`: one venue's market data on the bus, from its own process."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arbsite.bus import bus_from_url
from arbsite.clock import SystemClock
from arbsite.errors import SetupError
from arbsite.metrics import start_metrics_server
from feeds import assembly, bus_wire
from feeds.market.events import MarketEvent
from feeds.models import Market
from feeds.venues.sockets import SocketTransport

QUEUE_CAPACITY = 2_000
# How long an engine that starts later than the feed waits for what was said before.
REPEAT_S = 2.0


class Command(BaseCommand):
    help = (
        "Publish one venue's verified market data on the bus until SIGTERM. Only needed with "
        "`up --feeds bus`; by default the engine hosts the feeds itself, which saves the hop. "
        "Raw frames are recorded unless SPREADLINE_RECORDING=off."
    )

    # They import every page of the API; every command that a person runs runs them.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("venue", choices=["kraken", "solana"])

    def handle(self, *args: Any, **options: Any) -> None:
        start_metrics_server()
        markets = assembly.enabled_markets()
        if not markets:
            raise CommandError("No enabled, verified market: run `manage.py seed` first.")
        try:
            uvloop.run(publish(options["venue"], markets))
        except SetupError as error:
            raise CommandError(str(error)) from error


async def publish(venue: str, markets: list[Market]) -> None:
    """Run the feed and hand its events to the bus through a bounded queue, oldest dropped."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    queue: asyncio.Queue[MarketEvent] = asyncio.Queue()
    retained = bus_wire.Retained()

    def sink(event: MarketEvent) -> None:
        retained.keep(event)
        if queue.qsize() >= QUEUE_CAPACITY:
            queue.get_nowait()
        queue.put_nowait(event)

    transport, clock = SocketTransport(), SystemClock()
    build = assembly.kraken_feed if venue == "kraken" else assembly.solana_feed
    recorder = assembly.market_recorder(markets, clock, venue)
    feed = build(transport, markets, clock, sink, recorder)
    bus = bus_from_url(settings.BUS_URL)
    tasks = [
        asyncio.create_task(feed.run(), name=f"{venue}-feed"),
        asyncio.create_task(_drain(queue, bus), name="publish"),
        asyncio.create_task(_repeat(retained, queue), name="repeat"),
        asyncio.create_task(stop.wait(), name="stop"),
    ]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await transport.close()
    if recorder is not None:
        await asyncio.to_thread(recorder.close)
    await bus.close()
    for task in done:
        if task is not tasks[-1]:
            task.result()


async def _drain(queue: asyncio.Queue[MarketEvent], bus: Any) -> None:
    while True:
        event = await queue.get()
        await bus.publish(bus_wire.subject_of(event), bus_wire.encode(event))


async def _repeat(retained: bus_wire.Retained, queue: asyncio.Queue[MarketEvent]) -> None:
    while True:
        await asyncio.sleep(REPEAT_S)
        for event in retained.facts():
            queue.put_nowait(event)
