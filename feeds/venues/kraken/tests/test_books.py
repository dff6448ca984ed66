"""The subscription state machine, without sockets: one bad book never costs another."""

from __future__ import annotations

from pathlib import Path

import pytest

from feeds.market.events import BookInvalidated, BookUpdated, InstrumentUpdated
from feeds.venues.kraken.tests import scripted
from feeds.venues.kraken.tests.desk import (
    ASKS,
    BIDS,
    SECOND,
    Desk,
    Side,
    book_text,
    snapshot_text,
)

CROSSED_ASKS = (("150.22", "1.00000000"),)


def test_precisions_come_before_books() -> None:
    desk = Desk("SOL/USD", "JUP/USD")
    assert [frame["params"]["channel"] for frame in desk.sent()] == ["instrument"]
    desk.list_pairs("SOL/USD", "JUP/USD", "XYZ/USD")
    sent = desk.sent()
    assert [(f["params"]["channel"], f["params"]["symbol"]) for f in sent] == [
        ("book", ["SOL/USD", "JUP/USD"]),
        ("ticker", ["SOL/USD", "JUP/USD"]),
    ]
    assert [event.symbol for event in desk.events.of(InstrumentUpdated)] == ["SOL/USD", "JUP/USD"]


def test_verified_snapshot_is_published_in_ticks_and_lots() -> None:
    desk = Desk("SOL/USD")
    desk.go_live("SOL/USD")
    (event,) = desk.events.of(BookUpdated)
    assert event.bids == ((15_024, 200_000_000), (15_020, 500_000_000))
    assert event.asks[0] == (15_026, 100_000_000)
    assert (event.price_precision, event.qty_precision) == (2, 8)
    assert event.venue_at_ns == 1_786_923_424_300_000_000
    assert desk.books.live_symbols == ("SOL/USD",)


@pytest.mark.parametrize(
    ("told", "expected_ns"),
    [
        ("2026-08-16T23:37:04.300001Z", 1_786_923_424_300_001_000),
        ("2026-08-16T23:37:05.000000Z", 1_786_923_425_000_000_000),
        ("2026-08-16T23:37:03.999999Z", 1_786_923_423_999_999_000),
        ("2026-08-15T23:37:04.300000Z", 1_786_837_024_300_000_000),
        ("2026-08-17T00:00:00Z", 1_786_924_800_000_000_000),
        ("2026-08-17T01:37:04.300002+02:00", 1_786_923_424_300_002_000),
    ],
)
def test_the_venues_time_is_exact_before_and_after_the_second_of_the_last(
    told: str, expected_ns: int
) -> None:
    desk = Desk("SOL/USD")
    desk.go_live("SOL/USD")
    frame = snapshot_text("SOL/USD", BIDS, ASKS)
    for text in (told, "2026-08-16T23:37:04.3Z", told):
        desk.say(frame.replace("2026-08-16T23:37:04.3Z", text))
    times = [event.venue_at_ns for event in desk.events.of(BookUpdated)]
    assert times[1:] == [expected_ns, 1_786_923_424_300_000_000, expected_ns]


def test_unlisted_symbol_is_named_and_subscribed_once_listed() -> None:
    desk = Desk("SOL/USD", "NEW/USD")
    desk.go_live("SOL/USD")
    (refusal,) = desk.events.of(BookInvalidated)
    assert (refusal.symbol, refusal.reason) == ("NEW/USD", "not listed at the venue")
    desk.say(scripted.instrument_text(scripted.pair_text("NEW/USD", 3, 5), kind="update"))
    assert desk.sent_books() == [("subscribe", ["NEW/USD"])]


def test_bad_checksum_drops_and_refetches_that_book_alone() -> None:
    desk = Desk("SOL/USD", "JUP/USD")
    desk.go_live("SOL/USD", "JUP/USD")
    desk.say(book_text("update", "SOL/USD", [("150.24", "2.50000000")], [], 1))
    (event,) = desk.events.of(BookInvalidated)
    assert (event.symbol, event.reason) == ("SOL/USD", "checksum mismatch")
    assert desk.sent_books() == [("unsubscribe", ["SOL/USD"]), ("subscribe", ["SOL/USD"])]
    assert desk.books.live_symbols == ("JUP/USD",)
    assert desk.counters.checksum_failures == 1
    # Updates of the old subscription are still under way: not applied, not counted.
    desk.say(book_text("update", "SOL/USD", [("150.24", "2.50000000")], [], 2))
    assert desk.counters.checksum_failures == 1
    desk.say(snapshot_text("SOL/USD", BIDS, ASKS))
    assert set(desk.books.live_symbols) == {"SOL/USD", "JUP/USD"}


def test_snapshots_are_verified_too() -> None:
    desk = Desk("SOL/USD")
    desk.list_pairs("SOL/USD")
    desk.say(book_text("snapshot", "SOL/USD", BIDS, ASKS, 12345))
    assert desk.events.of(BookUpdated) == []
    assert desk.counters.checksum_failures == 1


