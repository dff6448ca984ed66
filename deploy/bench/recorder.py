"""What recording and journaling add to the tick path: the same frames with and without.

The product's own Kraken feed takes synthetic frames from memory (no socket), each goes
through parser, book and checksum into a real engine with a pool in view; the time from the
frame's receive stamp to the end of the engine's answer is the tick path. Rounds with and
without recorder and journal alternate in one process; the ratio of their medians is the
overhead. The spools' threads write to a temporary folder meanwhile. The loop's processor
time is what the tick path itself pays, free of what else the machine does; the difference to
all threads' is spent beside it, and waits show where frames leave no pause (unpaced).
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
from typing import Any

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
    """One life of feed and engine, recorded and journaled or not."""

    def __init__(self, supply: list[bytes], per_second: int, folder: Path | None) -> None:
        self.clock = SystemClock()
        self.took_ns: list[int] = []
        self.lost = 0
        self._connection = Frames(supply, per_second)
        setup = EngineSetup({"SOL": make_spec()})
        engine = setup.build()
        self._recorder: MarketRecorder | None = None
        self._journal: EngineJournal | None = None
        self._handle: Callable[[EngineInput], Any] = engine.handle
        if folder is not None:
            options: dict[str, Any] = {"software": "bench", "profile": "sim", "writer_id": 1}
            description = describe(setup.specs.values(), ["SOL/USD"], [])
            content = MarketContent(description, "market")
            spool = Spool(folder / "recordings", content, clock=self.clock, **options)
            spool.start()
            self._recorder = MarketRecorder(spool, description)
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
        if recorder and self._journal:
            recorder.close()
            self._journal.close()
            self.lost = recorder.spool.lost + self._journal.spool.lost


def measure(
    supply: list[bytes], per_second: int, folder: Path | None
) -> tuple[list[int], float, float]:
    """(tick-path times ns, processor µs a frame of the loop, of all threads) of one round."""
    gc.collect()
    gc.freeze()
    began, loop_began = time.process_time(), time.thread_time()
    life = Round(supply, per_second, folder)
    uvloop.run(life.run())
    loop_us = (time.thread_time() - loop_began) / len(supply) * 1e6
    spent_us = (time.process_time() - began) / len(supply) * 1e6
    if life.lost:
        print(f"{life.lost} records lost")
    return life.took_ns[_WARM_UP:], loop_us, spent_us


def compare(count: int, rounds: int, per_second: int) -> list[list[object]]:
    """Alternate rounds off and on; rows of medians, tails and processor time."""
    supply = list(frames(count))
    figures: dict[bool, list[tuple[float, ...]]] = {False: [], True: []}
    for _ in range(rounds):
        for is_on in (False, True):
            folder = Path(tempfile.mkdtemp(prefix="spreadline-bench-")) if is_on else None
            try:
                took_ns, *spent_us = measure(supply, per_second, folder)
            finally:
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)
            ordered = sorted(took_ns)
            p50, p99 = percentile(ordered, 0.5) / 1e3, percentile(ordered, 0.99) / 1e3
            figures[is_on].append((p50, p99, *spent_us))
    pace = f"{per_second:,}/s" if per_second else "unpaced"
    rows: list[list[object]] = []
    for is_on, name in ((False, "bare"), (True, "recorded and journaled")):
        best = [sorted(column)[len(column) // 2] for column in zip(*figures[is_on], strict=True)]
        rows.append([f"{name}, {pace}", *best])
    ratio = [on / off - 1 for on, off in zip(rows[1][1:], rows[0][1:], strict=True)]  # type: ignore[operator]
    rows.append([f"overhead, {pace}", *(f"{share:+.1%}" for share in ratio)])
    return rows


def main() -> None:
    """Measure at two paces and print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="pairs of rounds (default 5)")
    parser.add_argument("--frames", type=int, default=10_000, help="frames a round")
    options = parser.parse_args()
    rows = compare(options.frames, options.rounds, 1_000)
    rows += compare(options.frames * 3, options.rounds, 0)
    heads = ("median of rounds", "p50 µs", "p99 µs", "loop cpu µs", "all threads cpu µs")
    print_table("recorder and journal", heads, rows)


if __name__ == "__main__":
    main()
