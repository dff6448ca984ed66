"""Prints the latency budget of a tick stage by stage, each beside its floor, and plots it.

One process: what a tick costs from a read of the socket to the engine's word, in the
processor's time (µs, least disturbed of the repeats; nothing waits, caches are warm: the
wall-clock percentiles are tick_to_signal.py's). A floor is the least that any code in this
interpreter must do for that stage. `--plot FILE` writes an SVG, on a logarithmic scale.
Run from the repository's root:  python deploy/bench/budget.py [--plot budget.svg]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable
from math import log10
from pathlib import Path
from typing import Any
from zlib import crc32

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from arbsite.clock import SystemClock
from deploy.bench.desk import BenchDesk, pool_of_52_ticks
from deploy.bench.kraken_frames import TypedFrame, frames
from deploy.bench.sizing import deep_case, touched
from deploy.bench.socket_venue import wire
from deploy.bench.tables import REPEATS, microseconds, print_table
from feeds.market.events import BookUpdated, SlotAdvanced
from feeds.market.prefix import PrefixQuoter
from feeds.recording.market import MarketContent, MarketRecorder, describe
from feeds.recording.writer import Spool
from feeds.venues.framing import FramedConnection
from feeds.venues.sockets import SocketConnection

Stage = tuple[str, float, str, float]
"""(name, µs, what the floor is, its µs)."""

_TURNS = 300
_READ_BYTES = 65_536


class _Nowhere(asyncio.Transport):
    """The other end of a connection that only receives."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is written."""


async def socket_stage() -> Stage:
    """A frame cut out of a read of the socket and received, of reads of 64 KiB."""
    stream = b"".join(map(wire, frames(_TURNS * 20, ["SOL/USD"])))
    reads = [stream[at : at + _READ_BYTES] for at in range(0, len(stream), _READ_BYTES)]
    took: list[float] = []
    for _ in range(REPEATS):
        protocol = ClientProtocol(parse_uri("ws://venue/"))
        link = FramedConnection(protocol, max_queue=None)
        link.connection_made(_Nowhere())
        protocol.state = State.OPEN
        connection, count = SocketConnection(link, "venue"), 0
        began = time.process_time()
        for read in reads:
            link.data_received(read)
            while link.texts:
                await connection.recv()
                count += 1
        took.append((time.process_time() - began) / count * 1e6)
    return "socket read to frame", min(took), "a slice of it", microseconds(lambda: stream[9:230])


def frame_stage() -> Stage:
    """Frame bytes to a verified book as an event, over a row of frames."""
    desk, clock = BenchDesk(CLOCK.now_ns(), 1), CLOCK
    row = list(frames(_TURNS * 80, desk.names))
    supply = iter(row)
    desk.parse(next(supply), clock.now_ns())
    decoder = msgspec.json.Decoder(TypedFrame)
    mine = microseconds(lambda: desk.parse(next(supply), 1), _TURNS)
    floor_row = iter(row)
    floor = microseconds(lambda: decoder.decode(next(floor_row)), _TURNS)
    return "frame bytes to published book", mine, "typed decode alone", floor


def record_stage() -> Stage:
    """The same frame and book handed to the recorder's and the journal's spools."""
    options: Any = {"clock": CLOCK, "software": "bench", "profile": "sim", "writer_id": 1}
    description = describe([], ["SOL/USD"], [])
    spool = Spool(Path(), MarketContent(description, "market"), **options)
    recorder, frame = MarketRecorder(spool, description), b"x" * 220
    queue: deque[bytes] = deque()

    def hand_over() -> None:
        recorder.kraken_frame(frame, 1)
        spool.put(1, 0, 1, frame, len(frame))

    def append_twice() -> None:
        queue.append(frame)
        queue.append(frame)

    floor = microseconds(append_twice)
    return "hand-over to recorder and journal", microseconds(hand_over), "two appends", floor


def checksum_floor() -> float:
    """CRC-32 of the bytes of twenty levels."""
    text = b"15000123456789" * 20
    return microseconds(lambda: crc32(text))


def pool_stages() -> list[Stage]:
    """A pool update's steps summed, and one exact quote."""
    pool, _ = pool_of_52_ticks(-18_972)
    quoter = PrefixQuoter(pool, a_to_b=True)
    price, rate, liquidity = pool.sqrt_price, pool.fee_rate, pool.liquidity
    quoter.quote(10**12, True)

    def arithmetic() -> int:
        left = 10**12 * (1_000_000 - rate) // 1_000_000
        after = (liquidity * price << 64) // ((liquidity << 64) + left * price)
        return liquidity * (price - after) >> 64

    def rebuilt() -> object:
        return PrefixQuoter(pool, a_to_b=True).sum_steps(2**64, True)

    step = microseconds(arithmetic)
    quote = microseconds(lambda: quoter.quote(10**12, True))
    return [
        ("pool update, all steps summed", microseconds(rebuilt, 200), "26 steps' sums", 26 * step),
        ("exact pool quote", quote, "a step's integers", step),
    ]


def size_stages() -> list[Stage]:
    """The joint size over 10 and over 100 levels."""
    stages: list[Stage] = []
    for count in (10, 100):
        case = deep_case(count)
        floor = microseconds(lambda one=case: touched(one.ladder))
        stages.append(
            (f"size, {count} levels", microseconds(case.walk, 500), "levels touched", floor)
        )
    return stages


