"""What recording, and journaling beside it, add to the tick path: the same frames without.

The product's own Kraken feed takes synthetic frames from memory (no socket), each goes
through parser, book and checksum into a real engine with a pool in view; the time from the
frame's receive stamp to the end of the engine's answer is the tick path. Three lives of feed and
engine stand side by side in one process: one keeps nothing, one raw data, one both. They take
turns of a quarter of a second, so that what else the machine does meets all of them alike; the
overhead is the median of the ratios between neighbours, with the interval (95 %) of a bootstrap.
The first fifth of each turn is left out: it finishes what the life before left to write.
The spools' threads write to a temporary folder meanwhile. The loop's processor time is what the
tick path itself pays, free of what else the machine does; the difference to all threads' is
spent beside it, and waits show where frames leave no pause (unpaced). The processors are kept
awake, as an engine does, where this user may ask for that.
Run from the repository's root:  python deploy/bench/recorder.py [--turns N] [--frames N]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from arbsite.clock import SystemClock, seeded_random
from deploy.bench.host import may_stay_awake
from deploy.bench.kraken_frames import PRICE_PRECISION, QTY_PRECISION, frames
from deploy.bench.tables import percentile, print_table
from feeds.market.events import FeedProof, MarketEvent
from feeds.recording.market import MarketContent, MarketRecorder, describe
from feeds.recording.writer import Spool
from feeds.venues.kraken.feed import KrakenFeed
from trading.inputs import EngineInput
from trading.journal.format import EngineSetup
from trading.journal.keeper import EngineJournal, start_journal
from trading.process.awake import processors_awake
from trading.tests.unit.builders import make_spec
from trading.tests.unit.desk import setup_events

Kept = Literal["nothing", "raw", "raw and journal"]
_INSTRUMENTS = (
    b'{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"SOL/USD",'
    b'"base":"SOL","quote":"USD","status":"online","qty_precision":%d,"qty_increment":0.00000001,'
    b'"price_precision":%d,"price_increment":0.01,"cost_precision":5,"cost_min":0.5,"qty_min":0.02,'
    b'"marginable":false,"has_index":true}]}}' % (QTY_PRECISION, PRICE_PRECISION)
)


class Frames:
    """A connection that hands out what is put into it."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self._frames.put_nowait(_INSTRUMENTS)
        self.put = self._frames.put_nowait
        self.recv = self._frames.get

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


class Life:
    """One feed and engine, of which `kept` is kept."""

    def __init__(self, folder: Path, kept: Kept) -> None:
        self.clock = SystemClock()
        self.took_ns: list[int] = []
        self.lost = 0
        self._frames = Frames()
        setup = EngineSetup({"SOL": make_spec()})
        engine = setup.build()
        self._recorder: MarketRecorder | None = None
        self._journal: EngineJournal | None = None
        self._handle: Callable[[EngineInput], Any] = engine.handle
        if kept != "nothing":
            options: dict[str, Any] = {"software": "bench", "profile": "sim", "writer_id": 1}
            description = describe(setup.specs.values(), ["SOL/USD"], [])
            content = MarketContent(description, "market")
            spool = Spool(folder / kept / "recordings", content, clock=self.clock, **options)
            spool.start()
            self._recorder = MarketRecorder(spool, description)
        if kept == "raw and journal":
            assert self._recorder is not None
            journals = folder / kept / "journals"
            self._journal = start_journal(setup, journals, clock=self.clock, **options)
            self._handle = self._journal.around(engine, self._recorder.in_hand)
        recorder = self._recorder
        feed = KrakenFeed(
            Memory(self._frames), "ws://memory", ["SOL/USD"],
            clock=self.clock, rng=seeded_random(1),
            sink=recorder.around(self._sink) if recorder else self._sink,
            tap=recorder.kraken_frame if recorder else None,
        )  # fmt: skip
        for event in setup_events(self.clock.now_ns()):
            self._handle(event)
        self._task = asyncio.create_task(feed.run())

    def _sink(self, event: MarketEvent) -> None:
        self._handle(event)
        now_ns = self.clock.now_ns()
        self.took_ns.append(now_ns - event.recv_ns)
        if len(self.took_ns) % 200 == 0:
            self._handle(FeedProof("solana", "*", now_ns))

    async def turn(self, frames: Sequence[bytes], per_second: int) -> tuple[float, ...]:
        """(tick path p50 and p99, processor time of the loop and of all threads), µs a frame."""
        skipped = len(frames) // 5
        await self._feed(frames[:skipped], per_second)
        self.took_ns.clear()
        began, loop_began = time.process_time(), time.thread_time()
        await self._feed(frames[skipped:], per_second)
        count = len(frames) - skipped
        loop_us = (time.thread_time() - loop_began) / count * 1e6
        spent_us = (time.process_time() - began) / count * 1e6
        ordered = sorted(self.took_ns)
        p50, p99 = percentile(ordered, 0.5) / 1e3, percentile(ordered, 0.99) / 1e3
        return p50, p99, loop_us, spent_us

    async def _feed(self, frames: Sequence[bytes], per_second: int) -> None:
        loop = asyncio.get_running_loop()
        start, expected = loop.time(), len(self.took_ns) + len(frames)
        for number, frame in enumerate(frames):
            wait_s = start + number / per_second - loop.time() if per_second else 0.0
            await asyncio.sleep(max(0.0, wait_s))
            self._frames.put(frame)
        while len(self.took_ns) < expected:  # noqa: ASYNC110 - the feed says nothing of its frames
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Stop the feed, write what is left, note what was lost."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for keeper in (self._recorder, self._journal):
            if keeper is not None:
                keeper.close()
                self.lost += keeper.spool.lost


