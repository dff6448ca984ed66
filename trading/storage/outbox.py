"""Carries outbox rows to the bus: written with what they report, sent at least once.

A row is marked sent only when the bus took it, in row order, so a crash repeats rows and
never loses one; readers keep the highest version of a trade. Woken by PostgreSQL's NOTIFY
and, in case one is missed, every second. Run by `run_relay`; several may run. Not here: who
reads the bus.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from arbsite.bus import Bus
from arbsite.logs import event_logger

log = event_logger(__name__)

CHANNEL = "spreadline"
WAKE_UP = "outbox"
BATCH = 200
POLL_S = 1.0
RETRY_S = 0.5
KEEP_SENT = "1 hour"
PURGE_EVERY_S = 60.0

Connection = psycopg.AsyncConnection[dict[str, Any]]


class OutboxDrain:
    """One process's drain. `sent` counts rows handed to the bus."""

    def __init__(self, dsn: str, bus: Bus) -> None:
        self._dsn = dsn
        self._bus = bus
        self.sent = 0

    async def run(self) -> None:
        """Drain until cancelled, through lost database connections."""
        while True:
            try:
                await self._run_connected()
            except psycopg.OperationalError as error:
                log.warning("outbox.disconnected", reason=type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def _run_connected(self) -> None:
        loop = asyncio.get_running_loop()
        async with await Connection.connect(
            self._dsn, autocommit=True, row_factory=dict_row
        ) as conn:
            await conn.execute(f"LISTEN {CHANNEL}")
            purge_at = loop.time()
            while True:
                while await self.drain(conn) == BATCH:
                    pass
                if loop.time() >= purge_at:
                    await self._purge(conn)
                    purge_at = loop.time() + PURGE_EVERY_S
                await self._wait(conn)

    async def drain(self, conn: Connection) -> int:
        """Send one batch; returns how many rows the bus took."""
        async with conn.transaction():
            cursor = await conn.execute(
                "SELECT id, subject, payload FROM trading_outbox WHERE sent_at IS NULL"
                " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
                [BATCH],
            )
            taken: list[int] = []
            for row in await cursor.fetchall():
                lost = self._bus.lost
                await self._bus.publish(row["subject"], msgspec.json.encode(row["payload"]))
                if self._bus.lost != lost:
                    break  # the bus is away: this row and the rest stay for the next try
                taken.append(row["id"])
            if taken:
                await conn.execute(
                    "UPDATE trading_outbox SET sent_at = now() WHERE id = ANY(%s)", [taken]
                )
        self.sent += len(taken)
        return len(taken)

    async def _wait(self, conn: Connection) -> None:
        """Return at the next outbox wake-up, or after `POLL_S`."""
        async for notify in conn.notifies(timeout=POLL_S):
            if notify.payload == WAKE_UP:
                return

    async def _purge(self, conn: Connection) -> None:
        await conn.execute(
            "DELETE FROM trading_outbox WHERE sent_at < now() - %s::interval", [KEEP_SENT]
        )
