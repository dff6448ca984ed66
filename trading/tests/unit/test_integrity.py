"""What no checksum sees: our clock, a dollar off its peg, a lost update of the top."""

from __future__ import annotations

import pytest

from feeds.market.events import TickerUpdated, VenueStatus
from risk.anomaly import BasisModel
from trading.effects import RequestStop
from trading.engine.core import Engine
from trading.engine.engine_state import EngineModel
from trading.inputs import SettingsApplied

from .builders import make_spec
from .desk import FAIR, Market, mark, mode, settings_of

WIDE = FAIR + 120


def status(market: Market, skew_ms: float | None, venue: str = "kraken") -> None:
    word = "online" if skew_ms is not None else "disconnected"
    market.tell(VenueStatus(venue, word, 20.0, market.after(1), skew_ms))  # type: ignore[arg-type]


def stops(market: Market) -> list[tuple[str, str, str]]:
    return [(s.scope, s.rule, s.value) for s in market.effects if isinstance(s, RequestStop)]


@pytest.mark.parametrize(
    ("venue", "skew_ms"), [("kraken", 5_000.0), ("kraken", -5_000.0), ("solana", 60_000.0)]
)
def test_a_wrong_clock_refuses_at_once_and_stops_when_it_lasts(venue: str, skew_ms: float) -> None:
    market = Market()
    status(market, skew_ms, venue)
    market.book(WIDE)
    assert market.intents == []
    assert market.notes[-1].gate == "clock"
    for _ in range(29):
        market.alive(100)
    assert stops(market) == []
    for _ in range(20):
        market.alive(100)
    assert stops(market) == [("SOL", "clock_skew", f"{skew_ms:+.0f} ms")]
    # Set right before the stop came into force: the window is traded.
    status(market, 0.0, venue)
    market.alive()
    assert len(market.intents) == 1


def test_a_clock_never_compared_is_not_believed_on_a_new_connection_either() -> None:
    market = Market()
    status(market, None)
    market.tell(VenueStatus("kraken", "online", None, market.after(1)))
    market.book(WIDE)
    assert market.intents == []
    assert market.notes[-1].gate_value == "kraken never compared"
    status(market, 3.0)
    market.alive()
    (intent,) = market.intents
    assert intent.ages.clock_skew_ms == 3.0


def test_lifted_while_the_clock_is_still_wrong_the_stop_is_asked_for_again() -> None:
    market = Market()
    status(market, 900.0)
    for _ in range(40):
        market.alive(100)
    market.tell(mode(market.after(1), "hedge_only", scope="SOL", version=2, rule="clock_skew"))
    market.alive()
    assert len(stops(market)) == 1
    market.tell(mode(market.after(1), "live", scope="SOL", version=3))
    market.alive()
    assert len(stops(market)) == 2


def test_a_dollar_off_its_peg_stops_only_what_is_quoted_in_it() -> None:
    specs = {
        "SOL": make_spec(),
        "WIF": make_spec(asset="WIF", cex_symbol="WIF/USD", pool="POOL-WIF", pool_quote="USDT"),
    }
    market = Market(Engine(specs))
    market.tell(mark(market.after(1), "USDT/USD", 10_000))
    assert market.engine.state.assets["WIF"].quotes == ("USD", "USDT")
    # 150 bps off, though its own book is valid and fresh.
    market.tell(mark(market.after(1), "USDC/USD", 9_850))
    market.book(FAIR + 400)
    assert market.intents == []
    assert market.notes[-1].gate == "depeg"
    for _ in range(40):
        market.alive(100)
    assert stops(market) == [("SOL", "depeg", "-150 bps")]
    market.tell(mark(market.after(1), "USDC/USD", 9_990))
    market.alive()
    assert len(market.intents) == 1


def test_a_gap_that_never_closes_is_alerted_and_never_traded() -> None:
    model = EngineModel(basis=BasisModel(sample_ns=10**9, samples=5))
    market = Market(Engine({"SOL": make_spec()}, model=model), mode="observe")
    for _ in range(5):
        market.book(FAIR + 60, after_ms=500)
        market.book(FAIR + 61, after_ms=500)
    assert stops(market) == []
    market.tell(SettingsApplied(settings=settings_of(version=2), at_ns=market.after(1)))
    market.effects.clear()
    for _ in range(40):
        market.alive(100)
        market.book(FAIR + 60, after_ms=1)
    assert market.intents == []
    ((scope, rule, value),) = stops(market)
    assert (scope, rule) == ("SOL", "standing_basis")
    assert "bps in 5 samples" in value


def ticker(market: Market, bid: int, ask: int) -> None:
    told = TickerUpdated("SOL/USD", f"{bid / 100:.2f}", f"{ask / 100:.2f}", market.after(1))
    market.tell(told)


def test_a_ticker_after_the_book_that_says_otherwise_refuses_until_they_agree() -> None:
    market = Market()
    # The update that took the edge away was lost; the ticker tells of its top.
    market.tell(mode(market.after(1), "stop_new", version=2))
    market.book(WIDE)
    ticker(market, FAIR - 1, FAIR + 1)
    market.tell(mode(market.after(1), "live", version=3))
    market.alive()
    assert market.intents == []
    assert market.notes[-1].gate == "ticker"
    assert "150.02/150.04" in market.notes[-1].gate_value
    ticker(market, WIDE - 1, WIDE + 1)
    market.alive()
    assert len(market.intents) == 1


def test_a_book_later_than_the_ticker_is_the_newer_word() -> None:
    market = Market()
    ticker(market, FAIR - 1, FAIR + 1)
    market.book(WIDE)
    assert len(market.intents) == 1
