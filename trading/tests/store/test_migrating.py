"""`migrate` and a running engine: one of both waits or is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import StringIO
from threading import Event

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from psycopg import AsyncConnection

from trading.storage.lease import Lease, lock_name
from trading.storage.migrating import drained


@pytest.fixture
async def engine(desk_url: str) -> AsyncIterator[Lease]:
    """An engine that holds the shard east."""
    lease = Lease(desk_url, shard="east", holder="host-a:77")
    await lease.acquire()
    yield lease
    await lease.release()
    await sync_to_async(connections.close_all)()


def migrate(*arguments: str, **options: object) -> str:
    said = StringIO()
    call_command("migrate", *arguments, stdout=said, **options)
    return said.getvalue()


async def test_migrate_refuses_under_a_running_engine_and_names_the_remedy(engine: Lease) -> None:
    with pytest.raises(CommandError, match=r"shard east, held by host-a:77 \(epoch 1\)") as refused:
        await sync_to_async(migrate)("trading")
    assert "manage.py pause" in str(refused.value)
    assert "stop the engine" in str(refused.value)
    # Looking is free, and a schema that is up to date asks nobody to stop.
    assert "No planned" in await sync_to_async(migrate)("trading", plan=True)
    assert "No migrations to apply" in await sync_to_async(migrate)()
    await engine.release()
    assert "No migrations to apply" in await sync_to_async(migrate)("trading")


async def test_prepare_as_up_runs_it_refuses_too(engine: Lease) -> None:
    last = MigrationRecorder.Migration.objects.filter(app="reports")
    name = (await last.alatest("id")).name
    await last.filter(name=name).adelete()
    try:
        with pytest.raises(CommandError, match="An engine runs on this database"):
            await sync_to_async(call_command)("prepare", stdout=StringIO())
    finally:
        recorder = MigrationRecorder(connection)
        await sync_to_async(recorder.record_applied)("reports", name)


async def test_an_engine_that_starts_meanwhile_waits_for_the_schema(
    desk_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def migrating() -> None:
        with drained(connection):
            began.set()
            assert may_end.wait(30)

    began, may_end = Event(), Event()
    work = asyncio.create_task(sync_to_async(migrating)())
    while not began.is_set():
        await asyncio.sleep(0.01)
    lease = Lease(desk_url, shard="main", holder="next", silent_after_s=0.1)
    starting = asyncio.create_task(lease.acquire())
    # The lock's holder never beats: a migration is not ended for that.
    while "lease.waits_for_migration" not in caplog.messages:
        await asyncio.sleep(0.01)
    may_end.set()
    await work
    assert await starting == 1
    await lease.release()
    await sync_to_async(connections.close_all)()


async def test_an_engine_that_has_not_beaten_yet_is_not_taken_for_a_silent_one(
    desk_url: str,
) -> None:
    async with await AsyncConnection.connect(desk_url, autocommit=True) as starting:
        await starting.execute("SELECT pg_advisory_lock(hashtext(%s))", [lock_name("main")])
        lease = Lease(desk_url, shard="main", holder="standby", silent_after_s=60)
        waiting = asyncio.create_task(lease.acquire())
        while not lease.has_stood_by:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        await starting.execute("SELECT 1")
    assert await waiting == 1
    await lease.release()
