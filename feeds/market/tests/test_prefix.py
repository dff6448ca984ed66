"""Prefix-sum quotes are the walk's, unit for unit."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds import golden
from feeds.market import clmm
from feeds.market.pools import Amounts, QuoteRefused, TransferFee, Whirlpool
from feeds.market.prefix import PrefixQuoter
from feeds.market.tests.golden_rows import rows, whirlpool, whirlpools, without_array
from feeds.market.tests.test_adaptive import ORACLE
from feeds.market.ticks import sqrt_price_from_tick


def walked(pool: Whirlpool, amount: int, *, exact_in: bool, a_to_b: bool) -> Amounts | QuoteRefused:
    """The walk's answer in the quoter's words."""
    swap = clmm.swap(pool, amount, exact_in=exact_in, a_to_b=a_to_b)
    if isinstance(swap, QuoteRefused):
        return swap
    return Amounts(swap.amount_in, swap.amount_out)


@given(
    pool=whirlpools(),
    orders=st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=64).flatmap(lambda bits: st.integers(0, 2**bits)),
            st.booleans(),
        ),
        min_size=1,
        max_size=10,
    ),
    a_to_b=st.booleans(),
)
def test_equal_to_the_walk(pool: Whirlpool, orders: list[tuple[int, bool]], a_to_b: bool) -> None:
    quoter = PrefixQuoter(pool, a_to_b=a_to_b)
    for amount, exact_in in orders:
        assert quoter.quote(amount, exact_in) == walked(
            pool, amount, exact_in=exact_in, a_to_b=a_to_b
        )


@given(pool=whirlpools(), a_to_b=st.booleans(), off=st.integers(min_value=-1, max_value=1))
def test_equal_to_the_walk_where_a_tick_is_reached(pool: Whirlpool, a_to_b: bool, off: int) -> None:
    """A unit around the amounts that end exactly on a tick, asked in any order."""
    quoter = PrefixQuoter(pool, a_to_b=a_to_b)
    for limit in reversed(_ends(pool, a_to_b)):
        to_the_tick = clmm.swap(pool, 2**63, exact_in=True, a_to_b=a_to_b, sqrt_price_limit=limit)
        if isinstance(to_the_tick, QuoteRefused):
            continue
        for exact_in, exact in ((True, to_the_tick.amount_in), (False, to_the_tick.amount_out)):
            assert quoter.quote(exact + off, exact_in) == walked(
                pool, exact + off, exact_in=exact_in, a_to_b=a_to_b
            )


def _ends(pool: Whirlpool, a_to_b: bool) -> list[int]:
    """The square-root prices of the ticks ahead of the pool, nearest first."""
    ticks = sorted(tick.index for array in pool.tick_arrays for tick in array.ticks)
    prices = [sqrt_price_from_tick(tick) for tick in ticks]
    if a_to_b:
        return [price for price in reversed(prices) if price < pool.sqrt_price]
    return [price for price in prices if price > pool.sqrt_price]


def test_equal_to_the_chain(shared_data: Path) -> None:
    checked = 0
    for row in rows(shared_data / "solana" / "golden_whirlpool.jsonl"):
        pool = golden.whirlpool_from_row(row)
        order, chain = row["swap"], row["onchain"]
        if pool.oracle or pool.transfer_fee_a or pool.transfer_fee_b:
            continue
        found = PrefixQuoter(pool, a_to_b=order["a_to_b"]).quote(
            int(order["amount"]), exact_in=order["amount_specified_is_input"]
        )
        if isinstance(found, QuoteRefused):
            assert found.code == chain["code"]
        else:
            assert found.amount_in == int(chain["amount_in"])
            assert found.amount_out == int(chain["amount_out"])
        checked += 1
    assert checked == 278


def test_an_array_that_was_not_read_is_never_guessed() -> None:
    pool = without_array(whirlpool(0), a_to_b=True, place=2)
    found = PrefixQuoter(pool, a_to_b=True).quote(1_000, exact_in=True)
    assert found == QuoteRefused("tick_array_missing")


def test_pools_that_need_the_walk_are_refused() -> None:
    fee = TransferFee(fee_bps=1, max_fee=1)
    for changes in ({"oracle": ORACLE}, {"transfer_fee_a": fee}, {"transfer_fee_b": fee}):
        with pytest.raises(ValueError, match="static-fee"):
            PrefixQuoter(msgspec.structs.replace(whirlpool(0), **changes), a_to_b=True)