def test_third_failure_within_a_minute_ends_the_connection() -> None:
    desk = Desk("SOL/USD")
    desk.go_live("SOL/USD")
    for _ in range(2):
        desk.say(book_text("update", "SOL/USD", [], [], 1))
        desk.say(snapshot_text("SOL/USD", BIDS, ASKS))
    with pytest.raises(ConnectionError, match="SOL/USD failed 3 times"):
        desk.say(book_text("update", "SOL/USD", [], [], 1))


def test_failures_far_apart_do_not_end_the_connection() -> None:
    desk = Desk("SOL/USD")
    desk.go_live("SOL/USD")
    for _ in range(5):
        desk.now_ns += 31 * SECOND
        desk.say(book_text("update", "SOL/USD", [], [], 1))
        desk.say(snapshot_text("SOL/USD", BIDS, ASKS))
    assert desk.counters.checksum_failures == 5


@pytest.mark.parametrize("qty", ["NaN", "-1", "1e309", '"1.0"', "1e-8", "[]", "9" * 100])
def test_malformed_numbers_drop_the_book(qty: str) -> None:
    desk = Desk("SOL/USD")
    desk.go_live("SOL/USD")
    frame = book_text("update", "SOL/USD", [("150.24", qty)], [], 1).encode()
    if qty == "NaN":
        desk.books.on_malformed(frame, desk.now_ns, desk.now_ns)
    else:
        desk.say(frame.decode())
    assert desk.counters.malformed == 1
    assert desk.books.live_symbols == ()
    assert desk.sent_books() == [("unsubscribe", ["SOL/USD"]), ("subscribe", ["SOL/USD"])]


def test_unreadable_frame_costs_only_the_book_it_names() -> None:
    desk = Desk("SOL/USD", "JUP/USD")
    desk.go_live("SOL/USD", "JUP/USD")
    desk.books.on_malformed(b'{"symbol":"SOL/USD', desk.now_ns, desk.now_ns)
    assert desk.books.live_symbols == ("JUP/USD",)
    desk.books.on_malformed(b"\xff\xff", desk.now_ns, desk.now_ns)
    assert desk.books.live_symbols == ("JUP/USD",)
    desk.books.on_malformed(b'{"channel":"book"', desk.now_ns, desk.now_ns)
    assert desk.books.live_symbols == ()


@pytest.mark.parametrize("asks", [CROSSED_ASKS, BIDS[:1]], ids=["crossed", "locked"])
def test_crossed_book_is_unusable_although_its_checksum_is_right(asks: Side) -> None:
    desk = Desk("SOL/USD")
    desk.list_pairs("SOL/USD")
    desk.say(snapshot_text("SOL/USD", BIDS, asks))
    assert desk.events.of(BookUpdated) == []
    assert desk.events.of(BookInvalidated)[-1].reason == "crossed book"
    assert desk.counters.crossed == 1


def test_a_book_of_one_side_is_no_crossed_book() -> None:
    desk = Desk("SOL/USD")
    desk.list_pairs("SOL/USD")
    desk.say(snapshot_text("SOL/USD", BIDS, ()))
    assert desk.events.of(BookUpdated)[-1].asks == ()


def test_duplicate_update_changes_nothing(shared_data: Path) -> None:
    desk = Desk("ALGO/USD")
    desk.say(scripted.instrument_text(scripted.pair_text("ALGO/USD", 5, 8)))
    snapshot, update = (
        (shared_data / "kraken/book_algousd_20241003.ndjson").read_text().splitlines()
    )
    for text in (snapshot, update, update):
        desk.say(text)
    _, second, third = desk.events.of(BookUpdated)
    assert (second.bids, second.asks, second.checksum) == (third.bids, third.asks, third.checksum)
    assert desk.counters.checksum_failures == 0


def test_changed_precision_invalidates_and_refetches() -> None:
    desk = Desk("SOL/USD", "JUP/USD")
    desk.go_live("SOL/USD", "JUP/USD")
    desk.say(scripted.instrument_text(scripted.pair_text("SOL/USD", 3, 8), kind="update"))
    assert desk.events.of(BookInvalidated)[-1].reason == "precision changed"
    assert desk.sent_books() == [("unsubscribe", ["SOL/USD"]), ("subscribe", ["SOL/USD"])]
    bids, asks = [("150.241", "2.00000000")], [("150.263", "1.00000000")]
    desk.say(snapshot_text("SOL/USD", bids, asks, precisions=(3, 8)))
    assert desk.events.of(BookUpdated)[-1].bids == ((150_241, 200_000_000),)


PAIR_STATUSES = [
    "online", "cancel_only", "post_only", "limit_only", "reduce_only", "delisted", "maintenance",
    "work_in_progress", "a word of tomorrow",
]  # fmt: skip


