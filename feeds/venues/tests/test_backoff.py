"""Pacing of reconnects: jitter within its limit, reset only after uptime, budget kept."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from arbsite.clock import ManualClock, seeded_random
from feeds.venues.backoff import AttemptBudget, Backoff

SECOND = 1_000_000_000


def failing_backoff(clock: ManualClock, failures: int, seed: int = 1) -> Backoff:
    backoff = Backoff(clock, seeded_random(seed), base_s=0.25, cap_s=30.0, stable_s=30.0)
    backoff._failures = failures
    return backoff


def test_first_attempt_waits_for_nothing() -> None:
    assert failing_backoff(ManualClock(), 0).delay_s() == 0.0


@given(st.integers(1, 5_000), st.integers(0, 1_000))
def test_delay_is_random_within_the_doubling_limit_and_the_cap(failures: int, seed: int) -> None:
    limit = min(30.0, 0.25 * 2.0 ** min(failures - 1, 32))
    assert 0.0 <= failing_backoff(ManualClock(), failures, seed).delay_s() <= limit


def test_delays_differ_between_two_clients() -> None:
    first = [failing_backoff(ManualClock(), 8, seed=1).delay_s() for _ in range(3)]
    second = [failing_backoff(ManualClock(), 8, seed=2).delay_s() for _ in range(3)]
    assert first != second


def test_floor_after_maintenance_is_kept() -> None:
    assert failing_backoff(ManualClock(), 0).delay_s(floor_s=5.0) == 5.0


async def test_only_a_stable_uptime_clears_the_failures() -> None:
    clock = ManualClock()
    backoff = Backoff(clock, seeded_random(1), stable_s=30.0)
    await backoff.pause()
    backoff.note_up()
    clock.advance_ns(29 * SECOND)
    backoff.note_down()
    assert backoff.failures == 1
    backoff.note_up()
    clock.advance_ns(30 * SECOND)
    backoff.note_down()
    backoff.note_down()
    assert backoff.failures == 0
    assert backoff.delay_s() == 0.0


def test_budget_holds_over_a_rolling_window() -> None:
    clock = ManualClock()
    budget = AttemptBudget(clock, limit=150, window_s=600.0)
    for _ in range(150):
        assert budget.wait_s() == 0.0
        budget.spend()
        clock.advance_ns(SECOND)
    assert budget.wait_s() == 450.0
    clock.advance_ns(450 * SECOND)
    assert budget.wait_s() == 0.0
    budget.spend()
    assert budget.wait_s() == 1.0


async def test_two_users_share_one_budget() -> None:
    clock = ManualClock()
    budget = AttemptBudget(clock, limit=2, window_s=600.0)
    first = Backoff(clock, seeded_random(1), budget=budget)
    second = Backoff(clock, seeded_random(2), budget=budget)
    await first.pause()
    await second.pause()
    third = asyncio.create_task(first.pause())
    await asyncio.sleep(0)
    assert not third.done()
    assert second.delay_s() >= 600.0
    third.cancel()
