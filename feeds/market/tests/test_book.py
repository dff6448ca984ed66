"""The book against the venue's vectors, real sessions and a naive model."""

from __future__ import annotations

import json
import random
import zlib
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbsite.errors import FeedCorrupt
from feeds.market.book import Book, RawLevel, digits_from_token
from feeds.market.tests.naive_book import NaiveBook

BTC_BIDS = (
    "45283.5:0.10000000 45283.4:1.54582015 45282.1:0.10000000 45281.0:0.10000000 "
    "45280.3:1.54592586 45279.0:0.07990000 45277.6:0.03310103 45277.5:0.30000000 "
    "45277.3:1.54602737 45276.6:0.15445238"
)
BTC_ASKS = (
    "45285.2:0.00100000 45286.4:1.54571953 45286.6:1.54571109 45289.6:1.54560911 "
    "45290.2:0.15890660 45291.8:1.54553491 45294.7:0.04454749 45296.1:0.35380000 "
    "45297.5:0.09945542 45299.5:0.18772827"
)
BTC_CHECKSUM = 3310070434


def levels(text: str) -> list[RawLevel]:
    """Levels written as price:qty."""
    pairs = (pair.split(":") for pair in text.split())
    return [RawLevel(price.encode(), qty.encode()) for price, qty in pairs]


def btc_book(depth: int = 10) -> Book:
    """The documented BTC/USD example, applied and valid."""
    book = Book(1, 8, depth)
    assert book.apply_snapshot(levels(BTC_BIDS), levels(BTC_ASKS), BTC_CHECKSUM)
    return book


def frames(path: Path) -> list[tuple[bool, list[RawLevel], list[RawLevel], int]]:
    """(is_snapshot, bids, asks, checksum) of a recording, numbers as they were printed."""
    found = []
    for line in path.read_text().splitlines():
        frame = json.loads(line, parse_float=str.encode, parse_int=str.encode)
        for entry in frame["data"]:
            bids, asks = (
                [RawLevel(level["price"], level["qty"]) for level in entry[side]]
                for side in ("bids", "asks")
            )
            found.append((frame["type"] == "snapshot", bids, asks, int(entry["checksum"])))
    return found


def test_documented_btc_vector() -> None:
    book = btc_book()
    bids, asks = book.levels(2)
    assert bids == ((452835, 10_000_000), (452834, 154_582_015))
    assert asks == ((452852, 100_000), (452864, 154_571_953))
    assert book.is_valid


@pytest.mark.parametrize(
    ("name", "precision", "count"),
    [("book_btcusd_d10_20230730", 1, 510), ("book_algousd_20241003", 5, 2)],
)
def test_every_checksum_of_a_real_session(
    shared_data: Path, name: str, precision: int, count: int
) -> None:
    book, naive = Book(precision, 8, 10), NaiveBook(precision, 8, 10)
    verified = 0
    for is_snapshot, bids, asks, checksum in frames(shared_data / "kraken" / f"{name}.ndjson"):
        verified += (book.apply_snapshot if is_snapshot else book.apply_update)(
            bids, asks, checksum
        )
        (naive.snapshot if is_snapshot else naive.update)(bids, asks)
        assert book.levels(10) == naive.levels()
    assert verified == count


def test_prices_below_one_lose_their_leading_zeros_in_the_checksum(shared_data: Path) -> None:
    book = Book(3, 8, 10)
    [(_, bids, asks, checksum)] = frames(shared_data / "kraken" / "book_gstusd_snapshot.ndjson")
    assert checksum == 1931231958
    assert book.apply_snapshot(bids, asks, checksum)
    assert book.levels(1) == (((16, 25_596_595_133_811),), ((17, 9_451_050_669_693),))


def test_a_book_that_is_not_truncated_goes_wrong_after_sixty_frames(shared_data: Path) -> None:
    book = Book(1, 8, 1000)
    outcomes = [
        (book.apply_snapshot if is_snapshot else book.apply_update)(bids, asks, checksum)
        for is_snapshot, bids, asks, checksum in frames(
            shared_data / "kraken" / "book_btcusd_d10_20230730.ndjson"
        )
    ]
    assert outcomes == [True] * 60 + [False] * 450


def test_a_changed_checksum_invalidates_until_the_next_snapshot(shared_data: Path) -> None:
    book = Book(1, 8, 10)
    session = frames(shared_data / "kraken" / "book_btcusd_d10_20230730.ndjson")
    for is_snapshot, bids, asks, checksum in session[:-1]:
        (book.apply_snapshot if is_snapshot else book.apply_update)(bids, asks, checksum)
    assert book.is_valid
    _, bids, asks, checksum = session[-1]
    assert checksum == 2438878880
    assert not book.apply_update(bids, asks, 2438868880)
    assert not book.is_valid
    assert not book.apply_update([], [], book.checksum())
    _, bids, asks, checksum = session[0]
    assert book.apply_snapshot(bids, asks, checksum)
    assert book.is_valid


