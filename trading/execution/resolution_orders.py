"""The engine's side of what people order: taken under the fence, handed to the trade.

Reads `trading_resolution` at each wake-up of PostgreSQL and each second besides, so an
order reaches the engine when the bus is away. A row that an earlier engine took and did not
answer is taken again: the answer is written in the transaction of what was done, so taken
means not done. Callers: the host.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from uuid import UUID

import psycopg

from arbsite.clock import Clock, at_from_ns
from arbsite.logs import event_logger
from trading.execution.executor import Executor
from trading.records import PersonsOrder
from trading.storage.store import TradeStore

log = event_logger(__name__)
POLL_S = 1.0

_EXPIRE = """
UPDATE trading_resolution SET state = 'expired', answered_at = %(now)s
WHERE expires_at <= %(now)s AND (state IN ('waiting', 'requested')
    OR (state = 'taken' AND epoch < %(epoch)s))
"""
_TAKE = """
UPDATE trading_resolution SET state = 'taken', epoch = %(epoch)s
WHERE id IN (
    SELECT r.id FROM trading_resolution r
    WHERE (r.state = 'requested' OR (r.state = 'taken' AND r.epoch < %(epoch)s))
        AND EXISTS (SELECT 1 FROM trading_attempt a
            WHERE a.trade_id = r.trade_id AND a.shard = %(shard)s)
    ORDER BY r.created_at FOR UPDATE SKIP LOCKED
) AND EXISTS (
    SELECT 1 FROM trading_enginelease l WHERE l.shard = %(shard)s AND l.epoch = %(epoch)s
)
RETURNING id, trade_id, act, venue, reference, detail, "user" AS person
"""


class ResolutionOrders:
    """Takes orders of one shard and gives each to its trade."""

    def __init__(self, store: TradeStore, executor: Executor, clock: Clock, *, shard: str) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._shard = shard
        self.wake = asyncio.Event()

    async def follow(self) -> None:
        """Take what is there at each wake-up and each second, until cancelled."""
        while True:
            try:
                await self.take()
            except psycopg.OperationalError as error:
                log.warning("orders.not_read", error=str(error)[:200])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self.wake.wait()
            self.wake.clear()

    async def take(self) -> None:
        """Take every open order of this shard once."""
        params = {
            "now": at_from_ns(self._clock.now_ns()),
            "epoch": self._store.epoch,
            "shard": self._shard,
        }
        async with self._store.connection() as conn:
            await conn.execute(_EXPIRE, params)
            rows = await (await conn.execute(_TAKE, params)).fetchall()
        for row in rows:
            order = PersonsOrder(**row)
            log.info("order.taken", act=order.act, trade=str(order.trade_id), by=order.person)
            if not await self._executor.resolve(order):
                await self._refuse(order.id, "this trade is not on record")

    async def _refuse(self, order_id: UUID, why: str) -> None:
        values: dict[str, Any] = {
            "id": order_id, "why": why, "now": at_from_ns(self._clock.now_ns())
        }  # fmt: skip
        async with self._store.connection() as conn:
            await conn.execute(
                "UPDATE trading_resolution SET state = 'refused', answer = %(why)s,"
                " answered_at = %(now)s WHERE id = %(id)s AND state = 'taken'",
                values,
            )
