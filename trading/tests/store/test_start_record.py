"""How long a start took, as the host keeps it: ready at once, settled when the trades are."""

from __future__ import annotations

import asyncio

from asgiref.sync import sync_to_async

from arbsite.clock import ManualClock
from trading.models import EngineStart
from trading.records import TradeRecord
from trading.start_record import StartRecord
from trading.store import TradeStore
from trading.tests.intents import NOW_NS, make_intent, planned

MS = 1_000_000


async def kept() -> EngineStart:
    return await sync_to_async(EngineStart.objects.get)()


async def test_a_start_without_open_trades_is_settled_when_it_is_ready(store: TradeStore) -> None:
    record = StartRecord(store, ManualClock(NOW_NS), began_ns=NOW_NS - 900 * MS)
    record.leased(after_standby=False)
    await record.follow([], reconciled_ns=NOW_NS)
    row = await kept()
    assert (row.began_ns, row.reconciled_ns, row.settled_ns) == (NOW_NS - 900 * MS, NOW_NS, NOW_NS)


async def test_a_standbys_start_begins_with_the_lease(store: TradeStore) -> None:
    record = StartRecord(store, ManualClock(NOW_NS), began_ns=NOW_NS - 10**15)
    record.leased(after_standby=True)
    await record.follow([], reconciled_ns=NOW_NS + MS)
    assert (await kept()).began_ns == NOW_NS


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
    task = asyncio.create_task(record.follow([trade, parked], reconciled_ns=NOW_NS + MS))
    async with asyncio.timeout(10):
        while (await kept()).reconciled_ns is None:
            await asyncio.sleep(0.01)
    assert (await kept()).settled_ns is None
    clock.advance_ns(700 * MS)
    trade.is_settled = True
    await task
    row = await kept()
    assert (row.reconciled_ns, row.settled_ns) == (NOW_NS + MS, NOW_NS + 700 * MS)
