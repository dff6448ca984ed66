"""One step of constant-liquidity swap math: from a price towards a target, in raw units.

Pure integer formulas over Q64.64 square-root prices, rounded as the Whirlpool program
rounds: what the user pays up, what the user gets down. Called by `clmm` for the step an
order ends in; whole steps between ticks are worked out in place, from `stops`.
"""

from __future__ import annotations

from feeds.market.refusals import SHIFT_OVERFLOW, TOKEN_MAX, SwapRefused

FEE_DENOMINATOR = 1_000_000
U64_MAX = (1 << 64) - 1

Step = tuple[int, int, int, int]
"""(input used without fee, output, price reached, fee)."""


def a_between_floor(liquidity: int, low: int, high: int) -> int:
    """Raw A that `liquidity` holds between two square-root prices, rounded down."""
    return (liquidity * (high - low) << 64) // (high * low)


def a_between_ceil(liquidity: int, low: int, high: int) -> int:
    """Raw A between two square-root prices, rounded up."""
    return -(-(liquidity * (high - low) << 64) // (high * low))


def b_between_floor(liquidity: int, low: int, high: int) -> int:
    """Raw B between two square-root prices, rounded down."""
    return liquidity * (high - low) >> 64


def b_between_ceil(liquidity: int, low: int, high: int) -> int:
    """Raw B between two square-root prices, rounded up."""
    return -(-liquidity * (high - low) >> 64)


def price_after_a_in(liquidity: int, price: int, amount: int) -> int:
    """Square-root price after `amount` of A came in, rounded up (towards less output)."""
    return -(-(liquidity * price << 64) // ((liquidity << 64) + amount * price))


def price_after_a_out(liquidity: int, price: int, amount: int) -> int:
    """Square-root price after `amount` of A went out, rounded up (towards more input)."""
    return -(-(liquidity * price << 64) // ((liquidity << 64) - amount * price))


def price_after_b_in(liquidity: int, price: int, amount: int) -> int:
    """Square-root price after `amount` of B came in, rounded down."""
    return price + (amount << 64) // liquidity


def price_after_b_out(liquidity: int, price: int, amount: int) -> int:
    """Square-root price after `amount` of B went out, rounded down."""
    return price + (-amount << 64) // liquidity


def fee_on_top_ceil(used: int, fee_rate: int) -> int:
    """Fee to add to `used` so that the fee is `fee_rate` millionths of the sum, rounded up."""
    return -(-used * fee_rate // (FEE_DENOMINATOR - fee_rate))


def step_exact_in(
    remaining: int, fee_rate: int, liquidity: int, price: int, target: int, a_to_b: bool
) -> Step:
    """Spend at most `remaining` (fee included) while going to `target` at the furthest.

    Raises SwapRefused when the output does not fit the program's u64.
    """
    usable = remaining * (FEE_DENOMINATOR - fee_rate) // FEE_DENOMINATOR
    reached = target
    if a_to_b:
        used = a_between_ceil(liquidity, target, price)
        if used > usable:
            reached = price_after_a_in(liquidity, price, usable)
            used = a_between_ceil(liquidity, reached, price)
        out = liquidity * (price - reached) >> 64
        if out > U64_MAX:
            raise SwapRefused(SHIFT_OVERFLOW)
    else:
        used = b_between_ceil(liquidity, price, target)
        if used > usable:
            reached = price_after_b_in(liquidity, price, usable)
            used = b_between_ceil(liquidity, price, reached)
        out = a_between_floor(liquidity, price, reached)
        if out > U64_MAX:
            raise SwapRefused(TOKEN_MAX)
    # Short of the target the order ends here: what rounding left over is fee as well.
    fee = fee_on_top_ceil(used, fee_rate) if reached == target else remaining - used
    return used, out, reached, fee


def step_exact_out(
    remaining: int, fee_rate: int, liquidity: int, price: int, target: int, a_to_b: bool
) -> Step:
    """Take at most `remaining` out while going to `target` at the furthest.

    Raises SwapRefused when the input does not fit the program's u64.
    """
    reached = target
    if a_to_b:
        out = b_between_floor(liquidity, target, price)
        if out > remaining:
            reached = price_after_b_out(liquidity, price, remaining)
            out = remaining
        used = a_between_ceil(liquidity, reached, price)
        if used > U64_MAX:
            raise SwapRefused(TOKEN_MAX)
    else:
        out = a_between_floor(liquidity, price, target)
        if out > remaining:
            reached = price_after_a_out(liquidity, price, remaining)
            out = remaining
        used = b_between_ceil(liquidity, price, reached)
        if used > U64_MAX:
            raise SwapRefused(SHIFT_OVERFLOW)
    return used, out, reached, fee_on_top_ceil(used, fee_rate)
