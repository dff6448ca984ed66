"""Where a Whirlpool's price stops on its way, with what a step to there needs.

The price differences and products between neighbouring ticks depend on the ticks alone: a
tick array works them out once (`pools.TickArray`), every walk and prefix sum over it uses
them. Called by `pools` and `clmm`. Not here: amounts, and which stops a swap meets (`clmm`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from feeds.market.ticks import sqrt_price_from_tick

if TYPE_CHECKING:
    from feeds.market.pools import Tick

Stop = tuple[int, int, int, int, int, bool]
"""(target, net, a_per_unit, b_per_unit, tick, is_initialised) of a step from price p.

`target` is the square-root price at `tick`, `net` the liquidity to add there. A step of
liquidity L that runs to the target moves L·a_per_unit >> A_PLACES of A and
L·b_per_unit >> B_PLACES of B into the user's hands: what he pays is negative, and the shifts
round both against him, as the program does.
"""

B_PLACES = 64
A_PLACES = 320
"""Binary places of `a_per_unit` = ceil((target - p)·2^64·2^320 / (p·target)).

Exact for every liquidity below 2^128: prices are below 2^96, so the ceiling adds less than
1 / (p·target) to an amount that is a whole number of those, and never lifts its floor.
"""


def stop_at(price: int, tick: int, net: int, *, is_initialised: bool = True) -> Stop:
    """Return the stop at `tick` for a step from square-root price `price`."""
    target = sqrt_price_from_tick(tick)
    fallen = price - target
    a_per_unit = -((fallen << 64 + A_PLACES) // (price * target))
    return target, net, a_per_unit, fallen, tick, is_initialised


def falling_stops(ticks: Sequence[Tick]) -> tuple[Stop, ...]:
    """Return the stops of a falling price, each reached from the next higher tick.

    The first has nothing above it: it stands as a step of no length.
    """
    return _chained(reversed(ticks), -1)


def rising_stops(ticks: Sequence[Tick]) -> tuple[Stop, ...]:
    """Return the stops of a rising price, each reached from the next lower tick."""
    return _chained(ticks, 1)


def _chained(ticks: Iterable[Tick], sign: int) -> tuple[Stop, ...]:
    found: list[Stop] = []
    price = 0
    for tick in ticks:
        price = price or sqrt_price_from_tick(tick.index)
        stop = stop_at(price, tick.index, sign * tick.liquidity_net)
        found.append(stop)
        price = stop[0]
    return tuple(found)
