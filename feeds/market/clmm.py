"""Orca Whirlpool swaps, equal to the deployed program to the last unit and refusal.

Walks the initialised ticks of the arrays a transaction carries and returns the amounts
together with the whole pool state afterwards. Called by `quote`, the simulator and the
golden check. Not here: the stops on the way (`passage`), a step's formulas (`steps`), tick
<-> price (`ticks`), the oracle's fee (`adaptive`), account bytes, slippage limits (those are
the transaction's).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from feeds.market import refusals
from feeds.market.adaptive import AdaptiveFeeRun, start_run
from feeds.market.passage import Arrays, stops_ahead
from feeds.market.pools import Amounts, QuoteRefused, Swap, TickArray, Whirlpool
from feeds.market.refusals import SwapRefused
from feeds.market.steps import FEE_DENOMINATOR, U64_MAX, step_exact_in, step_exact_out
from feeds.market.stops import A_PLACES, B_PLACES, Stop
from feeds.market.ticks import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    TICKS_PER_ARRAY,
    array_start_of,
    tick_from_sqrt_price,
)
from feeds.market.token_fee import gross_of_fee, net_of_fee

_PROTOCOL_FEE_DENOMINATOR = 10_000
_U128_MASK = (1 << 128) - 1


def arrays_for_swap(pool: Whirlpool, a_to_b: bool) -> tuple[int, ...]:
    """Return the start indices of the arrays a transaction carries, in walking order.

    Three, or fewer at an end of the price range. A rising price whose next tick lies
    beyond the current array begins one array later: the program shifts there as well.
    """
    span = TICKS_PER_ARRAY * pool.tick_spacing
    first = array_start_of(pool.tick_current_index, pool.tick_spacing)
    if a_to_b:
        starts = (first, first - span, first - 2 * span)
    else:
        if pool.tick_current_index + pool.tick_spacing >= first + span:
            first += span
        starts = (first, first + span, first + 2 * span)
    if MIN_TICK - span < starts[2] <= MAX_TICK:
        return starts
    return tuple(start for start in starts if MIN_TICK - span < start <= MAX_TICK)


def loaded_arrays(pool: Whirlpool, a_to_b: bool) -> tuple[TickArray | None, ...]:
    """Return the arrays of `arrays_for_swap` as the pool state holds them, else None."""
    held = {array.start_index: array for array in pool.tick_arrays}
    return tuple(map(held.get, arrays_for_swap(pool, a_to_b)))


def carried_arrays(
    pool: Whirlpool, a_to_b: bool, starts: Collection[int]
) -> tuple[TickArray | None, ...]:
    """Return the arrays the program finds when a transaction carries those of `starts`.

    It takes its own three in order and stops at the first that is not among them.
    """
    held = {array.start_index: array for array in pool.tick_arrays}
    found: list[TickArray | None] = []
    for start in arrays_for_swap(pool, a_to_b):
        if start not in starts:
            break
        found.append(held.get(start))
    return tuple(found)


def swap(
    pool: Whirlpool,
    amount: int,
    *,
    exact_in: bool,
    a_to_b: bool,
    now_s: int = 0,
    sqrt_price_limit: int = 0,
    arrays: Arrays | None = None,
) -> Swap | QuoteRefused:
    """Swap `amount` raw units as the program would in a block at `now_s`.

    `amount` is what the user sends (exact in) or receives (exact out), transfer fees
    included. An exact-in order may be filled in part: compare `amount_in` with `amount`.
    `arrays` defaults to the direction's three; a walk into one that was not read is
    refused with "tick_array_missing". Limit 0 is none.
    """
    if arrays is None:
        arrays = loaded_arrays(pool, a_to_b)
    try:
        walk, amount_in, amount_out = _walked(
            pool, amount, exact_in, a_to_b, now_s, sqrt_price_limit, arrays, keeps_fees=True
        )
    except SwapRefused as refused:
        return refused.reason
    return Swap(amount_in, amount_out, walk.fee(), walk.crossings, walk.after(now_s))


def amounts(
    pool: Whirlpool, amount: int, *, exact_in: bool, a_to_b: bool, now_s: int = 0
) -> Amounts | QuoteRefused:
    """Return what `swap` would move, without working out the pool it leaves."""
    try:
        arrays = loaded_arrays(pool, a_to_b)
        _, amount_in, amount_out = _walked(
            pool, amount, exact_in, a_to_b, now_s, 0, arrays, keeps_fees=False
        )
    except SwapRefused as refused:
        return refused.reason
    return Amounts(amount_in, amount_out)


def _walked(
    pool: Whirlpool,
    amount: int,
    exact_in: bool,
    a_to_b: bool,
    now_s: int,
    sqrt_price_limit: int,
    arrays: Arrays,
    *,
    keeps_fees: bool,
) -> tuple[_Walk, int, int]:
    """Walk; return the walk and the user's (input, output)."""
    if amount > U64_MAX:
        raise SwapRefused(refusals.AMOUNT_RANGE)
    fee_a, fee_b = pool.transfer_fee_a, pool.transfer_fee_b
    fee_in, fee_out = (fee_a, fee_b) if a_to_b else (fee_b, fee_a)
    asked = net_of_fee(amount, fee_in) if exact_in else gross_of_fee(amount, fee_out)
    if asked > U64_MAX:
        raise SwapRefused(refusals.TRANSFER_FEE)
    limit = _checked_limit(pool.sqrt_price, sqrt_price_limit, a_to_b)
    if asked <= 0:
        raise SwapRefused(refusals.ZERO_AMOUNT)
    if not arrays:
        raise SwapRefused(refusals.ARRAY_SEQUENCE)
    run = None
    if pool.oracle is not None:
        tick = pool.tick_current_index
        run = start_run(pool.oracle, pool.fee_rate, tick, a_to_b=a_to_b, now_s=now_s)
    walk = _Walk(pool, asked, run, exact_in=exact_in, a_to_b=a_to_b, keeps_fees=keeps_fees)
    walk.go(arrays, limit)
    if exact_in:
        spent = asked - walk.remaining
        amount_in = amount if not walk.remaining else gross_of_fee(spent, fee_in)
        amount_out = net_of_fee(walk.other, fee_out)
    else:
        if walk.remaining and not sqrt_price_limit:
            raise SwapRefused(refusals.PARTIAL_FILL)
        amount_in = gross_of_fee(walk.other, fee_in)
        amount_out = net_of_fee(asked - walk.remaining, fee_out)
    if amount_in > U64_MAX:
        raise SwapRefused(refusals.TRANSFER_FEE)
    return walk, amount_in, amount_out


