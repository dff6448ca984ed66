"""Auto-pause after silence, resume after clean time, each asked for once."""

from __future__ import annotations

import pytest

from feeds.market.events import BookInvalidated, FeedProof
from trading.effects import RequestResume, RequestStop
from trading.engine.core import Engine
from trading.inputs import SettingsApplied, TimerFired

from .builders import make_spec
from .desk import START_NS, Market, mode, pool, settings_of


def _requests(effects) -> list[tuple[str, str, str]]:
    return [
        ("stop" if isinstance(one, RequestStop) else "resume", one.scope, one.rule)
        for one in effects
        if isinstance(one, RequestStop | RequestResume)
    ]


def _prove(market: Market, venue: str) -> None:
    market.tell(FeedProof(venue=venue, scope="*", recv_ns=market.at_ns))  # type: ignore[arg-type]


@pytest.mark.parametrize(("silent", "alive"), [("kraken", "solana"), ("solana", "kraken")])
def test_ten_seconds_without_proof_stop_the_asset_once(silent: str, alive: str) -> None:
    market = Market()
    for _ in range(100):
        market.after(100)
        _prove(market, alive)
        market.timer(0)
    assert _requests(market.effects) == []
    for _ in range(50):
        market.after(100)
        _prove(market, alive)
        market.timer(0)
    assert _requests(market.effects) == [("stop", "SOL", f"{silent}_stale")]
    stop = next(one for one in market.effects if isinstance(one, RequestStop))
    assert (stop.value, stop.limit) == ("10.1 s", "10 s")
    assert market.engine.effective_mode("SOL") == "live", "only the answer counts"


def _stalled() -> Market:
    market = Market()
    for _ in range(110):
        market.after(100)
        _prove(market, "solana")
        market.timer(0)
    market.tell(mode(market.after(1), "hedge_only", scope="SOL", version=2, rule="kraken_stale"))
    market.effects.clear()
    return market


def test_thirty_clean_seconds_lift_the_engines_own_stop_once() -> None:
    market = _stalled()
    for _ in range(299):
        market.alive(100)
    assert _requests(market.effects) == []
    for _ in range(50):
        market.alive(100)
    assert _requests(market.effects) == [("resume", "SOL", "kraken_stale")]


@pytest.mark.parametrize("trouble", ["silence", "invalid"])
def test_trouble_restarts_the_clean_time(trouble: str) -> None:
    market = _stalled()
    for _ in range(250):
        market.alive(100)
    if trouble == "silence":
        market.alive(3500)
        market.timer(3500)
    else:
        market.tell(BookInvalidated(symbol="SOL/USD", reason="gap", recv_ns=market.after(1)))
        market.alive(100)
        market.book()
    for _ in range(299):
        market.alive(100)
    assert _requests(market.effects) == []
    for _ in range(3):
        market.alive(100)
    assert _requests(market.effects) == [("resume", "SOL", "kraken_stale")]


def test_a_quiet_book_on_a_living_feed_is_not_stale() -> None:
    market = Market()
    for _ in range(200):
        market.alive(100)
    assert _requests(market.effects) == []
    market.book(15_048)
    assert len(market.intents) == 1


def test_a_stop_by_a_person_is_never_lifted_by_clean_data() -> None:
    market = Market()
    market.tell(mode(market.after(1), "stop_new", scope="SOL", version=2))
    for _ in range(400):
        market.alive(100)
    assert _requests(market.effects) == []


def test_lifted_by_hand_while_still_silent_it_is_asked_for_again() -> None:
    market = _stalled()
    market.tell(mode(market.after(1), "live", scope="SOL", version=3))
    market.after(100)
    _prove(market, "solana")
    market.timer(0)
    assert _requests(market.effects) == [("stop", "SOL", "kraken_stale")]


def test_a_restarted_engine_lifts_the_stop_its_predecessor_asked_for() -> None:
    market = Market()
    market.tell(mode(market.after(1), "hedge_only", scope="SOL", version=7, rule="solana_stale"))
    for _ in range(310):
        market.alive(100)
    assert _requests(market.effects) == [("resume", "SOL", "solana_stale")]


def test_a_venue_never_heard_of_is_stale_ten_seconds_after_the_start() -> None:
    engine = Engine({"SOL": make_spec()}, stale_pause_ns=2_000_000_000)
    engine.handle(SettingsApplied(settings=settings_of(), at_ns=START_NS))
    assert engine.handle(TimerFired(at_ns=START_NS + 2_000_000_000)) == []
    effects = engine.handle(TimerFired(at_ns=START_NS + 2_100_000_000))
    assert _requests(effects) == [
        ("stop", "SOL", "kraken_stale"),
        ("stop", "SOL", "solana_stale"),
    ]


def test_a_disabled_asset_is_not_watched() -> None:
    market = Market(enabled=False)
    market.timer(60_000)
    assert _requests(market.effects) == []


def test_the_decision_gate_is_much_tighter_than_the_pause() -> None:
    market = Market()
    market.tell(pool(market.after(1600), tick=-19_010, slot=1001))
    assert market.intents == []
    assert market.notes[-1].gate == "frame_age"
    market.alive(50)
    assert len(market.intents) == 1
