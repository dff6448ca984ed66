"""The books of one public connection: what is subscribed, what is verified, what to ask next.

Synchronous and without I/O: messages go in, market events leave through the sink, requests
pile up in `outbox` for the feed to send. A book that fails is dropped and fetched anew,
alone; the connection is given up (ConnectionError) only when that does not help. A fresh
object per connection, because nothing survives a reconnect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.market.book import Book
from feeds.market.events import BookInvalidated, BookUpdated, InstrumentUpdated, TickerUpdated
from feeds.venues.base import MarketSink
from feeds.venues.kraken import requests
from feeds.venues.kraken.counters import FeedCounters
from feeds.venues.kraken.messages import (
    BookFrame,
    InstrumentFrame,
    Pair,
    Reply,
    TickerFrame,
)
from feeds.venues.kraken.tokens import EPOCH, ns_from_datetime

_NS = 1_000_000_000
_REQUESTS_REMEMBERED = 256

Phase = Literal["unlisted", "requested", "live", "refused"]


class FeedTimings(msgspec.Struct, frozen=True):
    """Every waiting time of the feed, in seconds."""

    connect_s: float = 5.0
    silence_s: float = 4.0
    """Any-frame age that ends a connection; heartbeats come each second."""
    ping_s: float = 15.0
    answer_s: float = 5.0
    """Longest wait for a snapshot after its request, and again after its ack."""
    refused_retry_s: float = 10.0
    quiet_market_s: float = 30.0
    """Heartbeats without any book or ticker for this long: ask for the books again."""
    proof_s: float = 0.25
    maintenance_pause_s: float = 5.0
    failure_window_s: float = 60.0
    failures_to_reconnect: int = 3
    """So many failed books of one symbol within the window end the connection."""


@dataclass(slots=True)
class _SymbolBook:
    symbol: str
    phase: Phase = "unlisted"
    book: Book | None = None
    deadline_ns: int = 0
    unanswered: int = 0
    failures_ns: deque[int] = field(default_factory=deque)


class BookSet:
    """State machine of the subscriptions of `symbols` on one connection.

    `monotonic_ns` arguments drive deadlines; `recv_ns` (wall) goes into events.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        depth: int,
        timings: FeedTimings,
        sink: MarketSink,
        counters: FeedCounters,
        next_req_id: Callable[[], int],
    ) -> None:
        self._depth = depth
        self._timings = timings
        self._sink = sink
        self._counters = counters
        self._next_req_id = next_req_id
        self._by_symbol = {symbol: _SymbolBook(symbol) for symbol in symbols}
        self._asked: dict[int, tuple[str, tuple[str, ...]]] = {}
        self._instruments_deadline_ns = 0
        self._last_market_ns = 0
        self._live = 0
        self._venue_second, self._venue_second_ns = EPOCH, 0
        self.outbox: list[bytes] = []

    @property
    def live_symbols(self) -> tuple[str, ...]:
        """Symbols whose book is verified now."""
        return tuple(s.symbol for s in self._by_symbol.values() if s.phase == "live")

    def is_proven(self, monotonic_ns: int) -> bool:
        """Whether a frame of this connection proves that its subscriptions are alive."""
        quiet_ns = monotonic_ns - self._last_market_ns
        return self._live > 0 and quiet_ns <= self._timings.quiet_market_s * _NS

    def start(self, monotonic_ns: int) -> None:
        """Ask for the instruments; books follow, because they need the precisions."""
        self._instruments_deadline_ns = monotonic_ns + round(self._timings.answer_s * _NS)
        self._last_market_ns = monotonic_ns
        req_id = self._ask("instrument", ())
        self.outbox.append(requests.instruments(req_id))

    def stop(self, reason: str, recv_ns: int) -> None:
        """Invalidate every book: the connection is gone."""
        for state in self._by_symbol.values():
            self._sink(BookInvalidated(state.symbol, reason, recv_ns))

    # Market messages

    def on_book(self, frame: BookFrame, recv_ns: int, monotonic_ns: int) -> None:
        """Apply a snapshot or update; publish the book, or drop it and ask anew."""
        self._last_market_ns = monotonic_ns
        is_snapshot = frame.type == "snapshot"
        for entry in frame.data:
            state = self._by_symbol.get(entry.symbol)
            if state is None or (book := state.book) is None:
                continue
            is_live = state.phase == "live"
            if not is_live and not is_snapshot:
                # Frames of the old subscription are still under way after a resync.
                continue
            try:
                if is_snapshot:
                    is_verified = book.apply_snapshot(entry.bids, entry.asks, entry.checksum)
                else:
                    is_verified = book.apply_update(entry.bids, entry.asks, entry.checksum)
            except FeedCorrupt as error:
                self._counters.malformed += 1
                self._fail(state, str(error), recv_ns, monotonic_ns)
                continue
            bids, asks = book.bids, book.asks
            if not is_verified or (bids and asks and bids[0][0] >= asks[0][0]):
                self._refuse(state, book, recv_ns, monotonic_ns)
                continue
            if not is_live:
                self._set_phase(state, "live")
                state.unanswered = 0
            venue_at_ns = 0
            if (at := entry.timestamp) is not None:
                since = at - self._venue_second
                if since.days or since.seconds:
                    since = self._enter_second(at)
                venue_at_ns = self._venue_second_ns + since.microseconds * 1_000
            self._counters.books += 1
            self._sink(
                BookUpdated(
                    state.symbol,
                    bids,
                    asks,
                    book.price_precision,
                    book.qty_precision,
                    entry.checksum,
                    venue_at_ns,
                    recv_ns,
                )
            )

    def _enter_second(self, at: datetime) -> timedelta:
        """Keep the whole second of a venue's time, from which the next ones are nearly free.

        Returns what `at` is beyond it.
        """
        self._venue_second = at.replace(microsecond=0)
        self._venue_second_ns = ns_from_datetime(self._venue_second)
        return at - self._venue_second

    def _refuse(self, state: _SymbolBook, book: Book, recv_ns: int, monotonic_ns: int) -> None:
        """Drop a book that could be read but cannot be right."""
        if book.is_valid:
            self._counters.crossed += 1
            self._fail(state, "crossed book", recv_ns, monotonic_ns)
        else:
            self._counters.checksum_failures += 1
            self._fail(state, "checksum mismatch", recv_ns, monotonic_ns)

    def on_tickers(self, frame: TickerFrame, recv_ns: int, monotonic_ns: int) -> None:
        """Publish best bid and ask by the ticker channel."""
        self._last_market_ns = monotonic_ns
        for entry in frame.entries:
            if entry.symbol in self._by_symbol:
                self._sink(TickerUpdated(entry.symbol, entry.bid, entry.ask, recv_ns))

    def on_instruments(self, frame: InstrumentFrame, recv_ns: int, monotonic_ns: int) -> None:
        """Publish our pairs' rules; subscribe to new ones, refetch where precision changed."""
        self._counters.malformed += frame.malformed
        new: list[str] = []
        for pair in frame.pairs:
            state = self._by_symbol.get(pair.symbol)
            if state is None:
                continue
            self._sink(_instrument_event(pair, recv_ns))
            if state.phase == "unlisted":
                state.book = Book(pair.price_precision, pair.qty_precision, self._depth)
                new.append(pair.symbol)
            elif state.book is None or _has_other_precision(state.book, pair):
                state.book = Book(pair.price_precision, pair.qty_precision, self._depth)
                self._resync(state, "precision changed", recv_ns, monotonic_ns)
        if new:
            self._subscribe(new, monotonic_ns)
            self.outbox.append(requests.tickers(self._ask("ticker", tuple(new)), new))
        if frame.kind == "snapshot":
            self._instruments_deadline_ns = 0
            for state in self._by_symbol.values():
                if state.phase == "unlisted":
                    self._counters.refused += 1
                    self._sink(BookInvalidated(state.symbol, "not listed at the venue", recv_ns))

    def on_malformed(self, frame: bytes, recv_ns: int, monotonic_ns: int) -> None:
        """A frame could not be read: no book that it may have been about is trusted."""
        self._counters.malformed += 1
        named = [s for s in self._by_symbol.values() if s.symbol.encode() in frame]
        if not named and b'"book"' in frame:
            named = list(self._by_symbol.values())
        for state in named:
            if state.phase == "live":
                self._fail(state, "malformed frame", recv_ns, monotonic_ns)

    # Answers and deadlines

    def on_reply(self, reply: Reply, recv_ns: int, monotonic_ns: int) -> None:
        """Take the answer to a subscription; a refusal names its symbol and is retried."""
        channel, asked = self._asked.get(reply.req_id, (reply.channel, ()))
        symbols = (reply.symbol,) if reply.symbol else asked
        is_repeat = reply.error.startswith("Already subscribed")
        if reply.method != "subscribe":
            return
        if not reply.is_success and not is_repeat:
            self._counters.refused += 1
            if channel == "instrument":
                raise ConnectionError(f"instruments refused: {reply.error}")
        if channel not in ("book", ""):
            return
        # An answer without a number and a channel still names its symbol.
        for symbol in symbols:
            state = self._by_symbol.get(symbol)
            if state is None or state.phase != "requested":
                continue
            if reply.is_success or is_repeat:
                state.deadline_ns = monotonic_ns + round(self._timings.answer_s * _NS)
                continue
            self._set_phase(state, "refused")
            state.deadline_ns = monotonic_ns + round(self._timings.refused_retry_s * _NS)
            reason = f"subscription refused: {reply.error}"
            self._sink(BookInvalidated(symbol, reason, recv_ns))

    def check(self, recv_ns: int, monotonic_ns: int) -> None:
        """Act on what did not come in time; call a few times a second."""
        if self._instruments_deadline_ns and monotonic_ns >= self._instruments_deadline_ns:
            raise ConnectionError("no instruments in time")
        is_market_quiet = not self.is_proven(monotonic_ns) and self._live > 0
        if is_market_quiet:
            self._last_market_ns = monotonic_ns
        for state in self._by_symbol.values():
            is_late = monotonic_ns >= state.deadline_ns
            if state.phase == "refused" and is_late:
                self._subscribe([state.symbol], monotonic_ns)
            elif state.phase == "requested" and is_late:
                if state.unanswered:
                    raise ConnectionError(f"no snapshot of {state.symbol} after asking twice")
                state.unanswered += 1
                self._resync(state, "no snapshot in time", recv_ns, monotonic_ns)
            elif state.phase == "live" and is_market_quiet:
                # Heartbeats alone do not show that the books still move.
                self._resync(state, "no market data", recv_ns, monotonic_ns)

    # Steps

    def _fail(self, state: _SymbolBook, reason: str, recv_ns: int, monotonic_ns: int) -> None:
        failures = state.failures_ns
        failures.append(monotonic_ns)
        window_ns = round(self._timings.failure_window_s * _NS)
        while monotonic_ns - failures[0] > window_ns:
            failures.popleft()
        if len(failures) >= self._timings.failures_to_reconnect:
            raise ConnectionError(f"{state.symbol} failed {len(failures)} times: {reason}")
        self._resync(state, reason, recv_ns, monotonic_ns)

    def _resync(self, state: _SymbolBook, reason: str, recv_ns: int, monotonic_ns: int) -> None:
        self._counters.resyncs += 1
        if state.book is not None:
            state.book.invalidate()
        self._sink(BookInvalidated(state.symbol, reason, recv_ns))
        req_id = self._ask("book", (state.symbol,))
        self.outbox.append(requests.books("unsubscribe", req_id, [state.symbol], self._depth))
        self._subscribe([state.symbol], monotonic_ns)

    def _subscribe(self, symbols: list[str], monotonic_ns: int) -> None:
        req_id = self._ask("book", tuple(symbols))
        self.outbox.append(requests.books("subscribe", req_id, symbols, self._depth))
        for symbol in symbols:
            state = self._by_symbol[symbol]
            self._set_phase(state, "requested")
            state.deadline_ns = monotonic_ns + round(self._timings.answer_s * _NS)

    def _set_phase(self, state: _SymbolBook, phase: Phase) -> None:
        self._live += (phase == "live") - (state.phase == "live")
        state.phase = phase

    def _ask(self, channel: str, symbols: tuple[str, ...]) -> int:
        req_id = self._next_req_id()
        self._asked[req_id] = (channel, symbols)
        if len(self._asked) > _REQUESTS_REMEMBERED:
            del self._asked[next(iter(self._asked))]
        return req_id


def _has_other_precision(book: Book, pair: Pair) -> bool:
    return (book.price_precision, book.qty_precision) != (
        pair.price_precision,
        pair.qty_precision,
    )


def _instrument_event(pair: Pair, recv_ns: int) -> InstrumentUpdated:
    return InstrumentUpdated(
        symbol=pair.symbol,
        status=pair.status,
        price_precision=pair.price_precision,
        qty_precision=pair.qty_precision,
        price_increment=pair.price_increment,
        qty_increment=pair.qty_increment,
        qty_min=pair.qty_min,
        cost_min=pair.cost_min,
        recv_ns=recv_ns,
    )
