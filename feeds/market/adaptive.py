"""The adaptive fee of a Whirlpool with an oracle, exact, group of ticks by group.

The fee grows with the distance walked from a reference group, so a swap is cut at every
group boundary. `clmm` asks one `AdaptiveFeeRun` for the fee and the boundary of each step
and reports the price reached; the run ends with the oracle's new variables.
"""

from __future__ import annotations

import msgspec

from feeds.market.pools import AdaptiveFee
from feeds.market.refusals import COMPUTE, NOT_ENABLED, TIMESTAMP, SwapRefused
from feeds.market.ticks import (
    MAX_TICK,
    MIN_TICK,
    sqrt_price_from_tick,
    tick_from_sqrt_price,
)

MAX_FEE_RATE = 100_000
"""Ceiling of the adaptive part and of the total, in millionths."""

MAX_GROUP_STEPS = 155
"""Steps a swap may take here. The chain stops at 1.4 M compute units and a step costs about
8-10 k: swaps of 151 steps were seen to succeed, of 226 to fail."""

_GROUP_SCALE = 10_000
_REDUCTION_DENOMINATOR = 10_000
_MAX_REFERENCE_AGE_S = 3_600
# (100 000 of the control factor) times the square of the accumulator's scale
_FEE_DENOMINATOR = 100_000 * _GROUP_SCALE * _GROUP_SCALE


class AdaptiveFeeRun:
    """The fee state of one swap; mutable, made by `start_run`, thrown away after."""

    __slots__ = (
        "_a_to_b",
        "_core_high",
        "_core_low",
        "_group",
        "_is_skipping",
        "_static_fee_rate",
        "_steps",
        "_variables",
        "_volatility",
    )

    def __init__(
        self, variables: AdaptiveFee, static_fee_rate: int, tick: int, *, a_to_b: bool
    ) -> None:
        self._variables = variables
        self._static_fee_rate = static_fee_rate
        self._a_to_b = a_to_b
        self._group = tick // variables.tick_group_size
        self._volatility = variables.volatility_accumulator
        self._steps = 0
        self._is_skipping = False
        # Further from the reference than this the accumulator stands at its ceiling.
        headroom = variables.max_volatility_accumulator - variables.volatility_reference
        reach = -(-headroom // _GROUP_SCALE)
        self._core_low = variables.tick_group_index_reference - reach
        self._core_high = variables.tick_group_index_reference + reach

    def fee_rate(self) -> int:
        """Move the accumulator to the current group; return the total fee in millionths.

        Raises SwapRefused once the swap would run out of compute units on chain.
        """
        self._steps += 1
        if self._steps > MAX_GROUP_STEPS:
            raise SwapRefused(COMPUTE)
        self._note_group()
        oracle = self._variables
        scaled = self._volatility * oracle.tick_group_size
        adaptive = -(-oracle.adaptive_fee_control_factor * scaled * scaled // _FEE_DENOMINATOR)
        return min(self._static_fee_rate + min(adaptive, MAX_FEE_RATE), MAX_FEE_RATE)

    def bounded_target(self, target: int, liquidity: int) -> int:
        """Return the price where this step must stop at the latest, `target` or nearer."""
        oracle, group = self._variables, self._group
        self._is_skipping = True
        if oracle.adaptive_fee_control_factor == 0 or liquidity == 0:
            return target
        size = oracle.tick_group_size
        if group < self._core_low:
            return target if self._a_to_b else self._nearer(target, self._core_low * size)
        if group > self._core_high:
            if not self._a_to_b:
                return target
            return self._nearer(target, (self._core_high + 1) * size)
        self._is_skipping = False
        return self._nearer(target, group * size if self._a_to_b else (group + 1) * size)

    def advance(self, reached: int, next_tick: int, next_sqrt_price: int) -> None:
        """Go to the next group after a step that ended at price `reached`."""
        if self._is_skipping:
            last = self._last_group(reached, next_tick, next_sqrt_price)
            if last < self._group if self._a_to_b else last > self._group:
                self._group = last
                self._note_group()
        self._group += -1 if self._a_to_b else 1

    def finish(self, price_before: int, price_after: int, now_s: int) -> AdaptiveFee:
        """Return the oracle after the swap."""
        low, high = sorted((price_before, price_after))
        threshold = sqrt_price_from_tick(self._variables.major_swap_threshold_ticks)
        changes: dict[str, int] = {"volatility_accumulator": self._volatility}
        if high >= low * threshold >> 64:
            changes["last_major_swap_timestamp"] = now_s
        return msgspec.structs.replace(self._variables, **changes)

    def _note_group(self) -> None:
        oracle = self._variables
        distance = abs(oracle.tick_group_index_reference - self._group)
        self._volatility = min(
            oracle.volatility_reference + distance * _GROUP_SCALE,
            oracle.max_volatility_accumulator,
        )

    def _nearer(self, target: int, boundary_tick: int) -> int:
        boundary = sqrt_price_from_tick(min(max(boundary_tick, MIN_TICK), MAX_TICK))
        return max(target, boundary) if self._a_to_b else min(target, boundary)

    def _last_group(self, reached: int, next_tick: int, next_sqrt_price: int) -> int:
        size = self._variables.tick_group_size
        tick = next_tick if reached == next_sqrt_price else tick_from_sqrt_price(reached)
        is_on_boundary = tick % size == 0 and sqrt_price_from_tick(tick) == reached
        if is_on_boundary and not self._a_to_b:
            return tick // size - 1
        return tick // size


def start_run(
    oracle: AdaptiveFee, static_fee_rate: int, tick: int, *, a_to_b: bool, now_s: int
) -> AdaptiveFeeRun:
    """Bring the references up to `now_s` (block time, s) and begin a swap at `tick`.

    Raises SwapRefused before the pool's opening time and when `now_s` lies before the oracle's.
    """
    if now_s < oracle.trade_enable_timestamp:
        raise SwapRefused(NOT_ENABLED)
    latest = max(oracle.last_reference_update_timestamp, oracle.last_major_swap_timestamp)
    if now_s < latest:
        raise SwapRefused(TIMESTAMP)
    group = tick // oracle.tick_group_size
    elapsed = now_s - latest
    reference = 0
    if now_s - oracle.last_reference_update_timestamp <= _MAX_REFERENCE_AGE_S:
        if elapsed < oracle.filter_period:
            return AdaptiveFeeRun(oracle, static_fee_rate, tick, a_to_b=a_to_b)
        if elapsed < oracle.decay_period:
            decayed = oracle.volatility_accumulator * oracle.reduction_factor
            reference = decayed // _REDUCTION_DENOMINATOR
    refreshed = msgspec.structs.replace(
        oracle,
        tick_group_index_reference=group,
        volatility_reference=reference,
        last_reference_update_timestamp=now_s,
    )
    return AdaptiveFeeRun(refreshed, static_fee_rate, tick, a_to_b=a_to_b)