def engine_stages(walk: float, quote: float) -> list[Stage]:
    """The engine's word on a book: without an edge, in a window that stands, and priced anew."""
    desk = BenchDesk(CLOCK.now_ns(), 1)
    supply = frames(400, desk.names)
    book = [desk.parse(frame, CLOCK.now_ns()) for frame in supply][-1]
    desk.tell(book)
    edge = desk.follow(book, book.recv_ns)
    while not desk.engine.state.assets["SOL"].has_edge:
        edge = desk.follow(book, book.recv_ns)
        desk.tell(edge)
    deeper = msgspec.structs.replace(book, bids=_shaken(book.bids), asks=_shaken(book.asks))
    stands = microseconds(_turns(desk, book, deeper), _TURNS)
    asset = desk.engine.state.assets["SOL"]

    def priced() -> None:
        # As after a pricing that no longer holds.
        asset.anchors.clear()
        turn()

    turn = _turns(desk, book, deeper)
    anew = microseconds(priced, _TURNS)
    while desk.engine.state.assets["SOL"].has_edge:
        desk.tell(desk.follow(book, book.recv_ns))
    quiet = microseconds(_turns(desk, book, deeper), _TURNS)
    slot = SlotAdvanced(1, 0, book.recv_ns)
    dispatch = microseconds(lambda: desk.engine.handle(slot))
    return [
        ("engine, no edge", quiet, "dispatch of any event", dispatch),
        ("engine, window stands", stands, "dispatch and size walk", dispatch + walk),
        ("engine, window priced anew", anew, "dispatch, walk, quote", dispatch + walk + quote),
    ]


def in_all(feed: list[Stage], engine: list[Stage]) -> list[Stage]:
    """A whole tick for each way the engine can answer it."""
    took, floors = sum(stage[1] for stage in feed), sum(stage[3] for stage in feed)
    return [
        (name.replace("engine", "whole tick"), took + micros, "of its stages", floors + floor)
        for name, micros, _, floor in engine
    ]


def _shaken(levels: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """The same book but for the last level: news, but nothing that matters."""
    return (*levels[:-1], (levels[-1][0], levels[-1][1] + 1))


def _turns(desk: BenchDesk, *books: BookUpdated) -> Callable[[], None]:
    """Give the books to the engine in turn."""
    place = 0

    def turn() -> None:
        nonlocal place
        place = (place + 1) % len(books)
        desk.tell(books[place])

    return turn


# ---- the plot -----------------------------------------------------------------------------

_LEFT, _WIDTH, _ROW = 240, 520, 34
_LEAST, _MOST = 0.05, 1_000.0


def _x(micros: float) -> float:
    share = log10(max(micros, _LEAST) / _LEAST) / log10(_MOST / _LEAST)
    return _LEFT + _WIDTH * min(share, 1.0)


def svg(stages: list[Stage]) -> str:
    """Bars of the stages, a mark at each floor, a logarithmic axis in µs."""
    height, width = _ROW * len(stages) + 70, _LEFT + _WIDTH + 90
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
        "<style>text { font: 13px sans-serif }</style>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="12" y="22" font-size="15">Latency budget of a tick, µs (line: floor)</text>',
    ]
    for exponent in range(-1, 4):
        at = _x(10.0**exponent)
        parts.append(
            f'<line x1="{at:.0f}" y1="34" x2="{at:.0f}" y2="{height - 28}" stroke="#d9dee4"/>'
            f'<text x="{at:.0f}" y="{height - 10}" text-anchor="middle">{10.0**exponent:g}</text>'
        )
    for number, (name, micros, floor_name, floor) in enumerate(stages):
        top = 42 + _ROW * number
        parts.append(
            f'<text x="{_LEFT - 8}" y="{top + 15}" text-anchor="end">{name}</text>'
            f'<rect x="{_LEFT}" y="{top}" width="{_x(micros) - _LEFT:.0f}" height="20" '
            f'fill="#3b6ea8"/>'
            f'<text x="{_x(max(micros, floor)) + 6:.0f}" y="{top + 15}">{micros:.2f}</text>'
            f'<line x1="{_x(floor):.0f}" y1="{top - 4}" x2="{_x(floor):.0f}" y2="{top + 24}" '
            f'stroke="#c0392b" stroke-width="2"><title>{floor_name}: {floor:.2f}</title></line>'
        )
    return "\n".join([*parts, "</svg>", ""])


CLOCK = SystemClock()


def main() -> None:
    """Print the budget; write the plot where asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--plot", type=Path, help="write the budget as SVG to this file")
    options = parser.parse_args()
    crc = ("checksum of a book, alone", checksum_floor(), "itself", checksum_floor())
    pools, sizes = pool_stages(), size_stages()
    engine = engine_stages(walk=sizes[0][1], quote=pools[1][1])
    feed = [asyncio.run(socket_stage()), frame_stage(), record_stage()]
    stages = [*feed, *engine, *in_all(feed, engine), crc, *pools, *sizes]
    print_table(
        "Latency budget of a tick: µs",
        ["stage", "took", "floor", "floor is", "ratio"],
        [[name, took, floor, what, took / floor] for name, took, what, floor in stages],
    )
    if options.plot is not None:
        options.plot.write_text(svg(stages))
        print(f"\nplot: {options.plot}")


if __name__ == "__main__":
    main()