def test_no_update_before_a_snapshot() -> None:
    book = Book(1, 8, 10)
    assert not book.apply_update([], [], 0)
    assert not book.is_valid


def test_deleting_a_level_we_do_not_hold_is_ignored() -> None:
    book = btc_book()
    assert book.apply_update(levels("45000.0:0.00000000"), levels("46000.0:0"), BTC_CHECKSUM)


def test_the_same_price_twice_in_one_message_is_applied_in_order() -> None:
    book = btc_book()
    touched = levels("45283.5:0.00000000 45283.5:0.20000000 45283.5:0.10000000")
    assert book.apply_update(touched, [], BTC_CHECKSUM)


def test_unpadded_numbers_are_padded() -> None:
    text = "45283.5:0.1 45283.4:1.54582015 45282.1:0.1 45281:0.1 " + " ".join(BTC_BIDS.split()[4:])
    book = Book(1, 8, 10)
    assert book.apply_snapshot(levels(text), levels(BTC_ASKS), BTC_CHECKSUM)


def test_whole_number_prices_of_a_pair_without_decimals() -> None:
    book = Book(0, 8, 10)
    expected = zlib.crc32(b"9000" + b"15000000" + b"8999" + b"1")
    assert book.apply_snapshot(levels("8999:0.00000001"), levels("9000:0.15"), expected)
    assert book.levels(1) == (((8999, 1),), ((9000, 15_000_000),))


def test_a_pair_without_decimals_sends_integers_not_text() -> None:
    book = Book(0, 8, 10)
    bids, asks = [RawLevel(8999, b"0.00000001")], [RawLevel(9000, b"0.15000000")]
    assert book.apply_snapshot(bids, asks, zlib.crc32(b"9000" + b"15000000" + b"8999" + b"1"))
    assert book.apply_update([], [RawLevel(9000, 0)], zlib.crc32(b"8999" + b"1"))
    assert (book.bids, book.asks) == (((8999, 1),), ())


def test_lots_beyond_what_a_float_holds_stay_exact() -> None:
    book = Book(8, 8, 10)
    book.apply_snapshot(levels("0.00000731:123456789012.12345679"), [], 0)
    assert book.levels(1)[0] == ((731, 12_345_678_901_212_345_679),)


@pytest.mark.parametrize(
    "token",
    [
        b"", b".", b"-1.0", b"+1.0", b"1e5", b"1E-8", b"NaN", b"Infinity", b'"1.0"', b"null",
        b"1.0.0", b"1_0", b" 1.0", b"0x10", b"1.05", b".5", b"5.", b"\xd9\xa1.0", b"1" * 41,
        -1, 10**40, True, None, 1.5, "1.0", [], {}, ["1.0"],
    ],
)  # fmt: skip
def test_a_malformed_number_is_corrupt_and_costs_the_book_its_validity(token: object) -> None:
    long_tail = b"0.000000001" if token == b"1.05" else token
    for level in (RawLevel(token, b"1.00000000"), RawLevel(b"45283.5", long_tail)):
        book = btc_book()
        with pytest.raises(FeedCorrupt):
            book.apply_update([level], [], BTC_CHECKSUM)
        assert not book.is_valid


def test_a_pair_without_quantity_decimals_takes_no_lone_dot() -> None:
    book = Book(0, 0, 10)
    with pytest.raises(FeedCorrupt):
        book.apply_snapshot([RawLevel(5, b"5.")], [], 0)
    assert book.apply_snapshot([RawLevel(5, b"7.0")], [], zlib.crc32(b"57"))


def test_a_malformed_quantity_and_a_zero_price_are_corrupt() -> None:
    for level in ((b"45283.5", b"-0.1"), (b"0.0", b"1.0"), (b"45283.5", b"0.123456789")):
        book = btc_book()
        with pytest.raises(FeedCorrupt):
            book.apply_update([], [RawLevel(*level)], BTC_CHECKSUM)
        assert not book.is_valid


@pytest.mark.parametrize("shape", [(-1, 8, 10), (1, -1, 10), (1, 8, 0)])
def test_a_book_without_a_sane_shape_cannot_be_made(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="precisions"):
        Book(*shape)


@given(
    units=st.integers(min_value=0, max_value=10**25),
    precision=st.integers(min_value=0, max_value=10),
    surplus_zeros=st.integers(min_value=0, max_value=3),
)
def test_any_printed_decimal_comes_back_exactly(
    units: int, precision: int, surplus_zeros: int
) -> None:
    text = format(Decimal(units).scaleb(-precision), "f")
    if precision:
        text += "0" * surplus_zeros
    assert int(digits_from_token(text.encode(), precision)) == units
    if precision:
        short = text.rstrip("0").rstrip(".")
        assert int(digits_from_token(short.encode(), precision)) == units


def token(units: int, precision: int, form: str) -> bytes | int:
    """A number as the wire may carry it: padded, cut short, or an integer where it is one."""
    text = format(Decimal(units).scaleb(-precision), "f")
    if form == "short" and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.encode() if "." in text else int(text)


class Shape(NamedTuple):
    """Precisions of a pair and the depth somebody subscribed to."""

    price_precision: int
    qty_precision: int
    depth: int


