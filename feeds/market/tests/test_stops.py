"""A step taken with a stop's factors moves what the program's own division moves."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.market.pools import TickArray
from feeds.market.steps import a_between_ceil, a_between_floor, b_between_ceil, b_between_floor
from feeds.market.stops import A_PLACES, B_PLACES, Stop, stop_at
from feeds.market.ticks import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    Tick,
    sqrt_price_from_tick,
)

LIQUIDITIES = st.integers(min_value=0, max_value=128).flatmap(
    lambda bits: st.integers(0, 2**bits - 1)
)
PRICES = st.integers(min_value=MIN_SQRT_PRICE, max_value=MAX_SQRT_PRICE)
TICKS = st.integers(min_value=MIN_TICK, max_value=MAX_TICK)


def moved(liquidity: int, stop: Stop) -> tuple[int, int]:
    """What a whole step moves into the user's hands: (A, B), what he pays negative."""
    _, _, a_per_unit, b_per_unit, _, _ = stop
    return liquidity * a_per_unit >> A_PLACES, liquidity * b_per_unit >> B_PLACES


@given(liquidity=LIQUIDITIES, price=PRICES, tick=TICKS)
def test_equal_to_the_program_at_every_price(liquidity: int, price: int, tick: int) -> None:
    target = sqrt_price_from_tick(tick)
    low, high = sorted((price, target))
    if target < price:
        pays_a = -a_between_ceil(liquidity, low, high)
        assert moved(liquidity, stop_at(price, tick, 0)) == (
            pays_a,
            b_between_floor(liquidity, low, high),
        )
    else:
        gets_a = a_between_floor(liquidity, low, high)
        assert moved(liquidity, stop_at(price, tick, 0)) == (
            gets_a,
            -b_between_ceil(liquidity, low, high),
        )


@given(price=PRICES, tick=TICKS, units=st.integers(min_value=1, max_value=2**64))
def test_equal_where_an_amount_is_just_whole(price: int, tick: int, units: int) -> None:
    """The least liquidity that moves that many units of A, and one less: the hardest to round."""
    target = sqrt_price_from_tick(tick)
    if target <= price:
        return
    least = -(-units * price * target // (target - price << 64))
    for liquidity in (least - 1, least):
        if 0 <= liquidity < 2**128:
            gets_a, _ = moved(liquidity, stop_at(price, tick, 0))
            assert gets_a == a_between_floor(liquidity, price, target)


@pytest.mark.parametrize("falling", [True, False])
def test_an_array_chains_its_ticks_from_wherever_a_walk_starts(falling: bool) -> None:
    ticks = tuple(Tick(4 * number, number - 10, 10) for number in range(20))
    array, sign = TickArray(0, ticks), -1 if falling else 1
    stops = array.falling if falling else array.rising
    order = ticks[::-1] if falling else ticks
    for place in (19, 7, 8, 16, 0, 15, 20):
        price, expected = 2**64 + place, []
        for tick in order[place:]:
            expected.append(stop_at(price, tick.index, sign * tick.liquidity_net))
            price = sqrt_price_from_tick(tick.index)
        assert list(chain.from_iterable(stops.ahead(place, 2**64 + place))) == expected
    # What is kept beside an array is no part of it.
    assert array == TickArray(0, ticks)
