"""Serves one world on loopback sockets in real time until it is told to stop.

The process behind `manage.py run_simulator`: one event loop for all venues, the truth in
one file that survives SIGKILL. Not here: options and printing (the command).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from arbsite.clock import Clock
from arbsite.errors import SetupError
from feeds.sim.control import routes
from feeds.sim.hosting import Host, HttpServer, serve
from feeds.sim.scenarios import Scenario
from feeds.sim.truth import TruthStore
from feeds.sim.world import World

LOOPBACK = "127.0.0.1"
TRUTH_FILE = "truth.sqlite3"


class Ports(msgspec.Struct, frozen=True):
    """Where the venues listen; 0 asks for a free port."""

    kraken: int
    solana_a: int
    solana_b: int
    jupiter: int


async def run(
    scenario: Scenario,
    seed: int,
    home: Path,
    ports: Ports,
    clock: Clock,
    stop: asyncio.Event,
    on_ready: Callable[[Ports], None],
) -> None:
    """Serve until `stop` is set; `home` must exist. Raises SetupError when a port is taken.

    The world's own failure ends the service at once: a market that stands still must
    look like a crash, not like a quiet day.
    """
    world = World(scenario, seed, TruthStore(home / TRUTH_FILE), clock)
    hosts: list[Host] = []
    try:
        venues: list[HttpServer] = [world.kraken, *world.nodes, world.jupiter]
        asked = (ports.kraken, ports.solana_a, ports.solana_b, ports.jupiter)
        for venue, port in zip(venues, asked, strict=True):
            try:
                hosts.append(await serve(routes(world, venue), LOOPBACK, port))
            except OSError as error:
                raise SetupError(
                    f"Port {port} on {LOOPBACK} cannot be used ({error.strerror}); "
                    "stop what listens there or choose another port, 0 takes a free one."
                ) from error
        world.start()
        on_ready(Ports(*(host.port for host in hosts)))
        await _run_until(world, clock, stop)
    finally:
        await asyncio.gather(*(host.stop() for host in hosts))
        world.stop()


async def _run_until(world: World, clock: Clock, stop: asyncio.Event) -> None:
    moving = asyncio.create_task(world.schedule.run(clock))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({moving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if moving.done():
            moving.result()
    finally:
        for task in (moving, stopping):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
