"""Connections kept at hand for the write that every order waits for.

Saves what a pool does around a statement (checking out, resetting, giving back) and what a
cursor does around a call: the statements are prepared by name when the connection is borrowed,
and libpq is spoken to directly. An intent may be begun while its legs are still planned: the
server then writes the decision in an open transaction and `record` only adds the rest and
commits. Nothing is durable before that commit, and the server ends a transaction that its
engine left standing. Knows nothing of what is recorded and never asks twice. Called by
`trading.storage.store` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import pq
from psycopg.errors import error_from_result
from psycopg.rows import scalar_row
from psycopg_pool import AsyncConnectionPool

RECORD_INTENT = "SELECT trading_record_intent(%s::jsonb)"
REFUSED_SQLSTATE, DUPLICATE_SQLSTATE = b"SPB01", b"23505"
# An unsettled trade of this direction, or these bytes are another trade's.
BUSY_TABLES = (b"trading_trade", b"trading_attempt")
INTENTS_AT_ONCE = 3
# How long an engine that stands still may keep the key of a decision from its successor.
ABANDONED_AFTER_MS = 1000
_STATEMENTS = {
    b"record_intent": b"SELECT trading_record_intent($1::jsonb)",
    b"begin_intent": b"SELECT trading_begin_intent($1::jsonb)",
    b"finish_intent": b"SELECT trading_finish_intent($1::jsonb)",
    b"rehearse_intent": b"SELECT trading_rehearse_intent($1::jsonb)",
    b"begin": b"BEGIN",
    b"commit": b"COMMIT",
    b"rollback": b"ROLLBACK",
}
_SETTINGS = (
    f"SET idle_in_transaction_session_timeout = {ABANDONED_AFTER_MS}".encode(),
    # Plans made once: their statements look rows up by their keys, whatever the values.
    b"SET plan_cache_mode = force_generic_plan",
)
_FINE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
Connection = psycopg.AsyncConnection[dict[str, Any]]


class IntentText(msgspec.Struct, frozen=True):
    """What is recorded of one intent: whole, or what is left once its decision was begun.

    `decision` is asked for only where it was not begun.
    """

    key: UUID
    rest: dict[str, Any]
    decision: Callable[[], dict[str, Any]]

    def remainder(self) -> bytes:
        """The trade's JSON, without the inputs of its decision."""
        return msgspec.json.encode(self.rest)

    def whole(self) -> str:
        """The JSON of both."""
        return msgspec.json.encode({**self.rest, **self.decision()}).decode()


