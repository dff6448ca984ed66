"""Who is woken by what: nobody by the commit that an order waits for."""

from __future__ import annotations

from uuid import uuid4

import msgspec
import psycopg

from trading.storage.outbox import CHANNEL, WAKE_UP
from trading.storage.store import TradeStore
from trading.tests.intents import make_intent, make_settings, planned


async def heard(conn: psycopg.AsyncConnection) -> int:
    """How often the relay would have been woken since the last call."""
    return len([n async for n in conn.notifies(timeout=0.2) if n.payload == WAKE_UP])


async def test_a_live_intent_wakes_nobody_and_what_follows_it_wakes_the_relay(
    store: TradeStore, test_database_url: str
) -> None:
    intent = make_intent(0)
    stored = msgspec.structs.replace(make_intent(1), mode="observe")
    listening = await psycopg.AsyncConnection.connect(test_database_url, autocommit=True)
    async with listening as conn:
        await conn.execute(f"LISTEN {CHANNEL}")
        found = await store.record_intent(
            intent, make_settings(), trade_id=uuid4(), attempts=planned(intent)
        )
        assert found == "recorded"
        assert await heard(conn) == 0
        (trade,) = await store.unfinished_trades()
        await store.commit(trade)
        assert await heard(conn) == 1
        found = await store.record_intent(stored, make_settings(), trade_id=None, attempts=())
        assert found == "recorded"
        assert await heard(conn) == 1
