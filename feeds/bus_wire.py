"""Market events on the bus: one subject per asset-independent key, msgspec JSON.

Used by `run_feed` (publishes) and by an engine started with `--feeds bus` (subscribes).
"""

from __future__ import annotations

import re

import msgspec

from arbsite import events
from arbsite.errors import UNREADABLE, FeedCorrupt
from feeds.market.events import (
    BookInvalidated,
    BookUpdated,
    InstrumentUpdated,
    MarketEvent,
    PoolInvalidated,
    PoolUpdated,
    VenueStatus,
)

Key = tuple[str, str]

SUBJECTS = (
    f"{events.BOOK_UPDATE}.*",
    f"{events.POOL_UPDATE}.*",
    f"{events.FEED_STATUS}.*",
)
_decoder = msgspec.json.Decoder(MarketEvent)
_encoder = msgspec.json.Encoder()


def subject_of(event: MarketEvent) -> str:
    """Where an event travels: books by symbol, pools by address, the rest as status."""
    if isinstance(event, BookUpdated | BookInvalidated):
        token = re.sub(r"[^A-Za-z0-9]", "-", event.symbol)
        return events.subject_for_asset(events.BOOK_UPDATE, token)
    if isinstance(event, PoolUpdated | PoolInvalidated):
        return events.subject_for_asset(events.POOL_UPDATE, event.pool)
    return events.subject_for_asset(events.FEED_STATUS, "all")


def encode(event: MarketEvent) -> bytes:
    """JSON with the event's tag; integers keep every digit."""
    return _encoder.encode(event)


def decode(payload: bytes) -> MarketEvent:
    """Read one event. Raises FeedCorrupt on whatever is none."""
    try:
        event: MarketEvent = _decoder.decode(payload)
    except UNREADABLE as error:
        raise FeedCorrupt(f"not a market event: {error}") from error
    return event


class Retained:
    """The newest fact of each kind, for engines that subscribe later than it was said.

    A bus forgets; an instrument's status is said once per connection. An invalidation
    takes the fact it forbids away, so that nothing old is ever said again.
    """

    def __init__(self) -> None:
        self._facts: dict[Key, MarketEvent] = {}

    def keep(self, event: MarketEvent) -> None:
        """Remember an event that stands until replaced; forget what it forbids."""
        if isinstance(event, BookUpdated):
            self._facts["book", event.symbol] = event
        elif isinstance(event, BookInvalidated):
            self._facts.pop(("book", event.symbol), None)
        elif isinstance(event, PoolUpdated):
            self._facts["pool", event.pool] = event
        elif isinstance(event, PoolInvalidated):
            self._facts.pop(("pool", event.pool), None)
        elif isinstance(event, InstrumentUpdated):
            self._facts["instrument", event.symbol] = event
        elif isinstance(event, VenueStatus):
            self._facts["venue", event.venue] = event

    def facts(self) -> list[MarketEvent]:
        """What stands now, instruments and venues first."""
        order = ("venue", "instrument", "book", "pool")
        return [self._facts[key] for key in sorted(self._facts, key=lambda k: order.index(k[0]))]