async def compare(turns: int, per_second: int, turn_frames: int) -> list[list[object]]:
    """Let the three kinds take turns; rows of medians, tails and processor time."""
    folder = Path(tempfile.mkdtemp(prefix="spreadline-bench-"))
    lives = {kept: Life(folder, kept) for kept in get_args(Kept)}
    found: dict[str, list[tuple[float, ...]]] = {kept: [] for kept in lives}
    kinds = list(lives)
    gc.collect()
    gc.freeze()
    supply = list(frames(turn_frames * turns))
    for turn in range(turns):
        some = supply[turn * turn_frames : (turn + 1) * turn_frames]
        # Each kind goes first in turn: the first one wakes the machine for the others.
        for kept in kinds[turn % 3 :] + kinds[: turn % 3]:
            found[kept].append(await lives[kept].turn(some, per_second))
    for life in lives.values():
        await life.close()
    shutil.rmtree(folder, ignore_errors=True)
    if lost := sum(life.lost for life in lives.values()):
        print(f"{lost} records lost")
    pace = f"{per_second:,}/s" if per_second else "unpaced"
    return _rows(found, pace)


def _rows(found: dict[str, list[tuple[float, ...]]], pace: str) -> list[list[object]]:
    bare, rng = found.pop("nothing"), random.Random(1)  # noqa: S311 - the same draws in every run
    rows: list[list[object]] = [[f"nothing kept, {pace}", *_medians(bare)]]
    # The very first turn of each finds cold code and pages.
    bare = bare[1:]
    for kept, turns in found.items():
        rows.append([f"{kept}, {pace}", *_medians(turns)])
        ratios = [
            [on / off - 1 for on, off in zip(*pair, strict=True)]
            for pair in zip(turns[1:], bare, strict=True)
        ]
        columns = [list(column) for column in zip(*ratios, strict=True)]
        rows.append([f"  overhead of {kept}", *(_interval(each, rng) for each in columns)])
    return rows


def _medians(turns: Sequence[tuple[float, ...]]) -> list[float]:
    return [median(column) for column in zip(*turns, strict=True)]


def _interval(ratios: Sequence[float], rng: random.Random) -> str:
    draws = sorted(median(rng.choices(ratios, k=len(ratios))) for _ in range(1000))
    return f"{median(ratios):+.1%} ({draws[25]:+.1%} {draws[974]:+.1%})"


def main() -> None:
    """Measure at two paces and print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=200, help="of each kind at 1,000/s")
    parser.add_argument("--frames", type=int, default=250, help="frames a turn at 1,000/s")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    with processors_awake() if may_stay_awake() else nullcontext():
        rows = uvloop.run(compare(options.turns, 1_000, options.frames))
        rows += uvloop.run(compare(max(2, options.turns // 3), 0, options.frames * 10))
    heads = ("median of turns", "p50 µs", "p99 µs", "loop cpu µs", "all threads cpu µs")
    print_table("recorder and journal", heads, rows)


if __name__ == "__main__":
    main()
