"""A hand-driven `BookSet` for tests, and frames as the venue writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from feeds.market.book import Book, RawLevel
from feeds.venues.base import MarketSink
from feeds.venues.kraken.books import BookSet, FeedTimings
from feeds.venues.kraken.counters import FeedCounters
from feeds.venues.kraken.messages import (
    BookFrame,
    InstrumentFrame,
    Message,
    Reply,
    TickerFrame,
)
from feeds.venues.kraken.tests import scripted
from feeds.venues.kraken.wire import decode_frame

SECOND = 1_000_000_000
Side = Sequence[tuple[str, str]]


def book_text(kind: str, symbol: str, bids: Side, asks: Side, checksum: int) -> str:
    def side(levels: Side) -> str:
        return ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in levels)

    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{side(bids)}],'
        f'"asks":[{side(asks)}],"checksum":{checksum},"timestamp":"2026-08-16T23:37:04.3Z"}}]}}'
    )


def checksum_of(bids: Side, asks: Side, precisions: tuple[int, int] = (2, 8)) -> int:
    book = Book(*precisions, 1000)
    book.apply_snapshot(
        [RawLevel(p.encode(), q.encode()) for p, q in bids],
        [RawLevel(p.encode(), q.encode()) for p, q in asks],
        0,
    )
    return book.checksum()


def snapshot_text(symbol: str, bids: Side, asks: Side, precisions: tuple[int, int] = (2, 8)) -> str:
    return book_text("snapshot", symbol, bids, asks, checksum_of(bids, asks, precisions))


BIDS = (("150.24", "2.00000000"), ("150.20", "5.00000000"))
ASKS = (("150.26", "1.00000000"), ("150.30", "4.00000000"))


class Desk:
    """A BookSet with a hand-driven clock."""

    def __init__(
        self,
        *symbols: str,
        timings: FeedTimings | None = None,
        depth: int = 10,
        sink: MarketSink | None = None,
    ) -> None:
        self.events = scripted.Seen()
        self.counters = FeedCounters()
        self.now_ns = 1_000 * SECOND
        self._req_id = 0
        self.books = BookSet(
            symbols,
            depth=depth,
            timings=timings or FeedTimings(),
            sink=sink or self.events,
            counters=self.counters,
            next_req_id=self._next_req_id,
        )
        self.books.start(self.now_ns)

    def _next_req_id(self) -> int:
        self._req_id += 1
        return self._req_id

    def say(self, text: str) -> None:
        self.take(decode_frame(text.encode()))

    def take(self, message: Message) -> None:
        match message:
            case BookFrame():
                self.books.on_book(message, self.now_ns, self.now_ns)
            case InstrumentFrame():
                self.books.on_instruments(message, self.now_ns, self.now_ns)
            case TickerFrame():
                self.books.on_tickers(message, self.now_ns, self.now_ns)
            case Reply():
                self.books.on_reply(message, self.now_ns, self.now_ns)

    def check_after(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)
        self.books.check(self.now_ns, self.now_ns)

    def sent(self) -> list[dict[str, Any]]:
        outbox, self.books.outbox = self.books.outbox, []
        return [json.loads(frame) for frame in outbox]

    def sent_books(self) -> list[tuple[str, list[str]]]:
        return [
            (frame["method"], frame["params"]["symbol"])
            for frame in self.sent()
            if frame["params"]["channel"] == "book"
        ]

    def list_pairs(self, *symbols: str) -> None:
        self.say(scripted.instrument_text(*(scripted.pair_text(s, 2, 8) for s in symbols)))

    def go_live(self, *symbols: str) -> None:
        self.list_pairs(*symbols)
        for symbol in symbols:
            self.say(snapshot_text(symbol, BIDS, ASKS))
        self.sent()
