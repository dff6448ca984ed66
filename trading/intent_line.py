"""One connection kept at hand for the write that every order waits for.

Saves what a pool does around a statement: checking out, resetting, giving back. Knows
nothing of what is recorded and never asks twice. Called by `trading.store` only.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import scalar_row
from psycopg_pool import AsyncConnectionPool

RECORD_INTENT = "SELECT trading_record_intent(%s::jsonb)"
Cursor = psycopg.AsyncCursor[Any]


class IntentLine:
    """Calls the intent function over a connection of its own, borrowed from the pool once."""

    def __init__(self, pool: AsyncConnectionPool[psycopg.AsyncConnection[dict[str, Any]]]) -> None:
        self._pool = pool
        self._cursor: Cursor | None = None
        self._is_busy = False

    async def open(self) -> None:
        """Borrow the connection and prepare the statement before the first intent needs it."""
        self._cursor = (await self._pool.getconn()).cursor(row_factory=scalar_row)

    async def close(self) -> None:
        """Give the connection back."""
        if self._cursor is not None:
            await self._give_back(self._cursor)

    async def record(self, payload: str) -> str:
        """Return the function's verdict on one intent (JSON text).

        Raises psycopg errors; after one the next call borrows another connection.
        """
        if self._is_busy:
            async with self._pool.connection() as conn:
                return await self._ask(conn.cursor(row_factory=scalar_row), payload)
        self._is_busy = True
        try:
            if self._cursor is None:
                await self.open()
            cursor = self._cursor
            assert cursor is not None
            try:
                return await self._ask(cursor, payload)
            except BaseException:
                # Broken, or interrupted in the middle: the pool knows what to do with it.
                await self._give_back(cursor)
                raise
        finally:
            self._is_busy = False

    async def _ask(self, cursor: Cursor, payload: str) -> str:
        await cursor.execute(RECORD_INTENT, [payload], prepare=True)
        return str(await cursor.fetchone())

    async def _give_back(self, cursor: Cursor) -> None:
        self._cursor = None
        await self._pool.putconn(cursor.connection)
