"""One active engine per shard: an advisory lock to wait on, an epoch that fences.

The lock makes a standby wait; the epoch, checked by a trigger on every attempt write, is
what makes a paused or partitioned old engine harmless. The connection is direct and held
for the engine's life (transaction pooling would break the lock). A holder whose heartbeat
stands still keeps its connection, and with it the lock: the standby ends that connection.
Source of the order: lock, then epoch + 1, then recovery.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import psycopg

from arbsite.clock import ns_from_at, utc_now
from arbsite.errors import Fenced, SetupError
from arbsite.logs import event_logger

log = event_logger(__name__)
STANDBY_POLL_S = 0.5
SILENT_AFTER_S = 5.0
RESTART_WINDOW = timedelta(minutes=10)


class LeaseLost(Fenced):
    """The lease's connection is gone; another engine may hold the shard by now."""


class Found(msgspec.Struct, frozen=True):
    """The lease as it stood before it was taken."""

    epoch: int
    heartbeat_ns: int


def lock_name(shard: str) -> str:
    """What the shard's advisory lock is made of (its key is PostgreSQL's hash of this)."""
    return f"spreadline.{shard}"


# Whoever has the shard's advisory lock in this database; the key is one signed bigint. A
# migration has no heartbeat and must come to its end.
MIGRATING = "spreadline migrate"
END_HOLDER_SQL = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND ((classid::bigint << 32) | objid::bigint) = hashtext(%s)::bigint
    AND application_name <> %s
"""


class _Heartbeat:
    """How long another's heartbeat has not moved, by our own clock: hosts may disagree."""

    def __init__(self) -> None:
        # Unlike anything read: a holder that has not beaten yet is no silent one.
        self._seen: Any = self
        self._since_s = 0.0

    def still_for(self, heartbeat: Any, now_s: float) -> float:
        """Take the heartbeat as read now; seconds since it last moved."""
        if heartbeat != self._seen:
            self._seen, self._since_s = heartbeat, now_s
        return now_s - self._since_s


class Lease:
    """The shard's lease as this process holds it.

    `silent_after_s`: how long a holder's heartbeat may stand still before a standby takes
    the shard from it. The holder beats every second. `key_name`: a Kraken key that no other
    shard may use at the same time (nonces are counted per key); empty: none.
    """

    def __init__(
        self,
        dsn: str,
        *,
        shard: str,
        holder: str,
        silent_after_s: float = SILENT_AFTER_S,
        key_name: str = "",
    ) -> None:
        self._dsn = dsn
        self._shard = shard
        self._holder = holder
        self._silent_after_s = silent_after_s
        self._key_name = key_name
        self._conn: psycopg.AsyncConnection[Any] | None = None
        self.epoch = 0
        self.recent_starts = 0
        self.has_stood_by = False
        self.found: Found | None = None

    async def acquire(self, *, beyond: int = 0) -> int:
        """Wait for the lock, raise the epoch and count this start; returns the epoch.

        The epoch is past the database's and past `beyond`, one that an engine is known to
        have had though the database may have forgotten it. Raises SetupError when another
        shard's engine uses the same Kraken key.
        """
        self._conn = await self._connect()
        await self._wait_for_lock()
        if self._key_name and not await self.use_key(self._key_name):
            raise SetupError(
                "An engine of another shard uses this Kraken key, and nonces are counted per "
                "key: give each shard its own with KRAKEN_KEY_FILE."
            )
        now = utc_now()
        async with self._conn.transaction():
            self.found = await self._read_found()
            row = await (
                await self._conn.execute(
                    """
                    INSERT INTO trading_enginelease (shard, epoch, holder, heartbeat_at)
                    VALUES (%(shard)s, %(beyond)s + 1, %(holder)s, %(now)s)
                    ON CONFLICT (shard) DO UPDATE SET
                        epoch = greatest(trading_enginelease.epoch, %(beyond)s) + 1,
                        holder = EXCLUDED.holder, heartbeat_at = EXCLUDED.heartbeat_at
                    RETURNING epoch
                    """,
                    {
                        "shard": self._shard,
                        "beyond": beyond,
                        "holder": self._holder,
                        "now": now,
                    },
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

    async def _wait_for_lock(self) -> None:
        """Stand by until the lock is free, or its holder has been silent for too long."""
        name = lock_name(self._shard)
        if await self._try_lock(name):
            return
        log.warning("lease.standby", shard=self._shard)
        self.has_stood_by = True
        heartbeat, loop = _Heartbeat(), asyncio.get_running_loop()
        while not await self._try_lock(name):
            still_s = heartbeat.still_for(await self._read_heartbeat(), loop.time())
            if still_s > self._silent_after_s:
                ended = await self._execute(END_HOLDER_SQL, name, MIGRATING)
                if ended.rowcount:
                    log.error("lease.holder_silent", shard=self._shard, seconds=round(still_s, 1))
                else:
                    log.warning("lease.waits_for_migration", shard=self._shard)
            await asyncio.sleep(STANDBY_POLL_S)

    async def _read_found(self) -> Found | None:
        row = await self._read_heartbeat()
        return Found(row[0], ns_from_at(row[1])) if row else None

    async def _read_heartbeat(self) -> Any:
        found = await self._execute(
            "SELECT epoch, heartbeat_at FROM trading_enginelease WHERE shard = %s", self._shard
        )
        return await found.fetchone()

    async def _execute(self, query: str, *values: object) -> psycopg.AsyncCursor[Any]:
        assert self._conn is not None
        return await self._conn.execute(query, values)

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)

    async def _try_lock(self, name: str) -> bool:
        found = await self._execute("SELECT pg_try_advisory_lock(hashtext(%s))", name)
        row = await found.fetchone()
        return bool(row and row[0])

    async def use_key(self, name: str) -> bool:
        """Keep a Kraken key to this shard while the lease lasts; False when another has it."""
        return await self._try_lock(f"spreadline.key.{name}")

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