@pytest.mark.parametrize("status", PAIR_STATUSES)
def test_status_change_alone_is_told_word_for_word_and_keeps_the_book(status: str) -> None:
    desk = Desk("SOL/USD")
    desk.go_live("SOL/USD")
    desk.say(scripted.instrument_text(scripted.pair_text("SOL/USD", 2, 8, status), kind="update"))
    assert desk.events.of(InstrumentUpdated)[-1].status == status
    assert desk.books.live_symbols == ("SOL/USD",)


def test_acked_but_silent_subscription_is_asked_again_then_given_up() -> None:
    desk = Desk("SOL/USD")
    desk.list_pairs("SOL/USD")
    (request, _) = (f for f in desk.sent() if f["params"]["channel"] != "instrument")
    desk.now_ns += 4 * SECOND
    desk.say(scripted.ack_text(request["req_id"], "book", symbol="SOL/USD", depth=10))
    desk.check_after(4.9)
    assert desk.sent() == []
    desk.check_after(0.2)
    assert desk.sent_books() == [("unsubscribe", ["SOL/USD"]), ("subscribe", ["SOL/USD"])]
    with pytest.raises(ConnectionError, match="no snapshot of SOL/USD"):
        desk.check_after(5.1)


def test_a_snapshot_before_the_ack_is_welcome() -> None:
    desk = Desk("SOL/USD")
    desk.list_pairs("SOL/USD")
    request = next(f for f in desk.sent() if f["params"]["channel"] == "book")
    desk.say(snapshot_text("SOL/USD", BIDS, ASKS))
    desk.say(scripted.ack_text(request["req_id"], "book", symbol="SOL/USD", depth=10))
    desk.check_after(6)
    assert desk.books.live_symbols == ("SOL/USD",)
    assert desk.sent() == []


def test_no_instruments_in_time_ends_the_connection() -> None:
    desk = Desk("SOL/USD")
    with pytest.raises(ConnectionError, match="no instruments"):
        desk.check_after(5.1)


def test_refused_symbol_is_named_and_retried_later_while_others_trade_on() -> None:
    desk = Desk("SOL/USD", "XBT/USD")
    desk.list_pairs("SOL/USD", "XBT/USD")
    desk.say(snapshot_text("SOL/USD", BIDS, ASKS))
    desk.sent()
    desk.say(
        '{"error":"Currency pair not supported XBT/USD","method":"subscribe","success":false,'
        '"symbol":"XBT/USD"}'
    )
    refusal = desk.events.of(BookInvalidated)[-1]
    assert refusal.symbol == "XBT/USD"
    assert "Currency pair not supported" in refusal.reason
    desk.check_after(9)
    assert desk.sent() == []
    desk.check_after(2)
    assert desk.sent_books() == [("subscribe", ["XBT/USD"])]
    assert desk.books.live_symbols == ("SOL/USD",)


def test_refused_depth_names_every_symbol_of_the_request() -> None:
    desk = Desk("SOL/USD", "JUP/USD")
    desk.list_pairs("SOL/USD", "JUP/USD")
    request = next(f for f in desk.sent() if f["params"]["channel"] == "book")
    desk.say(
        '{"error":"Subscription depth not supported","method":"subscribe","success":false,'
        f'"req_id":{request["req_id"]}}}'
    )
    assert {event.symbol for event in desk.events.of(BookInvalidated)} == {"SOL/USD", "JUP/USD"}
    assert desk.counters.refused == 1


def test_already_subscribed_counts_as_subscribed() -> None:
    desk = Desk("SOL/USD")
    desk.list_pairs("SOL/USD")
    request = next(f for f in desk.sent() if f["params"]["channel"] == "book")
    desk.say(
        '{"error":"Already subscribed","method":"subscribe","success":false,"symbol":"SOL/USD",'
        f'"req_id":{request["req_id"]}}}'
    )
    assert desk.counters.refused == 0
    desk.say(snapshot_text("SOL/USD", BIDS, ASKS))
    assert desk.books.live_symbols == ("SOL/USD",)


def test_heartbeats_alone_do_not_prove_the_books_for_ever() -> None:
    desk = Desk("SOL/USD")
    desk.go_live("SOL/USD")
    assert desk.books.is_proven(desk.now_ns + 29 * SECOND)
    assert not desk.books.is_proven(desk.now_ns + 31 * SECOND)
    desk.check_after(31)
    assert desk.events.of(BookInvalidated)[-1].reason == "no market data"
    assert desk.sent_books() == [("unsubscribe", ["SOL/USD"]), ("subscribe", ["SOL/USD"])]


def test_stop_invalidates_everything() -> None:
    desk = Desk("SOL/USD", "JUP/USD")
    desk.go_live("SOL/USD")
    desk.events.events.clear()
    desk.books.stop("socket closed", desk.now_ns)
    assert [event.symbol for event in desk.events.of(BookInvalidated)] == ["SOL/USD", "JUP/USD"]
