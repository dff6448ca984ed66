"""Markets, pools and books for the tests of the trading core, with defaults."""

from __future__ import annotations

from math import isqrt
from typing import Any, Literal

from hypothesis import strategies as st

from feeds.market.pools import CpmmPool, TickArray, Whirlpool
from feeds.market.spec import MarketSpec
from feeds.market.ticks import TICKS_PER_ARRAY, Tick, array_start_of, sqrt_price_from_tick

SPACING = 4


def make_spec(**changes: Any) -> MarketSpec:
    """SOL/USD on Kraken against SOL/USDC in a Whirlpool, base is token a."""
    fields: dict[str, Any] = {
        "asset": "SOL",
        "cex_symbol": "SOL/USD",
        "cex_quote": "USD",
        "price_precision": 2,
        "qty_precision": 8,
        "price_increment_ticks": 1,
        "qty_increment_lots": 1,
        "qty_min_lots": 2_000_000,
        "cost_min": "0.5",
        "pool": "POOL-SOL",
        "pool_kind": "whirlpool",
        "pool_quote": "USDC",
        "base_mint": "MINT-SOL",
        "quote_mint": "MINT-USDC",
        "base_is_a": True,
        "base_decimals": 9,
        "quote_decimals": 6,
    }
    return MarketSpec(**{**fields, **changes})


def make_cpmm(base: int, quote: int, *, base_is_a: bool = True, **changes: Any) -> CpmmPool:
    """A constant-product pool with those reserves (raw) and a 4 bps fee."""
    a, b = (base, quote) if base_is_a else (quote, base)
    fields: dict[str, Any] = {
        "address": "POOL-SOL",
        "amm_config": "CONFIG",
        "mint_a": "A",
        "mint_b": "B",
        "vault_a": "VA",
        "vault_b": "VB",
        "vault_a_raw": a,
        "vault_b_raw": b,
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
        "trade_fee_rate": 400,
        "protocol_fee_rate": 120_000,
        "fund_fee_rate": 40_000,
        "slot": 1000,
    }
    return CpmmPool(**{**fields, **changes})


def make_whirlpool(
    tick: int,
    *,
    liquidity: int,
    steps: dict[int, int] | None = None,
    fee_rate: int = 400,
    slot: int = 1000,
    address: str = "POOL-SOL",
) -> Whirlpool:
    """A Whirlpool in the middle of `tick`, seven arrays loaded around it.

    `steps` maps tick indexes (multiples of the spacing) to their liquidity_net.
    """
    span = TICKS_PER_ARRAY * SPACING
    start = array_start_of(tick, SPACING)
    starts = [start + i * span for i in range(-3, 4)]
    inside = {
        index: net for index, net in (steps or {}).items() if starts[0] <= index < starts[-1] + span
    }
    arrays = tuple(
        TickArray(
            begin,
            tuple(
                Tick(index, net, abs(net))
                for index, net in sorted(inside.items())
                if begin <= index < begin + span
            ),
        )
        for begin in starts
    )
    low, high = sqrt_price_from_tick(tick), sqrt_price_from_tick(tick + 1)
    return Whirlpool(
        address=address,
        mint_a="A",
        mint_b="B",
        vault_a="VA",
        vault_b="VB",
        tick_spacing=SPACING,
        fee_tier_index=SPACING,
        fee_rate=fee_rate,
        protocol_fee_rate=1300,
        liquidity=liquidity,
        sqrt_price=(low + high) // 2,
        tick_current_index=tick,
        fee_growth_global_a=0,
        fee_growth_global_b=0,
        protocol_fee_owed_a=0,
        protocol_fee_owed_b=0,
        tick_arrays=arrays,
        slot=slot,
    )


@st.composite
def whirlpools(draw: st.DrawFn) -> Whirlpool:
    """Random liquidity around a price of about 150 quote per base (9 and 6 decimals)."""
    tick = draw(st.integers(-19_100, -18_900))
    liquidity = draw(st.integers(10**11, 10**14))
    steps: dict[int, int] = {}
    for side in (1, -1):
        active = liquidity
        here = tick // SPACING
        for _ in range(draw(st.integers(0, 6))):
            here += side * draw(st.integers(1, 12))
            # Crossing upwards adds net, downwards subtracts it: keep what is active positive.
            change = draw(st.integers(-(active * 8) // 10, active * 3))
            steps[here * SPACING] = side * change
            active += change
    steps = {index: net for index, net in steps.items() if net}
    return make_whirlpool(tick, liquidity=liquidity, steps=steps)


@st.composite
def cpmms(draw: st.DrawFn, base_is_a: bool) -> CpmmPool:
    """Random reserves around a price of about 150 quote per base."""
    base = draw(st.integers(10**12, 10**16))
    price = draw(st.integers(140_000, 160_000))
    fee = draw(st.sampled_from([100, 400, 2500]))
    return make_cpmm(base, base * price // 10**6, base_is_a=base_is_a, trade_fee_rate=fee)


@st.composite
def ladders(
    draw: st.DrawFn, side: Literal["bids", "asks"], best: int
) -> tuple[tuple[int, int], ...]:
    """Up to ten levels from `best` ticks outwards; lots of 1e-8."""
    levels = []
    price = best
    for _ in range(draw(st.integers(1, 10))):
        levels.append((price, draw(st.integers(10**6, 5 * 10**10))))
        price += draw(st.integers(1, 12)) * (-1 if side == "bids" else 1)
    return tuple(levels)


def price_of(pool: Whirlpool | CpmmPool, base_is_a: bool = True) -> float:
    """Quote raw per base raw."""
    if isinstance(pool, Whirlpool):
        root = pool.sqrt_price / (1 << 64)
    else:
        root = isqrt(pool.vault_b_raw * 10**24 // pool.vault_a_raw) / 10**12
    return root**2 if base_is_a else 1 / root**2