SHAPES = st.builds(
    Shape,
    st.integers(min_value=0, max_value=10),
    st.integers(min_value=0, max_value=10),
    st.sampled_from([1, 3, 10, 25, 100, 500, 1000]),
)
UNITS = st.integers(min_value=1, max_value=24)
LOTS = st.one_of(st.just(0), st.integers(1, 10**7), st.integers(2**53, 10**24))
FORMS = st.sampled_from(["padded", "padded", "short"])
SIDES = st.lists(st.tuples(UNITS, LOTS, FORMS), max_size=12)
MESSAGES = st.lists(st.tuples(st.booleans(), SIDES, SIDES), max_size=25)


def printed(side: list[tuple[int, int, str]], shape: Shape) -> list[RawLevel]:
    return [
        RawLevel(token(ticks, shape.price_precision, form), token(lots, shape.qty_precision, form))
        for ticks, lots, form in side
    ]


@given(messages=MESSAGES, shape=SHAPES)
def test_the_machine_equals_the_naive_model(
    messages: list[tuple[bool, list[tuple[int, int, str]], list[tuple[int, int, str]]]],
    shape: Shape,
) -> None:
    book, naive = Book(*shape), NaiveBook(*shape)
    assert book.apply_snapshot([], [], 0)
    for is_snapshot, *entries in messages:
        bids, asks = (printed(side, shape) for side in entries)
        before = book.bids, book.asks
        (naive.snapshot if is_snapshot else naive.update)(bids, asks)
        apply = book.apply_snapshot if is_snapshot else book.apply_update
        assert apply(bids, asks, naive.checksum())
        assert (book.bids, book.asks) == naive.levels()
        assert book.checksum() == naive.checksum()
        assert book.levels(2) == (book.bids[:2], book.asks[:2])
        if not is_snapshot:
            # Readers keep what they computed of a side by the identity of its tuple.
            assert bids or book.bids is before[0]
            assert asks or book.asks is before[1]


def windowed(
    before: dict[int, int], after: dict[int, int], sign: int, depth: int
) -> list[tuple[int, int]]:
    """What the venue tells a client of that depth: removals, changes and levels that enter.

    Not a word of a level that was pushed out by a better one.
    """
    window_before = sorted(before, key=lambda ticks: sign * ticks)[:depth]
    window = sorted(after, key=lambda ticks: sign * ticks)[:depth]
    gone = [(ticks, 0) for ticks in window_before if ticks not in after]
    told = {ticks: before[ticks] for ticks in window_before}
    return gone + [(ticks, after[ticks]) for ticks in window if told.get(ticks) != after[ticks]]


@pytest.mark.parametrize("depth", [10, 25, 100, 500, 1000])
@pytest.mark.parametrize("levels_held", [3, 9, 10, 40, 1200])
def test_a_client_of_any_depth_follows_a_venue_of_any_thickness(
    depth: int, levels_held: int
) -> None:
    rng = random.Random(depth * levels_held)
    shape = Shape(rng.randint(0, 8), rng.randint(0, 8), depth)
    book, whole = Book(*shape), NaiveBook(shape.price_precision, shape.qty_precision, 10**6)
    sides = {
        sign: {50_000 + sign * (1 + at): rng.randint(1, 10**10) for at in range(levels_held)}
        for sign in (-1, 1)
    }
    told = {
        sign: [(t, side[t]) for t in sorted(side, key=lambda t: sign * t)[:depth]]
        for sign, side in sides.items()
    }
    for number in range(120 if levels_held < 1000 else 30):
        bids, asks = (
            printed([(ticks, lots, "padded") for ticks, lots in told[sign]], shape)
            for sign in (-1, 1)
        )
        whole.snapshot(*(
            printed([(t, lots, "padded") for t, lots in sides[sign].items()], shape)
            for sign in (-1, 1)
        ))  # fmt: skip
        apply = book.apply_update if number else book.apply_snapshot
        assert apply(bids, asks, whole.checksum())
        assert (book.bids, book.asks) == tuple(side[:depth] for side in whole.levels())
        told = {-1: [], 1: []}
        for sign in rng.choice([(-1,), (1,), (-1, 1)]):
            before = dict(sides[sign])
            for _ in range(rng.choice([1, 1, 2, 8])):
                move_at_random(sides[sign], sign, rng)
            told[sign] = windowed(before, sides[sign], sign, depth)


def move_at_random(side: dict[int, int], sign: int, rng: random.Random) -> None:
    """Remove, change or add one level, most often near the top."""
    ordered = sorted(side, key=lambda ticks: sign * ticks)
    at = min(int(rng.expovariate(0.15)), len(ordered) - 1)
    dice = rng.random()
    if dice < 0.35 and at >= 0:
        del side[ordered[at]]
    elif dice < 0.7 and at >= 0:
        side[ordered[at]] = rng.randint(1, 10**10)
    else:
        side[50_000 + sign * rng.randint(1, 60)] = rng.randint(1, 10**10)
