"""Market events on the bus: one subject per asset-independent key, msgspec JSON.

Used by `run_feed` (publishes) and by an engine started with `--feeds bus` (subscribes).
"""

from __future__ import annotations

import re

import msgspec

from arbsite import events
from feeds.market.events import (
    BookInvalidated,
    BookUpdated,
    MarketEvent,
    PoolInvalidated,
    PoolUpdated,
)

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
    """Read one event; raises msgspec.ValidationError or DecodeError."""
    event: MarketEvent = _decoder.decode(payload)
    return event
