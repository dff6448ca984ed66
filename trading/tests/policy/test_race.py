"""The policy against the frozen opponents: it wins the slot and predicts what it earns."""

from __future__ import annotations

import pytest

from trading.tests.policy.race import Race

MINUTES = 10


@pytest.fixture(scope="module")
def figures():
    race = Race("busy", 7, tip_lamports=1_000_000)
    race.run(MINUTES)
    found = race.figures()
    print(found)
    return found


def test_most_eligible_windows_are_captured_and_few_trades_are_partial(figures) -> None:
    assert figures["attempts"] >= 100
    assert figures["capture"] >= 0.85
    assert figures["hedged"] <= 0.1 * figures["attempts"]


def test_the_prediction_keeps_its_three_promises(figures) -> None:
    assert abs(figures["bias"]) <= 0.10
    assert figures["wape"] <= 0.35
    assert figures["median"] <= 0.25


def test_fills_are_seen_in_the_promised_time(figures) -> None:
    assert figures["fills_p50"] <= 700
    assert figures["fills_p95"] <= 1_500


def test_a_desk_that_may_not_tip_is_outbid_and_says_so_in_its_prediction() -> None:
    race = Race("busy", 7)
    race.run(6)
    found = race.figures()
    assert found["p"] < 0.75
    assert abs(found["bias"]) <= 0.20
    assert set(found["tips"]) == {0}
