"""One connection kept at hand for the write that every order waits for.

Saves what a pool does around a statement (checking out, resetting, giving back) and what a
cursor does around a call: the statement is prepared by name when the connection is borrowed,
and libpq is spoken to directly. Knows nothing of what is recorded and never asks twice.
Called by `trading.storage.store` only.
"""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result
from psycopg.rows import scalar_row
from psycopg_pool import AsyncConnectionPool

RECORD_INTENT = "SELECT trading_record_intent(%s::jsonb)"
_NAME = b"record_intent"
_STATEMENT = b"SELECT trading_record_intent($1::jsonb)"
Connection = psycopg.AsyncConnection[dict[str, Any]]


class IntentLine:
    """Calls the intent function over a connection of its own, borrowed from the pool once."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool
        self._connection: Connection | None = None
        self._is_busy = False

    async def open(self) -> None:
        """Borrow the connection and prepare the statement before the first intent needs it."""
        connection = await self._pool.getconn()
        try:
            connection.pgconn.send_prepare(_NAME, _STATEMENT)
            await _answer(connection.pgconn)
            self._connection = connection
        finally:
            if self._connection is None:
                await self._give_back(connection)

    async def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            await self._give_back(self._connection)

    async def record(self, payload: str) -> str:
        """Return the function's verdict on one intent (JSON text).

        Raises psycopg errors; after one that broke the connection the next call borrows
        another.
        """
        if self._is_busy:
            async with self._pool.connection() as lent:
                cursor = await lent.cursor(row_factory=scalar_row).execute(RECORD_INTENT, [payload])
                return str(await cursor.fetchone())
        self._is_busy = True
        try:
            if self._connection is None:
                await self.open()
            connection = self._connection
            assert connection is not None
            pgconn = connection.pgconn
            try:
                pgconn.send_query_prepared(_NAME, [payload.encode()])
                verdict = (await _answer(pgconn)).get_value(0, 0)
            finally:
                # Broken, or interrupted in the middle: the pool knows what to do with it.
                if pgconn.transaction_status != pq.TransactionStatus.IDLE:
                    await self._give_back(connection)
            assert verdict is not None
            return verdict.decode()
        finally:
            self._is_busy = False

    async def _give_back(self, connection: Connection) -> None:
        self._connection = None
        await self._pool.putconn(connection)


async def _answer(pgconn: pq.abc.PGconn) -> pq.abc.PGresult:
    """Wait for the one result of the command just queued; raises what the server says."""
    loop = asyncio.get_running_loop()
    while pgconn.flush():
        await _until(loop.add_writer, loop.remove_writer, pgconn.socket)
    result: pq.abc.PGresult | None = None
    while True:
        while pgconn.is_busy():
            await _until(loop.add_reader, loop.remove_reader, pgconn.socket)
            pgconn.consume_input()
        found = pgconn.get_result()
        if found is None:
            break
        result = found
    if result is None:
        raise psycopg.OperationalError("the server gave no result")
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise error_from_result(result)
    return result


async def _until(add: Any, remove: Any, socket: int) -> None:
    """Wait until the socket is ready, registered no longer than that."""
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    add(socket, _wake, ready)
    try:
        await ready
    finally:
        remove(socket)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