class IntentLines:
    """Calls the intent functions over a few lines; one tick may fire at several assets."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool
        self._lines = [IntentLine(pool) for _ in range(INTENTS_AT_ONCE)]

    async def open(self) -> None:
        """Have the lines ready before the first intent needs one."""
        for line in self._lines:
            await line.open()

    async def close(self) -> None:
        """Give the connections back."""
        for line in self._lines:
            await line.close()

    async def rehearse(self, stand_in: bytes) -> None:
        """Let the server plan on each line what an intent runs. Raises psycopg errors."""
        for line in self._lines:
            if line.is_free:
                await line.rehearse(stand_in)

    def begin(self, key: UUID, decision: bytes) -> None:
        """Let the server start on a decision; `record` or `forget` must follow.

        Waits for nothing and raises nothing: where no line is free or it is broken nothing is
        begun, and `record` then asks for the whole.
        """
        line = self._free()
        if line is not None:
            line.begin(key, decision)

    async def forget(self, key: UUID) -> None:
        """Undo what was begun of an intent that is not recorded; nothing where nothing was."""
        line = self._of(key)
        if line is not None:
            await line.forget()

    async def record(self, intent: IntentText) -> str:
        """Return the server's verdict on one intent.

        Raises psycopg errors; after one that broke a connection the next call borrows another.
        """
        line = self._of(intent.key)
        if line is not None:
            return await line.finish(intent.remainder())
        line, payload = self._free(), intent.whole()
        if line is not None:
            return await line.record(payload)
        async with self._pool.connection() as lent:
            cursor = await lent.cursor(row_factory=scalar_row).execute(RECORD_INTENT, [payload])
            return str(await cursor.fetchone())

    def _of(self, key: UUID) -> IntentLine | None:
        return next((line for line in self._lines if line.begun == key), None)

    def _free(self) -> IntentLine | None:
        return next((line for line in self._lines if line.is_free), None)


class IntentLine:
    """One connection, borrowed from the pool once; one intent at a time."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool
        self._connection: Connection | None = None
        self.is_free = True
        self.begun: UUID | None = None

    async def open(self) -> None:
        """Borrow the connection and prepare the statements before the first intent needs them."""
        connection = await self._pool.getconn()
        try:
            for setting in _SETTINGS:
                connection.pgconn.send_query(setting)
                await _answer(connection.pgconn)
            for name, statement in _STATEMENTS.items():
                connection.pgconn.send_prepare(name, statement)
                await _answer(connection.pgconn)
            self._connection = connection
        finally:
            if self._connection is None:
                await self._give_back(connection)

    async def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            await self._give_back(self._connection)

    def begin(self, key: UUID, decision: bytes) -> None:
        """Open the transaction and let the server write the decision, if the line is up."""
        if self._connection is None:
            return
        pgconn = self._connection.pgconn
        try:
            pgconn.enter_pipeline_mode()
            pgconn.send_query_prepared(b"begin", [])
            pgconn.send_query_prepared(b"begin_intent", [decision])
            # Only after a sync does the server count the time that it is left standing.
            pgconn.pipeline_sync()
            pgconn.flush()
        except psycopg.Error:
            pgconn.finish()  # half a pipeline: nothing else may be sent over it
            return
        self.begun, self.is_free = key, False

    async def forget(self) -> None:
        """Roll back what was begun."""
        try:
            await self._complete((b"rollback", []))
        except psycopg.Error:
            return  # undone by the server as well

    async def rehearse(self, stand_in: bytes) -> None:
        """Run an intent's statements and undo them."""
        async with self._taken() as pgconn:
            pgconn.send_query_prepared(b"begin", [])
            await _answer(pgconn)
            pgconn.send_query_prepared(b"rehearse_intent", [stand_in])
            try:
                await _answer(pgconn)
            finally:
                pgconn.send_query_prepared(b"rollback", [])
                await _answer(pgconn)

    async def record(self, payload: str) -> str:
        """Both steps of an intent at once."""
        async with self._taken() as pgconn:
            pgconn.send_query_prepared(b"record_intent", [payload.encode()])
            return _text(await _answer(pgconn))

    async def finish(self, rest: bytes) -> str:
        """The second step of the intent that was begun, and its commit."""
        results = await self._complete((b"finish_intent", [rest]), (b"commit", []))
        failed = next((each for each in results if each.status not in _FINE), None)
        if failed is None:
            _, _, verdict, _ = results
            return _text(verdict)
        state = failed.error_field(pq.DiagnosticField.SQLSTATE)
        if state == REFUSED_SQLSTATE:
            return (failed.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode()
        table = failed.error_field(pq.DiagnosticField.TABLE_NAME)
        if state == DUPLICATE_SQLSTATE and table in BUSY_TABLES:
            return "busy"
        raise error_from_result(failed)

    async def _complete(self, *statements: tuple[bytes, list[bytes]]) -> list[pq.abc.PGresult]:
        """Send what ends the begun transaction; all its results, from BEGIN on, in order."""
        # Taken: the same key asked for once more meanwhile is another transaction.
        self.begun = None
        async with self._taken() as pgconn:
            for name, parameters in statements:
                pgconn.send_query_prepared(name, parameters)
            pgconn.pipeline_sync()
            results = [*await _answers(pgconn), *await _answers(pgconn)]
            pgconn.exit_pipeline_mode()
            if pgconn.transaction_status == pq.TransactionStatus.INERROR:
                pgconn.send_query_prepared(b"rollback", [])
                await _answer(pgconn)
            return results

    @asynccontextmanager
    async def _taken(self) -> AsyncIterator[pq.abc.PGconn]:
        """The connection, for one caller; whatever is not idle afterwards is given back."""
        self.is_free = False
        try:
            if self._connection is None:
                await self.open()
            connection = self._connection
            assert connection is not None
            try:
                yield connection.pgconn
            finally:
                # Broken, or interrupted in the middle: the pool knows what to do with it.
                if connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
                    await self._give_back(connection)
        finally:
            self.is_free = True

    async def _give_back(self, connection: Connection) -> None:
        self._connection = None
        await self._pool.putconn(connection)


def _text(result: pq.abc.PGresult) -> str:
    value = result.get_value(0, 0)
    assert value is not None
    return value.decode()


async def _answer(pgconn: pq.abc.PGconn) -> pq.abc.PGresult:
    """Wait for the one result of the command just queued; raises what the server says."""
    await _flush(pgconn)
    result: pq.abc.PGresult | None = None
    while (found := await _next(pgconn)) is not None:
        result = found
    if result is None:
        raise psycopg.OperationalError("the server gave no result")
    if result.status not in _FINE:
        raise error_from_result(result)
    return result


async def _answers(pgconn: pq.abc.PGconn) -> list[pq.abc.PGresult]:
    """Wait for the results of a pipeline up to its next sync, failed and skipped ones included."""
    await _flush(pgconn)
    results: list[pq.abc.PGresult] = []
    while True:
        found = await _next(pgconn)
        if found is None:
            # None also comes between two commands.
            if pgconn.status != pq.ConnStatus.OK:
                raise psycopg.OperationalError("the connection ended before the answer")
            continue
        if found.status == pq.ExecStatus.PIPELINE_SYNC:
            return results
        results.append(found)


async def _next(pgconn: pq.abc.PGconn) -> pq.abc.PGresult | None:
    loop = asyncio.get_running_loop()
    while pgconn.is_busy():
        await _until(loop.add_reader, loop.remove_reader, pgconn.socket)
        pgconn.consume_input()
    return pgconn.get_result()


async def _flush(pgconn: pq.abc.PGconn) -> None:
    loop = asyncio.get_running_loop()
    while pgconn.flush():
        await _until(loop.add_writer, loop.remove_writer, pgconn.socket)


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
