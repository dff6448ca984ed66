"""Tip tiers: priors, learning, pooling, and the tier that pays."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.bidding import (
    TIP_TIERS,
    OddsTable,
    best_bid,
    congestion_named,
    congestion_of,
    prior_of,
    priority_price,
    tier_of,
)

LAMPORT_USD = 150e-9
ALL = max(TIP_TIERS)


def chosen(table: OddsTable, profit_usd: float, ceiling: int = ALL) -> int:
    return best_bid(
        table.odds("usual", ceiling),
        profit_usd=profit_usd,
        lamport_usd=LAMPORT_USD,
        failed_usd=0.004,
        level=0.1,
    ).tip_lamports


def test_the_tip_grows_with_the_edge_and_never_passes_the_ceiling() -> None:
    tips = [chosen(OddsTable(), profit) for profit in (0.02, 0.2, 1.0, 5.0, 100.0)]
    assert tips == sorted(tips)
    assert tips[0] == 0
    assert tips[-1] >= 500_000
    assert chosen(OddsTable(), 100.0, ceiling=60_000) == 50_000
    assert chosen(OddsTable(), 100.0, ceiling=0) == 0


def test_a_tier_that_fails_gives_way_to_a_dearer_one() -> None:
    table = OddsTable()
    before = chosen(table, 2.0)
    for _ in range(20):
        table.learn(before, "usual", "sudden", landed=False, memory=200.0, at_ns=0)
        table.learn(1_000_000, "usual", "sudden", landed=True, memory=200.0, at_ns=0)
    assert chosen(table, 2.0) > before


def test_levels_of_congestion_learn_apart() -> None:
    table = OddsTable()
    for _ in range(30):
        table.learn(0, "high", "sudden", landed=False, memory=200.0, at_ns=0)
    (usual,) = table.odds("usual", 0)
    (high,) = table.odds("high", 0)
    assert usual.landing == prior_of(0)
    assert high.landing.mean < 0.25


def test_an_asset_that_lost_everything_still_knows_it() -> None:
    table = OddsTable()
    for _ in range(60):
        table.learn(0, "usual", "sudden", landed=False, memory=50.0, at_ns=0)
    (odds,) = table.odds("usual", 0)
    assert odds.landing.alpha + odds.landing.beta == pytest.approx(50.0)
    assert odds.landing.lower() < 0.1


def test_a_storm_is_forgotten_by_the_hour() -> None:
    table = OddsTable()
    for _ in range(60):
        table.learn(0, "usual", "sudden", landed=False, memory=200.0, at_ns=0)
    (stormy,) = table.odds("usual", 0)
    table.fade(59_000_000_000)
    assert table.odds("usual", 0) == (stormy,)
    for hour in range(1, 7):
        table.fade(hour * 3_600_000_000_000)
    (calm,) = table.odds("usual", 0)
    assert stormy.landing.lower() < 0.1
    assert calm.landing.lower() > 0.45
    assert calm.landing.alpha + calm.landing.beta == pytest.approx(10 + 60 / 64)


outcomes = st.lists(st.tuples(st.sampled_from(TIP_TIERS), st.booleans()), max_size=80)


@given(outcomes)
def test_the_odds_never_fall_with_the_tip_and_stay_probabilities(
    tried: list[tuple[int, bool]],
) -> None:
    table = OddsTable()
    for tip, landed in tried:
        table.learn(tip, "usual", "sudden", landed=landed, memory=200.0, at_ns=0)
    odds = table.odds("usual", ALL)
    assert [one.tip_lamports for one in odds] == list(TIP_TIERS)
    means = [one.landing.mean for one in odds]
    assert all(b >= a - 1e-12 for a, b in pairwise(means))
    assert means[0] > 0
    assert means[-1] < 1


@given(outcomes, st.floats(0.01, 50.0), st.integers(0, 3_000_000))
def test_the_choice_is_the_best_of_all_that_are_allowed(
    tried: list[tuple[int, bool]], profit: float, ceiling: int
) -> None:
    table = OddsTable()
    for tip, landed in tried:
        table.learn(tip, "usual", "sudden", landed=landed, memory=200.0, at_ns=0)
    odds = table.odds("usual", ceiling)
    best = best_bid(odds, profit_usd=profit, lamport_usd=LAMPORT_USD, failed_usd=0.004, level=0.1)
    values = {
        one.tip_lamports: one.landing.lower() * (profit - one.tip_lamports * LAMPORT_USD)
        - (1 - one.landing.lower()) * 0.004
        for one in odds
    }
    assert values[best.tip_lamports] == max(values.values())
    assert best.tip_lamports <= ceiling


def test_tiers_prices_and_levels_have_their_bounds() -> None:
    assert [tier_of(tip) for tip in (-5, 0, 19_999, 20_000, 10**9)] == [0, 0, 0, 20_000, ALL]
    assert priority_price(None, 100_000) == 100_000
    assert priority_price(0, 100_000) == 10_000
    assert priority_price(64_000, 100_000) == 64_000
    assert priority_price(10**9, 100_000) == 100_000
    assert [congestion_of(x, 100) for x in (10, 100, 900)] == ["low", "usual", "high"]
    assert congestion_of(5, 0) == "usual"
    assert [congestion_named(x) for x in ("low", "high", "storm")] == ["low", "high", "usual"]
