"""Constant-product swaps: the deployed program's rows and the laws of the curve."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds import golden
from feeds.market.cpmm import reserves
from feeds.market.pools import CpmmPool, QuoteRefused, Swap
from feeds.market.quote import quote
from feeds.market.tests.golden_rows import cpmm_pool, rows

RESERVES = st.integers(min_value=1, max_value=2**60)
AMOUNTS = st.integers(min_value=1, max_value=2**60)
FEES = st.sampled_from([0, 100, 2500, 40_000])


def swapped(pool: CpmmPool, amount: int, *, exact_in: bool = True, a_to_b: bool = True) -> Swap:
    """A quote that must exist."""
    found = quote(pool, amount, exact_in=exact_in, a_to_b=a_to_b)
    assert isinstance(found, Swap), found
    return found


def product(pool: CpmmPool) -> int:
    """The k of the curve."""
    reserve_a, reserve_b = reserves(pool)
    return reserve_a * reserve_b


def test_every_row_the_program_executed(shared_data: Path) -> None:
    faults: list[str] = []
    report = golden.verify_quotes(shared_data / "solana" / "golden_cpmm.jsonl", note=faults.append)
    assert faults == []
    assert (report.rows, report.exact, report.refused_as_chain) == (220, 190, 30)


def test_a_changed_row_is_found_wrong(shared_data: Path) -> None:
    row = rows(shared_data / "solana" / "golden_cpmm.jsonl")[0]
    post = row["onchain"]["post"]
    for name in post:
        changed = row["onchain"] | {"post": post | {name: str(int(post[name]) + 1)}}
        assert golden.fault_of_row(row | {"onchain": changed})


@given(x=RESERVES, y=RESERVES, fee=FEES, amount=AMOUNTS, exact_in=st.booleans(), way=st.booleans())
def test_k_never_falls(x: int, y: int, fee: int, amount: int, exact_in: bool, way: bool) -> None:
    pool = cpmm_pool(x, y, trade_fee_rate=fee)
    swap = quote(pool, amount, exact_in=exact_in, a_to_b=way)
    if isinstance(swap, Swap):
        assert isinstance(swap.after, CpmmPool)
        assert product(swap.after) >= product(pool)


@given(x=RESERVES, y=RESERVES, fee=FEES, amount=AMOUNTS, more=AMOUNTS)
def test_more_in_never_gives_less(x: int, y: int, fee: int, amount: int, more: int) -> None:
    pool = cpmm_pool(x, y, trade_fee_rate=fee)
    small = quote(pool, amount, exact_in=True, a_to_b=True)
    large = quote(pool, amount + more, exact_in=True, a_to_b=True)
    if isinstance(small, Swap):
        assert isinstance(large, Swap)
        assert large.amount_out >= small.amount_out


@given(x=RESERVES, y=RESERVES, fee=FEES, first=AMOUNTS, second=AMOUNTS)
def test_two_halves_cost_a_trader_at_least_a_whole_but_for_the_fee_left_in_the_pool(
    x: int, y: int, fee: int, first: int, second: int
) -> None:
    pool = cpmm_pool(x, y, trade_fee_rate=fee, protocol_fee_rate=1_000_000, fund_fee_rate=0)
    whole = quote(pool, first + second, exact_in=True, a_to_b=True)
    half = quote(pool, first, exact_in=True, a_to_b=True)
    if isinstance(half, Swap) and isinstance(whole, Swap):
        rest = quote(half.after, second, exact_in=True, a_to_b=True)
        out = half.amount_out + (rest.amount_out if isinstance(rest, Swap) else 0)
        assert out <= whole.amount_out


@given(x=RESERVES, y=RESERVES, fee=FEES, wanted=AMOUNTS, way=st.booleans())
def test_paying_what_exact_out_asks_gives_at_least_that(
    x: int, y: int, fee: int, wanted: int, way: bool
) -> None:
    pool = cpmm_pool(x, y, trade_fee_rate=fee)
    ask = quote(pool, wanted, exact_in=False, a_to_b=way)
    if isinstance(ask, Swap):
        assert swapped(pool, ask.amount_in, a_to_b=way).amount_out >= wanted


def test_dust_of_exact_out_depends_on_the_build() -> None:
    # X·out / (Y − out): a third, a half, one and a half of a unit.
    for held_in, old, new in ((333, 2505, 1), (500, 1, 1), (1500, 2, 2)):
        for build, expected in (("pre_2025_08", old), ("current", new)):
            pool = cpmm_pool(held_in, 1001, trade_fee_rate=0, program_build=build)
            found = quote(pool, 1, exact_in=False, a_to_b=True)
            got = found.code if isinstance(found, QuoteRefused) else found.amount_in
            assert got == expected


@pytest.mark.parametrize(
    ("changes", "amount", "exact_in", "expected"),
    [
        ({"status": 4}, 1000, True, QuoteRefused("not_approved", 6000)),
        ({"open_time": 10}, 1000, True, QuoteRefused("not_approved", 6000)),
        ({"enable_creator_fee": 1}, 1000, True, QuoteRefused("creator_fee")),
        ({}, 0, True, QuoteRefused("zero_amount", 2505)),
        ({}, -1, False, QuoteRefused("zero_amount", 2505)),
        ({}, 1, True, QuoteRefused("zero_amount", 2505)),
        ({}, 1 << 64, True, QuoteRefused("amount_out_of_range")),
        ({}, 1_500_000 * 10**6, False, QuoteRefused("insufficient_reserves")),
        ({"vault_a_raw": 0}, 1000, True, QuoteRefused("insufficient_reserves")),
    ],
)
def test_refusals(
    changes: dict[str, int], amount: int, exact_in: bool, expected: QuoteRefused
) -> None:
    assert quote(cpmm_pool(**changes), amount, exact_in=exact_in, a_to_b=True, now_s=9) == expected


def test_fees_owed_are_no_reserves() -> None:
    plain = cpmm_pool()
    owing = cpmm_pool(
        plain.vault_a_raw + 7, plain.vault_b_raw + 9, protocol_fees_a=3, fund_fees_a=3,
        creator_fees_a=1, protocol_fees_b=4, fund_fees_b=4, creator_fees_b=1,
    )  # fmt: skip
    assert reserves(owing) == reserves(plain)
    assert swapped(owing, 10**9).amount_out == swapped(plain, 10**9).amount_out
