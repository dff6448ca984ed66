"""The float view of a pool against its exact swaps."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose, sqrt

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feeds.market import curve
from feeds.market.pools import Pool, Swap, Whirlpool
from feeds.market.quote import quote
from feeds.market.tests.golden_rows import cpmm_pool, whirlpool, whirlpools, without_array
from feeds.market.tests.test_adaptive import NOW_S, ORACLE
from feeds.market.ticks import sqrt_price_from_tick


def base_and_quote(
    pool: Pool, share: float, *, buys_base: bool, base_is_a: bool
) -> tuple[float, float]:
    """(base, quote) that the pieces exchange up to `share` of the whole walk, fee left out."""
    pieces = list(curve.segments(pool, buys_base=buys_base, base_is_a=base_is_a))
    whole = sum(liquidity * abs(1 / start - 1 / end) for liquidity, start, end in pieces)
    wanted = whole * share
    base = quoted = 0.0
    for liquidity, start, end in pieces:
        held = liquidity * abs(1 / start - 1 / end)
        stop = end
        if held > wanted - base:
            left = wanted - base
            stop = 1 / (1 / start - left / liquidity if buys_base else 1 / start + left / liquidity)
        base += liquidity * abs(1 / start - 1 / stop)
        quoted += liquidity * abs(stop - start)
        if stop != end:
            break
    return base, quoted


@given(
    pool=whirlpools(),
    share=st.floats(min_value=0.01, max_value=0.9),
    buys_base=st.booleans(),
    base_is_a=st.booleans(),
)
def test_pieces_add_up_to_the_exact_swap(
    pool: Whirlpool, share: float, buys_base: bool, base_is_a: bool
) -> None:
    base, quoted = base_and_quote(pool, share, buys_base=buys_base, base_is_a=base_is_a)
    assume(base > 1e7 and quoted > 1e7 and base < 2**60 and quoted < 2**60)
    fee = curve.fee_fraction(pool)
    a_to_b = buys_base != base_is_a
    if buys_base:
        exact = quote(pool, int(base), exact_in=False, a_to_b=a_to_b)
        assert isinstance(exact, Swap)
        assert isclose(exact.amount_in, quoted / (1 - fee), rel_tol=1e-5)
    else:
        exact = quote(pool, int(base / (1 - fee)), exact_in=True, a_to_b=a_to_b)
        assert isinstance(exact, Swap)
        assert isclose(exact.amount_out, quoted, rel_tol=1e-5)


@pytest.mark.parametrize("base_is_a", [True, False])
@pytest.mark.parametrize("buys_base", [True, False])
def test_one_piece_of_a_constant_product(base_is_a: bool, buys_base: bool) -> None:
    pool = cpmm_pool()
    [(liquidity, start, end)] = curve.segments(pool, buys_base=buys_base, base_is_a=base_is_a)
    held_base, held_quote = pool.vault_a_raw, pool.vault_b_raw
    if not base_is_a:
        held_base, held_quote = held_quote, held_base
    assert isclose(liquidity, sqrt(held_base * held_quote))
    assert isclose(start**2, held_quote / held_base)
    assert isclose((end / start) ** 2, 1.5 if buys_base else 0.5)
    base, quoted = base_and_quote(pool, 0.5, buys_base=buys_base, base_is_a=base_is_a)
    fee = curve.fee_fraction(pool)
    if buys_base:
        exact = quote(pool, int(base), exact_in=False, a_to_b=not base_is_a)
        assert isinstance(exact, Swap)
        assert isclose(exact.amount_in, quoted / (1 - fee), rel_tol=1e-6)
    else:
        exact = quote(pool, int(base / (1 - fee)), exact_in=True, a_to_b=base_is_a)
        assert isinstance(exact, Swap)
        assert isclose(exact.amount_out, quoted, rel_tol=1e-6)


def test_the_worked_example_of_the_sizing_rule() -> None:
    # X = 10 000, Y = 1.5 M, bid 150.24960, fee 4 bp: 947.581 in, 6.3107 out.
    pool = cpmm_pool(10_000 * 10**9, 1_500_000 * 10**6, trade_fee_rate=400)
    [(liquidity, start, _)] = curve.segments(pool, buys_base=True, base_is_a=True)
    fee = curve.fee_fraction(pool)
    stop = sqrt(150.24960 * 1e6 / 1e9 * (1 - fee))
    gross = liquidity * (stop - start) / (1 - fee)
    assert isclose(gross / 1e6, 947.581, abs_tol=5e-4)
    assert isclose(liquidity * (1 / start - 1 / stop) / 1e9, 6.3107, abs_tol=5e-5)


def test_an_empty_pool_has_no_price_and_no_pieces() -> None:
    pool = cpmm_pool(0, 0)
    assert curve.price(pool, base_is_a=True) == 0
    assert list(curve.segments(pool, buys_base=True, base_is_a=True)) == []


def test_the_price_turns_with_the_side_of_the_base() -> None:
    pool = whirlpool(100)
    assert isclose(curve.price(pool, base_is_a=True), 1.0001**100, rel_tol=1e-9)
    assert isclose(curve.price(pool, base_is_a=False), 1.0001**-100, rel_tol=1e-9)


def test_pieces_end_with_the_three_arrays_and_before_a_missing_one() -> None:
    pool = whirlpool(0, ticks={100: 10**9, 200: -(10**9)})
    pieces = list(curve.segments(pool, buys_base=True, base_is_a=True))
    ends = [round(end * 2**64) for _, _, end in pieces]
    for found, tick in zip(ends, (100, 200, 352 * 3 - 1), strict=True):
        assert isclose(found, sqrt_price_from_tick(tick), rel_tol=1e-12)
    assert [liquidity for liquidity, _, _ in pieces] == [10**12, 10**12 + 10**9, 10**12]
    partial = without_array(pool, a_to_b=False, place=1)
    assert list(curve.segments(partial, buys_base=True, base_is_a=True)) == pieces[:2]


def test_the_fee_of_an_adaptive_pool_is_that_of_its_first_step() -> None:
    pool = msgspec.structs.replace(whirlpool(0, tick_spacing=64, within=10**15), oracle=ORACLE)
    small = quote(pool, 10**6, exact_in=True, a_to_b=True, now_s=NOW_S)
    assert isinstance(small, Swap)
    assert isclose(curve.fee_fraction(pool, NOW_S), small.fee / small.amount_in, rel_tol=1e-3)
    assert curve.fee_fraction(pool, NOW_S) > curve.fee_fraction(pool, NOW_S + 3_601) == 0.0004
    assert curve.fee_fraction(pool) == curve.fee_fraction(pool, NOW_S)


def test_pieces_are_worked_out_as_far_as_somebody_walks() -> None:
    pool = whirlpool(0, ticks={-40: 10**9, 20: 10**6, 40: -(10**6), 60: -(10**9)})
    every = list(curve.segments(pool, buys_base=True, base_is_a=True))
    taken: list[curve.Segment] = []

    def ahead() -> Iterator[curve.Segment]:
        for piece in every:
            taken.append(piece)
            yield piece

    pieces = curve.Pieces(ahead())
    assert [pieces.piece(at) for at in (1, 0, 1)] == [every[1], every[0], every[1]]
    assert taken == every[:2]
    assert [pieces.piece(at) for at in range(len(every))] == every
    assert pieces.piece(len(every)) is None
    assert curve.Pieces(()).piece(0) is None
