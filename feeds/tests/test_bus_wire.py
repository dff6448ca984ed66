"""Market events over the bus: every digit arrives, and a late engine learns what stands."""

import pytest

from arbsite.bus import check_subject, matches
from arbsite.errors import FeedCorrupt
from feeds import bus_wire
from feeds.market.events import (
    BookInvalidated,
    BookUpdated,
    InstrumentUpdated,
    PoolInvalidated,
    PoolUpdated,
    VenueStatus,
)
from feeds.sim.seeding import simulated_markets
from feeds.venues.solana.tests.builders import ammv4_pool

BOOK = BookUpdated("SOL/USD", ((15000, 10**20),), ((15001, 1),), 2, 8, 4_294_967_295, 0, 7)
STATUS = VenueStatus("kraken", "online", 1.5, 3)
INSTRUMENT = InstrumentUpdated("SOL/USD", "online", 2, 8, "0.01", "0.00000001", "0.02", "0.5", 4)


def pools() -> list[PoolUpdated]:
    found = [market.pool for market in simulated_markets()]
    return [PoolUpdated(pool.address, 5, pool, 9) for pool in [*found, ammv4_pool()]]


def test_books_and_every_pool_kind_arrive_as_they_left() -> None:
    for event in [BOOK, STATUS, INSTRUMENT, *pools()]:
        assert bus_wire.decode(bus_wire.encode(event)) == event


@pytest.mark.parametrize(
    "payload", [b"", b"{", b'{"type":"book_\xff"}', b'{"type":"nothing"}', b"[" * 100_000]
)
def test_what_is_no_event_is_refused_by_name(payload: bytes) -> None:
    with pytest.raises(FeedCorrupt, match="not a market event"):
        bus_wire.decode(payload)


def test_subjects_are_plain_tokens_that_the_patterns_name() -> None:
    for event in [BOOK, STATUS, INSTRUMENT, *pools()]:
        subject = check_subject(bus_wire.subject_of(event))
        assert sum(matches(pattern, subject) for pattern in bus_wire.SUBJECTS) == 1


def test_a_late_engine_hears_what_stands_and_nothing_that_was_taken_back() -> None:
    retained = bus_wire.Retained()
    pool = pools()[0]
    for event in (BOOK, pool, INSTRUMENT, STATUS):
        retained.keep(event)
    assert retained.facts() == [STATUS, INSTRUMENT, BOOK, pool]
    retained.keep(BookInvalidated("SOL/USD", "checksum", 8))
    retained.keep(PoolInvalidated(pool.pool, "nodes disagree", 9))
    assert retained.facts() == [STATUS, INSTRUMENT]
