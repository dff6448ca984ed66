"""What this machine remembers of the database, kept outside it: the mark.

A database put back from a backup cannot tell that it is old; the mark can. It names the
server's history and the newest things the engine saw durable in it. Read and compared at
each start, written every few seconds. Called by `trading.process.restored`. Not here: what an
engine does when its database is not the one it left.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import psycopg


class Unsure(msgspec.Struct, frozen=True):
    """What the venues did since `since_ns` may not be on record; found out at `found_ns`."""

    since_ns: int
    found_ns: int


class DatabaseMark(msgspec.Struct, frozen=True):
    """The newest of a database, as last seen from outside.

    `system_id` and `timeline` name the server's history: a new one begins with every initdb
    and with every promotion or recovery to a point in time. `epoch` is the shard's, the
    audit row is the last of the log, `trade_id` the newest trade ("" without any). `unsure`
    stands until somebody or something has accounted for it, over any number of restarts.
    """

    system_id: str
    timeline: int
    epoch: int
    audit_id: int
    audit_hash: str
    trade_id: str
    at_ns: int
    unsure: Unsure | None = None


class MarkDamaged(Exception):
    """The file is there and is no mark."""


def read_mark(path: Path) -> DatabaseMark | None:
    """The mark, None where none was ever written. Raises MarkDamaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=DatabaseMark)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MarkDamaged(f"{path.name} cannot be read: {error}") from error


def write_mark(path: Path, mark: DatabaseMark) -> None:
    """Replace the mark; after a power cut there is the old one or the new one. OSError."""
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(mark))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def read_database(
    conn: psycopg.AsyncConnection[dict[str, Any]], shard: str, *, now_ns: int
) -> DatabaseMark:
    """The mark the database would get now."""
    found = await conn.execute(
        """
        SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_id,
            (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
            coalesce((SELECT epoch FROM trading_enginelease WHERE shard = %s), 0) AS epoch,
            coalesce(audit.id, 0) AS audit_id, coalesce(audit.hash, '') AS audit_hash,
            coalesce((SELECT id::text FROM trading_trade ORDER BY id DESC LIMIT 1), '')
                AS trade_id
        FROM (SELECT) AS one
        LEFT JOIN (SELECT id, hash FROM arbsite_auditlog ORDER BY id DESC LIMIT 1) AS audit
            ON true
        """,
        [shard],
    )
    row = await found.fetchone()
    assert row is not None
    return DatabaseMark(**row, at_ns=now_ns)


async def differences(
    conn: psycopg.AsyncConnection[dict[str, Any]], mark: DatabaseMark, now: DatabaseMark
) -> list[str]:
    """In which ways the database is not the one that was marked; none: it is.

    `now` is the database before this start changed it.
    """
    found = []
    if now.system_id != mark.system_id:
        found.append("another server or a restored dump (its system identifier changed)")
    elif now.timeline != mark.timeline:
        found.append(f"recovered or promoted: timeline {now.timeline}, was {mark.timeline}")
    if now.epoch < mark.epoch:
        found.append(f"its engine epoch is {now.epoch}, was {mark.epoch}")
    if mark.audit_id and not await _is_there(
        conn,
        "SELECT 1 FROM arbsite_auditlog WHERE id = %s AND hash = %s",
        [mark.audit_id, mark.audit_hash],
    ):
        found.append(f"audit row {mark.audit_id} is missing or another")
    if mark.trade_id and not await _is_there(
        conn, "SELECT 1 FROM trading_trade WHERE id = %s", [mark.trade_id]
    ):
        found.append(f"trade {mark.trade_id} is missing")
    return found


async def _is_there(
    conn: psycopg.AsyncConnection[dict[str, Any]], query: str, values: list[object]
) -> bool:
    row = await (await conn.execute(query, values)).fetchone()
    return row is not None
