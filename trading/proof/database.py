"""PostgreSQL on a virtual clock: the real server, whose answers take no virtual time.

A statement blocks the loop until the server has answered, so what the desk does never
depends on how fast the machine is, and a whole commit is one indivisible moment of virtual
time. What a network and a server do to an engine (outage, delay, an answer lost after the
commit, a death at a commit) is drawn at the edge, in `EnginePool`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from trading.storage.intent_line import RECORD_INTENT, IntentText

RV = TypeVar("RV")
Row = dict[str, Any]
# What a pool waits before it gives up on a server that is away (trading.storage.store).
CONNECTION_WAIT_S = 3.0

# Emptied between seeds; everything else is the schema's or not the engine's.
TABLES = (
    "trading_trade", "trading_attempt", "trading_fill", "trading_ledgerentry",
    "trading_opportunity", "trading_window", "trading_outbox", "trading_enginelease",
    "trading_enginestart", "trading_assetconfig", "risk_control", "risk_riskday",
    "risk_command", "proof_history",
)  # fmt: skip

# What every seed starts with, kept as `proof_<table>` when the database is prepared.
KEPT = ("risk_control", "trading_assetconfig")

# DELETE without triggers: an eighth of what TRUNCATE costs on so few rows.
EMPTY = "".join(
    [
        "SET session_replication_role = replica;",
        *(f"DELETE FROM {table};" for table in TABLES),  # noqa: S608 - our own constants
        *(f"INSERT INTO {table} SELECT * FROM proof_{table};" for table in KEPT),  # noqa: S608
        "SET session_replication_role = origin;",
    ]
)

# Written by triggers, so the judge sees every durable state, not just the last one.
HISTORY = """
CREATE TABLE IF NOT EXISTS proof_history (
    id bigserial PRIMARY KEY, what text NOT NULL, key text NOT NULL, entry jsonb NOT NULL);
CREATE OR REPLACE FUNCTION proof_note_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = NEW.state AND OLD.epoch = NEW.epoch THEN
        RETURN NULL;
    END IF;
    INSERT INTO proof_history (what, key, entry) VALUES ('attempt', NEW.id::text,
        jsonb_build_object('was', CASE WHEN TG_OP = 'UPDATE' THEN OLD.state END,
            'state', NEW.state, 'leg', NEW.leg, 'seq', NEW.seq, 'epoch', NEW.epoch,
            'held', (SELECT epoch FROM trading_enginelease WHERE shard = NEW.shard),
            'evidence', jsonb_array_length(NEW.evidence)));
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION proof_note_trade() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO proof_history (what, key, entry) VALUES ('trade', NEW.intent_key::text,
        jsonb_build_object('was', CASE WHEN TG_OP = 'UPDATE' THEN OLD.state END,
            'state', NEW.state, 'residual', NEW.residual_base, 'window', NEW.window_id,
            'may_trade', (SELECT bool_and(mode = 'live' AND trips = '{}'::jsonb)
                FROM risk_control WHERE scope IN ('*', NEW.asset))));
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION proof_note_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO proof_history (what, key, entry) VALUES ('day', NEW.day::text,
        jsonb_build_object('used', NEW.notional_used, 'reserved', NEW.notional_reserved));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER proof_attempt AFTER INSERT OR UPDATE ON trading_attempt
    FOR EACH ROW EXECUTE FUNCTION proof_note_attempt();
CREATE OR REPLACE TRIGGER proof_trade AFTER INSERT OR UPDATE ON trading_trade
    FOR EACH ROW EXECUTE FUNCTION proof_note_trade();
CREATE OR REPLACE TRIGGER proof_day AFTER INSERT OR UPDATE ON risk_riskday
    FOR EACH ROW EXECUTE FUNCTION proof_note_day();
