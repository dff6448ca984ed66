"""Crash point 15: PostgreSQL dies inside one chosen commit, and nobody assumes how it ended.

A server of the test's own, whose backend gets SIGKILL: it throws every session out and
recovers from its log, as after any crash. The moment is held open by the server itself: at
the deferred trigger, where the intent function is over and the commit has not begun, or at
the wait for a standby, where the commit is on disk and its answer is not on the wire.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from typing import NamedTuple

import psycopg
import pytest

from arbsite.embedded import Postgres, prepare_home
from arbsite.home import Home
from arbsite.readiness import postgres_answers
from arbsite.testing import RunningService
from trading.proof.database import ProofDatabase
from trading.proof.preparing import create_database, prepare_apart
from trading.tests.kills.house import House, in_house
from trading.tests.kills.test_crash_points import BOTH, DEADLINE_MS, UNSENT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
# While the test's session holds this lock the intent's commit stands still.
GATE = 15


class Moment(NamedTuple):
    """Where the backend is killed: how it is held there, seen there, and what is left."""

    name: str
    trap: str
    wait_event: str
    is_committed: bool


MOMENTS = [
    Moment(
        "function over, not committed",
        f"""
        CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock({GATE}); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON trading_trade
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold();
        """,
        "advisory",
        is_committed=False,
    ),
    Moment(
        "committed, not answered",
        f"""
        CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT pg_try_advisory_xact_lock({GATE}) THEN
                PERFORM set_config('synchronous_commit', 'on', true);
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER hold AFTER INSERT ON trading_trade
            FOR EACH ROW EXECUTE FUNCTION hold();
        """,
        "SyncRep",
        is_committed=True,
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server that syncs every commit; a migrated database `template` is in it."""
    home = Home(tmp_path_factory.mktemp("server") / "home")
    home.path.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        home.ports_file.write_text(json.dumps({"postgres": probe.getsockname()[1]}))
    prepare_home(home)
    postgres = Postgres(home)
    running = RunningService(postgres.prepare(), home.logs / "postgres.log")
    url = home.database_url("postgres")
    try:
        running.wait_ready(lambda: postgres_answers(url))
        prepare_apart(create_database(url, "template"))
        with psycopg.connect(url, autocommit=True) as conn:
            # A commit waits for a standby that never comes only where it asks for one.
            conn.execute("ALTER SYSTEM SET synchronous_commit = 'local'")
            conn.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            conn.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        running.stop()
        shutil.rmtree(postgres.root, ignore_errors=True)


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.name)
def test_the_server_is_killed_inside_the_commit_of_an_intent(server: str, moment: Moment) -> None:
    dsn = create_copy(server, f"killed_{moment.is_committed}".lower())

    async def body(house: House) -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as gate:
            await gate.execute(moment.trap)
            await gate.execute("SELECT pg_advisory_lock(%s)", [GATE])
            intent = house.scene.intent(order_deadline_ms=DEADLINE_MS)
            await house.engine(intent=intent)
            os.kill(await backend_at(gate, moment.wait_event), signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                while True:
                    await gate.execute("SELECT 1")
        while not await asyncio.to_thread(postgres_answers, dsn):
            await asyncio.sleep(0.5)
        if moment.is_committed:
            # On record although nobody was told so.
            assert len(await house.scene.rows("SELECT 1 FROM trading_trade")) == 1
        await house.database.close()
        house.database = await ProofDatabase.open(dsn)
        await house.finish()
        attempts = await house.scene.attempts()
        endings = [BOTH, UNSENT] if moment.is_committed else [{}, BOTH, UNSENT]
        assert attempts in endings
        assert house.orders == sum(
            state == "done" for name, state in attempts.items() if not name.startswith("dex")
        )

    in_house(dsn, f"server/{moment.wait_event}", body)


def create_copy(server: str, name: str) -> str:
    """A database like the template."""
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE template")
    return f"{server.rpartition('/')[0]}/{name}"


async def backend_at(conn: psycopg.AsyncConnection[object], wait_event: str) -> int:
    """Wait until the intent's backend stands at `wait_event`; returns its process id."""
    while True:
        found = await conn.execute(
            "SELECT pid FROM pg_stat_activity WHERE wait_event = %s"
            " AND (query LIKE '%%_intent(%%' OR query = 'COMMIT') AND pid <> pg_backend_pid()",
            [wait_event],
        )
        row = await found.fetchone()
        if row is not None:
            return int(row[0])  # type: ignore[index]
        await asyncio.sleep(0.5)
