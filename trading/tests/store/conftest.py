"""A LIVE desk in PostgreSQL and engines that hold its lease."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from arbsite.clock import ManualClock
from trading.storage.lease import Lease
from trading.storage.store import TradeStore
from trading.tests.intents import NOW_NS, open_desk

OpenStore = Callable[[], Awaitable[TradeStore]]


@pytest.fixture
def desk_url(transactional_db: None, test_database_url: str) -> str:
    """URL of a database in which SOL may trade."""
    open_desk("SOL")
    return test_database_url


@pytest.fixture
async def open_store(desk_url: str) -> AsyncIterator[OpenStore]:
    """Opens a store under a new epoch, as a starting engine does (its lock is let go)."""
    async with AsyncExitStack() as stack:

        async def opened() -> TradeStore:
            lease = Lease(desk_url, shard="main", holder="test")
            store = TradeStore(desk_url, shard="main", clock=ManualClock(NOW_NS))
            store.epoch = await lease.acquire()
            await lease.release()
            await store.open()
            stack.push_async_callback(store.close)
            return store

        yield opened
    # Django's connection of the thread that ran its queries must not outlive the database.
    await sync_to_async(connections.close_all)()


@pytest.fixture
async def store(open_store: OpenStore) -> TradeStore:
    """The one engine's store."""
    return await open_store()


@pytest.fixture
async def shards(
    transactional_db: None, test_database_url: str
) -> AsyncIterator[dict[str, TradeStore]]:
    """One store per shard, each under its own lease; SOL and JUP are LIVE."""
    await sync_to_async(open_desk)("SOL", "JUP")
    async with AsyncExitStack() as stack:
        found = {}
        for shard in ("east", "west"):
            lease = Lease(test_database_url, shard=shard, holder=shard)
            store = TradeStore(test_database_url, shard=shard, clock=ManualClock(NOW_NS))
            store.epoch = await lease.acquire()
            stack.push_async_callback(lease.release)
            await store.open()
            stack.push_async_callback(store.close)
            found[shard] = store
        yield found
    await sync_to_async(connections.close_all)()
