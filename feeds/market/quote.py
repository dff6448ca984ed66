"""One exact quote for any kind of pool: the door the engine and the simulator use."""

from __future__ import annotations

from feeds.market import ammv4, clmm, cpmm
from feeds.market.pools import AmmV4Pool, Pool, QuoteRefused, Swap, Whirlpool


def quote(
    pool: Pool, amount: int, *, exact_in: bool, a_to_b: bool, now_s: int = 0
) -> Swap | QuoteRefused:
    """Quote a swap of `amount` raw units (input if `exact_in`, else output).

    `now_s` is the block time it is expected to land at: adaptive fees and opening times
    depend on it. An exact-in Whirlpool order may fill in part; compare `amount_in`.
    """
    if isinstance(pool, Whirlpool):
        return clmm.swap(pool, amount, exact_in=exact_in, a_to_b=a_to_b, now_s=now_s)
    if isinstance(pool, AmmV4Pool):
        return ammv4.swap(pool, amount, exact_in=exact_in, a_to_b=a_to_b, now_s=now_s)
    return cpmm.swap(pool, amount, exact_in=exact_in, a_to_b=a_to_b, now_s=now_s)
