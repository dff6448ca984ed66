"""Depths, thin books, pairs without decimals, and precisions that change while live."""

from __future__ import annotations

import pytest

from feeds.market.events import BookUpdated
from feeds.venues.kraken.tests import scripted
from feeds.venues.kraken.tests.desk import (
    ASKS,
    BIDS,
    Desk,
    Side,
    book_text,
    checksum_of,
    snapshot_text,
)


def listed(symbol: str, price_precision: int) -> str:
    return scripted.instrument_text(scripted.pair_text(symbol, price_precision, 8), kind="update")


@pytest.mark.parametrize(
    ("precision", "bids", "asks"),
    [
        (3, (("150.241", "2.00000000"),), (("150.263", "1.00000000"),)),
        (3, (("150.240", "2.00000000"),), (("150.260", "1.00000000"),)),
        (1, (("150.2", "2.00000000"),), (("150.3", "1.00000000"),)),
        (0, (("150", "2.00000000"),), (("151", "1.00000000"),)),
    ],
)
def test_no_book_is_ever_made_of_two_precisions(precision: int, bids: Side, asks: Side) -> None:
    desk = Desk("SOL/USD")
    desk.go_live("SOL/USD")
    old = desk.events.of(BookUpdated)
    desk.say(listed("SOL/USD", precision))
    # Still under way when the listing changed: an update and a snapshot in the old text.
    desk.say(book_text("update", "SOL/USD", [("150.24", "0.00000000")], [], 1))
    desk.say(snapshot_text("SOL/USD", BIDS, ASKS))
    assert desk.books.live_symbols == ()
    assert desk.events.of(BookUpdated) == old
    desk.say(snapshot_text("SOL/USD", bids, asks, precisions=(precision, 8)))
    (event,) = desk.events.of(BookUpdated)[len(old) :]
    assert (event.price_precision, event.qty_precision) == (precision, 8)
    assert event.bids == ((int(bids[0][0].replace(".", "")), 200_000_000),)


@pytest.mark.parametrize(
    ("price", "precision"), [("150.251", 3), ("150.250", 3), ("150.2", 1), ("150", 0)]
)
def test_a_new_precision_that_comes_before_its_listing_costs_the_book(
    price: str, precision: int
) -> None:
    desk = Desk("SOL/USD")
    desk.go_live("SOL/USD")
    bids = [(price, "1.00000000"), ("150.2", "5.00000000")]
    checksum = checksum_of(bids, [("150.3", "4.00000000")], (max(precision, 1), 8))
    desk.say(book_text("update", "SOL/USD", bids[:1], [], checksum))
    assert desk.books.live_symbols == ()
    assert len(desk.events.of(BookUpdated)) == 1
    assert desk.sent_books() == [("unsubscribe", ["SOL/USD"]), ("subscribe", ["SOL/USD"])]


@pytest.mark.parametrize("depth", [10, 25, 100, 500, 1000])
def test_every_depth_of_the_venue_is_subscribed_verified_and_kept(depth: int) -> None:
    desk = Desk("SOL/USD", depth=depth)
    desk.list_pairs("SOL/USD")
    (request,) = (f for f in desk.sent() if f["params"]["channel"] == "book")
    assert request["params"]["depth"] == depth
    bids = [(f"{150 - at / 100:.2f}", "1.00000000") for at in range(depth)]
    asks = [(f"{150.01 + at / 100:.2f}", "2.00000000") for at in range(depth)]
    desk.say(snapshot_text("SOL/USD", bids, asks))
    # A better bid pushes the deepest out, and nobody says so.
    better = ("150.005", "1.00000000")
    desk.say(listed("SOL/USD", 3))
    bids, asks = ([(f"{price}0", qty) for price, qty in side] for side in (bids, asks))
    desk.say(snapshot_text("SOL/USD", bids, asks, (3, 8)))
    checksum = checksum_of([better, *bids], asks, (3, 8))
    desk.say(book_text("update", "SOL/USD", [better], [], checksum))
    first, second, third = desk.events.of(BookUpdated)
    assert len(first.bids) == len(first.asks) == len(third.bids) == depth
    assert third.bids == ((150_005, 100_000_000), *second.bids[:-1])
    assert third.asks is second.asks


def test_a_thin_pair_is_live_with_what_it_has_even_with_one_side_empty() -> None:
    desk = Desk("SOL/USD")
    desk.list_pairs("SOL/USD")
    desk.say(snapshot_text("SOL/USD", BIDS, []))
    desk.say(book_text("update", "SOL/USD", [], [ASKS[0]], checksum_of(BIDS, ASKS[:1])))
    gone = [(price, "0.00000000") for price, _ in BIDS]
    desk.say(book_text("update", "SOL/USD", gone, [], checksum_of([], ASKS[:1])))
    sizes = [(len(event.bids), len(event.asks)) for event in desk.events.of(BookUpdated)]
    assert sizes == [(2, 0), (2, 1), (0, 1)]
    assert desk.books.live_symbols == ("SOL/USD",)


def test_a_pair_without_decimals_goes_live_on_integers() -> None:
    desk = Desk("BTC/JPY")
    desk.say(scripted.instrument_text(scripted.pair_text("BTC/JPY", 0, 8)))
    bids, asks = [("9000000", "0.00012000")], [("9000003", "1.50000000")]
    desk.say(snapshot_text("BTC/JPY", bids, asks, (0, 8)))
    (event,) = desk.events.of(BookUpdated)
    assert (event.bids, event.asks) == (((9_000_000, 12_000),), ((9_000_003, 150_000_000),))
