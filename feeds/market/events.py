"""Market facts as the feeds publish them: whole, immutable, latest wins.

The same structs travel in process (inline feeds), over the bus and into recordings.
`recv_ns` is the local wall time at which the completing frame was received.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from feeds.market.pools import Pool

Level = tuple[int, int]
VenueName = Literal["kraken", "solana"]


class BookUpdated(msgspec.Struct, frozen=True, gc=False, tag="book_updated"):
    """A verified top-N book: (price ticks, qty lots), best first on both sides.

    `venue_at_ns` is the venue's own timestamp, 0 where the frame had none.
    """

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    price_precision: int
    qty_precision: int
    checksum: int
    venue_at_ns: int
    recv_ns: int


class BookInvalidated(msgspec.Struct, frozen=True, tag="book_invalidated"):
    """The book of one symbol must not be used until the next BookUpdated."""

    symbol: str
    reason: str
    recv_ns: int


class TickerUpdated(msgspec.Struct, frozen=True, tag="ticker_updated"):
    """Best bid and ask by the ticker channel, as text; a second opinion on the book."""

    symbol: str
    bid: str
    ask: str
    recv_ns: int


class InstrumentUpdated(msgspec.Struct, frozen=True, tag="instrument_updated"):
    """Precisions, minima and status of one pair; quantities as decimal text."""

    symbol: str
    status: str
    price_precision: int
    qty_precision: int
    price_increment: str
    qty_increment: str
    qty_min: str
    cost_min: str
    recv_ns: int


class PoolUpdated(msgspec.Struct, frozen=True, tag="pool_updated"):
    """A pool with everything a quote needs, all of it true at `slot`."""

    pool: str
    slot: int
    state: Pool
    recv_ns: int


class PoolInvalidated(msgspec.Struct, frozen=True, tag="pool_invalidated"):
    """The pool must not be used until the next PoolUpdated."""

    pool: str
    reason: str
    recv_ns: int


class SlotAdvanced(msgspec.Struct, frozen=True, tag="slot_advanced"):
    """The highest slot heard of over all endpoints, and the lag of the one we read."""

    slot: int
    lag_slots: int
    recv_ns: int


class VenueStatus(msgspec.Struct, frozen=True, tag="venue_status"):
    """Connection and trading status of a venue.

    `status`: online | maintenance | cancel_only | post_only | disconnected.
    `rtt_ms` is the last application ping, None before the first. `clock_skew_ms` is the
    venue's clock minus ours as last measured, None while it never was on this connection.
    """

    venue: VenueName
    status: str
    rtt_ms: float | None
    recv_ns: int
    clock_skew_ms: float | None = None


class FeedProof(msgspec.Struct, frozen=True, tag="feed_proof"):
    """Proof that a subscription known to be alive still is (heartbeat, frame, slot).

    `scope` is "*" for the whole connection or one symbol / pool.
    """

    venue: VenueName
    scope: str
    recv_ns: int


MarketEvent = (
    BookUpdated
    | BookInvalidated
    | TickerUpdated
    | InstrumentUpdated
    | PoolUpdated
    | PoolInvalidated
    | SlotAdvanced
    | VenueStatus
    | FeedProof
)