def _checked_limit(price: int, limit: int, a_to_b: bool) -> int:
    if limit == 0:
        return MIN_SQRT_PRICE if a_to_b else MAX_SQRT_PRICE
    if not MIN_SQRT_PRICE <= limit <= MAX_SQRT_PRICE:
        raise SwapRefused(refusals.PRICE_LIMIT_RANGE)
    if limit > price if a_to_b else limit < price:
        raise SwapRefused(refusals.PRICE_LIMIT_SIDE)
    return limit


class _Walk:
    """The moving state of one swap. Who only wants the amounts does not pay for the rest."""

    __slots__ = (
        "_a_to_b",
        "_earned",
        "_exact_in",
        "_keeps_fees",
        "_pool",
        "_run",
        "crossings",
        "liquidity",
        "other",
        "price",
        "remaining",
        "tick",
    )

    def __init__(
        self,
        pool: Whirlpool,
        asked: int,
        run: AdaptiveFeeRun | None,
        *,
        exact_in: bool,
        a_to_b: bool,
        keeps_fees: bool,
    ) -> None:
        self._run = run
        self._pool = pool
        self._exact_in = exact_in
        self._a_to_b = a_to_b
        # Only who asks for the pool afterwards needs each step's fee, and the tick.
        self._keeps_fees = keeps_fees
        self.remaining = asked
        self.other = 0
        self.price = pool.sqrt_price
        self.tick = pool.tick_current_index
        self.liquidity = pool.liquidity
        self.crossings = 0
        # The fee of each step and the liquidity that shares it.
        self._earned: list[tuple[int, int]] = []

    def go(self, arrays: Arrays, limit: int) -> None:
        """Walk until the amount is used up or the price is at `limit`."""
        a_to_b, run = self._a_to_b, self._run
        stops = stops_ahead(self._pool, arrays, a_to_b)
        if run is None:
            self._go_at_one_fee(stops, limit)
            return
        while self.remaining and self.price != limit:
            stop = next(stops)
            next_price, next_tick = stop[0], stop[4]
            target = max(next_price, limit) if a_to_b else min(next_price, limit)
            while self.remaining:
                rate = run.fee_rate()
                self._step(rate, run.bounded_target(target, self.liquidity))
                self._arrive(stop)
                run.advance(self.price, next_tick, next_price)
                if self.price == target:
                    break

    def _go_at_one_fee(self, stops: Iterator[Stop], limit: int) -> None:
        """Walk to the end at the pool's own fee: whole steps in place, the last by `_step`."""
        a_to_b, keeps_fees, earned = self._a_to_b, self._keeps_fees, self._earned
        rate = self._pool.fee_rate
        kept = FEE_DENOMINATOR - rate
        paid = taken = crossings = 0
        most_paid = self.remaining if self._exact_in else U64_MAX + 1
        most_taken = U64_MAX + 1 if self._exact_in else self.remaining
        liquidity, price, tick = self.liquidity, self.price, self.tick
        last: Stop | None = None
        for stop in stops if price != limit else ():
            target, net, a_per_unit, b_per_unit, next_tick, is_initialised = stop
            # What is paid is negative here, so that its floor is the program's ceiling.
            if a_to_b:
                used = liquidity * a_per_unit >> A_PLACES
                out = liquidity * b_per_unit >> B_PLACES
                is_beyond = target <= limit
            else:
                used = liquidity * b_per_unit >> B_PLACES
                out = liquidity * a_per_unit >> A_PLACES
                is_beyond = target >= limit
            with_fee = used * FEE_DENOMINATOR // kept
            next_paid, next_taken = paid - with_fee, taken + out
            after = liquidity + net
            # The last step, and all that is refused, is left to those who know what to say.
            if is_beyond or next_paid >= most_paid or next_taken >= most_taken or after >> 128:
                last = stop
                break
            if keeps_fees:
                earned.append((used - with_fee, liquidity))
                crossings += is_initialised
                tick = next_tick - a_to_b
            paid, taken = next_paid, next_taken
            price, liquidity = target, after
        self.crossings, self.tick, self.price, self.liquidity = crossings, tick, price, liquidity
        self.remaining -= paid if self._exact_in else taken
        self.other = taken if self._exact_in else paid
        if last is not None:
            self._step(rate, max(last[0], limit) if a_to_b else min(last[0], limit))
            self._arrive(last)

    def _step(self, fee_rate: int, target: int) -> None:
        price, liquidity = self.price, self.liquidity
        if self._exact_in:
            used, out, reached, fee = step_exact_in(
                self.remaining, fee_rate, liquidity, price, target, self._a_to_b
            )
            self.remaining -= used + fee
            self.other += out
        else:
            used, out, reached, fee = step_exact_out(
                self.remaining, fee_rate, liquidity, price, target, self._a_to_b
            )
            self.remaining -= out
            self.other += used + fee
        if self.remaining < 0:
            raise SwapRefused(refusals.REMAINING_OVERFLOW)
        if self.other > U64_MAX:
            raise SwapRefused(refusals.AMOUNT_OVERFLOW)
        self._earned.append((fee, liquidity))
        if reached != price:
            # The logarithm is only worth its time for the price the swap ends at.
            self.tick = _UNKNOWN_TICK
            self.price = reached

    def _arrive(self, stop: Stop) -> None:
        next_price, net, _, _, next_tick, is_initialised = stop
        if self.price != next_price:
            return
        if is_initialised:
            self.liquidity += net
            self.crossings += 1
            if self.liquidity < 0:
                raise SwapRefused(refusals.LIQUIDITY_UNDERFLOW)
            if self.liquidity > _U128_MASK:
                raise SwapRefused(refusals.LIQUIDITY_OVERFLOW)
        self.tick = next_tick - 1 if self._a_to_b else next_tick

    def fee(self) -> int:
        """The fees of all steps together, in the input."""
        return sum([fee for fee, _ in self._earned])

    def after(self, now_s: int) -> Whirlpool:
        """Return the pool as this swap leaves it."""
        pool, run = self._pool, self._run
        oracle = run and run.finish(pool.sqrt_price, self.price, now_s)
        if self.tick == _UNKNOWN_TICK:
            self.tick = tick_from_sqrt_price(self.price)
        growth = protocol_fee = 0
        for fee, liquidity in self._earned:
            share = fee * pool.protocol_fee_rate // _PROTOCOL_FEE_DENOMINATOR
            protocol_fee += share
            if liquidity:
                growth += ((fee - share) << 64) // liquidity
        if self._a_to_b:
            growth_a = (pool.fee_growth_global_a + growth) & _U128_MASK
            growth_b = pool.fee_growth_global_b
            owed_a = pool.protocol_fee_owed_a + protocol_fee
            owed_b = pool.protocol_fee_owed_b
        else:
            growth_a = pool.fee_growth_global_a
            growth_b = (pool.fee_growth_global_b + growth) & _U128_MASK
            owed_a = pool.protocol_fee_owed_a
            owed_b = pool.protocol_fee_owed_b + protocol_fee
        return msgspec.structs.replace(
            pool,
            liquidity=self.liquidity,
            sqrt_price=self.price,
            tick_current_index=self.tick,
            fee_growth_global_a=growth_a,
            fee_growth_global_b=growth_b,
            protocol_fee_owed_a=owed_a,
            protocol_fee_owed_b=owed_b,
            oracle=oracle,
        )


_UNKNOWN_TICK = MAX_TICK + 1
