"""Crossing between integers and decimals, always with the rounding in the name.

Inside the core, prices are integer ticks (10^-price_precision), book quantities integer
lots (10^-qty_precision), chain amounts integer base units ("raw"). PnL, limits, API and
database use `Decimal`. Float is for statistics and for the size search only.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from math import ceil, floor

# u128 products have 78 digits; the default 28 would silently round them.
EXACT = Context(prec=120)


def pow10(exponent: int) -> int:
    """10^exponent as an int; exponent must be >= 0."""
    if exponent < 0:
        raise ValueError("exponent must be >= 0")
    return int(10**exponent)


def decimal_from_int(value: int, precision: int) -> Decimal:
    """value · 10^-precision, exact; keeps exactly `precision` decimals."""
    return EXACT.scaleb(value, -precision)


def text_from_int(value: int, precision: int) -> str:
    """Fixed-point text with exactly `precision` decimals, never an exponent."""
    return format(decimal_from_int(value, precision), "f")


def int_from_decimal_floor(value: Decimal, precision: int) -> int:
    """floor(value · 10^precision)."""
    return floor(EXACT.scaleb(value, precision))


def int_from_decimal_ceil(value: Decimal, precision: int) -> int:
    """ceil(value · 10^precision)."""
    return ceil(EXACT.scaleb(value, precision))


def int_from_decimal_exact(value: Decimal, precision: int) -> int:
    """value · 10^precision; raises ValueError when it is not a whole number."""
    with localcontext(EXACT):
        scaled = value.scaleb(precision)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{value} has more than {precision} decimals")
    return int(scaled)


def quantize_floor(value: Decimal, places: int) -> Decimal:
    """Round towards minus infinity at `places` decimals."""
    with localcontext(EXACT):
        return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_FLOOR)
