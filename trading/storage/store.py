"""The engine's door to PostgreSQL: every durable act of a trade, fenced by the lease epoch.

Async psycopg, no ORM on this path. `record_intent` is the one write before an order: SQL
functions (installed by migrations) check lease, control, configuration and limits, reserve,
and write decision, trade and attempts in a single transaction, which `begin_intent` may open
while the legs are still planned. Everything later
goes through `commit`: the whole change of one trade, its fills, its ledger entries and the
outbox message in one transaction. Callers: executor, runner, recovery. Not here: reads for
people (selectors), controls (risk.services).
"""

# ruff: noqa: S608 - column lists come from our own constants, values are parameters
from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import errors as pg_errors
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb, set_json_dumps
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from arbsite import events
from arbsite.clock import Clock
from arbsite.errors import Fenced, NotSent, OutcomeUnknown, ResidualMoved
from arbsite.logs import event_logger
from trading.effects import NoteWindow
from trading.intent import AssetSettings, Intent, WindowRow
from trading.needs import Need
from trading.records import AttemptRecord, DayRelease, TradeRecord
from trading.storage import rows
from trading.storage.intent_line import INTENTS_AT_ONCE, IntentLines, IntentText
from trading.storage.intent_rehearsal import stand_in
from trading.storage.store_reads import Connection, TradeReads

log = event_logger(__name__)
FENCED_SQLSTATE = "SPF01"
RECORD_TRIES = 2
CONNECTION_WAIT_S = 3.0
set_json_dumps(lambda value: msgspec.json.encode(value).decode())


