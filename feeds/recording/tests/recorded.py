"""Records the simulated venues through the product's own feeds, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from arbsite.clock import LoopClock, ManualClock, seeded_random
from feeds.recording.market import MarketContent, MarketDescription, MarketRecorder, describe
from feeds.recording.writer import Spool, SpoolLimits
from feeds.sim.control import routes
from feeds.sim.hosting import PipeTransport
from feeds.sim.scenarios import scenario_of
from feeds.sim.truth import TruthStore
from feeds.sim.virtual_loop import run_virtual
from feeds.sim.world import World
from feeds.venues.kraken.feed import KrakenFeed
from feeds.venues.solana.feed import SolanaFeed
from feeds.venues.solana.rpc_channel import RpcEndpoint

START_NS = 1_790_000_000_000_000_000
ENDPOINTS = tuple(
    RpcEndpoint(label, "simulator", f"http://{label}", f"ws://{label}")
    for label in ("sim-a", "sim-b")
)


def description_of(world: World) -> MarketDescription:
    specs = [market.spec for market in world.markets]
    symbols = sorted({spec.cex_symbol for spec in specs} | {"USDC/USD", "USDT/USD"})
    return describe(specs, symbols, [endpoint.label for endpoint in ENDPOINTS])


def recorder_into(
    folder: Path, description: MarketDescription, *, start: bool = True, **limits: Any
) -> MarketRecorder:
    spool = Spool(
        folder,
        MarketContent(description, "market"),
        clock=ManualClock(START_NS),
        software="test",
        profile="sim",
        writer_id=1,
        limits=SpoolLimits(**limits),
    )
    if start:
        spool.start()
    return MarketRecorder(spool, description)


def record_world(folder: Path, seconds: float, **limits: Any) -> MarketRecorder:
    """Both feeds of a busy world into a recording; closed when this returns."""

    async def session() -> MarketRecorder:
        clock = LoopClock(START_NS)
        world = World(scenario_of("busy"), 7, TruthStore(), clock)
        hosts = {"kraken": routes(world, world.kraken)}
        hosts |= {e.label: routes(world, n) for e, n in zip(ENDPOINTS, world.nodes, strict=True)}
        transport = PipeTransport(hosts)
        description = description_of(world)
        recorder = recorder_into(folder, description, **limits)
        kraken = KrakenFeed(
            transport, "ws://kraken/v2", [each.symbol for each in description.symbols],
            clock=clock, rng=seeded_random(1), sink=recorder.around(lambda _: None),
            tap=recorder.kraken_frame,
        )  # fmt: skip
        solana = SolanaFeed(
            transport, ENDPOINTS, [(pool.address, pool.kind) for pool in description.pools],
            clock=clock, rng=seeded_random(2), sink=lambda _: None, tap=recorder,
        )  # fmt: skip
        world.start()
        work = (world.schedule.run(clock), kraken.run(), solana.run())
        tasks = [asyncio.create_task(each) for each in work]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        recorder.close()
        await transport.close()
        world.stop()
        return recorder

    return run_virtual(session())
