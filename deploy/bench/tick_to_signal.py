"""Times a tick from its arrival to the engine's signal: 20 assets in rotation, paced.

Rows: the engine alone, the engine behind the feed's parser, the product's feed behind a
loopback WebSocket with the engine as its sink, and feed and engine on two sides of the bus;
and as a floor the typed decoding of the same frames at the same pace, which says what this
machine takes for code that has not run for a millisecond.
The clock starts when the frame is at hand (first two rows) or leaves the sender (the others),
and stops when `handle` returned.
Every 21st tick an asset's pool is replaced; edges, gates and intents happen as they come.
uvloop, gc.freeze after warm-up; percentiles over all ticks after the first second. "cpu" is
the receiving thread's processor time of a tick (behind the socket: all since the tick
before, reading included): what remains where others share the cores. Rows "awake" are as
an engine runs by default: the processors kept from sleeping, if this user may ask for that,
and the engine rehearsing; the others are of a host that may sleep between two ticks.
Run from the repository's root:  python deploy/bench/tick_to_signal.py [--seconds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec
import uvloop

from arbsite.bus import RedisBus
from arbsite.clock import SystemClock, seeded_random
from deploy.bench.desk import ASSETS, BenchDesk
from deploy.bench.host import kept_awake, may_stay_awake
from deploy.bench.kraken_frames import TypedFrame, frames, symbols
from deploy.bench.socket_venue import SYMBOLS, running_venue
from deploy.bench.tables import percentile, print_table
from feeds import bus_wire
from feeds.market.events import BookUpdated, FeedProof, MarketEvent
from feeds.venues.kraken.feed import KrakenFeed
from feeds.venues.sockets import SocketTransport

CLOCK = SystemClock()
RATES = (1_000, 10_000)
POOL_EVERY = 21
PROOF_EVERY = 50


class Bench:
    """A desk, the latencies it took, and where the pools come in."""

    def __init__(self) -> None:
        self.desk = BenchDesk(CLOCK.now_ns())
        self.took: list[int] = []
        self.worked: list[int] = []
        gc.collect()
        gc.freeze()

    def take(self, number: int, book: BookUpdated, start_ns: int, worked_ns: int) -> None:
        """Give one book to the engine; `start_ns` and `worked_ns` say when it was at hand."""
        self.desk.tell(book)
        self.took.append(time.perf_counter_ns() - start_ns)
        self.worked.append(time.thread_time_ns() - worked_ns)
        if number % POOL_EVERY == 0:
            self.desk.tell(self.desk.follow(book, book.recv_ns))
        if number % PROOF_EVERY == 0:
            self.desk.tell(FeedProof("kraken", "*", book.recv_ns))
            self.desk.tell(FeedProof("solana", "*", book.recv_ns))

    def row(self, name: str, rate: int) -> list[object]:
        """The figures of what was taken after the first second."""
        took, worked = sorted(self.took[rate:]), sorted(self.worked[rate:])
        micros = [percentile(took, share) / 1e3 for share in (0.5, 0.9, 0.99, 0.999)]
        micros += [percentile(worked, share) / 1e3 for share in (0.5, 0.99)]
        return [name, f"{rate}/s", *micros, len(took), self.desk.edges, self.desk.intents]


async def pace(rate: int, count: int, one: Callable[[int], Awaitable[None]]) -> None:
    """Call `one` for each number when its time has come; late ones follow at once."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(count):
        wait = start + number / rate - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        await one(number)


async def decoding(rate: int, count: int) -> list[object]:
    """The floor: the same frames decoded and nothing else, as long after one another."""
    decode = msgspec.json.Decoder(TypedFrame).decode
    sent = list(frames(count, symbols(ASSETS)))
    took: list[int] = []
    gc.collect()
    gc.freeze()

    async def one(number: int) -> None:
        start_ns = time.perf_counter_ns()
        decode(sent[number])
        took.append(time.perf_counter_ns() - start_ns)

    await pace(rate, count, one)
    ordered = sorted(took[rate:])
    micros = [percentile(ordered, share) / 1e3 for share in (0.5, 0.9, 0.99, 0.999)]
    return ["floor: typed decode alone", f"{rate}/s", *micros, "", "", len(ordered), "", ""]


async def in_process(rate: int, count: int, *, parses: bool, is_awake: bool) -> list[object]:
    """The engine alone, or with the parser in front of it."""
    bench = Bench()
    sent = list(frames(count, symbols(ASSETS)))
    parsed = []
    if not parses:
        parsed = [bench.desk.parse(frame, CLOCK.now_ns()) for frame in sent]

    async def one(number: int) -> None:
        if parses:
            start_ns, worked_ns = time.perf_counter_ns(), time.thread_time_ns()
            book = bench.desk.parse(sent[number], CLOCK.now_ns())
        else:
            book = _stamped(parsed[number], CLOCK.now_ns())
            start_ns, worked_ns = time.perf_counter_ns(), time.thread_time_ns()
        bench.take(number, book, start_ns, worked_ns)

    async with kept_awake(bench.desk.engine.rehearse, is_awake):
        await pace(rate, count, one)
    return bench.row(_named("engine + parser" if parses else "engine alone", is_awake), rate)


def _named(path: str, is_awake: bool) -> str:
    return f"{path}, awake" if is_awake else path


def _stamped(book: BookUpdated, recv_ns: int) -> BookUpdated:
    return BookUpdated(
        book.symbol,
        book.bids,
        book.asks,
        book.price_precision,
        book.qty_precision,
        book.checksum,
        book.venue_at_ns,
        recv_ns,
    )


# ---- across processes: CLOCK_MONOTONIC is one clock for both ------------------------------


