"""A swap's passage through tick arrays: the stops it meets, and where they let it go no further.

Follows the program's search for the next initialised tick, its steps at array ends and its
refusals. Called by `clmm`, `prefix` and `curve`. Not here: which arrays a swap takes and how
much it moves between stops (`clmm`), what a stop is (`stops`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain

from feeds.market import refusals
from feeds.market.pools import TickArray, Whirlpool
from feeds.market.refusals import SwapRefused
from feeds.market.stops import Stop, stop_at
from feeds.market.ticks import MAX_TICK, MIN_TICK, TICKS_PER_ARRAY, sqrt_price_from_tick

Arrays = Sequence[TickArray | None]
"""Arrays in walking order; None is one the chain has and we have not read."""


def stops_ahead(pool: Whirlpool, arrays: Arrays, a_to_b: bool) -> Iterator[Stop]:
    """Yield the stops of a swap in walking order; ends only where the price range does.

    A stop that is not initialised is the end of the range, or of the last array (which the
    program treats as a step of its own). Past the arrays raises SwapRefused.
    """
    return chain.from_iterable(_stops_by_array(pool, arrays, a_to_b))


def _stops_by_array(pool: Whirlpool, arrays: Arrays, a_to_b: bool) -> Iterator[Sequence[Stop]]:
    spacing = pool.tick_spacing
    span = TICKS_PER_ARRAY * spacing
    search, price = pool.tick_current_index, pool.sqrt_price
    last_array = len(arrays) - 1
    for place, array in enumerate(arrays):
        if array is None:
            raise SwapRefused(refusals.NOT_LOADED)
        start = array.start_index
        if not (start if a_to_b else start - spacing) <= search < start + span:
            raise SwapRefused(refusals.ARRAY_SEQUENCE)
        indices = array.indices
        at = bisect_right(indices, search)
        if a_to_b:
            yield from array.falling.ahead(len(indices) - at, price)
            stopped_at = indices[0] if at else None
        else:
            yield from array.rising.ahead(at, price)
            stopped_at = indices[-1] if at < len(indices) else None
        if stopped_at is not None:
            price = sqrt_price_from_tick(stopped_at)
        edge_slot, end, is_range_end = _end_of_array(start, spacing, a_to_b)
        # A stop on the array's outermost slot already moved the program to the next one.
        if stopped_at != edge_slot and (is_range_end or place == last_array):
            yield (stop_at(price, end, 0, is_initialised=False),)
            if is_range_end:
                return
        search = start - 1 if a_to_b else start + span - 1
    raise SwapRefused(refusals.ARRAYS_EXHAUSTED)


def _end_of_array(start: int, spacing: int, a_to_b: bool) -> tuple[int, int, bool]:
    """The outermost slot of an array, the tick its end counts as, whether the range ends there."""
    if a_to_b:
        return start, max(start, MIN_TICK), start <= MIN_TICK
    beyond = start + TICKS_PER_ARRAY * spacing
    return beyond - spacing, min(beyond - 1, MAX_TICK), beyond > MAX_TICK
