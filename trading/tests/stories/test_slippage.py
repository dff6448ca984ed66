"""Verified trades teach how far each leg moves, and a restarted engine knows it again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from trading.compute_units import ComputeLimit
from trading.inputs import SlackKnown
from trading.intent import Intent, LegOrder
from trading.process.slip_watch import SlipWatch
from trading.slippage import TRADES_KEPT
from trading.tests.stories.desk import EngineProcess, Scene, replace, story


class Learning:
    """A watch on one engine process, and the splits it told."""

    def __init__(self, process: EngineProcess) -> None:
        self.told: list[SlackKnown] = []
        self.watch = SlipWatch(process.store, process.desk.clock, self.told.append)
        process.desk.trade_booked = self.watch.booked


def quoted(scene: Scene, *words: LegOrder, **changes: Any) -> Intent:
    """A decision priced at exactly what the venues show."""
    intent = scene.intent(*words, **changes)
    cex = Decimal(intent.cex_expected_ticks).scaleb(-intent.spec.price_precision)
    dex = Decimal(intent.dex_expected_quote_raw).scaleb(-intent.spec.quote_decimals)
    sell, buy = (cex, dex) if intent.cex_side == "sell" else (dex, cex)
    return replace(intent, pnl=replace(intent.pnl, sell_proceeds=sell, buy_cost=buy))


@story
async def test_filled_and_broken_legs_are_learnt_and_read_back_alike(scene: Scene) -> None:
    process = await scene.engine()
    learning = Learning(process)
    # Both legs as quoted.
    await process.executor.execute(quoted(scene))
    await process.until_idle()
    first = learning.told[-1].split
    assert (first.trades, str(first.cex_share)) == (1, "0.5")
    assert (first.cex_bps, first.dex_bps) == (0, pytest.approx(0, abs=0.001))
    # Kraken's bid falls beyond the order's limit, 20 bps below the touch, before it arrives.
    intent = quoted(scene)
    scene.venues.quote(bid=15_000)
    await process.executor.execute(intent)
    await process.until_idle()
    # The pool gives less than the threshold: the swap lands and fails.
    scene.venues.quote()
    broken = quoted(scene, "dex_first", is_buying_dex=False)
    dear = broken.dex_expected_quote_raw * 1_001 // 1_000
    await process.executor.execute(replace(broken, dex_threshold_raw=dear))
    await process.until_idle()
    # Out of compute units: that says nothing of the pool's price.
    tight = ComputeLimit(30_000, "simulation", 20, 24_000, 0)
    await process.executor.execute(quoted(scene, "dex_first", compute=tight))
    await process.until_idle()
    told = learning.told[-1].split
    assert len(learning.told) == 4
    # Two orders filled or broke, three swaps did; the split waits for more of both.
    assert (told.trades, str(told.cex_share)) == (2, "0.5")
    heir = Learning(process)
    await heir.watch.restore()
    (read,) = heir.told
    assert read.split == replace(told, at_ns=read.at_ns)
    # One of two orders and one of three swaps moved by about the slack of 20 and 10 bps.
    assert told.cex_bps == pytest.approx((20**2 / 2) ** 0.5, rel=0.05)
    assert told.dex_bps == pytest.approx((10**2 / 3) ** 0.5, rel=0.05)


@story
async def test_only_the_last_trades_count_and_one_told_again_counts_once(scene: Scene) -> None:
    process = await scene.engine()
    learning = Learning(process)
    booked = []
    process.desk.trade_booked = booked.append
    await process.executor.execute(quoted(scene))
    await process.until_idle()
    (trade,) = booked
    for _ in range(3):
        learning.watch.booked(trade)
    assert [news.split.trades for news in learning.told] == [1, 1, 1]
    for _ in range(TRADES_KEPT + 5):
        trade.intent = replace(trade.intent, intent_key=quoted(scene).intent_key)
        learning.watch.booked(trade)
    assert learning.told[-1].split.trades == TRADES_KEPT
    trade.is_verified = False
    learning.watch.booked(trade)
    assert len(learning.told) == TRADES_KEPT + 8
    assert learning.told[-1].split.cex_bps == pytest.approx(learning.told[0].split.cex_bps)
