"""The intent's own connection: what breaks it, what does not, and that nothing is asked twice."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import psycopg
import pytest
from asgiref.sync import sync_to_async

from arbsite.errors import Fenced
from trading.models import Trade
from trading.storage.store import TradeStore
from trading.tests.intents import make_intent, make_settings, planned


async def record(store: TradeStore, number: int = 0) -> str:
    intent = make_intent(number, direction=f"direction {number}")
    return await store.record_intent(
        intent, make_settings(), trade_id=uuid4(), attempts=planned(intent)
    )


def backend_of(store: TradeStore) -> int:
    connection = store._line._connection
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
        await store._line.record("{}")
    assert store._line._connection is None
