"""Every quoter gives the amounts of the whole swap, or its refusal."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.market.cpmm import CpmmQuoter
from feeds.market.pools import Amounts, Pool, QuoteRefused, TransferFee, Whirlpool
from feeds.market.prefix import PrefixQuoter
from feeds.market.quote import quote
from feeds.market.quoter import WalkQuoter, quoter_for
from feeds.market.tests.golden_rows import cpmm_pool, whirlpool, whirlpools
from feeds.market.tests.test_adaptive import NOW_S, ORACLE


def swapped(
    pool: Pool, amount: int, *, exact_in: bool, a_to_b: bool, now_s: int = 0
) -> Amounts | QuoteRefused:
    """The whole swap's answer in the quoter's words."""
    swap = quote(pool, amount, exact_in=exact_in, a_to_b=a_to_b, now_s=now_s)
    if isinstance(swap, QuoteRefused):
        return swap
    return Amounts(swap.amount_in, swap.amount_out)


@given(
    vault_a=st.integers(min_value=0, max_value=2**62),
    vault_b=st.integers(min_value=0, max_value=2**62),
    fee=st.sampled_from([0, 100, 2500, 999_999, 1_000_000]),
    build=st.sampled_from(["current", "pre_2025_08"]),
    amount=st.integers(min_value=-1, max_value=2**65),
    exact_in=st.booleans(),
    a_to_b=st.booleans(),
)
def test_constant_product(
    vault_a: int, vault_b: int, fee: int, build: str, amount: int, exact_in: bool, a_to_b: bool
) -> None:
    pool = cpmm_pool(vault_a, vault_b, trade_fee_rate=fee, program_build=build)
    assert quoter_for(pool, a_to_b=a_to_b).quote(amount, exact_in) == swapped(
        pool, amount, exact_in=exact_in, a_to_b=a_to_b
    )


@pytest.mark.parametrize(
    ("changes", "now_s", "cause"),
    [
        ({"status": 4}, 10, "not_approved"),
        ({"open_time": 11}, 10, "not_approved"),
        ({"enable_creator_fee": 1}, 10, "creator_fee"),
        ({"protocol_fees_a": 10_000 * 10**9}, 10, "insufficient_reserves"),
    ],
)
def test_a_closed_constant_product_pool_says_why(
    changes: dict[str, int], now_s: int, cause: str
) -> None:
    quoter = CpmmQuoter(cpmm_pool(**changes), a_to_b=True)
    refused = quoter.quote(10**6, True, now_s)
    assert isinstance(refused, QuoteRefused)
    assert refused.cause == cause


def test_a_pool_opens_at_its_time() -> None:
    quoter = CpmmQuoter(cpmm_pool(open_time=11), a_to_b=True)
    assert isinstance(quoter.quote(10**6, True, 11), Amounts)


@given(pool=whirlpools(), amount=st.integers(0, 2**50), exact_in=st.booleans())
def test_a_pool_with_a_transfer_fee_or_an_oracle_is_walked(
    pool: Whirlpool, amount: int, exact_in: bool
) -> None:
    taxed = msgspec.structs.replace(pool, transfer_fee_a=TransferFee(fee_bps=50, max_fee=10**9))
    adaptive = msgspec.structs.replace(whirlpool(0, tick_spacing=64, within=10**15), oracle=ORACLE)
    for state in (taxed, adaptive):
        found = quoter_for(state, a_to_b=True).quote(amount, exact_in, NOW_S)
        assert found == swapped(state, amount, exact_in=exact_in, a_to_b=True, now_s=NOW_S)


def test_the_fastest_exact_quoter_is_chosen() -> None:
    static: list[tuple[Pool, type]] = [
        (whirlpool(0), PrefixQuoter),
        (cpmm_pool(), CpmmQuoter),
        (msgspec.structs.replace(whirlpool(0), oracle=ORACLE), WalkQuoter),
    ]
    for pool, kind in static:
        assert isinstance(quoter_for(pool, a_to_b=True), kind)
