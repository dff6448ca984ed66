"""Measures the Kraken feed through a real loopback WebSocket: latency, saturation, memory.

A stub venue in a process of its own sends the books of twenty symbols in rotation to the
product's `KrakenFeed` (its own transport, uvloop, the heap frozen). At a given rate each
frame carries its sending time as the venue's timestamp, so latency is from before the
send to the published `BookUpdated`; flat out, the stub only waits for the socket to drain,
and the last columns show what that does to us: how often the socket was left unread, and
the most frames that ever waited in our memory (the limit, and one read of the socket).

    .venv/bin/python deploy/bench/kraken_socket.py                 latency and saturation
    .venv/bin/python deploy/bench/kraken_socket.py --long 10       memory over 10 M updates
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import struct
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import kraken_frames
import uvloop
from prometheus_client import REGISTRY
from websockets.asyncio.server import ServerConnection, serve
from websockets.protocol import State

from arbsite.clock import SystemClock, seeded_random
from feeds.market.events import BookUpdated, MarketEvent
from feeds.venues.kraken.feed import KrakenFeed
from feeds.venues.sockets import SocketTransport

SYMBOLS = kraken_frames.symbols(20)
LOOPED_FRAMES = 20_000
FLAT_OUT_BATCH = 50
BUFFERED_BYTES = 256 * 1024
_PAIR = (
    '{{"symbol":"{}","status":"online","price_precision":2,"qty_precision":8,'
    '"price_increment":0.01,"qty_increment":0.00000001,"qty_min":0.02}}'
)
_STAMP_BYTES = len("2026-08-16T23:37:04.316445Z")


# --- the stub venue, in its own process ------------------------------------------------


def wire(text: bytes) -> bytes:
    """One unmasked text frame as it goes on the socket."""
    size = len(text)
    head = struct.pack(">BB", 0x81, size) if size < 126 else struct.pack(">BBH", 0x81, 126, size)
    return head + text


def stamped(frame: bytes) -> bytes:
    """The frame with this moment as the venue's timestamp, which no checksum covers."""
    now = datetime.fromtimestamp(time.time_ns() // 1000 / 1e6, UTC)  # noqa: TID251
    at = frame.rindex(b'"timestamp":"') + len(b'"timestamp":"')
    text = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
    return frame[:at] + text + frame[at + _STAMP_BYTES :]


async def play(socket: ServerConnection, frames: list[bytes], rate: int, count: int) -> None:
    """Send `count` updates at that rate a second, 0 for as fast as they are read."""
    snapshots, updates = frames[: len(SYMBOLS)], frames[len(SYMBOLS) :]
    opening = b"".join(map(wire, snapshots))
    flat = [
        b"".join(map(wire, updates[at : at + FLAT_OUT_BATCH]))
        for at in range(0, len(updates), FLAT_OUT_BATCH)
    ]
    loop, transport, sent = asyncio.get_running_loop(), socket.transport, 0
    started = loop.time()
    while sent < count and not transport.is_closing():
        # The venue begins anew with snapshots, as after a resubscription.
        transport.write(b"".join(wire(stamped(f)) for f in snapshots) if rate else opening)
        if rate:
            for frame in updates[: count - sent]:
                sent += 1
                ahead_s = started + sent / rate - loop.time()
                if ahead_s > 0:
                    await asyncio.sleep(ahead_s)
                if transport.is_closing():
                    return
                transport.write(wire(stamped(frame)))
        else:
            for batch in flat:
                if socket.state is not State.OPEN:
                    return
                transport.write(batch)
                await drained(transport)
            sent += len(updates)


async def drained(transport: asyncio.Transport) -> None:
    """Wait until most of what was written has left."""
    # The transport tells its buffer, not its changes.
    while not transport.is_closing() and transport.get_write_buffer_size() > BUFFERED_BYTES:  # noqa: ASYNC110
        await asyncio.sleep(0)


def die_with_parent() -> None:
    """End this process when the pipe that its parent holds is closed, however that died."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


async def venue(rate: int, count: int) -> None:
    """Serve one client: instruments, then books when it asks for them."""
    die_with_parent()
    over = asyncio.Event()
    # Before anybody connects: it takes seconds, and the feed is not patient.
    frames = list(kraken_frames.frames(LOOPED_FRAMES, SYMBOLS))

    async def talk(socket: ServerConnection) -> None:
        async for text in socket:
            request = json.loads(text)
            channel = (request.get("params") or {}).get("channel")
            if channel == "instrument":
                pairs = ",".join(_PAIR.format(name) for name in SYMBOLS)
                await socket.send(
                    '{"channel":"instrument","type":"snapshot","data":{"pairs":[' + pairs + "]}}"
                )
            elif channel == "book":
                await play(socket, frames, rate, count)
                break
        await asyncio.sleep(1)
        over.set()

    async with serve(talk, "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await over.wait()


# --- the client: the product's feed ----------------------------------------------------


class Watch:
    """The sink: counts books, and keeps latencies when asked to."""

    def __init__(self, count: int, *, is_timed: bool) -> None:
        self.count = count
        self.is_timed = is_timed
        self.books = 0
        self.first_ns = 0
        self.last_ns = 0
        self.first_cpu_s = 0.0
        self.cpu_s = 0.0
        self.latencies_us: list[float] = []
        self.done = asyncio.Event()

    def __call__(self, event: MarketEvent) -> None:
        if type(event) is not BookUpdated:
            return
        self.books += 1
        self.last_ns = now_ns = time.time_ns()  # noqa: TID251
        if not self.first_ns:
            self.first_ns, self.first_cpu_s = now_ns, time.process_time()
        if self.is_timed:
            self.latencies_us.append((now_ns - event.venue_at_ns) / 1e3)
        if self.books % 1_000_000 == 0:
            rss_mib = resident_mib()
            pauses, waited = back_pressure()
            print(
                f"{self.books // 1_000_000:>3} M books, resident {rss_mib:.1f} MiB,"
                f" left unread {pauses} times, at most {waited} frames waiting",
                flush=True,
            )
        if self.books >= self.count:
            self.cpu_s = self.cpu_s or time.process_time() - self.first_cpu_s
            self.done.set()


def resident_mib() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def watch(port: int, count: int, *, is_timed: bool) -> tuple[Watch, KrakenFeed]:
    """Run the feed against the stub until `count` books have come."""
    seen = Watch(count, is_timed=is_timed)
    transport = SocketTransport()
    feed = KrakenFeed(
        transport,
        f"ws://127.0.0.1:{port}/v2",
        SYMBOLS,
        clock=SystemClock(),
        rng=seeded_random(1),
        sink=seen,
    )
    gc.collect()
    gc.freeze()
    task = asyncio.ensure_future(feed.run())
    await seen.done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await transport.close()
    return seen, feed


def run(rate: int, count: int) -> tuple[Watch, KrakenFeed]:
    """One measurement with a stub of its own."""
    stub = subprocess.Popen(
        [sys.executable, __file__, "--venue", str(rate), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stub.stdout is not None
    try:
        port = int(stub.stdout.readline())
        return uvloop.run(watch(port, count, is_timed=rate > 0))
    finally:
        stub.kill()
        stub.wait()


def told(series: str) -> int:
    """What the product's own series says about the stub's socket."""
    return int(REGISTRY.get_sample_value(series, {"host": "127.0.0.1"}) or 0)


def back_pressure() -> tuple[int, int]:
    """How often the socket was left unread, and the most frames that waited then."""
    return told("spreadline_socket_pauses_total"), told("spreadline_socket_queue_depth")


def percentiles(latencies_us: list[float]) -> str:
    """p50, p90, p99, p99.9 and the largest, in µs, the first second left out."""
    kept = sorted(latencies_us)
    shares = (0.5, 0.9, 0.99, 0.999)
    values = [kept[min(len(kept) - 1, int(share * len(kept)))] for share in shares]
    return " / ".join(f"{value:.0f}" for value in (*values, kept[-1]))


def main() -> None:
    """Measure what the flags ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=6, help="length of each paced run")
    parser.add_argument("--flat-out", type=int, default=500_000, help="frames of the flat-out run")
    parser.add_argument("--long", type=int, metavar="M", help="only memory, over M million books")
    parser.add_argument("--venue", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.venue:
        uvloop.run(venue(*options.venue))
        return
    if options.long:
        seen, feed = run(0, options.long * 1_000_000)
        print(f"checksum failures {feed.counters.checksum_failures}, books {seen.books:,}")
        return
    print(
        "| run | p50 / p90 / p99 / p99.9 / max µs | books/s |"
        " books per CPU second | bad checksums | left unread | most waiting |"
        "\n|---|---|---|---|---|---|---|"
    )
    for rate in (1_000, 10_000):
        seen, feed = run(rate, rate * (options.seconds + 1))
        timed = seen.latencies_us[rate + len(SYMBOLS) :]
        bad, pauses = feed.counters.checksum_failures, " | ".join(map(str, back_pressure()))
        print(f"| {rate:,}/s | {percentiles(timed)} | – | – | {bad} | {pauses} |", flush=True)
    before, _ = back_pressure()
    seen, feed = run(0, options.flat_out)
    speed = seen.books / ((seen.last_ns - seen.first_ns) / 1e9)
    # What a core to itself would do, when others are on it.
    rate_of_cpu = seen.books / seen.cpu_s
    bad = feed.counters.checksum_failures
    pauses, waited = back_pressure()
    print(
        f"| flat out | – | {speed:,.0f} | {rate_of_cpu:,.0f} | {bad} |"
        f" {pauses - before} | {waited} |"
    )


if __name__ == "__main__":
    main()
