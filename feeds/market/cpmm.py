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
    amount_in, amount_out, fee = CpmmQuoter(pool, a_to_b=a_to_b).exactly(amount, exact_in, now_s)
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
        try:
            amount_in, amount_out, _ = self.exactly(amount, exact_in, now_s)
        except SwapRefused as refused:
            return refused.reason
        return Amounts(amount_in, amount_out)

    def exactly(self, amount: int, exact_in: bool, now_s: int) -> tuple[int, int, int]:
        """Return (input, output, fee in the input); raises SwapRefused."""
        if amount <= 0 or now_s < self._opens_s:
            raise SwapRefused(self._refusal(amount, now_s))
        if exact_in:
            fee = -(-amount * self._fee_rate // FEE_DENOMINATOR)
            amount_in, amount_out = (
                amount,
                output_floor(self._held_in, self._held_out, amount - fee),
            )
            if amount_out == 0:
                raise SwapRefused(refusals.CPMM_ZERO)
        else:
            swapped = input_ceil(self._held_in, self._held_out, amount, self._build)
            fee = fee_on_top_ceil(swapped, self._fee_rate)
            amount_in, amount_out = swapped + fee, amount
        if amount_in > U64_MAX:
            raise SwapRefused(refusals.AMOUNT_RANGE)
        return amount_in, amount_out, fee

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
