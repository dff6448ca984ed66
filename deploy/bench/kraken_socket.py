"""Measures the Kraken feed through a real loopback WebSocket: latency, saturation, memory.

A stub venue (socket_venue.py) sends the books of twenty symbols in rotation to the
product's `KrakenFeed` (its own transport, uvloop, the heap frozen). Latency is from before
the send to the published `BookUpdated`; flat out, the stub only waits for the socket to
drain, and the last columns show what that does to us: how often the socket was left unread,
and the most frames that ever waited in our memory (the limit, and one read of the socket).

    .venv/bin/python deploy/bench/kraken_socket.py                 latency and saturation
    .venv/bin/python deploy/bench/kraken_socket.py --long 10       memory over 10 M updates
                                                   [--plot memory.svg]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import uvloop
from prometheus_client import REGISTRY

from arbsite.clock import SystemClock, seeded_random
from deploy.bench.socket_venue import SYMBOLS, running_venue
from feeds.market.events import BookUpdated, MarketEvent, VenueStatus
from feeds.venues.kraken.feed import KrakenFeed
from feeds.venues.sockets import SocketTransport


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
        self.resident_mib: list[float] = []
        self.done = asyncio.Event()

    def __call__(self, event: MarketEvent) -> None:
        if type(event) is not BookUpdated:
            if self.books and type(event) is VenueStatus and event.status == "disconnected":
                # The stub serves one connection: there is nothing more to come.
                self.done.set()
            return
        self.books += 1
        self.last_ns = now_ns = time.time_ns()  # noqa: TID251
        if not self.first_ns:
            self.first_ns, self.first_cpu_s = now_ns, time.process_time()
        if self.is_timed:
            self.latencies_us.append((now_ns - event.venue_at_ns) / 1e3)
        if self.books % 1_000_000 == 0:
            rss_mib = resident_mib()
            self.resident_mib.append(rss_mib)
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


async def watch(url: str, count: int, *, is_timed: bool) -> tuple[Watch, KrakenFeed]:
    """Run the feed against the stub until `count` books have come."""
    seen = Watch(count, is_timed=is_timed)
    transport = SocketTransport()
    feed = KrakenFeed(
        transport,
        url,
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
    with running_venue(rate, count) as url:
        return uvloop.run(watch(url, count, is_timed=rate > 0))


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


def memory_svg(resident: list[float]) -> str:
    """Resident memory after each million books, from zero."""
    top = max(resident) * 1.25
    step = 600 / max(1, len(resident) - 1)
    spots = [(50 + number * step, 250 - 200 * mib / top) for number, mib in enumerate(resident)]
    marks = "".join(
        f'<circle cx="{x:.0f}" cy="{y:.1f}" r="3"/>'
        f'<text x="{x:.0f}" y="{y - 9:.1f}">{mib:.1f}</text>'
        f'<text x="{x:.0f}" y="270">{number}</text>'
        for number, ((x, y), mib) in enumerate(zip(spots, resident, strict=True), 1)
    )
    line = " ".join(f"{x:.0f},{y:.1f}" for x, y in spots)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="700" height="300" fill="#3b6ea8">'
        "<style>text { font: 12px sans-serif; text-anchor: middle; fill: #222 }</style>"
        '<rect width="100%" height="100%" fill="#fff"/>'
        '<text x="350" y="22">Resident memory of the feed, MiB, after so many million books</text>'
        '<line x1="50" y1="250" x2="650" y2="250" stroke="#888"/>'
        f'<polyline points="{line}" fill="none" stroke="#3b6ea8" stroke-width="2"/>{marks}</svg>\n'
    )


def main() -> None:
    """Measure what the flags ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=6, help="length of each paced run")
    parser.add_argument("--flat-out", type=int, default=500_000, help="frames of the flat-out run")
    parser.add_argument("--long", type=int, metavar="M", help="only memory, over M million books")
    parser.add_argument("--plot", type=Path, help="with --long: write its SVG to this file")
    options = parser.parse_args()
    told_why = logging.StreamHandler()
    told_why.setFormatter(logging.Formatter("%(message)s: %(reason)s", defaults={"reason": ""}))
    logging.basicConfig(handlers=[told_why])
    if options.long:
        seen, feed = run(0, options.long * 1_000_000)
        if options.plot is not None:
            options.plot.write_text(memory_svg(seen.resident_mib))
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
