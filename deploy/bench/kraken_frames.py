"""Synthetic Kraken v2 book frames for the benchmarks: one seed, always the same bytes.

A venue of its own: a book of forty levels a side of which a client sees ten, frames as on
the real wire (zero-padded numbers, entering levels announced, leaving ones not, a right
checksum on each). The mix follows the recorded sessions: 73 % of the updates carry one
level, 18 % two (mostly a removal and the level that enters), 9 % three to twenty-five; mean
1.5; one in ten is two-sided. Written apart from the product's book, so that it can judge it.
Imported by the benches here; not a command.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from zlib import crc32

import msgspec

DEPTH = 10
PRICE_PRECISION = 2
QTY_PRECISION = 8
SEED = 7

_LEVELS_KEPT = 40
_STAMP_START_S = 1_786_923_424
_TICKS_AT_START = 15_000


class _Level(msgspec.Struct, gc=False):
    price: float
    qty: float


class _Entry(msgspec.Struct, gc=False):
    symbol: str
    bids: list[_Level]
    asks: list[_Level]
    checksum: int


class TypedFrame(msgspec.Struct, gc=False):
    """What any reader of a frame must at least make of its bytes: the floor of the benches."""

    channel: str
    type: str
    data: list[_Entry]


def symbols(count: int) -> list[str]:
    """Names of `count` pairs; the first is SOL/USD."""
    return ["SOL/USD", *(f"A{number:02d}/USD" for number in range(1, count))]


class _Side:
    """Levels of one side in ticks and lots; `sign` is 1 for asks."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.lots: dict[int, int] = {}

    def best(self, count: int) -> list[int]:
        return sorted(self.lots, key=lambda ticks: self.sign * ticks)[:count]

    def text(self, count: int) -> bytes:
        return b"".join(b"%d%d" % (ticks, self.lots[ticks]) for ticks in self.best(count))


class Venue:
    """One symbol's book; makes its snapshot and then updates for ever."""

    def __init__(self, symbol: str, rng: random.Random) -> None:
        self.symbol = symbol
        self._rng = rng
        self._bids, self._asks = _Side(-1), _Side(1)
        self._stamp_us = 0
        for distance in range(_LEVELS_KEPT):
            self._bids.lots[_TICKS_AT_START - 1 - distance] = self._quantity()
            self._asks.lots[_TICKS_AT_START + distance] = self._quantity()

    def snapshot(self) -> bytes:
        """The frame that opens a subscription."""
        return self._frame("snapshot", self._whole(self._bids), self._whole(self._asks))

    def update(self) -> bytes:
        """Move the market a little and print what a depth-10 client must be told."""
        count = self._count()
        sides = [self._bids, self._asks]
        if self._rng.random() < 0.5:
            sides.reverse()
        share = count - 1 if count > 1 and self._rng.random() < 0.4 else count
        entries = {sides[0].sign: self._move(sides[0], share)}
        entries[sides[1].sign] = self._move(sides[1], count - share)
        return self._frame("update", entries[-1], entries[1])

    def _count(self) -> int:
        """How many entries the next update carries."""
        dice = self._rng.random()
        if dice < 0.73:
            return 1
        if dice < 0.91:
            return 2
        return min(25, 3 + int(self._rng.expovariate(0.6)))

    def _quantity(self) -> int:
        return self._rng.randint(1, 10 ** self._rng.randint(6, 12))

    def _move(self, side: _Side, count: int) -> list[tuple[int, int]]:
        """Change levels inside the window; `count` entries as they go on the wire."""
        entries: list[tuple[int, int]] = []
        while len(entries) < count:
            window = side.best(DEPTH)
            dice = self._rng.random()
            if len(entries) + 2 <= count and dice < 0.7:
                gone = self._rng.choice(window)
                del side.lots[gone]
                entering = side.best(DEPTH)[-1]
                entries += [(gone, 0), (entering, side.lots[entering])]
                continue
            ticks = self._rng.choice(window) if dice < 0.85 else self._improved(side, window)
            side.lots[ticks] = self._quantity()
            entries.append((ticks, side.lots[ticks]))
        while len(side.lots) > 2 * _LEVELS_KEPT:
            del side.lots[side.best(len(side.lots))[-1]]
        while len(side.lots) < _LEVELS_KEPT:
            worst = side.best(len(side.lots))[-1]
            side.lots[worst + side.sign] = self._quantity()
        return entries

    def _improved(self, side: _Side, window: Sequence[int]) -> int:
        """A price not held: inside the spread when there is room, else between two levels."""
        other = self._asks if side is self._bids else self._bids
        room = side.sign * (window[0] - other.best(1)[0])
        if room > 1:
            return window[0] - side.sign
        return window[0] + side.sign * self._rng.randrange(DEPTH)

    @staticmethod
    def _whole(side: _Side) -> list[tuple[int, int]]:
        return [(ticks, side.lots[ticks]) for ticks in side.best(DEPTH)]

    def _frame(
        self, kind: str, bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]]
    ) -> bytes:
        self._stamp_us += self._rng.randint(1, 400)
        checksum = crc32(self._asks.text(DEPTH) + self._bids.text(DEPTH))
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{self.symbol}",'
            f'"bids":[{_levels(bids)}],"asks":[{_levels(asks)}],"checksum":{checksum},'
            f'"timestamp":"{_stamp(self._stamp_us)}"}}]}}'
        ).encode()


def _levels(entries: Sequence[tuple[int, int]]) -> str:
    return ",".join(
        f'{{"price":{ticks // 100}.{ticks % 100:02d},'
        f'"qty":{lots // 10**QTY_PRECISION}.{lots % 10**QTY_PRECISION:08d}}}'
        for ticks, lots in entries
    )


def _stamp(since_start_us: int) -> str:
    seconds, micros = divmod(since_start_us, 10**6)
    minutes, second = divmod(4 + seconds, 60)
    hour, minute = divmod(37 + minutes, 60)
    return f"2026-08-16T{hour:02d}:{minute:02d}:{second:02d}.{micros:06d}Z"


def frames(count: int, names: Sequence[str] = ("SOL/USD",), seed: int = SEED) -> Iterator[bytes]:
    """Yield a snapshot of each symbol, then updates of the symbols in rotation."""
    rng = random.Random(seed)  # noqa: S311 the same bytes in every run
    venues = [Venue(name, rng) for name in names]
    for venue in venues:
        yield venue.snapshot()
    for number in range(count - len(venues)):
        yield venues[number % len(venues)].update()
