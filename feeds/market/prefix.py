"""Exact static-fee Whirlpool quotes in O(log n): prefix sums over one pool state.

What a step takes and gives when it runs to its end does not depend on the order's size,
so all full steps are summed once and a quote only computes its last step. The amounts
equal `clmm.swap`; the post state is not computed. Built by the engine once per pool
update and direction; adaptive-fee and transfer-fee pools need the walk.
"""

from __future__ import annotations

from bisect import bisect_left
from contextlib import suppress

import msgspec

from feeds.market import clmm
from feeds.market.pools import QuoteRefused, Whirlpool
from feeds.market.refusals import SwapRefused
from feeds.market.steps import (
    U64_MAX,
    a_between_ceil,
    a_between_floor,
    b_between_ceil,
    b_between_floor,
    fee_on_top_ceil,
    step_exact_in,
    step_exact_out,
)
from feeds.market.ticks import sqrt_price_from_tick


class Amounts(msgspec.Struct, frozen=True, gc=False):
    """What the user pays and gets, and the fee inside the input; all raw."""

    amount_in: int
    amount_out: int
    fee: int


class PrefixQuoter:
    """All full steps of one direction of one pool state, summed."""

    __slots__ = (
        "_a_to_b",
        "_fee_rate",
        "_fees",
        "_liquidities",
        "_paid",
        "_pool",
        "_prices",
        "_taken",
    )

    def __init__(self, pool: Whirlpool, *, a_to_b: bool) -> None:
        """Sum the steps over the three arrays of the direction.

        Raises ValueError for a pool whose fee depends on the walk or on the mint.
        """
        if pool.oracle or pool.transfer_fee_a or pool.transfer_fee_b:
            raise ValueError("prefix sums hold for static-fee pools of classic mints only")
        self._pool = pool
        self._a_to_b = a_to_b
        self._fee_rate = pool.fee_rate
        # Entry k is the state after k full steps: paid with fees, taken, of it fees.
        self._paid = [0]
        self._taken = [0]
        self._fees = [0]
        self._prices = [pool.sqrt_price]
        self._liquidities = [pool.liquidity]
        # Raised past the arrays: such an order is left to the walk, which says why.
        with suppress(SwapRefused):
            self._sum_steps()

    def quote(self, amount: int, *, exact_in: bool) -> Amounts | QuoteRefused:
        """Quote `amount` raw units (input if `exact_in`, else output)."""
        known = self._paid if exact_in else self._taken
        at = bisect_left(known, amount)
        if at == len(known) or at == 0:
            return self._walk(amount, exact_in)
        if known[at] == amount:
            paid, taken, fee = self._paid[at], self._taken[at], self._fees[at]
        else:
            at -= 1
            step = step_exact_in if exact_in else step_exact_out
            try:
                used, out, _, fee = step(
                    amount - known[at],
                    self._fee_rate,
                    self._liquidities[at],
                    self._prices[at],
                    self._prices[at + 1],
                    self._a_to_b,
                )
            except SwapRefused as refused:
                return refused.reason
            paid = self._paid[at] + used + fee
            taken = self._taken[at] + out
            fee += self._fees[at]
        if paid > U64_MAX or taken > U64_MAX:
            return self._walk(amount, exact_in)
        return Amounts(paid, taken, fee)

    def _sum_steps(self) -> None:
        liquidity, price = self._pool.liquidity, self._pool.sqrt_price
        arrays = clmm.loaded_arrays(self._pool, self._a_to_b)
        for tick, net in clmm.walk_targets(self._pool, arrays, self._a_to_b):
            target = sqrt_price_from_tick(tick)
            if self._a_to_b:
                used = a_between_ceil(liquidity, target, price)
                out = b_between_floor(liquidity, target, price)
            else:
                used = b_between_ceil(liquidity, price, target)
                out = a_between_floor(liquidity, price, target)
            fee = fee_on_top_ceil(used, self._fee_rate)
            liquidity += net or 0
            price = target
            self._paid.append(self._paid[-1] + used + fee)
            self._taken.append(self._taken[-1] + out)
            self._fees.append(self._fees[-1] + fee)
            self._prices.append(price)
            self._liquidities.append(liquidity)
            if liquidity < 0 or self._paid[-1] > U64_MAX or self._taken[-1] > U64_MAX:
                # No order gets further; the walk names the overflow.
                return

    def _walk(self, amount: int, exact_in: bool) -> Amounts | QuoteRefused:
        swap = clmm.swap(self._pool, amount, exact_in=exact_in, a_to_b=self._a_to_b)
        if isinstance(swap, QuoteRefused):
            return swap
        return Amounts(swap.amount_in, swap.amount_out, swap.fee)
