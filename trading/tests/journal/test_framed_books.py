"""Books journaled as frames come back as they were; what no frame leads to is written whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import msgspec
import pytest

from arbsite.clock import ManualClock
from arbsite.errors import FeedCorrupt
from feeds.market.events import BookInvalidated, BookUpdated, MarketEvent
from feeds.recording.format import Record
from feeds.tests.test_decoder_fuzz import mutated
from feeds.venues.kraken.framed import FrameInHand
from feeds.venues.kraken.tests.desk import ASKS, BIDS, Desk, book_text, checksum_of, snapshot_text
from trading.inputs import EngineInput
from trading.journal.format import BOOK_FRAME, INPUT, EngineSetup, InputReader
from trading.journal.keeper import start_journal
from trading.journal.replaying import inputs_of, open_journal, replay
from trading.tests.unit.builders import make_spec

SYMBOL = "SOL/USD"


class Kept:
    """Frames into books into a journaled engine; `told` is what the engine was given."""

    def __init__(self, folder: Path, depth: int = 10) -> None:
        setup = EngineSetup({"SOL": make_spec()})
        self.folder = folder
        self.journal = start_journal(
            setup, folder, clock=ManualClock(), software="test", profile="sim", writer_id=1
        )
        self.in_hand = FrameInHand(depth)
        self.told: list[EngineInput] = []
        self.reshape = lambda event: event
        self._handle = self.journal.around(setup.build(), self.in_hand)
        sink = self.in_hand.around(self._tell)
        self.desk = Desk(SYMBOL, "JUP/USD", depth=depth, sink=sink)
        self.desk.list_pairs(SYMBOL, "JUP/USD")

    def _tell(self, event: MarketEvent) -> None:
        shown = self.reshape(event)
        self.told.append(shown)
        self._handle(shown)

    def say(self, frame: str) -> None:
        self.desk.now_ns += 1_000_000_001
        self.in_hand.take(frame.encode(), self.desk.now_ns)
        self.desk.say(frame)

    def read_back(self) -> tuple[list[EngineInput], Counter[int]]:
        """The inputs of the journal, and how many records there are of each kind."""
        self.journal.close()
        journal = open_journal(self.folder)
        assert replay(journal).is_equal
        return list(inputs_of(journal)), Counter(record.kind for record in journal.records())


class Market:
    """A book that changes at random, as the venue would tell it."""

    def __init__(self, seed: int, depth: int) -> None:
        self.rng = Random(seed)
        self.depth = depth
        self.sides: dict[int, dict[int, int]] = {
            sign: {15_000 + sign * away: 10**8 for away in range(1, depth + 1)} for sign in (-1, 1)
        }

    def texts(self, sign: int) -> list[tuple[str, str]]:
        ticks = sorted(self.sides[sign], key=lambda each: sign * each)[: self.depth]
        self.sides[sign] = {each: self.sides[sign][each] for each in ticks}
        return [_level(each, self.sides[sign][each]) for each in ticks]

    def snapshot(self) -> str:
        return snapshot_text(SYMBOL, self.texts(-1), self.texts(1))

    def update(self) -> str:
        changed: dict[int, list[tuple[str, str]]] = {-1: [], 1: []}
        for _ in range(self.rng.randint(1, 4)):
            sign = self.rng.choice((-1, 1))
            ticks = 15_000 + sign * self.rng.randint(1, 2 * self.depth)
            lots = self.rng.choice((0, self.rng.randint(1, 10**12)))
            if len(self.sides[sign]) < 3 or lots:
                self.sides[sign][ticks] = lots = lots or 1
            else:
                self.sides[sign].pop(ticks, None)
            changed[sign].append(_level(ticks, lots))
        checksum = checksum_of(self.texts(-1), self.texts(1))
        return book_text("update", SYMBOL, changed[-1], changed[1], checksum)


def _level(ticks: int, lots: int) -> tuple[str, str]:
    return f"{ticks / 100:.2f}", f"{lots / 10**8:.8f}"


@pytest.mark.parametrize("depth", [10, 25])
def test_a_life_of_frames_comes_back_event_by_event(tmp_path: Path, depth: int) -> None:
    kept, market = Kept(tmp_path, depth), Market(7, depth)
    for number in range(400):
        if number % 90 == 0:
            kept.say(market.snapshot())
        elif number % 90 == 60:
            # Damaged on its way: dropped, and nothing is published until a new snapshot.
            kept.say(book_text("update", SYMBOL, [_level(14_000, 1)], [], 1))
        else:
            kept.say(market.update())
    events, kinds = kept.read_back()
    assert events == kept.told
    books = [each for each in events if isinstance(each, BookUpdated)]
    assert any(isinstance(each, BookInvalidated) for each in events)
    # One written out whole after each time that the chain of frames was broken.
    assert kinds[BOOK_FRAME] == len(books) - 5 > 200


def test_a_book_reshaped_on_its_way_to_the_engine_is_written_whole(tmp_path: Path) -> None:
    kept, market = Kept(tmp_path), Market(8, 10)
    kept.say(market.snapshot())
    kept.say(market.update())
    kept.reshape = lambda event: msgspec.structs.replace(event, bids=event.bids[1:])
    kept.say(market.update())
    kept.reshape = lambda event: event
    for _ in range(3):
        kept.say(market.update())
    events, kinds = kept.read_back()
    assert events == kept.told
    assert kinds[BOOK_FRAME] == 3


def test_a_frame_about_two_books_is_not_asked_which_one_was_published(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    one, two = snapshot_text(SYMBOL, BIDS, ASKS), snapshot_text("JUP/USD", BIDS, ASKS)
    both = one.replace('"data":[', '"data":[' + two[two.index('{"symbol"') : -2] + ",")
    for frame in (one, two, both, both):
        kept.say(frame)
    events, kinds = kept.read_back()
    assert events == kept.told
    assert len([each for each in events if isinstance(each, BookUpdated)]) == 6
    assert kinds[BOOK_FRAME] == 0


def test_a_journal_whose_frames_do_not_follow_is_refused() -> None:
    frame = snapshot_text(SYMBOL, BIDS, ASKS).encode()
    with pytest.raises(FeedCorrupt, match="before any book"):
        InputReader().read(Record(BOOK_FRAME, 10, 1, frame))
    with pytest.raises(FeedCorrupt, match="not about one book"):
        InputReader().read(Record(BOOK_FRAME, 10, 1, b'{"channel":"heartbeat"}'))
    reader = InputReader()
    whole = BookUpdated(SYMBOL, ((15_024, 1),), ((15_026, 1),), 2, 8, 0, 0, 1)
    reader.read(Record(INPUT, 0, 1, msgspec.json.encode(whole)))
    with pytest.raises(FeedCorrupt, match="can look like this"):
        reader.read(Record(BOOK_FRAME, 0, 2, frame))
    with pytest.raises(FeedCorrupt, match="does not follow"):
        reader.read(Record(BOOK_FRAME, 10, 2, frame.replace(b"snapshot", b"update")))


def test_mutated_records_raise_only_feed_corrupt() -> None:
    rng, market = Random(5), Market(5, 10)
    whole = BookUpdated(SYMBOL, ((15_024, 1),), ((15_026, 1),), 2, 8, 0, 0, 1)
    good = [
        Record(INPUT, 0, 1, msgspec.json.encode(whole)),
        Record(BOOK_FRAME, 10, 2, market.snapshot().encode()),
        *(Record(BOOK_FRAME, 10, at, market.update().encode()) for at in range(3, 9)),
    ]
    accepted = 0
    for _ in range(3_000):
        reader = InputReader()
        for record in good:
            depth = rng.choice((record.source, record.source, 0, 255))
            damaged = mutated(record.payload, rng) if rng.random() < 0.2 else record.payload
            try:
                reader.read(record._replace(source=depth, payload=damaged))
            except FeedCorrupt:
                break
            accepted += 1
    assert 3_000 < accepted < 3_000 * len(good)
