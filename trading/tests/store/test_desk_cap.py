"""All shards together never pass the desk's limits, whatever each asset may still do."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from asgiref.sync import sync_to_async

from risk.models import DeskLimits, RiskDay
from trading.models import Opportunity, Trade
from trading.records import DayRelease
from trading.storage.store import TradeStore
from trading.tests.intents import make_intent, make_settings, planned

LIVE = make_settings()
DIRECTIONS = ("buy_dex_sell_cex", "buy_cex_sell_dex")
Shards = dict[str, TradeStore]


async def limit(**changes: Any) -> None:
    await sync_to_async(DeskLimits.objects.filter(status="in_force").update)(**changes)


async def record(store: TradeStore, number: int, asset: str = "SOL") -> str:
    """An intent of 150 USD; the first two can be read back."""
    direction = DIRECTIONS[number] if number < len(DIRECTIONS) else f"direction {number}"
    intent = make_intent(number, asset=asset, direction=direction)
    return await store.record_intent(intent, LIVE, trade_id=uuid4(), attempts=planned(intent))


async def all_at_once(shards: Shards, count: int) -> list[str]:
    """As many intents from both shards, each with its own asset."""
    pairs = (("east", "SOL"), ("west", "JUP"))
    return await asyncio.gather(
        *(record(shards[pairs[n % 2][0]], n, pairs[n % 2][1]) for n in range(count))
    )


async def counted() -> tuple[Decimal, int]:
    """Reserved over all assets, and the trades that stand."""

    def read() -> tuple[Decimal, int]:
        days = list(RiskDay.objects.all())
        assert sum(day.trades for day in days) == Opportunity.objects.count()
        return sum((day.notional_reserved for day in days), Decimal(0)), Trade.objects.count()

    return await sync_to_async(read)()


@pytest.mark.parametrize(
    ("field", "verdict"),
    [("max_open_usd", "cap:desk_open"), ("daily_notional_cap_usd", "cap:desk_daily")],
)
async def test_both_shards_together_keep_each_limit(
    shards: Shards, field: str, verdict: str
) -> None:
    await limit(**{field: Decimal(1000)})
    verdicts = await all_at_once(shards, 16)
    assert sorted(set(verdicts)) == sorted({verdict, "recorded"})
    assert verdicts.count("recorded") == 6
    # What was refused has left nothing behind.
    assert await counted() == (Decimal(900), 6)


async def test_what_is_settled_is_open_no_more_but_was_used_today(shards: Shards) -> None:
    east, west = shards["east"], shards["west"]
    await limit(max_open_usd=Decimal(299))
    assert await record(east, 0) == "recorded"
    assert await record(west, 1, "JUP") == "cap:desk_open"
    (trade,) = await east.unfinished_trades()
    trade.is_settled = True
    await east.commit(trade)
    assert await record(west, 1, "JUP") == "recorded"
    await limit(max_open_usd=Decimal(10_000), daily_notional_cap_usd=Decimal(449))
    assert await record(west, 2, "JUP") == "cap:desk_daily"
    trade.state = "closed"
    for attempt in trade.attempts:
        attempt.state = "done"
    # Nothing was filled: the day's use is given back with the close.
    await east.commit(trade, release=DayRelease(Decimal(150), Decimal(0), Decimal(0)))
    assert await record(west, 2, "JUP") == "recorded"


async def test_a_trade_with_an_operator_stays_open(shards: Shards) -> None:
    east = shards["east"]
    await limit(max_open_usd=Decimal(299))
    assert await record(east, 0) == "recorded"
    (trade,) = await east.unfinished_trades()
    trade.state = "operator"
    await east.commit(trade)
    assert await record(shards["west"], 1, "JUP") == "cap:desk_open"


async def test_a_desk_without_limits_does_not_trade(shards: Shards) -> None:
    await limit(status="superseded")
    assert await record(shards["east"], 0) == "cap:desk_unknown"
    assert await counted() == (Decimal(0), 0)


async def test_an_observed_intent_asks_no_limit(shards: Shards) -> None:
    await limit(status="superseded")
    intent = make_intent(mode="observe")
    stored = await shards["east"].record_intent(intent, LIVE, trade_id=None, attempts=())
    assert stored == "recorded"


async def test_limits_put_in_force_meanwhile_are_the_ones_that_bind(
    shards: Shards, test_database_url: str
) -> None:
    async with await psycopg.AsyncConnection.connect(test_database_url) as conn:
        await conn.execute("UPDATE risk_desklimits SET status = 'superseded'")
        await conn.execute(
            "INSERT INTO risk_desklimits (id, scope, version, status, max_open_usd,"
            " daily_notional_cap_usd, fee_floor_sol, created_by, reason, created_at)"
            " VALUES (%s, '*', 2, 'in_force', 149, 10000, 0, 'test', '', now())",
            [uuid4()],
        )
        waiting = asyncio.create_task(record(shards["east"], 0))
        while not await _is_waiting(test_database_url):
            assert not waiting.done()
        await conn.commit()
    assert await waiting == "cap:desk_open"


async def _is_waiting(url: str) -> bool:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
        found = await other.execute(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE '%%_intent(%%'"
        )
        return await found.fetchone() is not None
