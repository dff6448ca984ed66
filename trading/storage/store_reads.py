"""What the engine asks PostgreSQL about trades: unfinished ones, and whose an execution is.

The reading half of `trading.storage.store`. One account serves all shards, so a venue's word may be
about another shard's order: such a trade is named, never taken over.
"""

# ruff: noqa: S608 - conditions come from our own constants, values are parameters
from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from trading.records import LedgerLine, TradeRecord
from trading.storage import rows

Connection = psycopg.AsyncConnection[dict[str, Any]]
OF_SHARD = "EXISTS (SELECT 1 FROM trading_attempt a WHERE a.trade_id = t.id AND a.shard = %s)"
NAMED = "cl_ord_id = ANY(%s) OR signature = ANY(%s) OR (order_id <> '' AND order_id = ANY(%s))"


class TradeReads:
    """Reads of one engine process and one shard."""

    _pool: AsyncConnectionPool[Connection]

    def __init__(self, shard: str) -> None:
        self._shard = shard
        # Trades whose share of the balances is still set aside, as far as we know.
        self._reserved: set[UUID] = set()

    async def unfinished_trades(self) -> list[TradeRecord]:
        """Every trade of this shard that is not closed, with its parts, oldest first."""
        found = await self._load(f"t.state <> 'closed' AND {OF_SHARD}", [self._shard])
        self._reserved |= {trade.id for trade in found}
        return found

    async def trade_by_reference(self, *references: str) -> TradeRecord | None:
        """This shard's trade of a Kraken client or order id or of a signature, in any state."""
        where = f"t.id = (SELECT trade_id FROM trading_attempt WHERE {NAMED} LIMIT 1)"
        found = await self._load(f"{where} AND {OF_SHARD}", [*[list(references)] * 3, self._shard])
        return found[0] if found else None

    async def is_of_another_shard(self, *references: str) -> bool:
        """Whether an order or signature is another shard's: all of them use one account."""
        query = f"SELECT 1 FROM trading_attempt WHERE ({NAMED}) AND shard <> %s"
        async with self._pool.connection() as conn:
            found = await conn.execute(query, [*[list(references)] * 3, self._shard])
            return await found.fetchone() is not None

    async def is_another_resolving(self) -> bool:
        """Whether another shard has sent an order whose venue id is not on record yet."""
        async with self._pool.connection() as conn:
            found = await conn.execute(
                "SELECT 1 FROM trading_attempt WHERE shard <> %s AND venue = 'kraken'"
                " AND state IN ('sending', 'unknown', 'acked') AND order_id = ''",
                [self._shard],
            )
            return await found.fetchone() is not None

    async def trade_by_id(self, trade_id: UUID) -> TradeRecord | None:
        """One trade, whatever its state."""
        found = await self._load("t.id = %s", [trade_id])
        return found[0] if found else None

    async def knows_record(self, venue: str, reference: str, fill_ids: list[str]) -> bool:
        """Whether an order or signature, or one of its executions, belongs to any trade."""
        async with self._pool.connection() as conn:
            found = await conn.execute(
                "SELECT 1 FROM trading_fill"
                " WHERE venue = %(venue)s AND venue_fill_id = ANY(%(ids)s)"
                " UNION ALL SELECT 1 FROM trading_attempt WHERE venue = %(venue)s"
                " AND (order_id = %(name)s OR signature = %(name)s)",
                {"venue": venue, "ids": fill_ids, "name": reference},
            )
            return await found.fetchone() is not None

    async def known_order_ids(self, *, since_ns: int) -> set[str]:
        """Kraken order ids of our attempts sent since then."""
        async with self._pool.connection() as conn:
            found = await conn.execute(
                "SELECT order_id FROM trading_attempt WHERE order_id <> '' AND sent_ns >= %s",
                [since_ns],
            )
            return {row["order_id"] async for row in found}

    async def unfound_client_ids(self, *, since_ns: int) -> list[str]:
        """Client ids sent since then that were proven dead and have shown no order so far."""
        async with self._pool.connection() as conn:
            found = await conn.execute(
                "SELECT cl_ord_id FROM trading_attempt WHERE venue = 'kraken' AND order_id = ''"
                " AND evidence @> %s AND sent_ns >= %s ORDER BY sent_ns",
                [Jsonb([{"event": "proven_dead"}]), since_ns],
            )
            return [row["cl_ord_id"] async for row in found]

    async def _load(self, where: str, params: list[Any]) -> list[TradeRecord]:
        async with self._pool.connection() as conn:
            trades = await (
                await conn.execute(
                    "SELECT t.*, o.intent FROM trading_trade t JOIN trading_opportunity o"
                    f" USING (intent_key) WHERE {where} ORDER BY t.detect_ns",
                    params,
                )
            ).fetchall()
            records = []
            for row in trades:
                attempts = await (
                    await conn.execute(
                        "SELECT * FROM trading_attempt WHERE trade_id = %s ORDER BY leg, seq",
                        [row["id"]],
                    )
                ).fetchall()
                fills = await (
                    await conn.execute(
                        "SELECT f.* FROM trading_fill f JOIN trading_attempt a"
                        " ON a.id = f.attempt_id WHERE a.trade_id = %s",
                        [row["id"]],
                    )
                ).fetchall()
                lines = await (
                    await conn.execute(
                        "SELECT venue, venue_asset, asset, delta, kind, reference, at_ns"
                        " FROM trading_ledgerentry WHERE trade_id = %s ORDER BY id",
                        [row["id"]],
                    )
                ).fetchall()
                record = rows.trade_record(row, attempts, fills)
                record.lines = [LedgerLine(**line) for line in lines]
                records.append(record)
            return records
