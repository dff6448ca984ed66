"""No schema change under a running engine: the shards' locks are held while migrating.

An engine holds its shard's advisory lock for life, so whoever can take every lock knows that
none runs, and keeps new ones waiting as standbys until the schema is whole. Called by the
`migrate` command. Not here: the lease itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper

from arbsite.errors import SetupError
from trading.storage.lease import MIGRATING, lock_name

FIRST_SHARD = "main"
TRIES = 10
TRY_EVERY_S = 0.1


@contextmanager
def drained(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Hold every shard's lock on this connection; SetupError naming a shard whose engine runs."""
    taken: list[str] = []
    with connection.cursor() as cursor:
        # Tells a standby that this holder of the lock is no engine that has gone silent.
        cursor.execute("SELECT set_config('application_name', %s, false)", [MIGRATING])
    try:
        for shard, words in _shards(connection).items():
            if not _try_lock(connection, shard):
                raise SetupError(
                    f"An engine runs on this database: shard {shard}, {words}. Drain it first: "
                    "`manage.py pause`, wait until `manage.py status` shows no open trade, then "
                    "stop the engine (Ctrl-C on `up`, or SIGTERM to it)."
                )
            taken.append(shard)
        yield
    finally:
        for shard in taken:
            _unlock(connection, shard)
        with connection.cursor() as cursor:
            cursor.execute("RESET application_name")


def _shards(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Every shard that ever had an engine here, and its last holder in words."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('trading_enginelease') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return {}
        cursor.execute("SELECT shard, holder, epoch FROM trading_enginelease ORDER BY shard")
        found = {shard: f"held by {holder} (epoch {epoch})" for shard, holder, epoch in cursor}
    return {FIRST_SHARD: "about to start", **found}


def _try_lock(connection: BaseDatabaseWrapper, shard: str) -> bool:
    """Take the lock; an engine that has just stopped is given a moment to be gone."""
    for _ in range(TRIES):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [lock_name(shard)])
            if cursor.fetchone()[0]:
                return True
        time.sleep(TRY_EVERY_S)
    return False


def _unlock(connection: BaseDatabaseWrapper, shard: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [lock_name(shard)])
