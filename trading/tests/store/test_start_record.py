"""How long a start took, as the host keeps it: ready at once, settled when the trades are."""

from __future__ import annotations

import asyncio

from asgiref.sync import sync_to_async

from arbsite.clock import ManualClock
from trading.models import EngineStart
from trading.records import TradeRecord
from trading.storage.start_record import STAGES, StartRecord, longest
from trading.storage.store import TradeStore
from trading.tests.intents import NOW_NS, make_intent, planned

MS = 1_000_000


async def kept() -> EngineStart:
    return await sync_to_async(EngineStart.objects.get)()


async def until_kept(stage: str) -> None:
    async with asyncio.timeout(10):
        while stage not in ((await kept()).stages or {}):
            await asyncio.sleep(0.01)


async def test_a_start_without_open_trades_is_settled_when_it_is_ready(store: TradeStore) -> None:
    record = StartRecord(store, ManualClock(NOW_NS), began_ns=NOW_NS - 900 * MS)
    record.leased(after_standby=False)
    record.reached("reconciled")
    record.reached("fees_read")
    await record.follow([])
    row = await kept()
    assert (row.began_ns, row.reconciled_ns, row.settled_ns) == (NOW_NS - 900 * MS, NOW_NS, NOW_NS)


async def test_every_stage_is_kept_and_the_longest_is_named(store: TradeStore) -> None:
    clock = ManualClock(NOW_NS)
    record = StartRecord(store, clock, began_ns=NOW_NS)
    for number, stage in enumerate(STAGES[:-1], start=1):
        clock.advance_ns((700 if stage == "balances_read" else 10 * number) * MS)
        if stage == "leased":
            record.leased(after_standby=False)
        else:
            record.reached(stage)
    is_up = False
    following = asyncio.create_task(record.follow([], is_market_up=lambda: is_up))
    await until_kept("reconciled")
    assert "market_up" not in record.stages_ms
    clock.advance_ns(300 * MS)
    is_up = True
    await following
    row = await kept()
    assert row.stages == {
        "loaded": 10, "connected": 30, "leased": 60, "desk_read": 100, "private_up": 150,
        "balances_read": 850, "reconciled": 920, "fees_read": 1000, "market_up": 1300,
    }  # fmt: skip
    assert longest(row.stages) == ("balances_read", 0.7)
    # What ran beside another stage and ended before it cost nothing; the market comes after.
    assert longest({"balances_read": 400, "private_up": 900, "market_up": 9_000}) == (
        "private_up", 0.9,
    )  # fmt: skip
    assert longest({}) is None


async def test_a_standbys_start_begins_with_the_lease(store: TradeStore) -> None:
    record = StartRecord(store, ManualClock(NOW_NS), began_ns=NOW_NS - 10**15)
    record.reached("loaded")
    record.leased(after_standby=True)
    record.reached("reconciled")
    record.reached("fees_read")
    await record.follow([])
    row = await kept()
    assert row.began_ns == NOW_NS
    assert row.stages == {"leased": 0, "reconciled": 0, "fees_read": 0, "market_up": 0}


async def test_the_venues_proofs_are_waited_for_beside_the_start(store: TradeStore) -> None:
    clock, intent = ManualClock(NOW_NS), make_intent()
    trade, parked = (
        TradeRecord(
            id=intent.intent_key, intent=intent, state=state, version=1, risk_day="2026-01-01",
            attempts=planned(intent),
        )
        for state in ("open", "operator")
    )  # fmt: skip
    record = StartRecord(store, clock, began_ns=NOW_NS)
    clock.advance_ns(MS)
    record.reached("reconciled")
    task = asyncio.create_task(record.follow([trade, parked]))
    await until_kept("reconciled")
    assert (await kept()).settled_ns is None
    clock.advance_ns(699 * MS)
    trade.is_settled = True
    async with asyncio.timeout(10):
        while (await kept()).settled_ns is None:
            await asyncio.sleep(0.01)
    assert not task.done()
    # The last thing trading needs.
    clock.advance_ns(MS)
    record.reached("fees_read")
    await task
    row = await kept()
    assert (row.stages or {})["fees_read"] == 701
    assert (row.reconciled_ns, row.settled_ns) == (NOW_NS + MS, NOW_NS + 700 * MS)
