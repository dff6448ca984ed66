"""The public Kraken feed: connect, subscribe, verify, publish, reconnect, for ever.

The thin shell of I/O around `books` (subscriptions and verification) and `link`
(liveness). Hosts run it as a task and cancel it to stop. It trades nothing and judges no
staleness: it says what it saw and when, and says so at once when it no longer knows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from arbsite.clock import Clock
from arbsite.errors import UNREADABLE, FeedCorrupt
from feeds.market.events import FeedProof, VenueStatus
from feeds.venues.backoff import AttemptBudget, Backoff, Jitter
from feeds.venues.base import MarketSink
from feeds.venues.kraken.books import BookSet, FeedTimings
from feeds.venues.kraken.counters import FeedCounters
from feeds.venues.kraken.link import Link, until_first
from feeds.venues.kraken.messages import (
    InstrumentFrame,
    Message,
    Reply,
    StatusFrame,
    TickerFrame,
)
from feeds.venues.kraken.wire import decode_frame, read_book
from feeds.venues.transport import Transport, WsConnection

log = logging.getLogger(__name__)

_NS = 1_000_000_000
_DEPTHS = (10, 25, 100, 500, 1000)
_KNOWN_STATUSES = frozenset({"online", "maintenance", "cancel_only", "post_only"})

FrameTap = Callable[[bytes, int], None]


def venue_status(system: str) -> str:
    """Map the engine's word to ours; a word we do not know counts as maintenance."""
    return system if system in _KNOWN_STATUSES else "maintenance"


class KrakenFeed:
    """Market data of `symbols` (v2 names) to `sink`; `tap` sees each raw frame first.

    Depth 10 is all the checksum covers; deeper levels would be unverified.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        symbols: Sequence[str],
        *,
        clock: Clock,
        rng: Jitter,
        sink: MarketSink,
        depth: int = 10,
        counters: FeedCounters | None = None,
        timings: FeedTimings | None = None,
        budget: AttemptBudget | None = None,
        tap: FrameTap | None = None,
    ) -> None:
        if depth not in _DEPTHS:
            raise ValueError(f"depth must be one of {_DEPTHS}")
        self.counters = counters or FeedCounters()
        self._transport = transport
        self._url = url
        self._symbols = tuple(dict.fromkeys(symbols))
        self._depth = depth
        self._clock = clock
        self._sink = sink
        self._tap = tap
        self._timings = timings or FeedTimings()
        self._backoff = Backoff(clock, rng, budget=budget)
        self._status = "disconnected"
        self._next_proof_ns = 0

    async def run(self) -> None:
        """Connect, subscribe, publish to the sink, reconnect for ever until cancelled."""
        while True:
            is_maintenance = self._status == "maintenance"
            pause_s = self._timings.maintenance_pause_s if is_maintenance else 0.0
            await self._backoff.pause(floor_s=pause_s)
            try:
                connection = await self._transport.connect(
                    self._url, timeout_s=self._timings.connect_s
                )
            except (ConnectionError, TimeoutError) as error:
                self._note_disconnected(str(error))
                continue
            await self._serve(connection)

    async def _serve(self, connection: WsConnection) -> None:
        self.counters.connects += 1
        self._backoff.note_up()
        timings = self._timings
        link = Link(connection, self._clock, silence_s=timings.silence_s, ping_s=timings.ping_s)
        books = BookSet(
            self._symbols,
            depth=self._depth,
            timings=timings,
            sink=self._sink,
            counters=self.counters,
            next_req_id=link.next_req_id,
        )
        reason = "feed stopped"
        try:
            books.start(self._clock.monotonic_ns())
            await until_first(self._read(link, books), self._watch(link, books), link.keep_alive())
        except (ConnectionError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
        finally:
            self._backoff.note_down()
            self.counters.disconnects += 1
            # First tell, then close: a silent peer delays the close.
            books.stop(reason, self._clock.now_ns())
            self._note_disconnected(reason)
            await link.close()

    async def _read(self, link: Link, books: BookSet) -> None:
        await _flush(link, books)
        receive, take = link.receive, self._take
        while True:
            take(await receive(), link, books)
            if books.outbox:
                await _flush(link, books)

    async def _watch(self, link: Link, books: BookSet) -> None:
        while True:
            await asyncio.sleep(self._timings.silence_s / 8)
            books.check(self._clock.now_ns(), self._clock.monotonic_ns())
            await _flush(link, books)

    def _take(self, frame: bytes, link: Link, books: BookSet) -> None:
        recv_ns = self._clock.now_ns()
        monotonic_ns = link.last_frame_ns
        self.counters.frames += 1
        if self._tap is not None:
            self._tap(frame, recv_ns)
        try:
            book = read_book(frame)
        except UNREADABLE:
            if not self._take_other(frame, link, books, recv_ns):
                return
        else:
            books.on_book(book, recv_ns, monotonic_ns)
        if monotonic_ns >= self._next_proof_ns and books.is_proven(monotonic_ns):
            self._next_proof_ns = monotonic_ns + round(self._timings.proof_s * _NS)
            self._sink(FeedProof("kraken", "*", recv_ns))

    def _take_other(self, frame: bytes, link: Link, books: BookSet, recv_ns: int) -> bool:
        """Take a frame that is no good book; whether it could be read at all."""
        try:
            message = decode_frame(frame)
        except FeedCorrupt as error:
            log.warning("frame.refused", extra={"venue": "kraken", "reason": str(error)})
            books.on_malformed(frame, recv_ns, link.last_frame_ns)
            return False
        self._dispatch(message, link, books, recv_ns)
        return True

    def _dispatch(self, message: Message, link: Link, books: BookSet, recv_ns: int) -> None:
        match message:
            case TickerFrame():
                books.on_tickers(message, recv_ns, link.last_frame_ns)
            case InstrumentFrame():
                books.on_instruments(message, recv_ns, link.last_frame_ns)
            case Reply(method="pong"):
                self._note_pong(message, link, recv_ns)
            case Reply():
                if message.error:
                    log.warning(
                        "subscription.refused",
                        extra={"symbol": message.symbol, "reason": message.error},
                    )
                books.on_reply(message, recv_ns, link.last_frame_ns)
            case StatusFrame():
                self._status = venue_status(message.system)
                self._tell_status(link, recv_ns)
            case _:
                # Heartbeats and channels we did not ask for: the frame age is noted.
                return

    def _note_pong(self, pong: Reply, link: Link, recv_ns: int) -> None:
        if not link.note_pong(pong):
            return
        self.counters.rtt_ms = link.rtt_ms
        self.counters.clock_skew_ms = link.clock_skew_ms
        if self._status != "disconnected":
            self._tell_status(link, recv_ns)

    def _tell_status(self, link: Link, recv_ns: int) -> None:
        self._sink(VenueStatus("kraken", self._status, link.rtt_ms, recv_ns, link.clock_skew_ms))

    def _note_disconnected(self, reason: str) -> None:
        log.warning("feed.disconnected", extra={"venue": "kraken", "reason": reason})
        if self._status != "maintenance":
            self._status = "disconnected"
        self._sink(VenueStatus("kraken", "disconnected", None, self._clock.now_ns()))


async def _flush(link: Link, books: BookSet) -> None:
    while books.outbox:
        outbox, books.outbox = books.outbox, []
        for request in outbox:
            await link.send(request)
