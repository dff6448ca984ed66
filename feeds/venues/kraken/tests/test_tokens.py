"""Numbers and times as text: exact both ways, nothing strange let through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbsite.errors import FeedCorrupt
from feeds.venues.kraken.tokens import (
    amount_from_token,
    decimal_from_token,
    ns_from_datetime,
    ns_from_rfc3339,
    ns_from_unix_token,
    plain_text,
    rfc3339_from_ns,
    token_from_decimal,
)

YEAR_2200_NS = 7_258_118_400 * 10**9


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (b"62802.5", "62802.5"),
        (b"0.00000000", "0.00000000"),
        (b"1E-8", "0.00000001"),
        (b"5e-05", "0.00005"),
        (b"4061", "4061"),
    ],
)
def test_tokens_keep_every_digit_and_lose_the_exponent(token: bytes, text: str) -> None:
    assert plain_text(amount_from_token(token)) == text


@pytest.mark.parametrize(
    "token",
    [
        b"NaN", b"Infinity", b"-1", b"1e309", b"1e99", b"1e-99", b"", b"+1", b".5", b"5.",
        b'"1"', b"null", b"0x10", b"1_000", b"1" * 60, "١".encode(), b"1 ", b"{}",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(token: bytes) -> None:
    with pytest.raises(FeedCorrupt):
        amount_from_token(token)


def test_signed_amounts_exist_where_the_ledger_has_them() -> None:
    assert decimal_from_token(b"-0.25") == Decimal("-0.25")


@pytest.mark.parametrize("value", ["0.00000051", "1E+3", "0E-8", "150.25"])
def test_order_numbers_never_carry_an_exponent(value: str) -> None:
    token = token_from_decimal(Decimal(value))
    assert b"E" not in token.upper()
    assert Decimal(token.decode()) == Decimal(value)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-0.1"])
def test_impossible_order_numbers_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        token_from_decimal(Decimal(value))


def test_recorded_timestamp() -> None:
    assert ns_from_rfc3339("2023-07-30T15:29:58.343415Z") == 1_690_730_998_343_415_000
    assert ns_from_rfc3339("2023-07-30T15:29:58Z") == 1_690_730_998_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "2023-07-30T15:29:58.343415", "2023-13-30T15:29:58Z",
        "2023-07-30T15:29:58.Z", "2023-07-30T15:29:58.3434150001Z", "2023-07-30T15:29:58.²Z",
        "2023-07-30T15:29:58+01:00Z", "2023-07-30T25:29:58.1Z",
    ],
)  # fmt: skip
def test_what_is_no_utc_time_is_refused(text: str) -> None:
    with pytest.raises(FeedCorrupt):
        ns_from_rfc3339(text)


@given(st.integers(0, YEAR_2200_NS))
def test_times_survive_the_round_trip(at_ns: int) -> None:
    assert ns_from_rfc3339(rfc3339_from_ns(at_ns)) == at_ns


@given(st.integers(0, YEAR_2200_NS))
def test_a_deadline_is_never_told_later_than_it_is(at_ns: int) -> None:
    told = rfc3339_from_ns(at_ns, places=3)
    assert len(told) == len("2023-07-30T15:29:58.343Z")
    assert at_ns - 1_000_000 < ns_from_rfc3339(told) <= at_ns


def test_trade_times_are_exact_to_the_digit() -> None:
    assert ns_from_unix_token(b"1688667796.8802") == 1_688_667_796_880_200_000


@given(since=st.timedeltas(timedelta(0), timedelta(days=365 * 200)))
def test_a_decoded_time_and_its_text_are_the_same_instant(since: timedelta) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + since
    text = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert ns_from_datetime(at) == ns_from_rfc3339(text)
