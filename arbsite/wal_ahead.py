"""PostgreSQL's next log segments, made before a trade has to wait for one.

Whoever writes past the end of the last segment makes the next: 16 MB of zeros and an fsync,
34 ms where this was found, inside the transaction an order waited for. Segments that lie ready
are taken over in no time, and every checkpoint turns those it is done with into new ones, up to
`min_wal_size`. Called by `up` and the benches for the embedded server.
"""

from __future__ import annotations

import psycopg

SEGMENT_MB = 16
AHEAD_MB = 256
_AHEAD_SQL = (
    "SELECT count(*) FROM pg_ls_waldir()"
    " WHERE name ~ '^[0-9A-F]{24}$' AND name > pg_walfile_name(pg_current_wal_lsn())"
)


def lay_out(url: str) -> int:
    """Make segments until half of `AHEAD_MB` lies ready; returns how many were made.

    `url` names a superuser. Raises psycopg errors. Takes up to a second on a new cluster and
    writes what was dirty so far to the disk, so that this too is not left for the first trades.
    """
    wanted = AHEAD_MB // SEGMENT_MB
    with psycopg.connect(url, autocommit=True) as connection:
        made = wanted - _ahead(connection)
        if made <= wanted // 2:
            return 0
        for _ in range(made):
            # A segment without a record in it would not be left.
            connection.execute("SELECT pg_logical_emit_message(false, 'spreadline', 'next')")
            connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")
    return made


def _ahead(connection: psycopg.Connection[tuple[int]]) -> int:
    row = connection.execute(_AHEAD_SQL).fetchone()
    assert row is not None
    return row[0]
