"""One active engine per shard: an advisory lock to wait on, an epoch that fences.

The lock makes a standby wait; the epoch, checked by a trigger on every attempt write, is
what makes a paused or partitioned old engine harmless. The connection is direct and held
for the engine's life (transaction pooling would break the lock). Source of the order:
lock, then epoch + 1, then recovery.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import psycopg

from arbsite.clock import utc_now
from arbsite.errors import Fenced
from arbsite.logs import event_logger

log = event_logger(__name__)
STANDBY_POLL_S = 0.5
RESTART_WINDOW = timedelta(minutes=10)


class LeaseLost(Fenced):
    """The lease's connection is gone; another engine may hold the shard by now."""


class Lease:
    """The shard's lease as this process holds it."""

    def __init__(self, dsn: str, *, shard: str, holder: str) -> None:
        self._dsn = dsn
        self._shard = shard
        self._holder = holder
        self._conn: psycopg.AsyncConnection[Any] | None = None
        self.epoch = 0
        self.recent_starts = 0

    async def acquire(self) -> int:
        """Wait for the lock, raise the epoch and count this start; returns the epoch."""
        self._conn = await self._connect()
        waited = False
        while not await self._try_lock():
            if not waited:
                log.warning("lease.standby", shard=self._shard)
                waited = True
            await asyncio.sleep(STANDBY_POLL_S)
        now = utc_now()
        async with self._conn.transaction():
            row = await (
                await self._conn.execute(
                    """
                    INSERT INTO trading_enginelease (shard, epoch, holder, heartbeat_at)
                    VALUES (%s, 1, %s, %s)
                    ON CONFLICT (shard) DO UPDATE SET epoch = trading_enginelease.epoch + 1,
                        holder = EXCLUDED.holder, heartbeat_at = EXCLUDED.heartbeat_at
                    RETURNING epoch
                    """,
                    [self._shard, self._holder, now],
                )
            ).fetchone()
            assert row is not None
            self.epoch = int(row[0])
            await self._conn.execute(
                "INSERT INTO trading_enginestart (shard, epoch, at) VALUES (%s, %s, %s)",
                [self._shard, self.epoch, now],
            )
            counted = await (
                await self._conn.execute(
                    "SELECT count(*) FROM trading_enginestart WHERE shard = %s AND at > %s",
                    [self._shard, now - RESTART_WINDOW],
                )
            ).fetchone()
            assert counted is not None
            self.recent_starts = int(counted[0])
        log.info("lease.taken", shard=self._shard, epoch=self.epoch)
        return self.epoch

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)

    async def _try_lock(self) -> bool:
        assert self._conn is not None
        row = await (
            await self._conn.execute(
                "SELECT pg_try_advisory_lock(hashtext(%s))", [f"spreadline.{self._shard}"]
            )
        ).fetchone()
        return bool(row and row[0])

    async def beat(self) -> None:
        """Refresh the heartbeat; raises Fenced (LeaseLost with its connection) when it is gone."""
        assert self._conn is not None
        try:
            done = await self._conn.execute(
                "UPDATE trading_enginelease SET heartbeat_at = %s WHERE shard = %s AND epoch = %s",
                [utc_now(), self._shard, self.epoch],
            )
        except psycopg.OperationalError as error:
            raise LeaseLost(f"the lease's connection was lost: {error}") from error
        if done.rowcount != 1:
            raise Fenced(f"shard {self._shard} has moved past epoch {self.epoch}")

    async def release(self) -> None:
        """Close the connection; PostgreSQL frees the lock with it."""
        if self._conn is not None:
            await self._conn.close()