"""


class SteppedConnection(psycopg.AsyncConnection[Any]):
    """An async connection whose answers are waited for on the spot."""

    async def wait(
        self,
        gen: PQGen[RV],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> RV:
        return waiting.wait(gen, self.pgconn.socket, interval=interval, timeout=timeout)


class ProofDatabase:
    """One worker's database: connections for its engines, their leases, everybody else."""

    def __init__(
        self, engines: SteppedConnection, leases: SteppedConnection, outside: SteppedConnection
    ) -> None:
        self.engines = engines
        self.leases = leases
        self.outside = outside

    @classmethod
    async def open(cls, dsn: str) -> ProofDatabase:
        """Connect to a migrated database that nobody else uses, and install the history."""
        found = [await SteppedConnection.connect(dsn, autocommit=True) for _ in range(3)]
        for connection in found:
            # A lock that is never freed would stop virtual time: better an error.
            await connection.execute("SET lock_timeout = '5s'")
            await connection.execute("SET client_min_messages = 'warning'")
        for connection in (found[0], found[2]):
            connection.row_factory = dict_row
        await found[2].execute(HISTORY)
        return cls(*found)

    async def close(self) -> None:
        """Close every connection."""
        for connection in (self.engines, self.leases, self.outside):
            await connection.close()

    async def rows(self, query: str, *params: Any) -> list[Row]:
        """Read, or change, past every engine."""
        done = await self.outside.execute(query, params or None)
        return await done.fetchall() if done.description else []

    async def empty(self) -> None:
        """Back to a desk that has just been seeded."""
        await self.outside.execute(EMPTY)

    async def set_read_only(self, is_on: bool) -> None:
        """Make the engines' connection refuse writes, as a standby after a failover does."""
        word = "on" if is_on else "off"
        await self.engines.execute(f"SET default_transaction_read_only = {word}")


class Weather:
    """What stands between all engines and the server at present."""

    def __init__(self) -> None:
        self.is_down = False
        self.delay_s = 0.0
        self.answers_to_lose = 0


class EnginePool:
    """The connection pool of one life of an engine; stands in for the store's own.

    `acts` counts durable acts and reads; the n-th of them may be the last, or one at which
    the process stands still for a while.
    """

    def __init__(
        self, connection: SteppedConnection, weather: Weather, die: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._weather = weather
        self._die = die
        self._dies_in = 0
        self._dies_place = ""
        self._stands_in = 0
        self._stands_s = 0.0
        self.still_until_s = 0.0
        self.acts = 0

    def die_at(self, acts: int, place: str) -> None:
        """Arm a death `before` or `after` the n-th act from now."""
        self._dies_in, self._dies_place = acts, place

    def stand_still_at(self, acts: int, seconds: float) -> None:
        """Arm a standstill of the process right after the n-th act from now."""
        self._stands_in, self._stands_s = acts, seconds

    async def open(self, **_: Any) -> None:
        """Nothing to open: the worker's connection stays."""

    async def close(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[SteppedConnection]:
        """Lend the connection for one act, as far as the weather allows."""
        self.acts += 1
        self._dies_in -= 1
        self._stands_in -= 1
        is_last = self._dies_in == 0
        if is_last and self._dies_place == "before":
            await self._end()
        await self._stand_still()
        if self._weather.is_down:
            await asyncio.sleep(CONNECTION_WAIT_S)
            if self._weather.is_down:
                raise PoolTimeout("couldn't get a connection: the server is away")
        if self._weather.delay_s:
            await asyncio.sleep(self._weather.delay_s)
        yield self._connection
        if is_last:
            await self._end()
        if self._stands_in == 0:
            self.still_until_s = asyncio.get_running_loop().time() + self._stands_s
            await self._stand_still()
        if self._weather.answers_to_lose:
            self._weather.answers_to_lose -= 1
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    async def _stand_still(self) -> None:
        await asyncio.sleep(max(0.0, self.still_until_s - asyncio.get_running_loop().time()))

    async def _end(self) -> None:
        self._die(f"killed {self._dies_place} act {self.acts}")
        await asyncio.Event().wait()


class EngineLine:
    """The store's connection for intents: the same lent one, so that an intent is an act too."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    async def open(self) -> None:
        """Nothing to open: the worker's connection stays."""

    async def close(self) -> None:
        """Nothing to close."""

    def begin(self, key: UUID, decision: bytes) -> None:
        """Nothing is begun: a lent connection has no transaction open between two acts."""

    async def forget(self, key: UUID) -> None:
        """Nothing was begun."""

    async def record(self, intent: IntentText) -> str:
        """Return the intent function's verdict."""
        async with self._pool.connection() as conn:
            found = await conn.execute(RECORD_INTENT, [intent.whole()])
            row = await found.fetchone()
        assert row is not None
        return str(row["trading_record_intent"])
