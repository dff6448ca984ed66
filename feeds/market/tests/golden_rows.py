"""Golden rows as pools and orders, and pools made by hypothesis."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from feeds.market.clmm import arrays_for_swap
from feeds.market.pools import CpmmPool, TickArray, Whirlpool
from feeds.market.ticks import TICKS_PER_ARRAY, Tick, array_start_of, sqrt_price_from_tick


@lru_cache(maxsize=4)
def rows(path: Path) -> tuple[dict[str, Any], ...]:
    """Every row of a golden file."""
    return tuple(json.loads(line) for line in path.read_text().splitlines())


def whirlpool(
    tick: int = 0,
    *,
    tick_spacing: int = 4,
    fee_rate: int = 400,
    liquidity: int = 10**12,
    ticks: dict[int, int] | None = None,
    within: int = 0,
    reach: int = 3,
) -> Whirlpool:
    """A static pool at `tick` (plus `within` of its sqrt price), nets of `ticks`, arrays loaded."""
    span = TICKS_PER_ARRAY * tick_spacing
    first = array_start_of(tick, tick_spacing)
    nets = ticks or {}
    arrays = []
    for start in range(first - reach * span, first + (reach + 1) * span, span):
        held = sorted(at for at in nets if start <= at < start + span)
        arrays.append(
            TickArray(start, tuple(Tick(at, nets[at], abs(nets[at])) for at in held), bool(held))
        )
    return Whirlpool(
        address="pool",
        mint_a="A",
        mint_b="B",
        vault_a="vault A",
        vault_b="vault B",
        tick_spacing=tick_spacing,
        fee_tier_index=tick_spacing,
        fee_rate=fee_rate,
        protocol_fee_rate=1300,
        liquidity=liquidity,
        sqrt_price=sqrt_price_from_tick(tick) + within,
        tick_current_index=tick,
        fee_growth_global_a=0,
        fee_growth_global_b=0,
        protocol_fee_owed_a=0,
        protocol_fee_owed_b=0,
        tick_arrays=tuple(arrays),
    )


@st.composite
def whirlpools(draw: st.DrawFn) -> Whirlpool:
    """Static pools whose positions overlap the current price and its surroundings."""
    spacing = draw(st.sampled_from([1, 4, 64]))
    tick = draw(st.integers(min_value=-3000, max_value=3000)) * spacing
    base = draw(st.integers(min_value=10**6, max_value=10**15))
    nets: dict[int, int] = {}
    inside = base
    for _ in range(draw(st.integers(min_value=0, max_value=12))):
        low = tick // spacing + draw(st.integers(min_value=-150, max_value=150))
        high = low + draw(st.integers(min_value=1, max_value=150))
        size = draw(st.integers(min_value=1, max_value=10**15))
        nets[low * spacing] = nets.get(low * spacing, 0) + size
        nets[high * spacing] = nets.get(high * spacing, 0) - size
        if low * spacing <= tick < high * spacing:
            inside += size
    return whirlpool(
        tick,
        tick_spacing=spacing,
        fee_rate=draw(st.sampled_from([0, 100, 400, 3000, 60_000])),
        liquidity=inside,
        ticks=nets,
    )


def cpmm_pool(
    vault_a_raw: int = 10_000 * 10**9,
    vault_b_raw: int = 1_500_000 * 10**6,
    *,
    trade_fee_rate: int = 2500,
    program_build: str = "current",
    **changes: int,
) -> CpmmPool:
    """A constant-product pool without fees owed."""
    fields: dict[str, int] = {
        "protocol_fees_a": 0,
        "protocol_fees_b": 0,
        "fund_fees_a": 0,
        "fund_fees_b": 0,
        "creator_fees_a": 0,
        "creator_fees_b": 0,
        "creator_fee_on": 0,
        "enable_creator_fee": 0,
        "status": 0,
        "open_time": 0,
        "protocol_fee_rate": 120_000,
        "fund_fee_rate": 40_000,
    }
    return CpmmPool(
        address="pool",
        amm_config="config",
        mint_a="A",
        mint_b="B",
        vault_a="vault A",
        vault_b="vault B",
        vault_a_raw=vault_a_raw,
        vault_b_raw=vault_b_raw,
        trade_fee_rate=trade_fee_rate,
        program_build=program_build,
        **(fields | changes),
    )


def without_array(pool: Whirlpool, a_to_b: bool, place: int) -> Whirlpool:
    """The pool with one of the direction's three arrays not loaded."""
    missing = arrays_for_swap(pool, a_to_b)[place]
    kept = tuple(array for array in pool.tick_arrays if array.start_index != missing)
    return msgspec.structs.replace(pool, tick_arrays=kept)
