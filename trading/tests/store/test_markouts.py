"""Markouts are taken when due, left out when the book is blind, stored once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from asgiref.sync import sync_to_async

from trading.execution.residual import HedgeMarket
from trading.inputs import TradeClosed
from trading.models import Markout
from trading.process.markouts import HORIZONS_S, PATIENCE_NS, Markouts
from trading.records import TradeRecord
from trading.storage.store import TradeStore
from trading.tests.intents import NOW_NS
from trading.tests.store.test_trades import opened_trade

SECOND_NS = 1_000_000_000


@dataclass
class Book:
    """A book of one tick around a middle that the test sets; None = unusable."""

    ticks: int | None = 15_000

    def market(self, _: str) -> HedgeMarket | None:
        return (self.ticks and HedgeMarket(self.ticks - 1, self.ticks + 1, Decimal(1))) or None


def settled(trade: TradeRecord, outcome: Any = "both") -> TradeClosed:
    return TradeClosed(
        intent_key=trade.intent.intent_key, asset="SOL", outcome=outcome,
        realised_usd=Decimal(0), dex_landed=True, cex_filled_ratio=1.0, cex_fill_ns=NOW_NS,
        landed_slot=7, at_ns=NOW_NS,
    )  # fmt: skip


async def stored() -> dict[int, Decimal]:
    rows = Markout.objects.values_list("horizon_s", "mark_usd")
    return await sync_to_async(lambda: dict(rows))()


async def test_marks_are_taken_at_each_horizon_and_stored_once(store: TradeStore) -> None:
    trade, book = await opened_trade(store), Book()
    markouts = Markouts(store, {"SOL": trade.intent.spec}, book.market)
    markouts.settled(settled(trade))
    for seconds in range(62):
        book.ticks = 15_000 + seconds
        markouts.look(NOW_NS + seconds * SECOND_NS)
        await markouts.save()
    assert await stored() == {at: Decimal(15_000 + at) / 100 for at in HORIZONS_S}
    markouts.settled(settled(trade))
    markouts.look(NOW_NS)
    await markouts.save()
    assert len(await stored()) == len(HORIZONS_S)


async def test_a_blind_book_leaves_its_horizon_out(store: TradeStore) -> None:
    trade, book = await opened_trade(store), Book()
    markouts = Markouts(store, {"SOL": trade.intent.spec}, book.market)
    markouts.settled(settled(trade))
    markouts.look(NOW_NS)
    book.ticks = None
    for at_ns in (NOW_NS + SECOND_NS, NOW_NS + SECOND_NS + PATIENCE_NS):
        markouts.look(at_ns)
    book.ticks = 15_000
    markouts.look(NOW_NS + 9 * SECOND_NS)
    await markouts.save()
    assert set(await stored()) == {0}


async def test_what_filled_nothing_is_not_marked_out(store: TradeStore) -> None:
    trade = await opened_trade(store)
    markouts = Markouts(store, {"SOL": trade.intent.spec}, Book().market)
    markouts.settled(settled(trade, "missed"))
    markouts.look(NOW_NS + 61 * SECOND_NS)
    await markouts.save()
    assert await stored() == {}
