"""Raydium CPMM swaps (x * y = k), equal to the deployed program to the last unit.

Called by `quote`, the simulator and the golden check. Not here: account bytes, slippage
limits, pools with a creator fee (refused: their math was never seen executed).
"""

from __future__ import annotations

from math import inf

import msgspec

from feeds.market import refusals
from feeds.market.pools import Amounts, CpmmPool, QuoteRefused, Swap
from feeds.market.refusals import SwapRefused
from feeds.market.steps import FEE_DENOMINATOR, U64_MAX

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
    quoted = CpmmQuoter(pool, a_to_b=a_to_b).quote(amount, exact_in, now_s)
    if isinstance(quoted, QuoteRefused):
        return quoted
    amount_in, amount_out = quoted.amount_in, quoted.amount_out
    if exact_in:
        fee = -(-amount * pool.trade_fee_rate // FEE_DENOMINATOR)
    else:
        held_in, held_out = reserves(pool) if a_to_b else reserves(pool)[::-1]
        fee = amount_in - input_ceil(held_in, held_out, amount, pool.program_build)
    return Swap(amount_in, amount_out, fee, 0, _after(pool, amount_in, amount_out, fee, a_to_b))


class CpmmQuoter:
    """One direction of one pool state, its reserves worked out once."""

    __slots__ = ("_build", "_fee_rate", "_held_in", "_held_out", "_opens_s", "_pool")

    def __init__(self, pool: CpmmPool, *, a_to_b: bool) -> None:
        reserve_a, reserve_b = reserves(pool)
        self._pool = pool
        self._held_in, self._held_out = (reserve_a, reserve_b) if a_to_b else (reserve_b, reserve_a)
        self._fee_rate = pool.trade_fee_rate
        self._build = pool.program_build
        is_usable = (
            self._held_in > 0
            and self._held_out > 0
            and self._fee_rate < FEE_DENOMINATOR
            and not pool.enable_creator_fee
            and not pool.status & _STATUS_SWAP_DISABLED
        )
        # A pool that is closed to everybody never opens.
        self._opens_s = pool.open_time if is_usable else inf

    def quote(self, amount: int, exact_in: bool, now_s: int = 0) -> Amounts | QuoteRefused:
        """Quote `amount` raw units (input if `exact_in`, else output) in a block at `now_s`."""
        if amount <= 0 or now_s < self._opens_s:
            return self._refusal(amount, now_s)
        held_in, held_out, rate = self._held_in, self._held_out, self._fee_rate
        # `output_floor` and `input_ceil` in place: a call costs as much as either.
        if exact_in:
            swapped = amount - -(-amount * rate // FEE_DENOMINATOR)
            amount_out = swapped * held_out // (held_in + swapped)
            if amount > U64_MAX:
                return refusals.AMOUNT_RANGE if amount_out else refusals.CPMM_ZERO
            return Amounts(amount, amount_out) if amount_out else refusals.CPMM_ZERO
        left, owed = held_out - amount, held_in * amount
        if owed < left or left <= 0:
            # An input below one unit, or more than there is: the builds differ here.
            try:
                swapped = input_ceil(held_in, held_out, amount, self._build)
            except SwapRefused as refused:
                return refused.reason
        else:
            swapped = -(-owed // left)
        amount_in = swapped - -swapped * rate // (FEE_DENOMINATOR - rate)
        return Amounts(amount_in, amount) if amount_in <= U64_MAX else refusals.AMOUNT_RANGE

    def _refusal(self, amount: int, now_s: int) -> QuoteRefused:
        """Why nothing of `amount` is swapped now, in the program's order of checks."""
        pool = self._pool
        if pool.status & _STATUS_SWAP_DISABLED or now_s < pool.open_time:
            return refusals.CPMM_NOT_APPROVED
        if pool.enable_creator_fee:
            return refusals.CPMM_CREATOR_FEE
        return refusals.CPMM_ZERO if amount <= 0 else refusals.CPMM_RESERVES


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
