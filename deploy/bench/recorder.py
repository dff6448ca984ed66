"""What recording, and journaling beside it, add to the tick path: the same frames without.

The product's own Kraken feed takes synthetic frames from memory (no socket), each goes
through parser, book and checksum into a real engine with a pool in view; the time from the
frame's receive stamp to the end of the engine's answer is the tick path. Rounds of the three
kinds alternate in one process, each first in turn; the ratio of their medians is the overhead.
The spools' threads write to a temporary folder meanwhile. The loop's processor time is what the
tick path itself pays, free of what else the machine does; the difference to all threads' is
spent beside it, and waits show where frames leave no pause (unpaced).
Run from the repository's root:  python deploy/bench/recorder.py [--rounds N] [--frames N]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from arbsite.clock import SystemClock, seeded_random
from deploy.bench.kraken_frames import PRICE_PRECISION, QTY_PRECISION, frames
from deploy.bench.tables import percentile, print_table
from feeds.market.events import FeedProof, MarketEvent
from feeds.recording.market import MarketContent, MarketRecorder, describe
from feeds.recording.writer import Spool
from feeds.venues.kraken.feed import KrakenFeed
from trading.intent import EngineInput
from trading.journal.format import EngineSetup
from trading.journal.keeper import EngineJournal, start_journal
from trading.tests.unit.builders import make_spec
from trading.tests.unit.desk import setup_events

Kept = Literal["nothing", "raw", "raw and journal"]
_WARM_UP = 2_000
_INSTRUMENTS = (
    b'{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"SOL/USD",'
    b'"base":"SOL","quote":"USD","status":"online","qty_precision":%d,"qty_increment":0.00000001,'
    b'"price_precision":%d,"price_increment":0.01,"cost_precision":5,"cost_min":0.5,"qty_min":0.02,'
    b'"marginable":false,"has_index":true}]}}' % (QTY_PRECISION, PRICE_PRECISION)
)


class Frames:
    """A connection that hands out frames at a pace, and then nothing for ever."""

    def __init__(self, supply: list[bytes], per_second: int) -> None:
        self._frames: Iterator[bytes] = iter([_INSTRUMENTS, *supply])
        self._gap_s = 1 / per_second if per_second else 0.0
        self._due_s = 0.0
        self.is_over = asyncio.Event()

    async def recv(self) -> bytes:
        """The next frame, when it is due."""
        frame = next(self._frames, None)
        if frame is None:
            self.is_over.set()
            await asyncio.Event().wait()
            raise ConnectionError
        if self._gap_s:
            loop = asyncio.get_running_loop()
            self._due_s = max(self._due_s + self._gap_s, loop.time() - 0.1)
            await asyncio.sleep(self._due_s - loop.time())
        else:
            await asyncio.sleep(0)
        return frame

    async def send(self, text: str | bytes) -> None:
        """Requests go nowhere."""

    async def close(self) -> None:
        """Nothing to close."""


class Memory:
    """A transport to one `Frames`."""

    def __init__(self, connection: Frames) -> None:
        self._connection = connection

    async def connect(self, url: str, *, timeout_s: float = 5.0) -> Frames:
        """The one connection."""
        return self._connection

    async def http(self, *args: Any, **options: Any) -> Any:
        """The public feed makes no requests."""
        raise ConnectionError

    async def close(self) -> None:
        """Nothing to close."""


class Round:
    """One life of feed and engine, of which `kept` is kept."""

    def __init__(self, supply: list[bytes], per_second: int, folder: Path, kept: Kept) -> None:
        self.clock = SystemClock()
        self.took_ns: list[int] = []
        self.lost = 0
        self._connection = Frames(supply, per_second)
        setup = EngineSetup({"SOL": make_spec()})
        engine = setup.build()
        self._recorder: MarketRecorder | None = None
        self._journal: EngineJournal | None = None
        self._handle: Callable[[EngineInput], Any] = engine.handle
        if kept != "nothing":
            options: dict[str, Any] = {"software": "bench", "profile": "sim", "writer_id": 1}
            description = describe(setup.specs.values(), ["SOL/USD"], [])
            content = MarketContent(description, "market")
            spool = Spool(folder / "recordings", content, clock=self.clock, **options)
            spool.start()
            self._recorder = MarketRecorder(spool, description)
        if kept == "raw and journal":
            assert self._recorder is not None
            journals = folder / "journals"
            self._journal = start_journal(setup, journals, clock=self.clock, **options)
            self._handle = self._journal.around(engine, self._recorder.in_hand)

    def _sink(self, event: MarketEvent) -> None:
        self._handle(event)
        now_ns = self.clock.now_ns()
        self.took_ns.append(now_ns - event.recv_ns)
        if len(self.took_ns) % 200 == 0:
            self._handle(FeedProof("solana", "*", now_ns))

    async def run(self) -> None:
        """All frames through, then the spools closed."""
        for event in setup_events(self.clock.now_ns()):
            self._handle(event)
        recorder = self._recorder
        feed = KrakenFeed(
            Memory(self._connection), "ws://memory", ["SOL/USD"],
            clock=self.clock, rng=seeded_random(1),
            sink=recorder.around(self._sink) if recorder else self._sink,
            tap=recorder.kraken_frame if recorder else None,
        )  # fmt: skip
        task = asyncio.create_task(feed.run())
        await self._connection.is_over.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for keeper in (recorder, self._journal):
            if keeper is not None:
                keeper.close()
                self.lost += keeper.spool.lost


def measure(supply: list[bytes], per_second: int, kept: Kept) -> tuple[list[int], float, float]:
    """(tick-path times ns, processor µs a frame of the loop, of all threads) of one round."""
    gc.collect()
    gc.freeze()
    folder = Path(tempfile.mkdtemp(prefix="spreadline-bench-"))
    began, loop_began = time.process_time(), time.thread_time()
    try:
        life = Round(supply, per_second, folder, kept)
        uvloop.run(life.run())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    loop_us = (time.thread_time() - loop_began) / len(supply) * 1e6
    spent_us = (time.process_time() - began) / len(supply) * 1e6
    if life.lost:
        print(f"{life.lost} records lost")
    return life.took_ns[_WARM_UP:], loop_us, spent_us


def compare(count: int, rounds: int, per_second: int) -> list[list[object]]:
    """Alternate rounds of the three kinds; rows of medians, tails and processor time."""
    supply = list(frames(count))
    figures: dict[Kept, list[tuple[float, ...]]] = {kept: [] for kept in get_args(Kept)}
    kinds: list[Kept] = [*figures]
    for turn in range(rounds):
        # Each kind goes first in turn: a process grows, and the later rounds pay for it.
        for kept in kinds[turn % 3 :] + kinds[: turn % 3]:
            took_ns, *spent_us = measure(supply, per_second, kept)
            ordered = sorted(took_ns)
            p50, p99 = percentile(ordered, 0.5) / 1e3, percentile(ordered, 0.99) / 1e3
            figures[kept].append((p50, p99, *spent_us))
    pace = f"{per_second:,}/s" if per_second else "unpaced"
    medians = {
        kept: [sorted(column)[rounds // 2] for column in zip(*found, strict=True)]
        for kept, found in figures.items()
    }
    bare = medians["nothing"]
    rows: list[list[object]] = [[f"nothing kept, {pace}", *bare]]
    for kept, best in medians.items():
        if kept != "nothing":
            ratio = (on / off - 1 for on, off in zip(best, bare, strict=True))
            rows.append([f"{kept}, {pace}", *best])
            rows.append([f"  overhead of {kept}", *(f"{share:+.1%}" for share in ratio)])
    return rows


def main() -> None:
    """Measure at two paces and print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6, help="rounds of each kind (default 6)")
    parser.add_argument("--frames", type=int, default=10_000, help="frames a round")
    options = parser.parse_args()
    rows = compare(options.frames, options.rounds, 1_000)
    rows += compare(options.frames * 3, options.rounds, 0)
    heads = ("median of rounds", "p50 µs", "p99 µs", "loop cpu µs", "all threads cpu µs")
    print_table("recorder and journal", heads, rows)


if __name__ == "__main__":
    main()
