"""Raydium CPMM swaps (x * y = k), equal to the deployed program to the last unit.

Called by `quote`, the simulator and the golden check. Not here: account bytes, slippage
limits, pools with a creator fee (refused: their math was never seen executed).
"""

from __future__ import annotations

import msgspec

from feeds.market import refusals
from feeds.market.pools import CpmmPool, QuoteRefused, Swap
from feeds.market.refusals import SwapRefused
from feeds.market.steps import FEE_DENOMINATOR, U64_MAX, fee_on_top_ceil

_STATUS_SWAP_DISABLED = 1 << 2


def reserves(pool: CpmmPool) -> tuple[int, int]:
    """Tradable raw A and B: what the vaults hold less every fee still owed."""
    reserve_a = pool.vault_a_raw - pool.protocol_fees_a - pool.fund_fees_a - pool.creator_fees_a
    reserve_b = pool.vault_b_raw - pool.protocol_fees_b - pool.fund_fees_b - pool.creator_fees_b
    return reserve_a, reserve_b


def swap(
    pool: CpmmPool, amount: int, *, exact_in: bool, a_to_b: bool, now_s: int = 0
) -> Swap | QuoteRefused:
    """Swap `amount` raw units (input if `exact_in`, else output) in a block at `now_s`.

    Input rounds up, output down. Dust of exact-out depends on `pool.program_build`.
    """
    try:
        return _swap(pool, amount, exact_in, a_to_b, now_s)
    except SwapRefused as refused:
        return refused.reason


def _swap(pool: CpmmPool, amount: int, exact_in: bool, a_to_b: bool, now_s: int) -> Swap:
    if pool.status & _STATUS_SWAP_DISABLED or now_s < pool.open_time:
        raise SwapRefused(refusals.CPMM_NOT_APPROVED)
    if pool.enable_creator_fee:
        raise SwapRefused(refusals.CPMM_CREATOR_FEE)
    if amount <= 0:
        raise SwapRefused(refusals.CPMM_ZERO)
    reserve_a, reserve_b = reserves(pool)
    held_in, held_out = (reserve_a, reserve_b) if a_to_b else (reserve_b, reserve_a)
    if held_in <= 0 or held_out <= 0 or pool.trade_fee_rate >= FEE_DENOMINATOR:
        raise SwapRefused(refusals.CPMM_RESERVES)
    if exact_in:
        amount_in = amount
        fee = -(-amount * pool.trade_fee_rate // FEE_DENOMINATOR)
        amount_out = output_floor(held_in, held_out, amount - fee)
        if amount_out == 0:
            raise SwapRefused(refusals.CPMM_ZERO)
    else:
        amount_out = amount
        swapped = input_ceil(held_in, held_out, amount, pool.program_build)
        fee = fee_on_top_ceil(swapped, pool.trade_fee_rate)
        amount_in = swapped + fee
    if amount_in > U64_MAX:
        raise SwapRefused(refusals.AMOUNT_RANGE)
    return Swap(amount_in, amount_out, fee, 0, _after(pool, amount_in, amount_out, fee, a_to_b))


def output_floor(held_in: int, held_out: int, swapped: int) -> int:
    """Output for `swapped` units of input after the fee, rounded down."""
    return swapped * held_out // (held_in + swapped)


def input_ceil(held_in: int, held_out: int, out: int, program_build: str) -> int:
    """Input before the fee for exactly `out`, rounded up.

    Builds before 2025-08 round an input below one unit to nearest instead, and refuse a
    zero. Raises SwapRefused on that, and when `out` is not there to be taken.
    """
    left = held_out - out
    if left <= 0:
        raise SwapRefused(refusals.CPMM_RESERVES)
    owed = held_in * out
    if program_build == "pre_2025_08" and owed < left:
        if 2 * owed < left:
            raise SwapRefused(refusals.CPMM_ZERO)
        return 1
    return -(-owed // left)


def _after(pool: CpmmPool, amount_in: int, amount_out: int, fee: int, a_to_b: bool) -> CpmmPool:
    protocol = fee * pool.protocol_fee_rate // FEE_DENOMINATOR
    fund = fee * pool.fund_fee_rate // FEE_DENOMINATOR
    if a_to_b:
        return msgspec.structs.replace(
            pool,
            vault_a_raw=pool.vault_a_raw + amount_in,
            vault_b_raw=pool.vault_b_raw - amount_out,
            protocol_fees_a=pool.protocol_fees_a + protocol,
            fund_fees_a=pool.fund_fees_a + fund,
        )
    return msgspec.structs.replace(
        pool,
        vault_a_raw=pool.vault_a_raw - amount_out,
        vault_b_raw=pool.vault_b_raw + amount_in,
        protocol_fees_b=pool.protocol_fees_b + protocol,
        fund_fees_b=pool.fund_fees_b + fund,
    )
