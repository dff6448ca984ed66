"""Feasibility: costs, runs, effective sizes, and the courage to abstain."""

from __future__ import annotations

from decimal import Decimal

import pytest

from arbsite.clock import seeded_random
from reports.feasibility import Costs, assess, largest_taker_bps, windows_per_day
from trading.backtest.intervals import effective_size, share, wilson

SAMPLE = 2_000_000_000


def costs(taker: str = "10") -> Costs:
    return Costs(
        taker_bps=Decimal(taker),
        haircut_bps=Decimal(1),
        min_edge_bps=Decimal(2),
        chain_fee_usd=Decimal("0.05"),
        notional_usd=Decimal(5000),
    )


def samples(gaps: list[float]) -> list[tuple[int, float]]:
    return [(place * SAMPLE, gap) for place, gap in enumerate(gaps)]


def lively(hours: float, every: int, wide: float = 30.0) -> list[float]:
    """Noise around -3 bps with a wide gap of three samples now and then."""
    rng = seeded_random("gaps")
    n = round(hours * 1800)
    return [wide if place % every < 3 else rng.gauss(-3, 2) for place in range(n)]


def test_break_even_is_the_sum_of_its_parts():
    assert costs().break_even_bps == pytest.approx(10 + 1 + 0.1)
    assert costs().needed_bps == pytest.approx(13.1)


def test_little_data_is_no_answer():
    short = assess("SOL", samples(lively(0.5, 100)), costs())
    assert (short.verdict, short.windows_per_day, short.largest_taker_bps) == (
        "abstain",
        None,
        None,
    )
    assert "at least 1 h" in short.why
    # A day of one slow swing is long, but hardly an observation.
    slow = [20.0 if place < 1800 else -20.0 for place in range(3600)]
    assert assess("SOL", samples(slow), costs()).verdict == "abstain"
    assert assess("SOL", [], costs()).verdict == "abstain"


def test_a_lively_pair_clears_and_a_dear_tier_does_not():
    found = assess("SOL", samples(lively(8, 200)), costs())
    assert found.verdict == "clears"
    assert found.windows == 72
    assert found.windows_per_day == pytest.approx(216, rel=0.05)
    assert found.windows_per_day_low < found.windows_per_day < found.windows_per_day_high
    # The gap is 30, other costs are 3.1 bps.
    assert found.largest_taker_bps == pytest.approx(26.9, abs=0.1)
    assert assess("SOL", samples(lively(8, 200)), costs("26")).verdict == "clears"
    assert assess("SOL", samples(lively(8, 200)), costs("40")).verdict != "clears"


def test_what_was_never_seen_in_a_short_time_is_not_called_impossible():
    never = assess("SOL", samples(lively(2, 10**9, wide=-3.0)), costs("40"))
    assert never.verdict == "abstain"
    assert never.windows == 0
    assert "do not tell" in never.why


def test_windows_are_runs_not_samples():
    gaps = [20.0] * 5 + [0.0] * 95
    low, middle, high = windows_per_day(gaps * 10, 1000, 13.1)
    assert middle == pytest.approx(0.05 * 86_400 / 10)
    assert low < middle < high


def test_no_fee_at_all_may_still_be_too_dear():
    assert largest_taker_bps([0.0] * 1000, costs()) is None


def test_dependent_observations_are_worth_less():
    rng = seeded_random("series")
    independent = [rng.gauss(0, 1) for _ in range(4_000)]
    assert 3_000 < effective_size(independent) <= 4_000
    value, walk = 0.0, []
    for _ in range(4_000):
        value = 0.95 * value + rng.gauss(0, 1)
        walk.append(value)
    # For an autoregression of 0.95 it is n (1 - a) / (1 + a).
    assert 50 < effective_size(walk) < 200
    assert effective_size([1.0] * 100) == 1.0
    assert effective_size([1.0, 2.0]) == 2.0


def test_wilson_is_the_textbooks():
    low, high = wilson(8, 10)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert wilson(0, 0) == (0.0, 1.0)
    assert share(0, 0).value is None
    assert wilson(0, 50)[0] == 0.0
    assert wilson(50, 50)[1] == 1.0
