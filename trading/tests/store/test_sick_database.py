"""A database that is ill in its own words: no trade comes of it, and none comes twice.

The errors are the server's, raised inside the intent's transaction or by a full pool.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from uuid import uuid4

import psycopg
import pytest
from asgiref.sync import sync_to_async

from arbsite.clock import ManualClock
from arbsite.errors import NotSent, OutcomeUnknown
from trading.models import Trade
from trading.storage.intent_line import INTENTS_AT_ONCE
from trading.storage.store import TradeStore
from trading.tests.intents import NOW_NS, make_intent, make_settings, planned

LIVE = make_settings()
# A sequence counts what a rollback undoes everywhere else.
SICKEN = """
CREATE SEQUENCE sick_tries;
CREATE FUNCTION sick() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('sick_tries') <= {tries} THEN
        RAISE EXCEPTION 'sick' USING ERRCODE = '{state}';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sick BEFORE INSERT ON trading_trade FOR EACH ROW EXECUTE FUNCTION sick();
"""
CURE = "DROP TRIGGER sick ON trading_trade; DROP FUNCTION sick(); DROP SEQUENCE sick_tries;"


async def record(store: TradeStore) -> str:
    intent = make_intent()
    return await store.record_intent(intent, LIVE, trade_id=uuid4(), attempts=planned(intent))


async def test_a_deadlock_or_conflict_repeats_the_transaction(store: TradeStore) -> None:
    """Fault 46: what the server rolled back is asked for again, the send is not made twice."""
    for state in ("40001", "40P01"):
        async with store.connection() as conn:
            await conn.execute("TRUNCATE trading_trade, trading_opportunity CASCADE")
            await conn.execute(SICKEN.format(state=state, tries=1))
            try:
                assert await record(store) == "recorded"
                assert await sync_to_async(Trade.objects.count)() == 1
            finally:
                await conn.execute(CURE)


@pytest.mark.parametrize("state", ["53100", "53200", "57P01", "58030"])
async def test_a_server_that_cannot_write_gets_no_trade(store: TradeStore, state: str) -> None:
    """Fault 45: disk full, out of memory, going down, I/O error."""
    async with store.connection() as conn:
        await conn.execute(SICKEN.format(state=state, tries=99))
        try:
            with pytest.raises((NotSent, OutcomeUnknown)):
                await record(store)
            assert await sync_to_async(Trade.objects.count)() == 0
        finally:
            await conn.execute(CURE)


async def test_a_read_only_server_gets_no_trade(desk_url: str, store: TradeStore) -> None:
    """Fault 44: after a failover to a standby."""
    read_only = TradeStore(
        f"{desk_url}?options=-c%20default_transaction_read_only%3Don",
        shard="main",
        clock=ManualClock(NOW_NS),
    )
    read_only.epoch = store.epoch
    await read_only.open()
    try:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await record(read_only)
    finally:
        await read_only.close()
    assert await sync_to_async(Trade.objects.count)() == 0


async def test_a_used_up_pool_does_not_hold_an_intent_up(store: TradeStore) -> None:
    """Fault 48: the engine's pool is its own, and the intents' connections are their own too."""
    async with AsyncExitStack() as stack:
        for _ in range(store._pool.max_size - INTENTS_AT_ONCE):
            await stack.enter_async_context(store.connection())
        assert await record(store) == "recorded"
    assert await sync_to_async(Trade.objects.count)() == 1
