"""A hundred thousand ruined frames: only the named errors come out, and never a wrong book.

Each mutant of a recorded update meets a live book. What the product then publishes is held
against the naive model fed by another JSON parser, and against the venue's own next book.
"""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from arbsite.errors import FeedCorrupt
from feeds.market.book import RawLevel
from feeds.market.events import BookUpdated
from feeds.market.tests.naive_book import NaiveBook
from feeds.venues.kraken.messages import BookFrame
from feeds.venues.kraken.tests import scripted
from feeds.venues.kraken.tests.desk import SECOND, Desk
from feeds.venues.kraken.tests.test_wire import GOOD_FRAMES
from feeds.venues.kraken.wire import decode_frame

Levels = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]

HOSTILE = [
    b"NaN", b"Infinity", b"-1", b"-0.0", b"-0", b"1e309", b"1E-8", b"1e5", b"null", b"true", b"{}",
    b'"\xed\xa0\x80"', b'"\xff"', b"[[[[[[[[]]]]]]]]", b"9" * 5_000, b"0." + b"9" * 5_000,
    b"[" * 3_000, b'{"a":' * 2_000, '"\u202e💥"'.encode(), '"\u0661.5"'.encode(), b"", b"007",
    b'"2026-99-99T00:00:00Z"', b'"150.24"', b"150", b"1.", b".5", b"0", b"0.00000000", b"[]",
    b"18446744073709551616", b"4294967296", b"1" * 40, b"0." + b"1" * 38, b"\\u0031", b"1_0",
]  # fmt: skip


def mutated(frame: bytes, rng: random.Random) -> bytes:
    """The frame with one to three things done to it."""
    ruined = bytearray(frame)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(ruined) + 1)
        match rng.randrange(7):
            case 0:
                del ruined[at : at + rng.randint(1, 12)]
            case 1:
                ruined[at:at] = bytes([rng.randrange(256)])
            case 2 if ruined:
                ruined[at % len(ruined)] ^= 1 << rng.randrange(8)
            case 3:
                del ruined[at:]
            case 4:
                digits = [i for i, byte in enumerate(ruined) if 48 <= byte <= 57]
                if digits:
                    ruined[rng.choice(digits)] = rng.randrange(48, 58)
            case 5:
                ruined[at : at + 1] = rng.choice(HOSTILE)
            case _:
                _swap_a_value(ruined, at, rng)
    return bytes(ruined)


def _swap_a_value(ruined: bytearray, at: int, rng: random.Random) -> None:
    colon = ruined.find(b":", at)
    ends = [end for mark in b",}]" if (end := ruined.find(bytes([mark]), colon)) > 0]
    ruined[colon + 1 : min(ends, default=len(ruined))] = rng.choice(HOSTILE)


class Step(NamedTuple):
    """A live book, by its snapshot, and the venue's next update with what it leads to."""

    snapshot: BookFrame
    before: NaiveBook
    update: bytes
    after: Levels


class Session(NamedTuple):
    symbol: str
    price_precision: int
    steps: list[Step]


def entries(frame: bytes) -> list[dict[str, object]]:
    """Read with the standard library, numbers as printed; bytes no text are replaced."""
    text = frame.decode(errors="replace")
    found = json.loads(text, parse_float=str.encode, parse_int=str.encode)
    return found["data"]


def sides(entry: dict[str, object]) -> tuple[list[RawLevel], list[RawLevel]]:
    bids, asks = (
        [RawLevel(level["price"], level["qty"]) for level in entry.get(name, ())]
        for name in ("bids", "asks")
    )
    return bids, asks


def printed(book: NaiveBook, symbol: str) -> bytes:
    """The snapshot frame of a book as the venue would send it."""
    bids, asks = (
        ",".join(
            f'{{"price":{price:.{book.price_precision}f},"qty":{qty:.{book.qty_precision}f}}}'
            for price, qty in side.items()
        )
        for side in (book.bids, book.asks)
    )
    return (
        f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"{symbol}","bids":[{bids}],'
        f'"asks":[{asks}],"checksum":{book.checksum()}}}]}}'
    ).encode()


def session(recording: Path, symbol: str, precision: int) -> Session:
    """Every update of a recording with the book it met."""
    first, *updates = recording.read_bytes().splitlines()
    book = NaiveBook(precision, 8, 10)
    book.snapshot(*sides(entries(first)[0]))
    steps = []
    for update in updates:
        before = book.copy()
        snapshot = decode_frame(printed(book, symbol))
        assert isinstance(snapshot, BookFrame)
        book.update(*sides(entries(update)[0]))
        steps.append(Step(snapshot, before, update, book.levels()))
    return Session(symbol, precision, steps)


