"""Tick and price conversion against measured values and its own definition."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feeds.market.ticks import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    array_start_of,
    sqrt_price_from_tick,
    tick_from_sqrt_price,
)


@pytest.mark.parametrize(
    ("tick", "sqrt_price"),
    [
        (0, 18446744073709551616),
        (1, 18447666387855959850),
        (-1, 18445821805675392311),
        (64, 18505865242158250041),
        (-64, 18387811781193591352),
        (100_000, 2737055259406582257880),
        (-26_147, 4990835073127157959),
        (MAX_TICK, MAX_SQRT_PRICE),
        (MIN_TICK, MIN_SQRT_PRICE),
    ],
)
def test_measured_prices(tick: int, sqrt_price: int) -> None:
    assert sqrt_price_from_tick(tick) == sqrt_price
    assert tick_from_sqrt_price(sqrt_price) == tick


def test_the_tick_of_the_real_sol_usdc_pool() -> None:
    assert tick_from_sqrt_price(4991046536690114137) == -26147


@given(tick=st.integers(min_value=MIN_TICK + 1, max_value=MAX_TICK - 1))
@example(tick=MIN_TICK + 1)
@example(tick=MAX_TICK - 1)
def test_a_tick_owns_the_prices_from_its_own_up_to_the_next(tick: int) -> None:
    low, high = sqrt_price_from_tick(tick), sqrt_price_from_tick(tick + 1)
    assert tick_from_sqrt_price(low) == tick
    assert tick_from_sqrt_price(low - 1) == tick - 1
    assert tick_from_sqrt_price((low + high) // 2) == tick
    assert tick_from_sqrt_price(high - 1) == tick


@given(sqrt_price=st.integers(min_value=MIN_SQRT_PRICE, max_value=MAX_SQRT_PRICE))
def test_the_tick_is_the_largest_not_above_the_price(sqrt_price: int) -> None:
    tick = tick_from_sqrt_price(sqrt_price)
    assert sqrt_price_from_tick(tick) <= sqrt_price
    assert tick == MAX_TICK or sqrt_price < sqrt_price_from_tick(tick + 1)


@pytest.mark.parametrize("tick", [MIN_TICK - 1, MAX_TICK + 1])
def test_no_price_beyond_the_ends(tick: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        sqrt_price_from_tick(tick)


@pytest.mark.parametrize("sqrt_price", [MIN_SQRT_PRICE - 1, MAX_SQRT_PRICE + 1, 0])
def test_no_tick_beyond_the_ends(sqrt_price: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        tick_from_sqrt_price(sqrt_price)


def test_arrays_start_at_multiples_of_their_span_even_below_the_range() -> None:
    assert array_start_of(0, 4) == 0
    assert array_start_of(-1, 4) == -352
    assert array_start_of(351, 4) == 0
    assert array_start_of(MIN_TICK, 32896) == -2_894_848
