"""A day report says what the tables say, and saying it twice changes nothing."""

from datetime import date
from decimal import Decimal

import pytest

from arbsite.clock import uuid7
from feeds.models import Market
from reports.models import DayReport
from reports.services import summarise_day
from trading.models import Trade, Window

DAY = date(2026, 11, 22)
NOON_NS = 1_795_348_800_000_000_000


def a_trade(outcome: str, realised: str | None, at_ns: int = NOON_NS) -> Trade:
    window = Window.objects.create(
        window_id=uuid7(),
        version=1,
        asset="SOL",
        direction="buy_dex_sell_cex",
        opened_at_ns=at_ns,
        closed_at_ns=at_ns + 1,
        first_slot=1,
        last_slot=2,
        peak_value_usd=1,
        value_seconds_usd=1,
        best_pnl_usd=1,
        best_size_usd=100,
        gross_bps=20.0,
        net_bps=5.0,
        is_eligible=True,
    )
    return Trade.objects.create(
        id=uuid7(),
        intent_key=uuid7(),
        window_id=window.window_id,
        asset="SOL",
        direction="buy_dex_sell_cex",
        leg_order="dex_first",
        state="closed",
        outcome=outcome,
        is_verified=True,
        config_version=1,
        size_base=1,
        notional_usd=Decimal(150),
        expected_pnl_usd=Decimal("0.30"),
        realised_pnl_usd=None if realised is None else Decimal(realised),
        detect_ns=at_ns,
        risk_day=DAY,
    )


@pytest.mark.django_db
def test_a_day_is_summed_once_however_often_it_is_asked_for() -> None:
    Market.objects.create(
        asset="SOL",
        cex_symbol="SOL/USD",
        cex_quote="USD",
        price_precision=2,
        qty_precision=8,
        qty_min_lots=1,
        cost_min=1,
        pool="pool",
        pool_kind="cpmm",
        pool_quote="USDC",
        base_mint="base",
        quote_mint="quote",
        base_is_a=True,
        base_decimals=9,
        quote_decimals=6,
        vault_a="a",
        vault_b="b",
        source="test",
    )
    a_trade("both", "0.25")
    a_trade("missed", "-0.01")
    a_trade("hedged", "-0.70")
    a_trade("both", "9", at_ns=NOON_NS - 86_400_000_000_000)

    for _ in range(2):
        summarise_day(DAY)

    row = DayReport.objects.get(day=DAY)
    assert (row.trades, row.both_filled, row.partials, row.missed) == (3, 1, 1, 1)
    assert row.realised_pnl_usd == Decimal("-0.46")
    assert row.expected_pnl_usd == Decimal("0.90")
    assert (row.windows, row.eligible_windows, row.captured_windows) == (3, 3, 1)
