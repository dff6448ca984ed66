"""A live-ish run over real sockets: recorded, journaled, verified, replayed to the same hash."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

from django.core.management import call_command

from arbsite.clock import SystemClock, seeded_random
from feeds.market.events import BookUpdated, MarketEvent, PoolUpdated
from feeds.recording.market import MarketContent, MarketRecorder
from feeds.recording.tests.recorded import description_of
from feeds.recording.writer import Spool
from feeds.sim.control import routes
from feeds.sim.hosting import serve
from feeds.sim.scenarios import scenario_of
from feeds.sim.truth import TruthStore
from feeds.sim.world import World
from feeds.venues.kraken.feed import KrakenFeed
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.feed import SolanaFeed
from feeds.venues.solana.rpc_channel import RpcEndpoint
from trading.journal.day import ScriptedDesk
from trading.journal.replaying import open_journal, replay

BOOKS, POOLS = 300, 12


class Sockets:
    """A busy world on loopback ports, both feeds on it, a recorder and a scripted desk."""

    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.world = World(scenario_of("busy"), 7, TruthStore(), self.clock)
        self.description = description_of(self.world)
        content = MarketContent(self.description, "market")
        spool = Spool(
            folder / "recordings", content, clock=self.clock,
            software="test", profile="sim", writer_id=1,
        )  # fmt: skip
        spool.start()
        self.recorder = MarketRecorder(spool, self.description)
        specs = {market.spec.asset: market.spec for market in self.world.markets}
        self.desk = ScriptedDesk(specs, folder / "journals", self.clock, self.recorder.in_hand)
        self.books = self.pools = 0

    def sink(self, event: MarketEvent) -> None:
        self.books += isinstance(event, BookUpdated)
        self.pools += isinstance(event, PoolUpdated)
        self.desk.tell(event)

    async def run(self) -> None:
        """Until enough was seen, however fast this machine is."""
        venues = (self.world.kraken, *self.world.nodes)
        hosts = [await serve(routes(self.world, venue), "127.0.0.1", 0) for venue in venues]
        kraken_port, *node_ports = [host.port for host in hosts]
        transport = SocketTransport()
        endpoints = tuple(
            RpcEndpoint(label, label, f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")
            for label, port in zip(("sim-a", "sim-b"), node_ports, strict=True)
        )
        kraken = KrakenFeed(
            transport, f"ws://127.0.0.1:{kraken_port}/v2",
            [each.symbol for each in self.description.symbols],
            clock=self.clock, rng=seeded_random(1), sink=self.recorder.around(self.sink),
            tap=self.recorder.kraken_frame,
        )  # fmt: skip
        solana = SolanaFeed(
            transport, endpoints, [(pool.address, pool.kind) for pool in self.description.pools],
            clock=self.clock, rng=seeded_random(2), sink=self.sink, tap=self.recorder,
        )  # fmt: skip
        self.world.start()
        work = (self.world.schedule.run(self.clock), kraken.run(), solana.run(), self.desk.run())
        tasks = [asyncio.create_task(each) for each in work]
        async with asyncio.timeout(90):
            while self.books < BOOKS or self.pools < POOLS:
                await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await transport.close()
        await asyncio.gather(*(host.stop() for host in hosts))
        self.world.stop()
        await asyncio.to_thread(self.recorder.close)
        await asyncio.to_thread(self.desk.journal.close)


async def test_a_run_over_sockets_replays_to_the_same_hash_and_verifies(tmp_path: Path) -> None:
    live = Sockets(tmp_path)
    await live.run()
    report = await asyncio.to_thread(lambda: replay(open_journal(tmp_path / "journals")))
    assert report.differences == []
    assert report.is_whole
    assert report.replayed_hash == live.desk.journal.decisions_hash
    assert report.inputs > BOOKS + POOLS
    assert live.recorder.spool.lost == live.desk.journal.spool.lost == 0
    out = io.StringIO()
    for command in ("verify_book", "verify_quotes"):
        await asyncio.to_thread(call_command, command, str(tmp_path / "recordings"), stdout=out)
    books, pools = [json.loads(line) for line in out.getvalue().splitlines()[-2:]]
    assert books["verified"] == books["frames"] >= BOOKS
    assert pools["wrong"] == []
    assert pools["states"] >= POOLS // 2
