"""AMM v4 swaps: figures worked by hand from the published rules, and the laws of the curve."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.market.ammv4 import reserves
from feeds.market.curve import fee_fraction, price, segments
from feeds.market.pools import AmmV4Pool, QuoteRefused, Swap
from feeds.market.quote import quote

RESERVES = st.integers(min_value=1, max_value=2**60)
AMOUNTS = st.integers(min_value=1, max_value=2**60)
BUILDS = st.sampled_from(["current", "openbook"])


def ammv4_pool(held_a: int, held_b: int, **changes: Any) -> AmmV4Pool:
    """A pool with the common fee of 25/10000, nothing owed to its owner."""
    fields: dict[str, Any] = {
        "need_take_pnl_a": 0,
        "need_take_pnl_b": 0,
        "swap_fee_numerator": 25,
        "swap_fee_denominator": 10_000,
        "status": 6,
        "open_time": 0,
    }
    return AmmV4Pool("pool", "A", "B", "vault A", "vault B", held_a, held_b, **(fields | changes))


def swapped(pool: AmmV4Pool, amount: int, *, exact_in: bool, a_to_b: bool) -> Swap:
    """A quote that must exist."""
    found = quote(pool, amount, exact_in=exact_in, a_to_b=a_to_b)
    assert isinstance(found, Swap), found
    return found


def product(pool: AmmV4Pool) -> int:
    """The k of the curve."""
    reserve_a, reserve_b = reserves(pool)
    return reserve_a * reserve_b


@pytest.mark.parametrize(
    ("held", "amount", "exact_in", "a_to_b", "expected"),
    [
        # fee ceil(1000·25/10000) = 3, out floor(997·2e6/(1e6 + 997)) = 1992
        ((10**6, 2 * 10**6), 1_000, True, True, (1_000, 1_992, 3)),
        # the other way: floor(997·1e6/(2e6 + 997)) = 498
        ((10**6, 2 * 10**6), 1_000, True, False, (1_000, 498, 3)),
        # s = ceil(1e6·1992/(2e6 − 1992)) = 997, in = ceil(997·10000/9975) = 1000
        ((10**6, 2 * 10**6), 1_992, False, True, (1_000, 1_992, 3)),
        # s = ceil(2e6·1000/(1e6 − 1000)) = 2003, in = ceil(2003·10000/9975) = 2009
        ((10**6, 2 * 10**6), 1_000, False, False, (2_009, 1_000, 6)),
        # one unit in: the fee takes it whole
        ((10, 10**6), 2, True, True, (2, 90_909, 1)),
    ],
)
def test_figures_worked_by_hand(
    held: tuple[int, int], amount: int, exact_in: bool, a_to_b: bool, expected: tuple[int, ...]
) -> None:
    found = swapped(ammv4_pool(*held), amount, exact_in=exact_in, a_to_b=a_to_b)
    assert (found.amount_in, found.amount_out, found.fee) == expected


def test_profit_owed_to_the_owner_is_no_reserve() -> None:
    plain = ammv4_pool(10**9, 10**9)
    owed = ammv4_pool(10**9 + 777, 10**9 + 99, need_take_pnl_a=777, need_take_pnl_b=99)
    for way in (True, False):
        a, b = (swapped(pool, 12_345, exact_in=True, a_to_b=way) for pool in (plain, owed))
        assert (a.amount_out, a.fee) == (b.amount_out, b.fee)


def test_a_swap_moves_the_vaults_by_what_was_paid_and_got() -> None:
    pool = ammv4_pool(10**6, 2 * 10**6, need_take_pnl_a=10)
    found = swapped(pool, 1_000, exact_in=True, a_to_b=False)
    assert isinstance(found.after, AmmV4Pool)
    assert found.after.vault_b_raw == pool.vault_b_raw + 1_000
    assert found.after.vault_a_raw == pool.vault_a_raw - found.amount_out
    assert found.after.need_take_pnl_a == 10


@pytest.mark.parametrize(
    ("build", "amount_in", "fee"),
    [("current", 199, 1), ("openbook", 199, 0), ("openbook", 200, 1), ("current", 200, 1)],
)
def test_a_fee_below_one_unit_depends_on_the_build(build: str, amount_in: int, fee: int) -> None:
    pool = ammv4_pool(10**9, 10**9, program_build=build)
    assert swapped(pool, amount_in, exact_in=True, a_to_b=True).fee == fee


@given(RESERVES, RESERVES, AMOUNTS, st.booleans(), st.booleans(), BUILDS)
def test_k_never_falls(x: int, y: int, amount: int, exact_in: bool, way: bool, build: str) -> None:
    pool = ammv4_pool(x, y, program_build=build)
    found = quote(pool, amount, exact_in=exact_in, a_to_b=way)
    if isinstance(found, Swap):
        assert isinstance(found.after, AmmV4Pool)
        # Dust of the order-book build is rounded to nearest, so it may take less than due.
        if build == "current" or exact_in:
            assert product(found.after) >= product(pool)


@given(RESERVES, RESERVES, AMOUNTS, AMOUNTS, st.booleans())
def test_more_in_never_gives_less(x: int, y: int, amount: int, more: int, way: bool) -> None:
    pool = ammv4_pool(x, y)
    small = quote(pool, amount, exact_in=True, a_to_b=way)
    large = quote(pool, amount + more, exact_in=True, a_to_b=way)
    if isinstance(small, Swap):
        assert isinstance(large, Swap)
        assert large.amount_out >= small.amount_out


@given(RESERVES, RESERVES, AMOUNTS, AMOUNTS, st.booleans())
def test_two_halves_without_a_fee_never_beat_the_whole(
    x: int, y: int, first: int, second: int, way: bool
) -> None:
    pool = ammv4_pool(x, y, swap_fee_numerator=0)
    whole = quote(pool, first + second, exact_in=True, a_to_b=way)
    half = quote(pool, first, exact_in=True, a_to_b=way)
    if isinstance(half, Swap) and isinstance(whole, Swap):
        rest = quote(half.after, second, exact_in=True, a_to_b=way)
        out = half.amount_out + (rest.amount_out if isinstance(rest, Swap) else 0)
        assert out <= whole.amount_out


@given(RESERVES, RESERVES, AMOUNTS, st.booleans())
def test_paying_what_exact_out_asks_gives_at_least_that(
    x: int, y: int, wanted: int, way: bool
) -> None:
    pool = ammv4_pool(x, y)
    ask = quote(pool, wanted, exact_in=False, a_to_b=way)
    if isinstance(ask, Swap):
        assert swapped(pool, ask.amount_in, exact_in=True, a_to_b=way).amount_out >= wanted


@pytest.mark.parametrize(
    ("changes", "amount", "exact_in", "expected"),
    [
        ({"status": 1}, 1000, True, QuoteRefused("order_book_share")),
        ({"status": 7}, 1000, True, QuoteRefused("waiting_trade", 22)),
        ({"status": 2}, 1000, True, QuoteRefused("not_approved", 22)),
        ({"status": 5}, 1000, True, QuoteRefused("not_approved", 22)),
        ({}, 0, True, QuoteRefused("zero_amount", 29)),
        ({}, 1, True, QuoteRefused("zero_amount", 29)),
        ({}, 10**9, False, QuoteRefused("insufficient_reserves", 40)),
        ({}, 1 << 64, True, QuoteRefused("amount_out_of_range")),
        ({"need_take_pnl_b": 10**9}, 1000, True, QuoteRefused("insufficient_reserves", 40)),
    ],
)
def test_refusals(
    changes: dict[str, int], amount: int, exact_in: bool, expected: QuoteRefused
) -> None:
    pool = ammv4_pool(10**9, 10**9, **changes)
    assert quote(pool, amount, exact_in=exact_in, a_to_b=True) == expected


def test_the_size_search_sees_the_curve() -> None:
    pool = ammv4_pool(10**9 + 5, 4 * 10**9 + 7, need_take_pnl_a=5, need_take_pnl_b=7)
    assert price(pool, base_is_a=True) == pytest.approx(4.0)
    assert fee_fraction(pool) == 0.0025
    (piece,) = segments(pool, buys_base=True, base_is_a=True)
    assert piece == pytest.approx((2 * 10**9, 2.0, 2.0 * 1.5**0.5))
