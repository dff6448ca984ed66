"""The feed over real loopback sockets: what it publishes, and how it comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from arbsite.clock import SystemClock, seeded_random
from feeds.market.events import (
    BookInvalidated,
    BookUpdated,
    FeedProof,
    TickerUpdated,
    VenueStatus,
)
from feeds.venues.kraken.books import FeedTimings
from feeds.venues.kraken.feed import KrakenFeed, venue_status
from feeds.venues.kraken.tests import scripted
from feeds.venues.kraken.tests.desk import ASKS, BIDS, book_text, snapshot_text
from feeds.venues.kraken.tests.scripted import ScriptedVenue, Seen, Socket, running, serving
from feeds.venues.sockets import SocketTransport

TICKER = (
    '{"channel":"ticker","type":"update","data":[{"symbol":"SOL/USD","bid":150.24,'
    '"bid_qty":2,"ask":150.26,"ask_qty":1,"last":150.25}]}'
)


class Exchange:
    """Answers subscriptions; what a book subscription gets is scripted per symbol."""

    def __init__(self) -> None:
        self.pairs = [scripted.pair_text(s, 2, 8) for s in ("SOL/USD", "JUP/USD")]
        self.books: dict[str, list[str]] = {
            symbol: [snapshot_text(symbol, BIDS, ASKS)] for symbol in ("SOL/USD", "JUP/USD")
        }
        self.is_mute = False

    async def __call__(self, socket: Socket, frame: dict[str, Any]) -> None:
        if self.is_mute:
            return
        params = frame.get("params") or {}
        match frame["method"], params.get("channel"):
            case "ping", _:
                await socket.say(scripted.pong_text(frame["req_id"]))
            case "subscribe", "instrument":
                await socket.say(
                    scripted.ack_text(frame["req_id"], "instrument"),
                    scripted.instrument_text(*self.pairs),
                )
            case "subscribe", channel:
                for symbol in params["symbol"]:
                    await socket.say(scripted.ack_text(frame["req_id"], channel, symbol=symbol))
                    if channel == "book":
                        await socket.say(*self.books[symbol])


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
async def venue(exchange: Exchange) -> AsyncIterator[ScriptedVenue]:
    async with serving(ScriptedVenue(exchange)) as venue:
        yield venue


@pytest.fixture
async def transport() -> AsyncIterator[SocketTransport]:
    transport = SocketTransport()
    yield transport
    await transport.close()


def feed_of(
    venue: ScriptedVenue,
    transport: SocketTransport,
    seen: Seen,
    *symbols: str,
    **options: Any,
) -> KrakenFeed:
    return KrakenFeed(
        transport,
        venue.ws_url,
        symbols or ("SOL/USD", "JUP/USD"),
        clock=SystemClock(),
        rng=seeded_random(1),
        sink=seen,
        **options,
    )


def books_of(seen: Seen, symbol: str) -> list[BookUpdated]:
    return [event for event in seen.of(BookUpdated) if event.symbol == symbol]


async def test_recorded_session_yields_510_verified_books(
    venue: ScriptedVenue, exchange: Exchange, transport: SocketTransport, shared_data: Path
) -> None:
    recording = shared_data / "kraken/book_btcusd_d10_20230730.ndjson"
    exchange.pairs = [scripted.pair_text("BTC/USD", 1, 8)]
    exchange.books["BTC/USD"] = recording.read_text().splitlines()
    seen = Seen()
    tapped: list[bytes] = []
    feed = feed_of(
        venue, transport, seen, "BTC/USD", tap=lambda frame, recv_ns: tapped.append(frame)
    )
    async with running(feed):
        await seen.until(lambda s: len(s.of(BookUpdated)) == 510)
    books = seen.of(BookUpdated)
    assert feed.counters.books == 510
    assert feed.counters.checksum_failures == 0
    assert books[0].checksum == 2_785_033_588
    assert books[1].venue_at_ns == 1_690_730_998_343_415_000
    assert all(len(book.bids) <= 10 and len(book.asks) <= 10 for book in books)
    assert all(book.bids[0][0] < book.asks[0][0] for book in books)
    assert all(0 < first.recv_ns <= last.recv_ns for first, last in [(books[0], books[-1])])
    assert [frame.decode() for frame in tapped if b'"book","type"' in frame] == (
        exchange.books["BTC/USD"]
    )


async def test_corrupt_checksum_refetches_only_that_symbol(
    venue: ScriptedVenue, transport: SocketTransport
) -> None:
    seen = Seen()
    feed = feed_of(venue, transport, seen)
    async with running(feed):
        await seen.until(lambda s: len(s.of(BookUpdated)) == 2)
        await venue.sockets[0].say(
            book_text("update", "SOL/USD", [("150.24", "3.00000000")], [], 1)
        )
        await seen.until(lambda s: len(books_of(s, "SOL/USD")) == 2)
        requests = [
            (frame["method"], frame["params"]["symbol"])
            for frame in venue.sockets[0].received
            if (frame.get("params") or {}).get("channel") == "book"
        ]
        assert [event.symbol for event in seen.of(BookInvalidated)] == ["SOL/USD"]
    assert requests == [
        ("subscribe", ["SOL/USD", "JUP/USD"]),
        ("unsubscribe", ["SOL/USD"]),
        ("subscribe", ["SOL/USD"]),
    ]
    assert feed.counters.checksum_failures == 1
    assert len(books_of(seen, "JUP/USD")) == 1
    assert len(venue.sockets) == 1


async def test_silence_ends_the_connection_and_a_new_one_starts_afresh(
    venue: ScriptedVenue, exchange: Exchange, transport: SocketTransport
) -> None:
    seen = Seen()
    feed = feed_of(venue, transport, seen, timings=FeedTimings(silence_s=0.2))
    async with running(feed):
        await seen.until(lambda s: len(s.of(BookUpdated)) == 2)
        exchange.is_mute = True
        await seen.until(lambda s: bool(s.of(BookInvalidated)))
        exchange.is_mute = False
        await seen.until(lambda s: len(s.of(BookUpdated)) == 4)
    assert feed.counters.reconnects >= 1
    # Doubt is asked about with a ping before the connection is condemned.
    assert len(venue.sockets[0].of("ping")) >= 2
    first_loss = next(event for event in seen.events if isinstance(event, BookInvalidated))
    assert "no frame for" in first_loss.reason
    statuses = [event.status for event in seen.of(VenueStatus)]
    assert statuses.index("disconnected") > statuses.index("online")


async def test_dropped_socket_invalidates_at_once_and_resubscribes(
    venue: ScriptedVenue, transport: SocketTransport
) -> None:
    seen = Seen()
    feed = feed_of(venue, transport, seen)
    async with running(feed):
        await seen.until(lambda s: len(s.of(BookUpdated)) == 2)
        await venue.sockets[0].drop()
        await seen.until(lambda s: len(s.of(BookUpdated)) == 4)
    lost = [type(event) for event in seen.events].index(BookInvalidated)
    again = max(i for i, event in enumerate(seen.events[: lost + 20]) if type(event) is BookUpdated)
    assert lost < again
    assert {e.symbol for e in seen.events[lost:again] if isinstance(e, BookInvalidated)} == {
        "SOL/USD",
        "JUP/USD",
    }
    assert feed.counters.connects == 2


async def test_proofs_follow_frames_of_a_live_connection_and_are_thinned(
    venue: ScriptedVenue, exchange: Exchange, transport: SocketTransport
) -> None:
    exchange.books = {"SOL/USD": [], "JUP/USD": []}
    seen = Seen()
    feed = feed_of(venue, transport, seen, "SOL/USD")
    async with running(feed):
        await venue.until(
            lambda: bool(venue.sockets and venue.sockets[0].of("subscribe", "ticker"))
        )
        await venue.sockets[0].say(*[scripted.HEARTBEAT] * 5, TICKER)
        await seen.until(lambda s: bool(s.of(TickerUpdated)))
        assert seen.of(FeedProof) == []
        await venue.sockets[0].say(snapshot_text("SOL/USD", BIDS, ASKS))
        await seen.until(lambda s: bool(s.of(FeedProof)))
        await venue.sockets[0].say(*[scripted.HEARTBEAT] * 200, TICKER)
        await seen.until(lambda s: len(s.of(TickerUpdated)) == 2)
    assert seen.of(FeedProof)[0].scope == "*"
    assert len(seen.of(FeedProof)) <= 4
    assert seen.of(TickerUpdated)[0].bid == "150.24"


def words_of(seen: Seen) -> list[str]:
    """The statuses told, repeats left out: a pong tells the word of the moment again."""
    return [word for word, _ in groupby(event.status for event in seen.of(VenueStatus))]


async def test_status_words_and_round_trips_are_reported(
    venue: ScriptedVenue, transport: SocketTransport
) -> None:
    seen = Seen()
    feed = feed_of(venue, transport, seen)
    async with running(feed):
        await seen.until(lambda s: any(e.rtt_ms is not None for e in s.of(VenueStatus)))
        for system in ("cancel_only", "post_only", "maintenance", "half_open", "online"):
            await venue.sockets[0].say(scripted.STATUS.replace("online", system))
        await seen.until(lambda s: words_of(s)[-2:] == ["maintenance", "online"])
        told = words_of(seen)
    assert told == ["online", "cancel_only", "post_only", "maintenance", "online"]
    assert seen.of(VenueStatus)[0].status == "online"
    assert feed.counters.rtt_ms is not None
    assert feed.counters.rtt_ms > 0
    assert feed.counters.clock_skew_ms is not None
    assert venue_status("half_open") == "maintenance"


async def test_ruined_frames_are_counted_and_survived(
    venue: ScriptedVenue, transport: SocketTransport
) -> None:
    seen = Seen()
    feed = feed_of(venue, transport, seen)
    ruined = [
        '{"channel":"heartbeat"',
        '{"channel":"status","data":[{"system":NaN}]}',
        '{"channel":"ticker","data":[{"symbol":"XXX/USD","bid":1e309,"ask":-1}]}',
        "[" * 10_000,
        '"\\ud800"',
    ]
    async with running(feed):
        await seen.until(lambda s: len(s.of(BookUpdated)) == 2)
        await venue.sockets[0].say(*ruined, TICKER)
        await seen.until(lambda s: bool(s.of(TickerUpdated)))
    assert feed.counters.malformed == len(ruined)
    assert len(venue.sockets) == 1


async def test_unreachable_venue_is_reported_and_cancelling_stops(
    transport: SocketTransport,
) -> None:
    seen = Seen()
    feed = KrakenFeed(
        transport,
        "ws://127.0.0.1:9/v2",
        ["SOL/USD"],
        clock=SystemClock(),
        rng=seeded_random(1),
        sink=seen,
    )
    async with running(feed) as task:
        await seen.until(lambda s: len(s.of(VenueStatus)) >= 2)
    assert task.cancelled()
    assert {event.status for event in seen.of(VenueStatus)} == {"disconnected"}
    assert feed.counters.connects == 0


def test_depths_the_venue_would_refuse_are_refused_here() -> None:
    with pytest.raises(ValueError, match="depth"):
        KrakenFeed(
            SocketTransport(),
            "ws://127.0.0.1:9",
            [],
            clock=SystemClock(),
            rng=seeded_random(1),
            sink=Seen(),
            depth=27,
        )