def integer_session() -> Session:
    """A thin pair without decimals, whose prices are integers on the wire."""
    book = NaiveBook(0, 8, 10)
    levels = [RawLevel(b"%d" % (9_000_000 - 7 * at), b"0.%08d" % (at + 1)) for at in range(4)]
    asks = [RawLevel(b"9000003", b"1.50000000")]
    book.snapshot(levels, asks)
    before = book.copy()
    snapshot = decode_frame(printed(book, "BTC/JPY"))
    assert isinstance(snapshot, BookFrame)
    book.update([RawLevel(b"9000001", b"2.00000000")], [])
    update = (
        f'{{"channel":"book","type":"update","data":[{{"symbol":"BTC/JPY","bids":'
        f'[{{"price":9000001,"qty":2.00000000}}],"asks":[],"checksum":{book.checksum()},'
        f'"timestamp":"2026-08-16T23:37:04.316445Z"}}]}}'
    ).encode()
    return Session("BTC/JPY", 0, [Step(snapshot, before, update, book.levels())])


class Trial:
    """One live desk that meets mutant after mutant, whole again before each."""

    def __init__(self, session: Session) -> None:
        self.desk = Desk(session.symbol)
        precision = session.price_precision
        self.desk.say(scripted.instrument_text(scripted.pair_text(session.symbol, precision, 8)))
        self.outcomes: Counter[str] = Counter()

    def meet(self, step: Step, frame: bytes) -> None:
        desk = self.desk
        # Far apart, so that failures do not add up to a lost connection.
        desk.now_ns += 61 * SECOND
        desk.books.on_book(step.snapshot, desk.now_ns, desk.now_ns)
        assert desk.books.live_symbols
        desk.events.events.clear()
        desk.books.outbox.clear()
        try:
            message = decode_frame(frame)
        except FeedCorrupt:
            desk.books.on_malformed(frame, desk.now_ns, desk.now_ns)
            self.outcomes["unreadable"] += 1
        else:
            if isinstance(message, BookFrame):
                desk.books.on_book(message, desk.now_ns, desk.now_ns)
        published = desk.events.of(BookUpdated)
        if published:
            self.outcomes["published"] += 1
            check_published(step, frame, published)
        elif not desk.books.live_symbols:
            self.outcomes["dropped"] += 1


def check_published(step: Step, frame: bytes, published: list[BookUpdated]) -> None:
    """A published book equals the model's, and its checksum is the one on the frame."""
    model = step.before.copy()
    model_levels = []
    for entry in entries(frame):
        bids, asks = sides(entry)
        is_snapshot = b'"snapshot"' in frame
        (model.snapshot if is_snapshot else model.update)(bids, asks)
        assert model.checksum() == int(entry["checksum"])  # type: ignore[call-overload]
        model_levels.append(model.levels())
    assert [(event.bids, event.asks) for event in published] == model_levels
    assert model_levels[-1] == step.after


def mutants(session: Session, count: int, rng: random.Random) -> Iterator[tuple[Step, bytes]]:
    for number in range(count):
        step = session.steps[number % len(session.steps)]
        yield step, mutated(step.update, rng)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "symbol", "precision", "count"),
    [
        ("book_btcusd_d10_20230730", "BTC/USD", 1, 70_000),
        ("book_algousd_20241003", "ALGO/USD", 5, 20_000),
        ("", "BTC/JPY", 0, 15_000),
    ],
)
def test_a_ruined_book_frame_never_becomes_a_wrong_book(
    shared_data: Path, name: str, symbol: str, precision: int, count: int
) -> None:
    recording = shared_data / "kraken" / f"{name}.ndjson"
    played = session(recording, symbol, precision) if name else integer_session()
    trial = Trial(played)
    for step in played.steps:
        trial.meet(step, step.update)
    assert trial.outcomes == {"published": len(played.steps)}
    for step, frame in mutants(played, count, random.Random(count)):
        trial.meet(step, frame)
    # Each kind of end is met often, or the mutations have lost their teeth.
    assert trial.outcomes["unreadable"] > count // 3
    assert trial.outcomes["dropped"] > count // 4
    assert trial.outcomes["published"] > count // 50


@pytest.mark.slow
def test_ruined_frames_of_every_channel_raise_only_the_named_error() -> None:
    rng = random.Random(struct.unpack(">I", b"fuzz")[0])
    desk = Desk("BTC/USD", "SOL/USD")
    refused = 0
    for number in range(20_000):
        frame = mutated(GOOD_FRAMES[number % len(GOOD_FRAMES)].encode(), rng)
        desk.now_ns += 61 * SECOND
        try:
            message = decode_frame(frame)
        except FeedCorrupt:
            refused += 1
            desk.books.on_malformed(frame, desk.now_ns, desk.now_ns)
            continue
        # The one answer that gives the connection up: nothing works without instruments.
        with suppress(ConnectionError):
            desk.take(message)
    assert 12_000 < refused < 20_000
