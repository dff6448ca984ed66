"""OBSERVE until the venues' history is accounted for, after a backup was put back.

At each start the database is compared with the mark kept outside it. One that is behind, or
has another history, may lack trades that the venues carried out: the engine then decides
for the record only, sends nothing for trades it finds open, and compares all of Kraken's
records since the database's last sign of life. Nothing unknown, or a person who accounts
for what is (`manage.py reconcile --accept`), makes the inspection green; going live is a
person's act after that. Called by the host and by `recovery`. Not here: the mark itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import psycopg
from asgiref.sync import sync_to_async

from arbsite.clock import Clock, at_from_ns
from arbsite.events import Mode
from arbsite.logs import event_logger
from risk import restores
from risk import services as risk
from risk.inspection import Check
from risk.restores import RESTORED
from trading.process.holding_back import written
from trading.storage.database_mark import (
    DatabaseMark,
    MarkDamaged,
    Unsure,
    differences,
    read_database,
    read_mark,
    write_mark,
)
from trading.storage.lease import Found
from trading.storage.store import TradeStore

log = event_logger(__name__)
REMEDY: Final = (
    "Run `manage.py reconcile`; book or write down by hand what it names, then "
    "`manage.py reconcile --accept --user YOU --reason WHY`."
)
# The database's last sign of life is a heartbeat of the lease, and hosts' clocks differ.
SLACK_NS: Final = 120_000_000_000
NAMED_MOST: Final = 20


class RestoredDatabase:
    """The guard of one engine process; without a `path` it never holds anything back."""

    def __init__(self, store: TradeStore, path: Path | None, clock: Clock, *, shard: str) -> None:
        self._store = store
        self._path = path
        self._clock = clock
        self._shard = shard
        self._damage = ""
        self._mark = self._read()
        self.unsure = self._mark.unsure if self._mark else None
        # Whether the venue's records were compared since this process started.
        self.is_judged = False

    def _read(self) -> DatabaseMark | None:
        if self._path is None:
            return None
        try:
            return read_mark(self._path)
        except MarkDamaged as error:
            self._damage = str(error)
            return None

    @property
    def least_epoch(self) -> int:
        """No epoch up to this one may be taken: it was another engine's."""
        return self._mark.epoch if self._mark else 0

    def mode(self, asked: Mode) -> Mode:
        """HALT for what sends: a hedge may have been made that the database forgot."""
        return asked if self.unsure is None else "halt"

    async def compare(self, found: Found | None) -> None:
        """Compare the database with the mark; `found` is the lease as it was before us."""
        if self._path is None:
            return
        async with self._store.connection() as conn:
            now = await read_database(conn, self._shard, now_ns=self._clock.now_ns())
            before = msgspec.structs.replace(now, epoch=found.epoch if found else 0)
            why = await differences(conn, self._mark, before) if self._mark else []
        why += [self._damage] if self._damage else []
        if why:
            await self._hold(why, found)
        elif self.unsure is not None:
            log.warning("database.still_unsure", since_ns=self.unsure.since_ns)
        await self._write(now)

    async def _hold(self, why: list[str], found: Found | None) -> None:
        now_ns = self._clock.now_ns()
        signs_ns = [now_ns]
        signs_ns += [self._mark.at_ns] if self._mark else []
        signs_ns += [found.heartbeat_ns] if found else []
        since_ns = min(signs_ns) - SLACK_NS
        if self.unsure is not None:
            since_ns = min(since_ns, self.unsure.since_ns)
        self.unsure = Unsure(since_ns, now_ns)
        text = f"The database was put back or replaced: {'; '.join(why)}"
        log.critical("database.restored", why=why, since_ns=since_ns)
        checks = [Check(RESTORED, False, "; ".join(why), REMEDY)]

        def write() -> None:
            restores.record_look(checks, found_ns=now_ns)
            risk.hold_back(RESTORED, text=text)

        await written(write)

    async def judge(self, unknown: set[str]) -> None:
        """Store what Kraken's records since then showed: order ids that are of nobody here."""
        self.is_judged = True
        if self.unsure is None:
            return
        since = at_from_ns(self.unsure.since_ns)
        seen = f"{len(unknown)} orders since {since:%Y-%m-%d %H:%M} UTC are not on record"
        if unknown:
            seen += f": {', '.join(sorted(unknown)[:NAMED_MOST])}"
        checks = [Check("kraken_records", not unknown, seen, REMEDY)]
        found_ns = self.unsure.found_ns
        log.warning("database.compared", unknown=len(unknown))
        await written(lambda: restores.record_look(checks, found_ns=found_ns))

    async def keep(self) -> None:
        """Renew the mark; let go once an inspection since the discovery is green."""
        if self._path is None:
            return
        try:
            if self.unsure is not None and await self._is_settled():
                self.unsure = None
                log.warning("database.accounted_for")
            async with self._store.connection() as conn:
                now = await read_database(conn, self._shard, now_ns=self._clock.now_ns())
        except psycopg.OperationalError as error:
            log.info("database.not_marked", error=str(error)[:200])
            return
        await self._write(now)

    async def _is_settled(self) -> bool:
        assert self.unsure is not None
        async with self._store.connection() as conn:
            found = await conn.execute(
                "SELECT 1 FROM risk_inspection WHERE kind = %s AND is_green AND at > %s LIMIT 1",
                [restores.KIND, at_from_ns(self.unsure.found_ns)],
            )
            return await found.fetchone() is not None

    async def _write(self, now: DatabaseMark) -> None:
        assert self._path is not None
        mark = msgspec.structs.replace(now, unsure=self.unsure)
        try:
            await sync_to_async(write_mark)(self._path, mark)
        except OSError as error:
            # An older mark stays, which compares as well: nothing it names goes away.
            log.error("database.not_marked", error=str(error))
