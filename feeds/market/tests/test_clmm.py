"""Whirlpool swaps: the deployed program's rows, refusals at every edge, and laws."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feeds import golden
from feeds.market import clmm
from feeds.market.pools import QuoteRefused, Swap, TransferFee, Whirlpool
from feeds.market.quote import quote
from feeds.market.tests.golden_rows import rows, whirlpool, whirlpools, without_array
from feeds.market.ticks import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    sqrt_price_from_tick,
)

AMOUNTS = st.integers(min_value=1, max_value=2**50)


def swapped(pool: Whirlpool, amount: int, *, exact_in: bool = True, a_to_b: bool = True) -> Swap:
    """A quote that must exist."""
    found = quote(pool, amount, exact_in=exact_in, a_to_b=a_to_b)
    assert isinstance(found, Swap), found
    return found


def state_after(swap: Swap) -> Whirlpool:
    """The pool a Whirlpool swap leaves."""
    assert isinstance(swap.after, Whirlpool)
    return swap.after


def test_every_row_the_program_executed(shared_data: Path) -> None:
    faults: list[str] = []
    report = golden.verify_quotes(
        shared_data / "solana" / "golden_whirlpool.jsonl", note=faults.append
    )
    assert faults == []
    assert (report.rows, report.exact, report.refused_as_chain) == (420, 413, 7)


def test_a_changed_row_is_found_wrong(shared_data: Path) -> None:
    every = rows(shared_data / "solana" / "golden_whirlpool.jsonl")
    row = next(row for row in every if row["oracle"] and row["onchain"]["ok"])
    for part in ("post", "post_oracle"):
        values = row["onchain"][part]
        for name in values:
            changed = row["onchain"] | {part: values | {name: str(int(values[name]) + 1)}}
            assert golden.fault_of_row(row | {"onchain": changed})
    refused = {"ok": False, "code": 6038}
    assert golden.fault_of_row(row | {"onchain": refused})
    starved = next(row for row in every if "FailedToComplete" in row["onchain"].get("error", ""))
    assert golden.fault_of_row(starved | {"onchain": refused})


def test_the_rows_carry_the_arrays_we_would_send(shared_data: Path) -> None:
    for row in rows(shared_data / "solana" / "golden_whirlpool.jsonl"):
        expected = tuple(array["start_tick_index"] for array in row["tick_arrays"])
        a_to_b = row["swap"]["a_to_b"]
        assert clmm.arrays_for_swap(golden.whirlpool_from_row(row), a_to_b) == expected


def test_the_fee_is_what_the_rows_report(shared_data: Path) -> None:
    for row in rows(shared_data / "solana" / "golden_whirlpool.jsonl"):
        swap = golden.swap_row(row)
        if isinstance(swap, Swap) and row["wasm"]["ok"]:
            assert swap.fee == int(row["wasm"]["trade_fee"])


def test_arrays_shift_when_the_next_tick_lies_in_the_next_array() -> None:
    assert clmm.arrays_for_swap(whirlpool(347), a_to_b=False) == (0, 352, 704)
    assert clmm.arrays_for_swap(whirlpool(348), a_to_b=False) == (352, 704, 1056)
    assert clmm.arrays_for_swap(whirlpool(348), a_to_b=True) == (0, -352, -704)


def test_arrays_end_with_the_price_range() -> None:
    splash = whirlpool(-1, tick_spacing=32896, reach=0)
    assert clmm.arrays_for_swap(splash, a_to_b=True) == (-2_894_848,)
    assert clmm.arrays_for_swap(splash, a_to_b=False) == (0,)
    low = msgspec.structs.replace(whirlpool(0), tick_current_index=MIN_TICK)
    assert clmm.arrays_for_swap(low, a_to_b=True) == (-443_872,)


def test_a_swap_down_to_a_tick_price_stands_one_tick_below_it() -> None:
    pool = whirlpool(0, within=10**12, ticks={0: 5 * 10**11, 4: -(5 * 10**11)})
    swap = clmm.swap(
        pool, 10**15, exact_in=True, a_to_b=True, sqrt_price_limit=sqrt_price_from_tick(0)
    )
    assert isinstance(swap, Swap)
    after = state_after(swap)
    assert (after.sqrt_price, after.tick_current_index) == (sqrt_price_from_tick(0), -1)
    assert after.liquidity == pool.liquidity - 5 * 10**11
    assert swap.crossings == 1
    # Rising again crosses the same tick back at no cost.
    back = swapped(after, 10**6, a_to_b=False)
    assert state_after(back).liquidity == pool.liquidity


def test_out_of_arrays() -> None:
    for a_to_b in (True, False):
        refused = quote(whirlpool(0), 2**60, exact_in=True, a_to_b=a_to_b)
        assert refused == QuoteRefused("tick_arrays_exhausted", 6038)


@pytest.mark.parametrize("a_to_b", [True, False])
def test_an_array_that_was_not_read_is_never_guessed(a_to_b: bool) -> None:
    full = whirlpool(0, ticks={-300: 10**9, 600: -(10**9)})
    for place in range(3):
        partial = without_array(full, a_to_b, place)
        refused = quote(partial, 2**60, exact_in=True, a_to_b=a_to_b)
        assert refused == QuoteRefused("tick_array_missing")
    # A swap that stops before its next initialised tick needs no array beyond that tick.
    near = without_array(full, a_to_b, 2)
    assert (
        swapped(near, 10**6, a_to_b=a_to_b).amount_out
        == swapped(full, 10**6, a_to_b=a_to_b).amount_out
    )


def test_arrays_the_transaction_does_not_carry() -> None:
    pool = whirlpool(0)
    for carried, code in (((-352,), 6023), ((0, -704), 6038), ((0, -352, -704), 6038)):
        found = clmm.carried_arrays(pool, True, carried)
        refused = clmm.swap(pool, 2**60, exact_in=True, a_to_b=True, arrays=found)
        assert isinstance(refused, QuoteRefused)
        assert refused.code == code
    wrong = (pool.tick_arrays[0],)
    refused = clmm.swap(pool, 1000, exact_in=True, a_to_b=True, arrays=wrong)
    assert refused == QuoteRefused("invalid_tick_array_sequence", 6023)


def test_a_tick_on_the_last_slot_of_the_last_array_ends_the_walk() -> None:
    last_slot = 352 * 3 - 4
    pool = whirlpool(0, ticks={last_slot: -(10**9)})
    up_to_it = clmm.swap(
        pool,
        2**60,
        exact_in=True,
        a_to_b=False,
        sqrt_price_limit=sqrt_price_from_tick(last_slot),
    )
    assert isinstance(up_to_it, Swap)
    assert state_after(up_to_it).tick_current_index == last_slot
    assert up_to_it.crossings == 1
    over = quote(pool, up_to_it.amount_in + 1, exact_in=True, a_to_b=False)
    assert over == QuoteRefused("tick_arrays_exhausted", 6038)
    empty = whirlpool(0)
    to_the_end = clmm.swap(
        empty,
        2**60,
        exact_in=True,
        a_to_b=False,
        sqrt_price_limit=sqrt_price_from_tick(352 * 3 - 1),
    )
    assert isinstance(to_the_end, Swap)
    assert state_after(to_the_end).tick_current_index == 352 * 3 - 1


@pytest.mark.parametrize("a_to_b", [True, False])
def test_the_ends_of_the_price_range(a_to_b: bool) -> None:
    splash = whirlpool(-1 if a_to_b else 0, tick_spacing=32896, liquidity=10**6, reach=0)
    swap = swapped(splash, 2**63, a_to_b=a_to_b)
    after = state_after(swap)
    assert swap.amount_in < 2**63, "an exact-in order may be filled in part"
    assert after.sqrt_price == (MIN_SQRT_PRICE if a_to_b else MAX_SQRT_PRICE)
    assert after.tick_current_index == (MIN_TICK - 1 if a_to_b else MAX_TICK)
    refused = quote(splash, 2**63, exact_in=False, a_to_b=a_to_b)
    assert refused == QuoteRefused("partial_fill", 6057)


def test_output_beyond_u64() -> None:
    pool = whirlpool(0, liquidity=2**75, fee_rate=0)
    assert quote(pool, 2**63, exact_in=True, a_to_b=True) != QuoteRefused("amount_overflow", 6039)
    high = whirlpool(100_000, liquidity=2**70, fee_rate=0, reach=3, tick_spacing=64)
    refused = quote(high, 2**62, exact_in=True, a_to_b=True)
    assert refused == QuoteRefused("multiplication_overflow", 6030)


@pytest.mark.parametrize(
    ("amount", "limit", "expected"),
    [
        (0, 0, QuoteRefused("zero_amount", 6035)),
        (-5, 0, QuoteRefused("zero_amount", 6035)),
        (1 << 64, 0, QuoteRefused("amount_out_of_range")),
        (1000, MIN_SQRT_PRICE - 1, QuoteRefused("price_limit_out_of_range", 6011)),
        (1000, MAX_SQRT_PRICE + 1, QuoteRefused("price_limit_out_of_range", 6011)),
        (1000, 1 << 65, QuoteRefused("price_limit_wrong_side", 6034)),
    ],
)
def test_refused_orders(amount: int, limit: int, expected: QuoteRefused) -> None:
    found = clmm.swap(whirlpool(0), amount, exact_in=True, a_to_b=True, sqrt_price_limit=limit)
    assert found == expected


def test_broken_liquidity_is_refused() -> None:
    for net, code in ((10**12 + 1, 6015), (-(2**128), 6014)):
        pool = whirlpool(2, ticks={0: net})
        refused = quote(pool, 2**40, exact_in=True, a_to_b=True)
        assert isinstance(refused, QuoteRefused)
        assert refused.code == code


def test_fees_go_to_the_input_side_and_nothing_else_changes() -> None:
    pool = whirlpool(0)
    for a_to_b in (True, False):
        swap = swapped(pool, 10**8, a_to_b=a_to_b)
        after = state_after(swap)
        protocol_fee = swap.fee * 1300 // 10_000
        growth = ((swap.fee - protocol_fee) << 64) // pool.liquidity
        side, other = ("a", "b") if a_to_b else ("b", "a")
        assert getattr(after, f"fee_growth_global_{side}") == growth
        assert getattr(after, f"protocol_fee_owed_{side}") == protocol_fee
        assert getattr(after, f"fee_growth_global_{other}") == 0
        assert getattr(after, f"protocol_fee_owed_{other}") == 0
        assert after.tick_arrays == pool.tick_arrays
        assert swap.fee == 10**8 * 400 // 10**6


def test_growth_wraps_at_128_bits() -> None:
    pool = msgspec.structs.replace(whirlpool(0), fee_growth_global_a=2**128 - 1)
    assert state_after(swapped(pool, 10**8)).fee_growth_global_a < 2**64


def test_transfer_fees_surround_the_swap() -> None:
    plain = whirlpool(0)
    fee = TransferFee(fee_bps=100, max_fee=5_000)
    taxed = msgspec.structs.replace(plain, transfer_fee_a=fee, transfer_fee_b=fee)
    inner, outer = swapped(plain, 100_000 - 1_000), swapped(taxed, 100_000)
    assert outer.amount_in == 100_000
    assert outer.amount_out == inner.amount_out - -(-inner.amount_out // 100)
    capped = swapped(taxed, 10**7)
    assert capped.amount_out == swapped(plain, 10**7 - 5_000).amount_out - 5_000
    wanted = swapped(taxed, 50_000, exact_in=False)
    assert wanted.amount_out == 50_000
    everything = msgspec.structs.replace(
        plain, transfer_fee_a=TransferFee(fee_bps=10_000, max_fee=2**64 - 1)
    )
    assert quote(everything, 10**6, exact_in=True, a_to_b=True) == QuoteRefused("zero_amount", 6035)
    assert quote(everything, 10**6, exact_in=False, a_to_b=True) == QuoteRefused(
        "transfer_fee_overflow", 6052
    )


@given(pool=whirlpools(), amount=AMOUNTS, more=AMOUNTS, a_to_b=st.booleans())
def test_more_in_gives_no_less_and_no_better_a_price(
    pool: Whirlpool, amount: int, more: int, a_to_b: bool
) -> None:
    large = quote(pool, amount + more, exact_in=True, a_to_b=a_to_b)
    assume(isinstance(large, Swap))
    assert isinstance(large, Swap)
    small = swapped(pool, amount, a_to_b=a_to_b)
    assert large.amount_out >= small.amount_out
    # Never better than the price at the top of the pool: out/in <= P (or 1/P).
    square = pool.sqrt_price**2
    if a_to_b:
        assert large.amount_out << 128 <= large.amount_in * square
    else:
        assert large.amount_out * square <= large.amount_in << 128


@given(pool=whirlpools(), first=AMOUNTS, second=AMOUNTS, a_to_b=st.booleans())
def test_two_halves_are_never_better_than_the_whole(
    pool: Whirlpool, first: int, second: int, a_to_b: bool
) -> None:
    whole = quote(pool, first + second, exact_in=True, a_to_b=a_to_b)
    assume(isinstance(whole, Swap))
    assert isinstance(whole, Swap)
    half = swapped(pool, first, a_to_b=a_to_b)
    # The second half walks on from where the first one stopped, in the same arrays.
    arrays = clmm.loaded_arrays(pool, a_to_b)
    start = state_after(half)
    begun = clmm.loaded_arrays(start, a_to_b)[0]
    rest = clmm.swap(
        start,
        second,
        exact_in=True,
        a_to_b=a_to_b,
        arrays=arrays[arrays.index(begun) :] if begun in arrays else arrays,
    )
    assume(isinstance(rest, Swap))
    assert isinstance(rest, Swap)
    # Each swap rounds at most one unit per step for the pool; the whole has as many steps
    # but one, whose rounding may fall either way.
    assert half.amount_out + rest.amount_out <= whole.amount_out + 1


@given(pool=whirlpools(), wanted=AMOUNTS, a_to_b=st.booleans())
def test_paying_what_exact_out_asks_gives_at_least_that(
    pool: Whirlpool, wanted: int, a_to_b: bool
) -> None:
    ask = quote(pool, wanted, exact_in=False, a_to_b=a_to_b)
    assume(isinstance(ask, Swap))
    assert isinstance(ask, Swap)
    assert ask.amount_out == wanted
    got = swapped(pool, ask.amount_in, a_to_b=a_to_b)
    assert got.amount_out >= wanted - ask.crossings - 1
    assert got.amount_in == ask.amount_in


@given(pool=whirlpools(), amount=AMOUNTS, exact_in=st.booleans(), a_to_b=st.booleans())
def test_there_and_back_never_earns(
    pool: Whirlpool, amount: int, exact_in: bool, a_to_b: bool
) -> None:
    there = quote(pool, amount, exact_in=exact_in, a_to_b=a_to_b)
    assume(isinstance(there, Swap) and there.amount_out > 0)
    assert isinstance(there, Swap)
    back = quote(there.after, there.amount_out, exact_in=True, a_to_b=not a_to_b)
    if isinstance(back, Swap):
        assert back.amount_out <= there.amount_in
