"""A pool as the size search sees it: float pieces of constant liquidity.

s is sqrt(quote_raw / base_raw). Between two s a piece of liquidity L exchanges
L(1/s - 1/s') base for L(s' - s) quote, fee apart. The search's answer is always quoted
again in exact integers (`quote`); nothing here decides about money.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from math import sqrt

from feeds.market import ammv4, cpmm
from feeds.market.adaptive import start_run
from feeds.market.clmm import loaded_arrays
from feeds.market.passage import stops_ahead
from feeds.market.pools import AmmV4Pool, CpmmPool, Pool, Whirlpool
from feeds.market.refusals import SwapRefused
from feeds.market.steps import FEE_DENOMINATOR

Segment = tuple[float, float, float]
"""(L, s_from, s_to) in walking order: s rises when base is bought, falls when sold."""


class Pieces:
    """The pieces of one direction of a pool state, worked out as far as walks have gone."""

    __slots__ = ("_ahead", "_known")

    def __init__(self, pieces: Iterable[Segment]) -> None:
        self._ahead = iter(pieces)
        self._known: list[Segment] = []

    def piece(self, at: int) -> Segment | None:
        """Return the piece at place `at`, counted from the current price; None past the last."""
        known = self._known
        while at >= len(known):
            piece = next(self._ahead, None)
            if piece is None:
                return None
            known.append(piece)
        return known[at]


# A constant-product pool has no end; the search stops where the price has moved by half.
_MAX_PRICE_MOVE = 0.5
_Q64 = float(1 << 64)


def root_price(pool: Pool, base_is_a: bool) -> float:
    """Return the current s of the pool, before fees; 0.0 for an empty constant-product pool."""
    if isinstance(pool, Whirlpool):
        return _root_of(pool.sqrt_price, base_is_a)
    reserve_a, reserve_b = product_reserves(pool)
    if reserve_a <= 0 or reserve_b <= 0:
        return 0.0
    return sqrt(reserve_b / reserve_a if base_is_a else reserve_a / reserve_b)


def price(pool: Pool, base_is_a: bool) -> float:
    """Return the mid price of the pool in raw quote units per raw base unit, before fees."""
    return root_price(pool, base_is_a) ** 2


def fee_fraction(pool: Pool, now_s: int = 0) -> float:
    """Return the fee on the input as a fraction; of an adaptive pool, the fee of the first step.

    An adaptive fee rises along the walk, so the search may find a size too big there; the
    exact quote then says so. A `now_s` before the oracle's own time counts as that time.
    """
    if isinstance(pool, CpmmPool):
        return pool.trade_fee_rate / FEE_DENOMINATOR
    if isinstance(pool, AmmV4Pool):
        return pool.swap_fee_numerator / pool.swap_fee_denominator
    oracle = pool.oracle
    if oracle is None:
        return pool.fee_rate / FEE_DENOMINATOR
    at_s = max(
        now_s,
        oracle.trade_enable_timestamp,
        oracle.last_reference_update_timestamp,
        oracle.last_major_swap_timestamp,
    )
    run = start_run(oracle, pool.fee_rate, pool.tick_current_index, a_to_b=True, now_s=at_s)
    return run.fee_rate() / FEE_DENOMINATOR


def segments(pool: Pool, *, buys_base: bool, base_is_a: bool) -> Iterator[Segment]:
    """Yield the pieces a swap may walk from the current price, best price first.

    Ends where the transaction's three tick arrays end, or at the first of them that was
    not read. Pieces without liquidity are kept (L = 0): they cost nothing to cross.
    """
    if not isinstance(pool, Whirlpool):
        yield from _product_segments(pool, buys_base, base_is_a)
        return
    a_to_b = buys_base != base_is_a
    liquidity = pool.liquidity
    here = _root_of(pool.sqrt_price, base_is_a)
    # Raised where the arrays are used up.
    with suppress(SwapRefused):
        for target, net, _, _, _, _ in stops_ahead(pool, loaded_arrays(pool, a_to_b), a_to_b):
            there = target / _Q64 if base_is_a else _Q64 / target
            if there != here:
                yield float(liquidity), here, there
            liquidity += net
            here = there


def _root_of(sqrt_price: int, base_is_a: bool) -> float:
    return sqrt_price / _Q64 if base_is_a else _Q64 / sqrt_price


def product_reserves(pool: CpmmPool | AmmV4Pool) -> tuple[int, int]:
    """Return the tradable raw A and B of a constant-product pool."""
    return ammv4.reserves(pool) if isinstance(pool, AmmV4Pool) else cpmm.reserves(pool)


def _product_segments(
    pool: CpmmPool | AmmV4Pool, buys_base: bool, base_is_a: bool
) -> list[Segment]:
    here = root_price(pool, base_is_a)
    if not here:
        return []
    reserve_a, reserve_b = product_reserves(pool)
    move = 1 + _MAX_PRICE_MOVE if buys_base else 1 - _MAX_PRICE_MOVE
    return [(sqrt(reserve_a) * sqrt(reserve_b), here, here * sqrt(move))]
