"""Ticks and square-root prices of Orca Whirlpools, exact to the unit.

A tick is a power of 1.0001; `sqrt_price` is sqrt(raw_b / raw_a) as Q64.64. The program
multiplies tabulated roots; the tables are derived here from their definition (all 38
equal the deployed ones). Called by `pools`, `stops`, `clmm`, `adaptive`, `curve` and the simulator.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from functools import lru_cache
from math import floor, log

import msgspec

MIN_TICK = -443_636
MAX_TICK = 443_636
MIN_SQRT_PRICE = 4_295_048_016
MAX_SQRT_PRICE = 79_226_673_515_401_279_992_447_579_055
TICKS_PER_ARRAY = 88

_BITS = 19  # 2^19 > MAX_TICK
_LOG_TICK_BASE = log(1.0001) / 2
_LOG_Q64 = 64 * log(2)
# A rounding error of the deployed tables moves a price by up to 1e-4 ticks at the low end;
# nearer than this to a whole tick the exact table decides, not the logarithm.
_LOG_DOUBT = 1e-3


class Tick(msgspec.Struct, frozen=True, gc=False):
    """One initialised tick. `liquidity_net` is added when the price rises through it."""

    index: int
    liquidity_net: int
    liquidity_gross: int


def _derive_tables() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Roots of 1.0001^(2^i): Q96 for rising ticks, Q64 of the inverse for falling ones."""
    rising: list[int] = []
    falling: list[int] = []
    with localcontext(Context(prec=140)):
        base = Decimal("1.0001")
        for bit in range(_BITS):
            root = (base ** (1 << bit)).sqrt()
            rising.append(int(root * (1 << 96)))
            falling.append(int((1 << 64) / root))
    return tuple(rising), tuple(falling)


_RISING_Q96, _FALLING_Q64 = _derive_tables()


@lru_cache(maxsize=1 << 16)
def sqrt_price_from_tick(tick: int) -> int:
    """Return the program's Q64.64 square-root price of `tick`.

    Raises ValueError outside [MIN_TICK, MAX_TICK].
    """
    if not MIN_TICK <= tick <= MAX_TICK:
        raise ValueError(f"tick {tick} is outside the price range")
    if tick >= 0:
        root = 1 << 96
        for bit, factor in enumerate(_RISING_Q96):
            if tick >> bit & 1:
                root = root * factor >> 96
        return root >> 32
    root = 1 << 64
    for bit, factor in enumerate(_FALLING_Q64):
        if -tick >> bit & 1:
            root = root * factor >> 64
    return root


def tick_from_sqrt_price(sqrt_price: int) -> int:
    """Return the largest tick whose square-root price is <= `sqrt_price` (Q64.64).

    Equal to the program's 14-bit logarithm with its final comparison. Raises ValueError
    outside the price range.
    """
    if not MIN_SQRT_PRICE <= sqrt_price <= MAX_SQRT_PRICE:
        raise ValueError(f"square-root price {sqrt_price} is outside the price range")
    position = (log(sqrt_price) - _LOG_Q64) / _LOG_TICK_BASE
    nearest = round(position)
    if abs(position - nearest) > _LOG_DOUBT:
        return floor(position)
    nearest = min(max(nearest, MIN_TICK), MAX_TICK)
    return nearest if sqrt_price_from_tick(nearest) <= sqrt_price else nearest - 1


def array_start_of(tick: int, tick_spacing: int) -> int:
    """Return the start index of the array that holds `tick` (floor; may be below MIN_TICK)."""
    span = TICKS_PER_ARRAY * tick_spacing
    return tick // span * span
