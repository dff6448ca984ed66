"""Many exact quotes of one pool state: what they share is worked out once.

The engine quotes one state at several sizes and needs amounts only. For a single swap
with the pool's state afterwards (the simulator, the golden check) there is `quote`.
"""

from __future__ import annotations

from typing import Protocol

from feeds.market import clmm
from feeds.market.cpmm import CpmmQuoter
from feeds.market.pools import Amounts, CpmmPool, Pool, QuoteRefused, Whirlpool
from feeds.market.prefix import PrefixQuoter, has_prefix_sums
from feeds.market.quote import quote


class Quoter(Protocol):
    """Exact amounts of one direction of one pool state."""

    def quote(self, amount: int, exact_in: bool, now_s: int = 0) -> Amounts | QuoteRefused:
        """Quote `amount` raw units (input if `exact_in`, else output) in a block at `now_s`."""
        ...


class WalkQuoter:
    """Quotes by the whole swap, for pools whose fee depends on the walk or on the mint."""

    __slots__ = ("_a_to_b", "_pool")

    def __init__(self, pool: Pool, *, a_to_b: bool) -> None:
        self._pool = pool
        self._a_to_b = a_to_b

    def quote(self, amount: int, exact_in: bool, now_s: int = 0) -> Amounts | QuoteRefused:
        """Quote `amount` raw units (input if `exact_in`, else output) in a block at `now_s`."""
        pool = self._pool
        if isinstance(pool, Whirlpool):
            return clmm.amounts(pool, amount, exact_in=exact_in, a_to_b=self._a_to_b, now_s=now_s)
        swap = quote(pool, amount, exact_in=exact_in, a_to_b=self._a_to_b, now_s=now_s)
        if isinstance(swap, QuoteRefused):
            return swap
        return Amounts(swap.amount_in, swap.amount_out)


def quoter_for(pool: Pool, *, a_to_b: bool) -> Quoter:
    """Return the fastest quoter that is exact for this pool."""
    if isinstance(pool, CpmmPool):
        return CpmmQuoter(pool, a_to_b=a_to_b)
    if isinstance(pool, Whirlpool) and has_prefix_sums(pool):
        return PrefixQuoter(pool, a_to_b=a_to_b)
    return WalkQuoter(pool, a_to_b=a_to_b)
