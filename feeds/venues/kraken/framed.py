"""A book as the frame that completed it: what a journal keeps of it, and the book again.

Most of a journal would be books written out whole, ten times a frame's size. `FrameInHand`
remembers the frame the feed is working on; `FramedBooks` applies the frames again, in the same
order, to books that began with one written out whole. Called by `feeds.recording.market` and
`trading.journal`. Not here: what is subscribed, and whether a book may be used (`books`).
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from arbsite.errors import FeedCorrupt
from arbsite.units import text_from_int
from feeds.market.book import Book, RawLevel
from feeds.market.events import BookInvalidated, BookUpdated, Level, MarketEvent
from feeds.venues.base import MarketSink
from feeds.venues.kraken.messages import BookFrame
from feeds.venues.kraken.tokens import ns_from_datetime
from feeds.venues.kraken.wire import decode_frame

_MOST_DEPTH = 255
"""A journal keeps the depth in one byte; a deeper book is written out whole."""


class FrameInHand:
    """The raw frame that a feed of this depth is working on, and the books it published.

    Told by the feed's tap (`take`) and its sink (`around`).
    """

    __slots__ = ("book", "books", "depth", "frame")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.frame = b""
        self.book: BookUpdated | None = None
        """The very one last published, not what somebody made of it."""
        self.books: dict[str, BookUpdated] = {}
        """By symbol, those that stand."""

    def take(self, frame: bytes, _recv_ns: int) -> None:
        """Be told of the next frame before it is read."""
        self.frame = frame

    def around(self, sink: MarketSink) -> MarketSink:
        """Return a sink that notes what the frame became and passes everything on."""

        books = self.books

        def note(event: MarketEvent) -> None:
            if type(event) is BookUpdated:
                self.book = books[event.symbol] = event
            elif type(event) is BookInvalidated:
                books.pop(event.symbol, None)
            sink(event)

        return note

    def tells_all(self, begun: Container[str]) -> bool:
        """Whether the frame alone leads to its book, given those of the symbols `begun`.

        A frame about several books does not say which of them was published.
        """
        return (
            self.book is not None
            and self.book.symbol in begun
            and self.frame.count(b'"checksum"') == 1
            and self.depth <= _MOST_DEPTH
        )


class FramedBooks:
    """The books of one journal, by symbol, as far as it was read."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._whole: dict[str, BookUpdated] = {}

    def begin(self, event: BookUpdated) -> None:
        """Take a book that was written out whole; the frames after it build on it."""
        self._whole[event.symbol] = event
        self._books.pop(event.symbol, None)

    def after(self, frame: bytes, depth: int, recv_ns: int) -> BookUpdated:
        """The book that a frame completes. FeedCorrupt where it does not follow."""
        message = decode_frame(frame)
        if not isinstance(message, BookFrame) or len(message.data) != 1:
            raise FeedCorrupt("a journaled frame that is not about one book")
        entry = message.data[0]
        book = self._books.get(entry.symbol) or self._begun(entry.symbol, depth)
        apply = book.apply_snapshot if message.type == "snapshot" else book.apply_update
        if not apply(entry.bids, entry.asks, entry.checksum):
            raise FeedCorrupt(f"a journaled frame of {entry.symbol} does not follow")
        return BookUpdated(
            entry.symbol,
            book.bids,
            book.asks,
            book.price_precision,
            book.qty_precision,
            entry.checksum,
            0 if entry.timestamp is None else ns_from_datetime(entry.timestamp),
            recv_ns,
        )

    def _begun(self, symbol: str, depth: int) -> Book:
        event = self._whole.get(symbol)
        if event is None:
            raise FeedCorrupt(f"a journaled frame of {symbol} before any book of it")
        price, qty = event.price_precision, event.qty_precision
        try:
            book = self._books[symbol] = Book(price, qty, depth)
        except ValueError as error:
            raise FeedCorrupt(f"no book of {symbol} can look like this: {error}") from error
        book.apply_snapshot(
            _raw(event.bids, price, qty), _raw(event.asks, price, qty), event.checksum
        )
        return book


def _raw(levels: Iterable[Level], price_precision: int, qty_precision: int) -> list[RawLevel]:
    return [
        RawLevel(
            text_from_int(ticks, price_precision).encode(),
            text_from_int(lots, qty_precision).encode(),
        )
        for ticks, lots in levels
    ]