class TradeStore(TradeReads):
    """Pool of connections for one engine process and one shard."""

    def __init__(self, dsn: str, *, shard: str, clock: Clock) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            min_size=INTENTS_AT_ONCE + 1,
            max_size=INTENTS_AT_ONCE + 5,
            open=False,
            timeout=CONNECTION_WAIT_S,
            # One round trip for the one statement of an intent; commits say `transaction`.
            kwargs={"row_factory": dict_row, "autocommit": True},
        )
        super().__init__(shard)
        self._lines = IntentLines(self._pool)
        self._clock = clock
        self.epoch = 0

    async def open(self) -> None:
        """Open the pool; raises psycopg errors when the database is away."""
        await self._pool.open(wait=True, timeout=10)
        await self._lines.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._lines.close()
        await self._pool.close()

    # ---- decisions ------------------------------------------------------------------

    async def rehearse_intent(self) -> None:
        """Let the server run an intent that never was, once the epoch is ours; nothing is kept.

        The first trade then meets a connection like the later ones do. A rehearsal that fails
        costs only that, so it raises nothing.
        """
        text = msgspec.json.encode(stand_in(self._shard, self.epoch))
        try:
            await self._lines.rehearse(text)
        except psycopg.Error as error:
            log.warning("intent.not_rehearsed", error=str(error)[:200])

    def begin_intent(self, intent: Intent, window: NoteWindow | None = None) -> None:
        """Let the server write a LIVE decision and its window while the legs are planned.

        Nothing is durable yet, no lock that others wait for is held, and nothing is raised:
        `record_intent` of the same intent completes it, or does all of it where this failed.
        An intent that comes to neither must be given to `forget_intent`.
        """
        decision = msgspec.json.encode(self._decision(intent, window))
        self._lines.begin(intent.intent_key, decision)

    async def forget_intent(self, intent: Intent) -> None:
        """Undo what `begin_intent` began."""
        await self._lines.forget(intent.intent_key)

    async def record_intent(
        self,
        intent: Intent,
        settings: AssetSettings,
        *,
        trade_id: UUID | None,
        attempts: Sequence[AttemptRecord],
        window: NoteWindow | None = None,
        needs: Sequence[Need] = (),
    ) -> str:
        """Make an intent durable before anything is sent, with the window it fires at.

        Returns "recorded", or why not: "duplicate" (this key exists), "busy" (an unsettled
        trade of this market and direction), "mode:…", "config", "cap:…", "balance:…" (`needs`
        exceed what other trades leave, those of other shards included). With
        `trade_id=None` the decision is only stored (OBSERVE). A lost answer is asked for again
        by the same transaction. Raises `NotSent` when nothing can be on record,
        `OutcomeUnknown` when it may be and the database does not tell (ask `has_trade`),
        `Fenced` when another engine owns the shard.
        """
        # Straight from the structs, ids and decimals: the server stores what it reads.
        text = IntentText(
            key=intent.intent_key,
            decision=lambda: self._decision(intent, window),
            rest={
                "shard": self._shard,
                "epoch": self.epoch,
                "opportunity": rows.admission_json(intent),
                "trade": rows.trade_json(intent, trade_id) if trade_id else None,
                "attempts": [rows.attempt_json(attempt) for attempt in attempts],
                "caps": {
                    "notional": str(settings.daily_notional_cap_usd),
                    "loss": str(settings.daily_loss_cap_usd),
                    "trades": settings.daily_trades_cap,
                },
                "needs": [rows.need_json(need) for need in needs],
            },
        )
        if trade_id is not None and needs:
            self._reserved.add(trade_id)
        may_stand = False
        for _ in range(RECORD_TRIES):
            try:
                verdict = await self._call_record_intent(text)
            except PoolTimeout as error:
                # Nothing was asked of the server in this try.
                failure: psycopg.OperationalError = error
            except psycopg.OperationalError as error:
                # The commit's outcome is not known. The same transaction again tells: it is
                # recorded now, or refused as a duplicate of what the first try committed.
                failure, may_stand = error, True
            except psycopg.DatabaseError as error:
                raise _fenced_or(error) from error
            else:
                if verdict == "duplicate" and may_stand and trade_id is not None:
                    return "recorded" if await self.has_trade(trade_id) else verdict
                return verdict
        if may_stand and trade_id is not None:
            raise OutcomeUnknown(f"the intent's commit has no answer: {failure}")
        raise NotSent(f"intent not durable: {failure}")

    async def _call_record_intent(self, text: IntentText) -> str:
        return await self._lines.record(text)

    def _decision(self, intent: Intent, window: NoteWindow | None) -> dict[str, Any]:
        return {
            "shard": self._shard,
            "epoch": self.epoch,
            "opportunity": rows.opportunity_json(intent),
            "outbox": rows.exec_try_json(intent),
            "window": rows.window_json(window) if window else None,
        }

    async def has_trade(self, trade_id: UUID) -> bool:
        """Whether this very trade is on record; the intent's key alone may be another's."""
        async with self._pool.connection() as conn:
            found = await conn.execute("SELECT 1 FROM trading_trade WHERE id = %s", [trade_id])
            return await found.fetchone() is not None

    # ---- trades ---------------------------------------------------------------------

    async def commit(
        self,
        trade: TradeRecord,
        *,
        release: DayRelease | None = None,
    ) -> None:
        """Write the whole trade as it stands now, in one transaction, and tell the outbox.

        `release` frees the day's reservation when the trade closes. Raises `Fenced` when
        the epoch is no longer ours; any other database error propagates and the caller
        keeps the trade in memory to retry the TRANSACTION (never the send). A retry of a
        commit whose answer was lost is recognised by the row's version: the release that
        went with it is not made twice.
        """
        before = trade.version
        try:
            async with self._pool.connection() as conn, conn.transaction():
                trade.version = before + 1
                if not await self._write_trade(conn, trade):
                    before, release = before + 1, None
                    trade.version = before + 1
                    if not await self._write_trade(conn, trade):
                        raise Fenced(f"trade {trade.id} was changed by another engine")
                await self._write_parts(conn, trade)
                if release is not None:
                    await self._release(conn, trade, release)
                await self._free_balances(conn, trade)
        except psycopg.Error as error:
            trade.version = before
            if isinstance(error, psycopg.DatabaseError):
                raise _fenced_or(error) from error
            raise

    async def _write_parts(self, conn: Connection, trade: TradeRecord) -> None:
        """Attempts, fills, ledger and the message about them; every row at most once."""
        added = [
            each for each in list(trade.attempts) if await self._write_attempt(conn, trade, each)
        ]
        if any(attempt.leg == "hedge" for attempt in added):
            await self._check_residual(conn, trade, {attempt.id for attempt in added})
        for line in list(trade.lines):
            await conn.execute(rows.LEDGER_SQL, rows.ledger_params(trade.id, line))
        for answer in trade.answers:
            await conn.execute(rows.ANSWER_SQL, rows.answer_params(answer, self.epoch))
        result = events.ExecResult(trade=trade.row(), at_ns=self._clock.now_ns())
        await conn.execute(
            "INSERT INTO trading_outbox (subject, payload) VALUES (%s, %s)",
            [
                events.subject_for_asset(events.EXEC_RESULT, trade.intent.asset),
                Jsonb(msgspec.to_builtins(result)),
            ],
        )

    async def _write_trade(self, conn: Connection, trade: TradeRecord) -> bool:
        """Move the row to the next version; whether it stood at the one before."""
        done = await conn.execute(
            """
            UPDATE trading_trade SET version = %(version)s, state = %(state)s,
                is_settled = %(is_settled)s, outcome = %(outcome)s, is_verified = %(is_verified)s,
                realised_pnl_usd = %(realised)s, residual_base = %(residual)s,
                wired_ns = %(wired_ns)s, both_filled_ns = %(both_filled_ns)s,
                naked_from_ns = %(naked_from_ns)s, naked_until_ns = %(naked_until_ns)s,
                closed_ns = %(closed_ns)s, reason = %(reason)s,
                day_pnl_usd = %(day_pnl)s, verdicts = %(verdicts)s
            WHERE id = %(id)s AND version = %(version)s - 1
            """,
            {
                "id": trade.id,
                "version": trade.version,
                "state": trade.state,
                "is_settled": trade.is_settled,
                "outcome": trade.outcome,
                "is_verified": trade.is_verified,
                "realised": trade.realised_pnl_usd,
                "residual": trade.residual_base,
                "wired_ns": trade.wired_ns,
                "both_filled_ns": trade.both_filled_ns,
                "naked_from_ns": trade.naked_from_ns,
                "naked_until_ns": trade.naked_until_ns,
                "closed_ns": trade.closed_ns,
                "reason": trade.reason[:500],
                "day_pnl": trade.day_pnl_usd,
                "verdicts": Jsonb(trade.verdicts),
            },
        )
        return done.rowcount == 1

    async def _write_attempt(
        self, conn: Connection, trade: TradeRecord, attempt: AttemptRecord
    ) -> bool:
        """Write an attempt with its fills; whether this row is new."""
        done = await conn.execute(rows.ATTEMPT_SQL, self._attempt_params(trade.id, attempt))
        row = await done.fetchone()
        assert row is not None
        for fill in attempt.fills.values():
            await conn.execute(rows.FILL_SQL, rows.fill_params(attempt.id, fill))
        return bool(row["is_new"])

    async def _check_residual(self, conn: Connection, trade: TradeRecord, added: set[UUID]) -> None:
        """Recompute the residual a new hedge is made for, in the hedge's own transaction.

        The rows may know an execution this process does not. Raises ResidualMoved.
        """
        found = await conn.execute(
            "SELECT coalesce(sum(f.base_delta), 0) AS base FROM trading_fill f"
            " JOIN trading_attempt a ON a.id = f.attempt_id"
            " WHERE a.trade_id = %s AND NOT a.id = ANY(%s)",
            [trade.id, list(added)],
        )
        row = await found.fetchone()
        assert row is not None
        known = sum((a.base_delta for a in trade.attempts if a.id not in added), Decimal(0))
        if row["base"] != known:
            raise ResidualMoved(f"hedging {known}, but the records say {row['base']}")

    def _attempt_params(self, trade_id: UUID, attempt: AttemptRecord) -> dict[str, Any]:
        params = {
            name: getattr(attempt, name)
            for name in AttemptRecord.__struct_fields__
            if name not in ("fills", "evidence")
        }
        params.update(
            trade_id=trade_id,
            shard=self._shard,
            epoch=self.epoch,
            evidence=Jsonb(attempt.evidence),
        )
        return params

    async def _free_balances(self, conn: Connection, trade: TradeRecord) -> None:
        """Let go of the trade's share of the balances once its outcomes are known."""
        is_over = trade.state in ("closed", "operator") and not any(
            attempt.is_live for attempt in trade.attempts
        )
        if trade.id in self._reserved and (trade.is_settled or is_over):
            await conn.execute(
                "UPDATE trading_reservation SET released_ns = %s"
                " WHERE trade_id = %s AND released_ns IS NULL",
                [self._clock.now_ns(), trade.id],
            )

    async def _release(
        self,
        conn: Connection,
        trade: TradeRecord,
        release: DayRelease,
    ) -> None:
        await conn.execute(
            """
            UPDATE risk_riskday SET notional_reserved = notional_reserved - %s,
                notional_used = notional_used + %s, realised = realised + %s
            WHERE day = %s AND asset = %s
            """,
            [
                release.reserved,
                release.used,
                release.realised,
                trade.risk_day,
                trade.intent.asset,
            ],
        )

    async def keep_start(
        self,
        *,
        began_ns: int,
        reconciled_ns: int,
        settled_ns: int | None,
        stages_ms: dict[str, float],
    ) -> None:
        """Write how long this epoch's start took beside the start itself."""
        times = [began_ns, reconciled_ns, settled_ns, Jsonb(stages_ms)]
        async with self._pool.connection() as conn:
            await conn.execute(
                "UPDATE trading_enginestart SET began_ns = %s, reconciled_ns = %s,"
                " settled_ns = %s, stages = %s WHERE shard = %s AND epoch = %s",
                [*times, self._shard, self.epoch],
            )

    # ---- windows --------------------------------------------------------------------

    async def save_windows(self, windows: Sequence[tuple[WindowRow, str, str, str, str]]) -> None:
        """Bulk-upsert windows with (decision, gate, value, limit); higher version wins."""
        if not windows:
            return
        async with self._pool.connection() as conn, conn.transaction():
            cursor = conn.cursor()
            await cursor.executemany(rows.WINDOW_SQL, [rows.window_params(*row) for row in windows])

    async def open_windows(self) -> list[WindowRow]:
        """Windows still open in the database, for the engine's restart."""
        fields = ", ".join(WindowRow.__struct_fields__)
        async with self._pool.connection() as conn:
            found = await (
                await conn.execute(
                    f"SELECT {fields} FROM trading_window WHERE closed_at_ns IS NULL"
                )
            ).fetchall()
        return [msgspec.convert(row, WindowRow) for row in found]

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A pooled connection for the host's own small reads."""
        async with self._pool.connection() as conn:
            yield conn


def _fenced_or(error: psycopg.DatabaseError) -> Exception:
    if error.sqlstate == FENCED_SQLSTATE:
        return Fenced(str(error).splitlines()[0])
    if isinstance(error, pg_errors.RaiseException):
        return Fenced(str(error).splitlines()[0])
    return error
