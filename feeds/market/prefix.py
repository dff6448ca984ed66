"""Exact static-fee Whirlpool quotes in O(log n): prefix sums over one pool state.

What a step takes and gives when it runs to its end does not depend on the order's size:
a full step is summed once, when an order first goes through it, and a quote computes
only its last step. The amounts equal `clmm.swap`; the pool's state afterwards is not
computed. Made by `quoter`; adaptive-fee and transfer-fee pools need the walk.
"""

from __future__ import annotations

from bisect import bisect_left

from feeds.market import clmm
from feeds.market.passage import stops_ahead
from feeds.market.pools import Amounts, QuoteRefused, Whirlpool
from feeds.market.refusals import SwapRefused
from feeds.market.steps import FEE_DENOMINATOR, U64_MAX
from feeds.market.stops import A_PLACES, B_PLACES


class PrefixQuoter:
    """The full steps of one direction of one pool state, summed as far as orders went."""

    __slots__ = (
        "_a_to_b",
        "_fee_rate",
        "_liquidities",
        "_paid",
        "_pool",
        "_prices",
        "_stops",
        "_taken",
    )

    def __init__(self, pool: Whirlpool, *, a_to_b: bool) -> None:
        """Stand at the pool's price; no step is summed yet.

        Raises ValueError for a pool whose fee depends on the walk or on the mint.
        """
        if not has_prefix_sums(pool):
            raise ValueError("prefix sums hold for static-fee pools of classic mints only")
        self._pool = pool
        self._a_to_b = a_to_b
        self._fee_rate = pool.fee_rate
        # Entry k is the state after k full steps: paid with fees, and taken.
        self._paid = [0]
        self._taken = [0]
        self._prices = [pool.sqrt_price]
        self._liquidities = [pool.liquidity]
        self._stops = stops_ahead(pool, clmm.loaded_arrays(pool, a_to_b), a_to_b)

    def quote(self, amount: int, exact_in: bool, now_s: int = 0) -> Amounts | QuoteRefused:
        """Quote `amount` raw units (input if `exact_in`, else output).

        `now_s` changes nothing: the fee of such a pool does not depend on the time.
        """
        known = self._paid if exact_in else self._taken
        if amount <= 0 or (amount > known[-1] and not self.sum_steps(amount, exact_in)):
            return self._walk(amount, exact_in)
        at = bisect_left(known, amount)
        if known[at] == amount:
            return Amounts(self._paid[at], self._taken[at])
        at -= 1
        if exact_in:
            return Amounts(amount, self._taken[at] + self._out_of(amount - known[at], at))
        return Amounts(self._paid[at] + self._paid_for(amount - known[at], at), amount)

    def _out_of(self, paid: int, at: int) -> int:
        """The output of a last step that ends before its target; all of `paid` is used."""
        usable = paid * (FEE_DENOMINATOR - self._fee_rate) // FEE_DENOMINATOR
        liquidity, price = self._liquidities[at], self._prices[at]
        if self._a_to_b:
            # Ceiling: an input of A lowers the price by no more than it pays for.
            reached = -(-(liquidity * price << 64) // ((liquidity << 64) + usable * price))
            return liquidity * (price - reached) >> 64
        moved = (usable << 64) // liquidity
        return (liquidity * moved << 64) // ((price + moved) * price)

    def _paid_for(self, out: int, at: int) -> int:
        """The input, fee included, of a last step that gives exactly `out`."""
        liquidity, price = self._liquidities[at], self._prices[at]
        if self._a_to_b:
            moved = -((-out << 64) // liquidity)
            used = -(-(liquidity * moved << 64) // (price * (price - moved)))
        else:
            reached = -(-(liquidity * price << 64) // ((liquidity << 64) - out * price))
            used = -(-liquidity * (reached - price) >> 64)
        return used - -used * self._fee_rate // (FEE_DENOMINATOR - self._fee_rate)

    def sum_steps(self, amount: int, exact_in: bool) -> bool:
        """Sum steps until they cover `amount`; False where no order gets that far.

        Stops before a step the program would refuse (its sums or its liquidity overflow):
        an order that enters one is left to the walk, which says why.
        """
        a_to_b, kept = self._a_to_b, FEE_DENOMINATOR - self._fee_rate
        paid, taken, liquidity = self._paid[-1], self._taken[-1], self._liquidities[-1]
        try:
            while amount > (paid if exact_in else taken):
                target, net, a_per_unit, b_per_unit, _, _ = next(self._stops)
                # What is paid is negative here, so that its floor is the program's ceiling.
                if a_to_b:
                    used = liquidity * a_per_unit >> A_PLACES
                    taken += liquidity * b_per_unit >> B_PLACES
                else:
                    used = liquidity * b_per_unit >> B_PLACES
                    taken += liquidity * a_per_unit >> A_PLACES
                paid -= used * FEE_DENOMINATOR // kept
                liquidity += net
                if paid > U64_MAX or taken > U64_MAX or liquidity >> 128:
                    self._stops = iter(())
                    return False
                self._paid.append(paid)
                self._taken.append(taken)
                self._prices.append(target)
                self._liquidities.append(liquidity)
        except (SwapRefused, StopIteration):
            # The arrays are used up, here or when an earlier order asked.
            return False
        return True

    def _walk(self, amount: int, exact_in: bool) -> Amounts | QuoteRefused:
        return clmm.amounts(self._pool, amount, exact_in=exact_in, a_to_b=self._a_to_b)


def has_prefix_sums(pool: Whirlpool) -> bool:
    """Whether the fee of a step is known before the walk, and no mint takes its own."""
    return not (pool.oracle or pool.transfer_fee_a or pool.transfer_fee_b)
