"""The simulator's durable truth: what really happened, written before it is told.

A small key-value store on SQLite (WAL) with named tables; the simulated venues put their
rows and `commit()` before each answer, so their own SIGKILL and restart look like a venue
outage and nothing else. It also holds the append-only truth ledger that a run's accounting
is checked against. Not the product's database: trading never reads it, audits do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

_SCHEMA = """
CREATE TABLE IF NOT EXISTS row (
    space TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (
    seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, venue TEXT NOT NULL,
    account TEXT NOT NULL, asset TEXT NOT NULL, delta TEXT NOT NULL,
    kind TEXT NOT NULL, reference TEXT NOT NULL
);
"""


class LedgerEntry(msgspec.Struct, frozen=True):
    """One change of one true balance. `delta` is exact decimal text in whole units.

    `kind`: opening | trade | fee | transfer | tip | deposit | withdrawal. `reference` is
    the venue's own id (trade id, signature).
    """

    at_ns: int
    venue: str
    account: str
    asset: str
    delta: str
    kind: str
    reference: str


class TruthStore:
    """Rows by (space, key) plus the ledger. `path=None` keeps everything in memory."""

    def __init__(self, path: Path | None = None) -> None:
        self._db = sqlite3.connect(str(path) if path else ":memory:", isolation_level=None)
        if path:
            self._db.execute("PRAGMA journal_mode=WAL")
            # A killed process loses nothing with NORMAL; only a power cut could.
            self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._in_transaction = False

    def put(self, space: str, key: str, value: object) -> None:
        """Stage one row (any msgspec-encodable value); durable at the next commit()."""
        self._begin()
        self._db.execute(
            "INSERT OR REPLACE INTO row VALUES (?, ?, ?)",
            (space, key, msgspec.json.encode(value)),
        )

    def delete(self, space: str, key: str) -> None:
        """Stage the removal of one row."""
        self._begin()
        self._db.execute("DELETE FROM row WHERE space = ? AND key = ?", (space, key))

    def get(self, space: str, key: str) -> bytes | None:
        """The row's JSON bytes, staged changes included."""
        found = self._db.execute(
            "SELECT value FROM row WHERE space = ? AND key = ?", (space, key)
        ).fetchone()
        return bytes(found[0]) if found else None

    def items(self, space: str) -> Iterator[tuple[str, bytes]]:
        """All (key, JSON bytes) of a space in key order."""
        for key, value in self._db.execute(
            "SELECT key, value FROM row WHERE space = ? ORDER BY key", (space,)
        ):
            yield str(key), bytes(value)

    def record(self, entry: LedgerEntry) -> None:
        """Stage one ledger entry."""
        self._begin()
        self._db.execute(
            "INSERT INTO ledger (at_ns, venue, account, asset, delta, kind, reference)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            msgspec.structs.astuple(entry),
        )

    def ledger(self, account: str | None = None) -> list[LedgerEntry]:
        """The entries in order, of one account or of all."""
        where, args = ("WHERE account = ?", (account,)) if account else ("", ())
        rows = self._db.execute(
            "SELECT at_ns, venue, account, asset, delta, kind, reference FROM ledger "
            f"{where} ORDER BY seq",
            args,
        )
        return [LedgerEntry(*row) for row in rows]

    def commit(self) -> None:
        """Make everything staged durable against the death of this process."""
        if self._in_transaction:
            self._db.execute("COMMIT")
            self._in_transaction = False

    def close(self) -> None:
        """Commit and close."""
        self.commit()
        self._db.close()

    def _begin(self) -> None:
        if not self._in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
            self._in_transaction = True
