"""A trade's row tells money in the unit its name says, whatever asset it was paid in."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trading.tests.unit.test_fee_watch import booked


@pytest.mark.parametrize("asset", ["USD", "SOL"])
def test_a_legs_fee_is_told_in_dollars_at_the_decisions_mark(asset: str) -> None:
    trade = booked("0.5", fee_asset=asset)
    leg = next(leg for leg in trade.row().legs if leg.leg == "cex")
    assert Decimal(leg.fee_usd) == Decimal("0.5") * trade.intent.marks_usd[asset]
