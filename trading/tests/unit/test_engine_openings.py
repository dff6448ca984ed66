"""The engine names how a gap came, and what one asset's trades teach reaches the others."""

from __future__ import annotations

import pytest

from feeds.market.events import BookInvalidated, SlotAdvanced
from trading.engine.core import Engine
from trading.engine.engine_state import EngineModel, EngineState
from trading.engine.staleness import StalenessModel
from trading.inputs import LandingOutcome

from .builders import make_spec
from .desk import FAIR, Market

# About 30 bps of gap; half of it is about 23 ticks.
WIDE = FAIR + 45


def slot(market: Market, number: int) -> None:
    market.tell(SlotAdvanced(slot=number, lag_slots=0, recv_ns=market.after(1)))


@pytest.mark.parametrize(("stood", "opening"), [(FAIR, "sudden"), (FAIR + 28, "slow")])
def test_the_gap_of_a_slot_ago_says_how_this_one_came(stood: int, opening: str) -> None:
    market = Market()
    market.book(stood)
    slot(market, 1001)
    market.book(WIDE)
    (intent,) = market.intents
    assert intent.verdict.opening == opening


def test_a_gap_that_stood_through_a_refusal_is_no_longer_sudden() -> None:
    market = Market(mode="hedge_only")
    slot(market, 1001)
    market.book(WIDE)
    sized = market.engine.state.assets["SOL"].sized
    assert sized is not None
    assert sized.verdict.opening == "sudden"
    slot(market, 1002)
    market.book(WIDE + 2)
    sized = market.engine.state.assets["SOL"].sized
    assert sized is not None
    assert sized.verdict.opening == "slow"


def test_only_the_first_word_of_a_slot_marks_its_beginning() -> None:
    market = Market()
    slot(market, 1001)
    asset = market.engine.state.assets["SOL"]
    before = asset.gaps_before
    market.book(FAIR + 10)
    for number in (1001, 1000):
        slot(market, number)
        assert asset.gaps_before == before
    slot(market, 1002)
    assert asset.gaps_before["buy_dex_sell_cex"] > before["buy_dex_sell_cex"] + 5


def test_what_could_not_be_seen_is_not_called_sudden() -> None:
    market = Market()
    slot(market, 1001)
    market.tell(BookInvalidated("SOL/USD", "gap", market.after(1)))
    market.book(WIDE)
    (intent,) = market.intents
    assert intent.verdict.opening == "slow"


def test_poor_odds_lower_what_is_expected_and_leave_the_window_as_it_is() -> None:
    """Others lost every slow gap: SOL's own bound knows nothing of it."""
    seen = []
    for stood in (FAIR, FAIR + 28):
        jup = make_spec(asset="JUP", cex_symbol="JUP/USD", pool="POOL-JUP")
        market = Market(Engine({"SOL": make_spec(), "JUP": jup}))
        for _ in range(40):
            market.engine.state.learn(
                LandingOutcome("JUP", 0, "usual", False, None, market.at_ns, "slow")
            )
        market.book(stood)
        slot(market, 1001)
        market.book(WIDE)
        sized = market.engine.state.assets["SOL"].sized
        assert sized is not None
        seen.append(sized)
    sudden, slow = seen
    assert slow.verdict.p_land < 0.4 < 0.7 < sudden.verdict.p_land
    assert slow.verdict.p_land_lower == slow.verdict.p_land
    assert sudden.verdict.p_land_lower < sudden.verdict.p_land
    assert slow.pnl.decision_value < sudden.pnl.decision_value
    assert slow.landed_value_usd == sudden.landed_value_usd
    assert slow.quotes == sudden.quotes


def test_an_outcome_moves_what_every_asset_expects_and_only_its_own_bound() -> None:
    specs = {name: make_spec(asset=name) for name in ("JUP", "SOL")}
    state = EngineState(specs, StalenessModel(pause_ns=10**10, resume_ns=10**10), EngineModel())
    jup, sol = state.assets["JUP"], state.assets["SOL"]
    (before,) = jup.landing.odds("usual", 0)
    for _ in range(5):
        state.learn(
            LandingOutcome(
                asset="SOL", tip_lamports=0, congestion="usual", dex_landed=True,
                cex_filled_ratio=1.0, at_ns=1, opening="sudden",
            )
        )  # fmt: skip
    (after,) = jup.landing.odds("usual", 0)
    (own,) = sol.landing.odds("usual", 0)
    assert own.chances["sudden"] > after.chances["sudden"] > before.chances["sudden"]
    assert after.chances["slow"] == before.chances["slow"]
    assert after.landing == before.landing
    assert own.landing.lower() > before.landing.lower()
    state.learn(LandingOutcome("WIF", 0, "usual", True, 1.0, 1))
    assert jup.landing.odds("usual", 0) == (after,)
