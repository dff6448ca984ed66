"""Rate counters: they stop us before the venue does, and recover with time."""

from __future__ import annotations

import pytest

from arbsite.clock import ManualClock
from feeds.venues.kraken.limits import (
    PRO,
    STARTER,
    DecayingCounter,
    OrderLimiter,
    tier_from_rate_count,
)

SECOND = 1_000_000_000


def test_counter_rises_by_cost_and_decays_to_zero() -> None:
    clock = ManualClock()
    counter = DecayingCounter(clock, maximum=15, decay=0.5)
    counter.add(14)
    assert counter.wait_s(1) == 0.0
    assert counter.wait_s(2) == pytest.approx(2.0)
    assert counter.wait_s(1, share=0.8) == pytest.approx(6.0)
    clock.advance_ns(4 * SECOND)
    assert counter.level == pytest.approx(12.0)
    clock.advance_ns(1_000 * SECOND)
    assert counter.level == 0.0


def test_a_starter_account_bursts_sixty_orders_a_pair_then_one_a_second() -> None:
    clock = ManualClock()
    limiter = OrderLimiter(clock, STARTER)
    assert all(limiter.try_spend("SOL/USD") for _ in range(60))
    assert not limiter.try_spend("SOL/USD")
    assert limiter.try_spend("JUP/USD")
    clock.advance_ns(SECOND)
    assert limiter.try_spend("SOL/USD")
    assert not limiter.try_spend("SOL/USD")


def test_the_tier_the_venue_tells_takes_effect() -> None:
    limiter = OrderLimiter(ManualClock(), STARTER)
    for _ in range(60):
        limiter.try_spend("SOL/USD")
    tier = tier_from_rate_count(180)
    assert tier is PRO
    limiter.set_tier(PRO)
    assert limiter.try_spend("SOL/USD")
    assert tier_from_rate_count(7) is None
