"""Contestant: this product, exact integers and the checksum of every message.

`ours.py FRAMES book` decodes, applies, truncates and verifies, as far as the peers go;
`ours.py FRAMES feed` goes through the feed's own path (`read_book`, `BookSet.on_book`)
to a published `BookUpdated` with the venue's time. Started by kraken_book.py, with the
repository on the path.
"""

from __future__ import annotations

import itertools
import sys

import msgspec
from stage import serve

from feeds.market.book import Book
from feeds.market.events import BookUpdated, MarketEvent
from feeds.venues.kraken.books import BookSet, FeedTimings
from feeds.venues.kraken.counters import FeedCounters
from feeds.venues.kraken.wire import decode_frame, read_book

INSTRUMENT = (
    b'{"channel":"instrument","type":"snapshot","data":{"pairs":[{"symbol":"SOL/USD",'
    b'"status":"online","price_precision":2,"qty_precision":8,"price_increment":0.01,'
    b'"qty_increment":0.00000001,"qty_min":0.02}]}}'
)


class Desk:
    """A subscribed `BookSet` whose sink keeps the last book."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.counters = FeedCounters()
        self.last: MarketEvent | None = None
        self.books = BookSet(
            ["SOL/USD"],
            depth=10,
            timings=FeedTimings(),
            sink=self.keep,
            counters=self.counters,
            next_req_id=lambda: next(numbers),
        )
        self.books.start(1)
        self.books.on_instruments(decode_frame(INSTRUMENT), 1, 1)  # type: ignore[arg-type]

    def keep(self, event: MarketEvent) -> None:
        self.last = event

    def turn(self, frames: list[bytes]) -> int:
        """Publish a verified book per frame; the frames for which none came."""
        on_book, before = self.books.on_book, self.counters.books
        for frame in frames:
            on_book(read_book(frame), 1, 1)
        assert type(self.last) is BookUpdated
        return len(frames) - (self.counters.books - before)


class BookAlone:
    """The book without subscriptions and events."""

    def __init__(self) -> None:
        self.book = Book(2, 8, 10)

    def turn(self, frames: list[bytes]) -> int:
        """Verify each frame; how many were bad."""
        update, snapshot, bad = self.book.apply_update, self.book.apply_snapshot, 0
        for frame in frames:
            message = read_book(frame)
            apply = update if message.type == "update" else snapshot
            for entry in message.data:
                if not apply(entry.bids, entry.asks, entry.checksum):
                    bad += 1
        return bad


if __name__ == "__main__":
    contestant = Desk() if sys.argv[2] == "feed" else BookAlone()
    serve(contestant.turn, f"msgspec {msgspec.__version__}")
