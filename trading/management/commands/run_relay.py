"""`manage.py run_relay`: outbox to bus, bus to consoles, incidents to consoles."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error as DatabaseError
from django.db import connection

from arbsite.bus import Bus, bus_from_url
from arbsite.logs import event_logger
from arbsite.metrics import start_metrics_server
from arbsite.relay import PATTERNS, ConsoleRelay
from risk.selectors import incidents_after
from trading.storage.outbox import OutboxDrain

log = event_logger(__name__)

INCIDENT_PERIOD_S = 0.5


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT; everything it holds is in PostgreSQL or rebuilt."""

    help = "Carry messages from the database and the bus to the consoles."

    # They import every page of the API; every command that a person runs runs them.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve metrics and relay."""
        start_metrics_server()
        asyncio.run(_relay())


async def _relay() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    bus = bus_from_url(settings.BUS_URL)
    relay = ConsoleRelay(get_channel_layer())
    drain = OutboxDrain(settings.DATABASE_URL, bus)
    stopped = asyncio.create_task(stop.wait())
    carrying = asyncio.create_task(_carry(bus, relay, drain))
    await asyncio.wait([stopped, carrying], return_when=asyncio.FIRST_COMPLETED)
    has_failed = carrying.done()
    for task in (stopped, carrying):
        task.cancel()
    await asyncio.gather(stopped, carrying, return_exceptions=True)
    await bus.close()
    log.info("relay.stopped", sent=drain.sent)
    if has_failed:
        carrying.result()  # exit with the error of the part that ended


async def _carry(bus: Bus, relay: ConsoleRelay, drain: OutboxDrain) -> None:
    # Subscribed before anything is sent: what the drain publishes must come back to us.
    subscription = await bus.subscribe(*PATTERNS)
    log.info("relay.started")
    async with asyncio.TaskGroup() as parts:
        for work in (
            relay.follow(subscription),
            relay.beat(),
            drain.run(),
            _watch_incidents(relay),
        ):
            parts.create_task(work)


async def _watch_incidents(relay: ConsoleRelay) -> None:
    """Incidents are opened by several processes; the database is where they meet."""
    versions: dict[int, int] = {}
    while True:
        try:
            changed = await sync_to_async(incidents_after)(versions)
        except DatabaseError as error:
            log.warning("relay.incidents_unread", reason=type(error).__name__)
            await sync_to_async(connection.close)()
        else:
            for incident in changed:
                await relay.take(incident)
        await asyncio.sleep(INCIDENT_PERIOD_S)
