"""Where a Whirlpool's price stops on its way, with what a step to there needs.

The price differences and products between neighbouring ticks depend on the ticks alone: a
tick array works them out once (`pools.TickArray`), every walk and prefix sum over it uses
them. Called by `pools` and `passage`. Not here: amounts, and which stops a swap meets (`passage`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from feeds.market.ticks import Tick, sqrt_price_from_tick

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


BLOCK = 8
"""Stops that are priced together: few orders go past the first of them."""


class TickStops:
    """The stops between the ticks of one array, in one direction, priced as walks get there."""

    __slots__ = ("_blocks", "_sign", "_ticks")

    def __init__(self, ticks: Sequence[Tick], *, falling: bool) -> None:
        """Take an array's ticks, ascending."""
        self._ticks = ticks[::-1] if falling else ticks
        self._sign = -1 if falling else 1
        self._blocks: list[tuple[Stop, ...] | None] = [None] * -(-len(ticks) // BLOCK)

    def ahead(self, place: int, price: int) -> Iterator[Sequence[Stop]]:
        """Yield the stops from `place` on, counted in walking order, for a walk from `price`."""
        if place >= len(self._ticks):
            return
        # The array knows the way between its ticks, not the way to the first of them.
        first = self._ticks[place]
        yield (stop_at(price, first.index, self._sign * first.liquidity_net),)
        number, within = divmod(place + 1, BLOCK)
        for at in range(number, len(self._blocks)):
            block = self._blocks[at]
            if block is None:
                block = self._blocks[at] = self._priced(at * BLOCK)
            yield block[within:] if within else block
            within = 0

    def _priced(self, place: int) -> tuple[Stop, ...]:
        """The stops of a block; the array's first has nothing before it and no length."""
        ticks = self._ticks[place : place + BLOCK]
        price = sqrt_price_from_tick(self._ticks[max(0, place - 1)].index)
        found: list[Stop] = []
        for tick in ticks:
            stop = stop_at(price, tick.index, self._sign * tick.liquidity_net)
            found.append(stop)
            price = stop[0]
        return tuple(found)
