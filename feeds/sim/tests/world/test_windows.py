"""The busy scenario keeps its promise: how many windows, how long, and worth a trade."""

from __future__ import annotations

import pytest

from feeds.sim.tests.world import window_meter


@pytest.mark.slow
def test_busy_opens_about_six_windows_a_minute_that_a_desk_can_take(monkeypatch):
    monkeypatch.setattr(window_meter, "STEP_NS", 50_000_000)
    found = window_meter.report("busy", minutes=5, seed=7, trades=True)
    print(found)
    assert 4.0 <= found["windows_per_minute_per_asset"] <= 8.5
    assert 0.2 <= found["median_life_s"] <= 0.9
    assert found["at_least_400ms_share"] > 0.6
    assert found["filled"] >= 30  # a ten-minute run must allow sixty
    assert found["failed"] > 5  # and losing races must stay real
    assert found["competitor_trades_per_minute"] > 20
