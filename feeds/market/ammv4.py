"""Raydium AMM v4 swaps (x * y = k), by the published integer rules of the program.

Called by `quote`, the size search and the simulator. No binary of this program was at hand:
the formulas are those of its source, not of executed swaps. Not here: account bytes,
slippage limits, and any pool whose reserves may partly rest on an order book (refused).
"""

from __future__ import annotations

import msgspec

from feeds.market import refusals
from feeds.market.cpmm import output_floor
from feeds.market.pools import AmmV4Pool, QuoteRefused, Swap
from feeds.market.refusals import SwapRefused
from feeds.market.steps import U64_MAX

STATUS_INITIALIZED = 1
STATUS_SWAP_ONLY = 6
STATUS_WAITING_TRADE = 7


def reserves(pool: AmmV4Pool) -> tuple[int, int]:
    """Tradable raw A and B: what the vaults hold less the profit its owner has yet to take."""
    return (
        pool.vault_a_raw - pool.need_take_pnl_a,
        pool.vault_b_raw - pool.need_take_pnl_b,
    )


def swap(
    pool: AmmV4Pool, amount: int, *, exact_in: bool, a_to_b: bool, now_s: int = 0
) -> Swap | QuoteRefused:
    """Swap `amount` raw units (input if `exact_in`, else output); now_s is unused by it.

    Input and fee round up, output down. Refused: any status but "swap only", because in
    the others part of the reserves may lie in the program's open orders.
    """
    try:
        return _swap(pool, amount, exact_in, a_to_b)
    except SwapRefused as refused:
        return refused.reason


def _swap(pool: AmmV4Pool, amount: int, exact_in: bool, a_to_b: bool) -> Swap:
    _check_status(pool.status)
    if amount <= 0:
        raise SwapRefused(refusals.AMMV4_ZERO)
    reserve_a, reserve_b = reserves(pool)
    held_in, held_out = (reserve_a, reserve_b) if a_to_b else (reserve_b, reserve_a)
    numerator, denominator = pool.swap_fee_numerator, pool.swap_fee_denominator
    if held_in <= 0 or held_out <= 0 or not 0 <= numerator < denominator:
        raise SwapRefused(refusals.AMMV4_RESERVES)
    if exact_in:
        amount_in = amount
        fee = ceil_div(amount * numerator, denominator, pool.program_build)
        amount_out = output_floor(held_in, held_out, amount - fee)
    else:
        amount_out = amount
        if amount >= held_out:
            raise SwapRefused(refusals.AMMV4_RESERVES)
        before_fee = ceil_div(held_in * amount, held_out - amount, pool.program_build)
        amount_in = ceil_div(before_fee * denominator, denominator - numerator, pool.program_build)
        fee = amount_in - before_fee
    if amount_in == 0 or amount_out == 0:
        raise SwapRefused(refusals.AMMV4_ZERO)
    if amount_in > U64_MAX:
        raise SwapRefused(refusals.AMOUNT_RANGE)
    return Swap(amount_in, amount_out, fee, 0, _after(pool, amount_in, amount_out, a_to_b))


def _check_status(status: int) -> None:
    if status == STATUS_INITIALIZED:
        raise SwapRefused(refusals.AMMV4_ORDER_BOOK)
    if status == STATUS_WAITING_TRADE:
        raise SwapRefused(refusals.AMMV4_WAITING)
    if status != STATUS_SWAP_ONLY:
        raise SwapRefused(refusals.AMMV4_STATUS)


def ceil_div(dividend: int, divisor: int, program_build: str) -> int:
    """Divide rounding up; builds with an order book round a result below one to nearest."""
    if program_build == "openbook" and dividend < divisor:
        return 1 if 2 * dividend >= divisor else 0
    return -(-dividend // divisor)


def _after(pool: AmmV4Pool, amount_in: int, amount_out: int, a_to_b: bool) -> AmmV4Pool:
    """The whole input, fee included, joins the vault: the fee stays with the liquidity."""
    into_a, into_b = (amount_in, -amount_out) if a_to_b else (-amount_out, amount_in)
    return msgspec.structs.replace(
        pool, vault_a_raw=pool.vault_a_raw + into_a, vault_b_raw=pool.vault_b_raw + into_b
    )