def send_by_bus(url: str, rate: int, count: int, memory: str) -> None:
    """A feed process: parses paced frames and publishes the books."""
    stamps = SharedMemory(memory)
    clock = stamps.buf.cast("q")
    sent = list(frames(count, symbols(ASSETS)))

    async def main() -> None:
        desk, bus = BenchDesk(CLOCK.now_ns()), RedisBus(url)

        async def one(number: int) -> None:
            clock[number] = time.perf_counter_ns()
            book = desk.parse(sent[number], CLOCK.now_ns())
            # The number goes in front: the bus may drop, and says which stamp is meant.
            await bus.publish(bus_wire.subject_of(book), b"%d " % number + bus_wire.encode(book))

        await asyncio.sleep(0.5)
        await pace(rate, count, one)
        await bus.close()

    uvloop.run(main())
    clock.release()
    stamps.close()


class SocketTick:
    """The feed's sink: times each book since the stub stamped it, and what it cost the loop."""

    def __init__(self, count: int) -> None:
        self.bench = Bench()
        self.is_over = asyncio.Event()
        self._count = count
        self._number = 0
        self._worked_ns = time.thread_time_ns()

    def __call__(self, event: MarketEvent) -> None:
        """Give the event to the engine; a book is a tick."""
        if type(event) is not BookUpdated:
            self.bench.desk.tell(event)
            return
        since_ns = CLOCK.now_ns() - event.venue_at_ns
        self.bench.take(self._number, event, time.perf_counter_ns() - since_ns, self._worked_ns)
        self._worked_ns = time.thread_time_ns()
        self._number += 1
        if self._number == self._count:
            self.is_over.set()


async def over_socket(rate: int, count: int, *, is_awake: bool) -> list[object]:
    """The product's feed behind the stub venue, its sink the engine: as the engine process runs."""
    with running_venue(rate, count) as url:
        tick, transport = SocketTick(count), SocketTransport()
        feed = KrakenFeed(
            transport, url, SYMBOLS, clock=CLOCK, rng=seeded_random(1), sink=tick
        )  # fmt: skip
        task = asyncio.create_task(feed.run())
        async with kept_awake(tick.bench.desk.engine.rehearse, is_awake):
            await tick.is_over.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await transport.close()
    return tick.bench.row(_named("+ loopback WebSocket", is_awake), rate)


async def over_bus(url: str, rate: int, count: int, clock: memoryview) -> list[object]:
    """Decode and decide on the far side of the bus; what it dropped is told."""
    bench, bus = Bench(), RedisBus(url)
    subscription = await bus.subscribe(*bus_wire.SUBJECTS)
    async for _, payload in subscription:
        worked_ns = time.thread_time_ns()
        text, _, body = payload.partition(b" ")
        event, number = bus_wire.decode(body), int(text)
        assert isinstance(event, BookUpdated)
        bench.take(number, event, clock[number], worked_ns)
        if number == count - 1:
            break
    await bus.close()
    return bench.row("+ bus instead of socket", rate)


def with_sender(
    target: Callable[[object, int, int, str], None],
    address: object,
    rate: int,
    count: int,
    receive: Callable[[memoryview], Awaitable[list[object]]],
) -> list[object]:
    """Run `target` in a process of its own and `receive` here."""
    stamps = SharedMemory(create=True, size=8 * count)
    clock = stamps.buf.cast("q")
    context = multiprocessing.get_context("spawn")
    sender = context.Process(target=target, args=(address, rate, count, stamps.name))
    sender.start()
    try:
        return uvloop.run(_awaited(receive(clock)))
    finally:
        sender.join(10)
        clock.release()
        stamps.close()
        stamps.unlink()


async def _awaited(work: Awaitable[list[object]]) -> list[object]:
    return await work


def bus_rows(seconds: int, port: int) -> list[list[object]]:
    """The bus row at the lower rate, over a Valkey of its own."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbsite.settings_test")
    from arbsite.embedded import prepare_home, prepare_valkey
    from arbsite.home import Home
    from arbsite.readiness import redis_answers
    from arbsite.testing import RunningService

    folder = Path(tempfile.mkdtemp(prefix="spreadline-bench-"))
    home = Home(folder)
    prepare_home(home)
    (folder / "ports.json").write_text(f'{{"valkey": {port}}}')
    server = RunningService(prepare_valkey(home), home.logs / "valkey.log")
    try:
        url = home.redis_url()
        server.wait_ready(lambda: redis_answers(url))
        rate, count = RATES[0], RATES[0] * (seconds + 1)
        return [
            with_sender(
                send_by_bus, url, rate, count, lambda clock: over_bus(url, rate, count, clock)
            )
        ]
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=5, help="measured seconds a row")
    parser.add_argument("--port", type=int, default=19_841, help="of the bus's Valkey")
    options = parser.parse_args()
    rows: list[list[object]] = []
    for rate in RATES:
        rows.append(uvloop.run(decoding(rate, rate * (options.seconds + 1))))
        gc.unfreeze()
    ways = (False, True) if may_stay_awake() else (False,)
    for is_awake, rate in itertools.product(ways, RATES):
        count = rate * (options.seconds + 1)
        for parses in (False, True):
            rows.append(uvloop.run(in_process(rate, count, parses=parses, is_awake=is_awake)))
            gc.unfreeze()
        rows.append(uvloop.run(over_socket(rate, count, is_awake=is_awake)))
        gc.unfreeze()
    rows += bus_rows(options.seconds, options.port)
    print_table(
        f"Tick to signal, {ASSETS} assets in rotation: µs",
        [
            "path",
            "rate",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "cpu p50",
            "cpu p99",
            "ticks",
            "edges",
            "intents",
        ],
        rows,
    )


if __name__ == "__main__":
    main()
