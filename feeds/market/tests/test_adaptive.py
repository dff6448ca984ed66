"""The adaptive fee: references, decay, skipping, and the limit on compute."""

from __future__ import annotations

import msgspec
import pytest

from feeds.market import clmm
from feeds.market.adaptive import MAX_GROUP_STEPS, start_run
from feeds.market.pools import AdaptiveFee, QuoteRefused, Swap, Whirlpool
from feeds.market.quote import quote
from feeds.market.refusals import SwapRefused
from feeds.market.tests.golden_rows import whirlpool
from feeds.market.ticks import sqrt_price_from_tick

NOW_S = 1_776_000_000
ORACLE = AdaptiveFee(
    filter_period=30,
    decay_period=600,
    reduction_factor=5_000,
    adaptive_fee_control_factor=4_000,
    max_volatility_accumulator=350_000,
    tick_group_size=64,
    major_swap_threshold_ticks=64,
    last_reference_update_timestamp=NOW_S,
    last_major_swap_timestamp=NOW_S,
    volatility_reference=20_000,
    tick_group_index_reference=3,
    volatility_accumulator=50_000,
)


def pool_with(oracle: AdaptiveFee, tick: int = 0, *, liquidity: int = 10**12) -> Whirlpool:
    """A spacing-64 pool with that oracle."""
    pool = whirlpool(tick, tick_spacing=64, liquidity=liquidity)
    return msgspec.structs.replace(pool, oracle=oracle)


def swap_to(pool: Whirlpool, tick: int, now_s: int = NOW_S) -> Swap:
    """Swap exactly to the price of `tick`."""
    limit = sqrt_price_from_tick(tick)
    swap = clmm.swap(
        pool,
        2**62,
        exact_in=True,
        a_to_b=limit < pool.sqrt_price,
        now_s=now_s,
        sqrt_price_limit=limit,
    )
    assert isinstance(swap, Swap), swap
    return swap


def oracle_after(swap: Swap) -> AdaptiveFee:
    """The oracle a swap leaves."""
    assert isinstance(swap.after, Whirlpool)
    assert swap.after.oracle is not None
    return swap.after.oracle


@pytest.mark.parametrize(
    ("age_s", "reference", "volatility", "updated"),
    [
        (0, 3, 20_000, False),
        (29, 3, 20_000, False),
        (30, 0, 25_000, True),
        (599, 0, 25_000, True),
        (600, 0, 0, True),
        (3_601, 0, 0, True),
    ],
)
def test_references_age(age_s: int, reference: int, volatility: int, updated: bool) -> None:
    after = oracle_after(swap_to(pool_with(ORACLE), -1, NOW_S + age_s))
    assert after.tick_group_index_reference == reference
    assert after.volatility_reference == volatility
    assert after.last_reference_update_timestamp == NOW_S + (age_s if updated else 0)


def test_a_steady_stream_of_major_swaps_cannot_keep_an_hour_old_reference() -> None:
    busy = msgspec.structs.replace(ORACLE, last_major_swap_timestamp=NOW_S + 3_600)
    assert oracle_after(swap_to(pool_with(busy), -1, NOW_S + 3_600)).volatility_reference == 20_000
    assert oracle_after(swap_to(pool_with(busy), -1, NOW_S + 3_601)).volatility_reference == 0


def test_the_accumulator_counts_groups_from_the_reference() -> None:
    fresh = msgspec.structs.replace(ORACLE, tick_group_index_reference=0, volatility_reference=0)
    assert oracle_after(swap_to(pool_with(fresh), 5 * 64 + 1)).volatility_accumulator == 50_000
    # Ending exactly on a boundary does not enter the next group.
    assert oracle_after(swap_to(pool_with(fresh), 5 * 64)).volatility_accumulator == 40_000
    assert oracle_after(swap_to(pool_with(fresh), -1)).volatility_accumulator == 10_000
    far = oracle_after(swap_to(pool_with(fresh), 64 * 100))
    assert far.volatility_accumulator == fresh.max_volatility_accumulator


def test_a_major_swap_is_noted() -> None:
    later = NOW_S + 10
    assert oracle_after(swap_to(pool_with(ORACLE), 60, later)).last_major_swap_timestamp == NOW_S
    assert oracle_after(swap_to(pool_with(ORACLE), 64, later)).last_major_swap_timestamp == later
    assert oracle_after(swap_to(pool_with(ORACLE), -65, later)).last_major_swap_timestamp == later


def test_a_pool_without_a_control_factor_charges_its_static_fee() -> None:
    idle = msgspec.structs.replace(ORACLE, adaptive_fee_control_factor=0)
    static = msgspec.structs.replace(pool_with(idle), oracle=None)
    for tick in (1, 64, 3_000, -1, -64, -3_000):
        ours, plain = swap_to(pool_with(idle), tick), swap_to(static, tick)
        assert (ours.amount_in, ours.amount_out) == (plain.amount_in, plain.amount_out)


def test_the_fee_never_passes_ten_percent() -> None:
    wild = msgspec.structs.replace(
        ORACLE, adaptive_fee_control_factor=10**9, max_volatility_accumulator=2**31
    )
    swap = swap_to(pool_with(wild), 64 * 30)
    assert swap.fee * 10 <= swap.amount_in + 31 * 10


def test_moving_back_to_the_core_range_is_cut_where_it_begins() -> None:
    # The reference lies far above: the first stretch runs at the ceiling, in one step.
    away = msgspec.structs.replace(ORACLE, tick_group_index_reference=80)
    after = oracle_after(swap_to(pool_with(away), 64 * 79 + 1))
    assert after.volatility_accumulator == 20_000 + 10_000
    below = msgspec.structs.replace(ORACLE, tick_group_index_reference=-80)
    after = oracle_after(swap_to(pool_with(below), -64 * 79 - 1))
    assert after.volatility_accumulator == 20_000


def test_too_many_groups_are_refused_for_compute() -> None:
    fine = msgspec.structs.replace(
        ORACLE,
        tick_group_size=1,
        tick_group_index_reference=0,
        volatility_reference=0,
        max_volatility_accumulator=10_000 * (MAX_GROUP_STEPS + 10),
    )
    pool = pool_with(fine)
    assert isinstance(swap_to(pool, MAX_GROUP_STEPS), Swap)
    over = clmm.swap(
        pool,
        2**62,
        exact_in=True,
        a_to_b=False,
        now_s=NOW_S,
        sqrt_price_limit=sqrt_price_from_tick(MAX_GROUP_STEPS + 1),
    )
    assert over == QuoteRefused("compute")


def test_refused_times() -> None:
    past = quote(pool_with(ORACLE), 1000, exact_in=True, a_to_b=True, now_s=NOW_S - 1)
    assert past == QuoteRefused("invalid_timestamp", 6022)
    closed = msgspec.structs.replace(ORACLE, trade_enable_timestamp=NOW_S + 1)
    early = quote(pool_with(closed), 1000, exact_in=True, a_to_b=True, now_s=NOW_S)
    assert early == QuoteRefused("trade_not_enabled", 6064)
    with pytest.raises(SwapRefused, match="invalid_timestamp"):
        start_run(ORACLE, 400, 0, a_to_b=True, now_s=0)
