"""Checks a market recording against our own books: every checksum the venue sent.

The report is what `verify_book` prints for a recording. Frames between a gap (or a
recording's start) and the next snapshot cannot be judged and are counted as such, not as
verified. Pools are `pool_checks`'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from arbsite.errors import UNREADABLE
from feeds.golden import BookVerifier, Note
from feeds.recording.format import GAP, Record
from feeds.recording.market import BOOK_ANCHOR, KRAKEN_FRAME, MarketDescription
from feeds.recording.reader import Recording


class RecordedBooksReport(msgspec.Struct):
    """Book entries by outcome: frames = verified + mismatched + unanchored."""

    frames: int = 0
    verified: int = 0
    mismatched: int = 0
    unanchored: int = 0
    ignored: int = 0
    anchors: int = 0
    symbols: int = 0
    gaps: int = 0


class _Entry(msgspec.Struct):
    symbol: str
    price_precision: int | None = None
    qty_precision: int | None = None


class _Frame(msgspec.Struct):
    channel: Any = ""
    type: Any = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


class _Pairs(msgspec.Struct):
    pairs: list[_Entry] = []


class RecordedBooks:
    """One verifier per symbol, of the precision in force; takes records in order."""

    def __init__(self, description: MarketDescription, note: Note) -> None:
        self.report = RecordedBooksReport()
        self._note = note
        self._depth = description.depth
        self._shapes: dict[str, tuple[int, int]] = {
            each.symbol: (each.price_precision, each.qty_precision)
            for each in description.symbols
            if each.price_precision is not None and each.qty_precision is not None
        }
        self._ours = {each.symbol for each in description.symbols}
        self._books: dict[str, BookVerifier] = {}

    def take(self, record: Record) -> None:
        """Judge one record; kinds that say nothing about books are passed over."""
        if record.kind == GAP:
            self.report.gaps += 1
            self._books.clear()
        elif record.kind == BOOK_ANCHOR:
            self.report.anchors += 1
            self._take_frame(record)
        elif record.kind == KRAKEN_FRAME:
            self._take_frame(record)

    def _take_frame(self, record: Record) -> None:
        try:
            frame = msgspec.json.decode(record.payload, type=_Frame)
            if frame.channel == "instrument":
                self._take_instruments(frame)
            elif frame.channel == "book":
                for raw in msgspec.json.decode(frame.data, type=list[msgspec.Raw]):
                    self._take_entry(record, frame.type, raw)
                return
        except UNREADABLE as error:
            self._fault(record, f"not a frame: {error}")
            return
        self.report.ignored += 1

    def _take_instruments(self, frame: _Frame) -> None:
        for pair in msgspec.json.decode(frame.data, type=_Pairs).pairs:
            if pair.symbol in self._ours:
                self._know(pair)

    def _know(self, entry: _Entry) -> None:
        """Take the precision in force; a changed one makes the book unknown."""
        if entry.price_precision is None or entry.qty_precision is None:
            return
        shape = (entry.price_precision, entry.qty_precision)
        if self._shapes.get(entry.symbol) != shape:
            self._shapes[entry.symbol] = shape
            self._books.pop(entry.symbol, None)

    def _take_entry(self, record: Record, kind: Any, raw: msgspec.Raw) -> None:
        entry = msgspec.json.decode(raw, type=_Entry)
        is_anchor = record.kind == BOOK_ANCHOR
        if is_anchor:
            self._know(entry)
        symbol = entry.symbol
        if kind == "snapshot" and symbol in self._shapes:
            self._books[symbol] = BookVerifier(*self._shapes[symbol], self._depth)
        verifier = self._books.get(symbol)
        if verifier is None:
            self.report.frames += 1
            self.report.unanchored += 1
            return
        line = b'{"channel":"book","type":"%s","data":[%s]}' % (str(kind).encode(), bytes(raw))
        fault = verifier.take(line)
        if fault is not None:
            self._fault(record, fault)
        elif not is_anchor:
            self.report.frames += 1
            self.report.verified += 1

    def _fault(self, record: Record, text: str) -> None:
        self.report.frames += 1
        self.report.mismatched += 1
        self._note(f"at {record.at_ns} ns: {text}")


def verify_recorded_books(
    recording: Recording, *, note: Note, progress: Callable[[int], None] | None = None
) -> RecordedBooksReport:
    """Check one run; FeedCorrupt when its files contradict their own checksums."""
    recording.verify()
    description = msgspec.json.decode(recording.header.content, type=MarketDescription)
    books = RecordedBooks(description, note)
    for number, record in enumerate(recording.records()):
        books.take(record)
        if progress is not None:
            progress(number)
    books.report.symbols = len(books._books)
    return books.report
