"""Log segments lie ready before a trade needs one, and are laid out once."""

from __future__ import annotations

import psycopg
import pytest

from arbsite.tests.test_embedded import embedded_only
from arbsite.wal_ahead import AHEAD_MB, SEGMENT_MB, lay_out

pytestmark = [pytest.mark.timeout(60), embedded_only]
ZEROED_SQL = "SELECT coalesce(sum(writes), 0) FROM pg_stat_io WHERE object = 'wal' AND context = %s"


def test_whoever_writes_next_makes_no_segment(database_server: str) -> None:
    maintenance = database_server.rpartition("/")[0] + "/postgres"
    lay_out(maintenance)
    assert lay_out(maintenance) == 0
    with psycopg.connect(maintenance, autocommit=True) as connection:
        before = segments_made(connection)
        for _ in range(AHEAD_MB // SEGMENT_MB // 2):
            connection.execute("SELECT pg_logical_emit_message(false, 'test', 'next')")
            connection.execute("SELECT pg_switch_wal()")
        assert segments_made(connection) == before
        connection.execute("CHECKPOINT")
    assert lay_out(maintenance) == 0, "a checkpoint did not make new segments of the old"


def segments_made(connection: psycopg.Connection[tuple[int]]) -> int:
    connection.execute("SELECT pg_stat_force_next_flush()")
    row = connection.execute(ZEROED_SQL, ["init"]).fetchone()
    assert row is not None
    return row[0]
