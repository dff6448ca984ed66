"""Two books in one engine: what PAPER spends, loses and learns never touches LIVE."""

from __future__ import annotations

from decimal import Decimal

from trading.effects import RequestStop
from trading.inputs import DayUsage

from .desk import FAIR, Market, holdings, mode

WIDE = FAIR + 45


def paper_market() -> Market:
    market = Market(mode="paper")
    market.tell(holdings(market.after(1), book="paper"))
    return market


def usage(market: Market, **changes: object) -> DayUsage:
    fields: dict[str, object] = {
        "asset": "SOL",
        "notional_usd": Decimal(0),
        "loss_usd": Decimal(0),
        "trades": 0,
        "at_ns": market.after(1),
        "book": "paper",
    }
    return DayUsage(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_paper_intent_reserves_paper_money_only() -> None:
    market = paper_market()
    live = market.engine.state.reservations
    before = live.kraken_free("SOL"), live.solana_free("USDC")
    market.book(WIDE)
    (intent,) = market.intents
    assert intent.mode == "paper"
    held = market.engine.state.paper_reservations
    assert held.kraken_free("SOL") < before[0]
    assert held.solana_free("USDC") < before[1]
    assert (live.kraken_free("SOL"), live.solana_free("USDC")) == before


def test_paper_is_bound_by_what_the_paper_desk_has() -> None:
    market = Market(mode="paper")
    market.book(WIDE)
    assert market.intents == []
    assert market.notes[-1].gate == "balances"
    poor = holdings(
        market.after(1), book="paper", kraken={"SOL": Decimal("1.5"), "USD": Decimal(9)}
    )
    market.tell(poor)
    market.book(WIDE + 1)
    (intent,) = market.intents
    assert intent.qty_lots <= 150_000_000
    assert intent.limited_by != "peak"


def test_a_paper_loss_refuses_paper_trades_and_stops_nothing() -> None:
    market = paper_market()
    said = market.tell(usage(market, loss_usd=Decimal(10_000)))
    assert [one for one in said if isinstance(one, RequestStop)] == []
    market.book(WIDE)
    assert market.intents == []
    assert market.notes[-1].gate == "daily_loss"
    # The same asset's live day is untouched, and a live loss still trips.
    market.tell(mode(market.after(1), "live", version=2))
    said = market.tell(usage(market, loss_usd=Decimal(10_000), book="live"))
    assert [one.rule for one in said if isinstance(one, RequestStop)] == ["daily_loss"]


def test_paper_outcomes_teach_nothing_about_the_venues() -> None:
    market = paper_market()
    asset = market.engine.state.assets["SOL"]
    before = asset.filling
    market.book(WIDE)
    market.close_trade(market.intents[0], book="paper", dex_landed=False, cex_filled_ratio=0.0)
    assert asset.filling == before
    market.close_trade(market.intents[0], book="live", dex_landed=False, cex_filled_ratio=0.0)
    assert asset.filling != before


def test_a_window_traded_on_paper_is_not_a_window_taken() -> None:
    market = paper_market()
    market.book(WIDE)
    assert market.notes[-1].decision == "stored"
