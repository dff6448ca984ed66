"""Markouts: the mean move after trades, its sign, and the drift of what was left over."""

from __future__ import annotations

from decimal import Decimal

import pytest

from arbsite.clock import utc_now
from reports import markouts
from reports.tests.test_prediction import booked
from trading.models import EngineLease, Markout, Trade
from trading.tests.intents import NOW_NS


def mark(trade: Trade, horizon_s: int, usd: str) -> None:
    Markout.objects.create(
        trade=trade, horizon_s=horizon_s, mark_usd=Decimal(usd), at_ns=NOW_NS + horizon_s
    )


@pytest.mark.django_db
def test_means_are_signed_by_the_kraken_leg_and_count_their_trades() -> None:
    EngineLease.objects.create(shard="main", epoch=1, heartbeat_at=utc_now())
    sold, bought, alone = booked(0), booked(1), booked(2)
    Trade.objects.filter(id=bought.id).update(
        direction="buy_cex_sell_dex", residual_base=Decimal("0.5")
    )
    for trade in (sold, bought):
        mark(trade, 0, "100")
        mark(trade, 1, "99.9")
    mark(sold, 10, "99.8")
    mark(alone, 1, "100")
    one, ten, sixty = markouts.figures(Trade.objects.all())
    # The sale looks right by 10 bps, the purchase wrong by 10.
    assert (one.trades, one.residual_drift_usd) == (2, "-0.050000")
    assert one.mean_bps == pytest.approx(0.0)
    assert (ten.trades, ten.mean_bps) == (1, pytest.approx(20.0))
    assert (sixty.trades, sixty.mean_bps) == (0, None)
