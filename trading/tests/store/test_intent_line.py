"""The intent's own connection: what breaks it, what does not, and that nothing is asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import psycopg
import pytest
from asgiref.sync import sync_to_async
from psycopg.types.json import Jsonb

from arbsite.errors import Fenced
from trading.effects import NoteWindow
from trading.intent import Intent
from trading.models import Opportunity, Outbox, Trade, Window
from trading.storage.intent_line import ABANDONED_AFTER_MS, INTENTS_AT_ONCE, IntentLine, IntentText
from trading.storage.intent_rehearsal import stand_in
from trading.storage.store import TradeStore
from trading.tests.intents import make_intent, make_settings, make_window, planned


async def record(store: TradeStore, number: int = 0) -> str:
    intent = make_intent(number, direction=f"direction {number}")
    return await store.record_intent(
        intent, make_settings(), trade_id=uuid4(), attempts=planned(intent)
    )


def first_line(store: TradeStore) -> IntentLine:
    return store._lines._lines[0]


def backend_of(store: TradeStore) -> int:
    connection = first_line(store)._connection
    assert connection is not None
    return connection.info.backend_pid


async def test_a_refusal_of_the_server_leaves_the_connection_at_hand(store: TradeStore) -> None:
    before = backend_of(store)
    store.epoch += 7
    with pytest.raises(Fenced):
        await record(store)
    store.epoch -= 7
    assert await record(store) == "recorded"
    assert backend_of(store) == before


async def test_a_connection_that_was_cut_is_replaced_and_its_intent_recorded(
    store: TradeStore,
) -> None:
    before = backend_of(store)
    async with store.connection() as conn:
        await conn.execute("SELECT pg_terminate_backend(%s, 2000)", [before])
    assert await record(store) == "recorded"
    assert backend_of(store) != before
    assert await sync_to_async(Trade.objects.count)() == 1


async def test_an_interrupted_call_leaves_no_answer_behind_for_the_next(
    store: TradeStore,
) -> None:
    """The next verdict is the next intent's own, not what came late for the one before."""
    assert await record(store) == "recorded"
    async with store.connection() as conn, conn.transaction():
        await conn.execute("LOCK TABLE trading_opportunity IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await record(store)  # a duplicate, were it answered
    assert await record(store, 1) == "recorded"


async def test_two_intents_at_once_have_a_verdict_each(store: TradeStore) -> None:
    verdicts = await asyncio.gather(*(record(store, number) for number in (1, 2, 1)))
    assert sorted(verdicts) == ["duplicate", "recorded", "recorded"]


async def test_an_intent_of_any_length_is_written_whole(store: TradeStore) -> None:
    """More than the socket takes at once."""
    attempts = planned(make_intent())
    attempts[1].raw_tx = bytes(8_000_000)
    verdict = await store.record_intent(
        make_intent(), make_settings(), trade_id=uuid4(), attempts=attempts
    )
    assert verdict == "recorded"
    async with store.connection() as conn:
        found = await conn.execute("SELECT length(raw_tx) AS n FROM trading_attempt ORDER BY 1")
        assert [row["n"] async for row in found] == [8_000_000, None]


async def test_a_cut_connection_is_told_and_never_asked_twice_by_the_line(
    store: TradeStore,
) -> None:
    async with store.connection() as conn:
        await conn.execute("SELECT pg_terminate_backend(%s, 2000)", [backend_of(store)])
    with pytest.raises(psycopg.OperationalError):
        await store._lines.record(IntentText(key=uuid4(), rest={}, decision=dict))
    assert first_line(store)._connection is None


async def test_a_begun_intent_is_completed_where_it_was_begun(store: TradeStore) -> None:
    before = backend_of(store)
    store.begin_intent(make_intent(), window_of(make_intent()))
    await until_idle_in_transaction(store, before)
    assert await sync_to_async(Opportunity.objects.count)() == 0, "nothing is durable yet"
    assert await record(store) == "recorded"
    assert backend_of(store) == before
    for model in (Opportunity, Window, Trade, Outbox):
        assert await sync_to_async(model.objects.count)() == 1


async def test_a_begun_intent_keeps_nobody_waiting(store: TradeStore) -> None:
    """Neither the desk's people nor a successor that fences us."""
    store.begin_intent(make_intent(), window_of(make_intent()))
    await until_idle_in_transaction(store, backend_of(store))
    async with store.connection() as conn, conn.transaction():
        await conn.execute("SET LOCAL lock_timeout = '200ms'")
        for table in ("risk_control", "risk_desklimits", "trading_enginelease", "risk_riskday"):
            await conn.execute(f"SELECT 1 FROM {table} FOR UPDATE")
        await conn.execute("UPDATE trading_enginelease SET epoch = epoch + 1")
    with pytest.raises(Fenced):
        await record(store)
    assert await sync_to_async(Opportunity.objects.count)() == 0


async def test_an_old_epoch_cannot_even_begin(store: TradeStore) -> None:
    """A repeated key of a fenced engine is told as that, not as a duplicate."""
    assert await record(store) == "recorded"
    store.epoch += 7
    store.begin_intent(make_intent())
    with pytest.raises(Fenced):
        await record(store)
    store.epoch -= 7


async def test_a_forgotten_intent_leaves_nothing_and_the_line_free(store: TradeStore) -> None:
    before = backend_of(store)
    store.begin_intent(make_intent())
    await store.forget_intent(make_intent(1))
    await store.forget_intent(make_intent())
    assert await sync_to_async(Opportunity.objects.count)() == 0
    assert await record(store) == "recorded"
    assert backend_of(store) == before


async def test_as_many_intents_are_begun_as_there_are_lines_and_more_are_recorded(
    store: TradeStore,
) -> None:
    """One tick may fire at several assets."""
    numbers = range(INTENTS_AT_ONCE + 2)
    for number in numbers:
        store.begin_intent(make_intent(number, direction=f"direction {number}"))
    assert not any(line.is_free for line in store._lines._lines)
    assert await asyncio.gather(*(record(store, number) for number in numbers)) == [
        "recorded" for _ in numbers
    ]
    assert all(line.is_free for line in store._lines._lines)


async def test_another_intent_does_not_complete_what_was_begun(store: TradeStore) -> None:
    """One that comes in between is written whole, beside it."""
    store.begin_intent(make_intent(0, direction="direction 0"))
    assert await record(store, 1) == "recorded"
    assert await record(store, 0) == "recorded"
    assert await sync_to_async(Trade.objects.count)() == 2


async def test_a_connection_cut_after_the_beginning_is_replaced(store: TradeStore) -> None:
    before = backend_of(store)
    store.begin_intent(make_intent(0, direction="direction 0"))
    async with store.connection() as conn:
        await conn.execute("SELECT pg_terminate_backend(%s, 2000)", [before])
    assert await record(store) == "recorded"
    assert backend_of(store) != before
    assert await sync_to_async(Trade.objects.count)() == 1


async def test_a_dead_connection_begins_nothing_and_says_so_when_asked(store: TradeStore) -> None:
    async with store.connection() as conn:
        await conn.execute("SELECT pg_terminate_backend(%s, 2000)", [backend_of(store)])
    store.begin_intent(make_intent(0, direction="direction 0"))
    assert await record(store) == "recorded"
    assert await sync_to_async(Trade.objects.count)() == 1


async def test_a_successor_gets_the_key_of_an_engine_that_stands_still(
    store: TradeStore, open_store: Callable[[], Awaitable[TradeStore]]
) -> None:
    """The server ends what was begun and left; the old engine then hears that it is fenced."""
    store.begin_intent(make_intent())
    successor = await open_store()
    async with asyncio.timeout(5 * ABANDONED_AFTER_MS / 1000):
        assert await successor.record_intent(
            make_intent(), make_settings(), trade_id=uuid4(), attempts=planned(make_intent())
        ) == "recorded"  # fmt: skip
    with pytest.raises(Fenced):
        await store.record_intent(
            make_intent(), make_settings(), trade_id=uuid4(), attempts=planned(make_intent())
        )


async def test_a_rehearsed_intent_runs_everything_and_leaves_nothing(store: TradeStore) -> None:
    text = Jsonb(stand_in("main", store.epoch))
    tables = ("trading_opportunity", "trading_outbox", "trading_trade", "trading_reservation")
    async with store.connection() as conn, conn.transaction(force_rollback=True):
        await conn.execute("SELECT trading_rehearse_intent(%s)", [text])
        for table in (*tables, "risk_riskday", "trading_sharedbalance"):
            found = await conn.execute(f"SELECT 1 FROM {table}")
            assert len(await found.fetchall()) == 1, table
        found = await conn.execute("SELECT 1 FROM trading_attempt")
        assert len(await found.fetchall()) == 2
    before = backend_of(store)
    await store.rehearse_intent()
    for model in (Opportunity, Outbox, Trade):
        assert await sync_to_async(model.objects.count)() == 0
    assert await record(store) == "recorded"
    assert backend_of(store) == before


async def test_a_rehearsal_that_fails_costs_nothing_else(store: TradeStore) -> None:
    before = backend_of(store)
    store.epoch += 7
    await store.rehearse_intent()
    store.epoch -= 7
    assert await record(store) == "recorded"
    assert backend_of(store) == before


def window_of(intent: Intent) -> NoteWindow:
    return NoteWindow(make_window(intent.window_id), "taken", "", "", "")


async def until_idle_in_transaction(store: TradeStore, backend: int) -> None:
    """Wait until the server has written what was begun and holds the transaction open."""
    async with store.connection() as conn:
        while True:
            found = await conn.execute(
                "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'idle in transaction'",
                [backend],
            )
            if await found.fetchone() is not None:
                return
