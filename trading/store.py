"""The engine's door to PostgreSQL: every durable act of a trade, fenced by the lease epoch.

Async psycopg, no ORM on this path. `record_intent` is the one write before an order: one
SQL function (installed by a migration) checks lease, control, configuration and limits,
reserves, and writes decision, trade and attempts in a single transaction. Everything later
goes through `commit`: the whole change of one trade, its fills, its ledger entries and the
outbox message in one transaction. Callers: executor, runner, recovery. Not here: reads for
people (selectors), controls (risk.services).
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec
import psycopg
from psycopg import errors as pg_errors
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb, set_json_dumps
from psycopg_pool import AsyncConnectionPool

from arbsite import events
from arbsite.clock import Clock, at_from_ns
from arbsite.errors import Fenced, NotSent
from trading.intent import AssetSettings, Intent, WindowRow
from trading.records import AttemptRecord, FillRecord, TradeRecord, size_base

FENCED_SQLSTATE = "SPF01"
set_json_dumps(lambda value: msgspec.json.encode(value).decode())


class LedgerLine(msgspec.Struct, frozen=True):
    """One booked balance change of a trade, whole units, exact."""

    venue: str
    venue_asset: str
    asset: str
    delta: Decimal
    kind: Literal["trade", "fee", "tip"]
    reference: str
    at_ns: int


class TradeStore:
    """Pool of connections for one engine process and one shard."""

    def __init__(self, dsn: str, *, shard: str, clock: Clock) -> None:
        self._pool = AsyncConnectionPool(
            dsn, min_size=2, max_size=6, open=False, kwargs={"row_factory": dict_row}
        )
        self._shard = shard
        self._clock = clock
        self.epoch = 0

    async def open(self) -> None:
        """Open the pool; raises psycopg errors when the database is away."""
        await self._pool.open(wait=True, timeout=10)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    # ---- decisions ------------------------------------------------------------------

    async def record_intent(
        self,
        intent: Intent,
        settings: AssetSettings,
        *,
        trade_id: UUID | None,
        attempts: Sequence[AttemptRecord],
    ) -> str:
        """Make an intent durable before anything is sent.

        Returns "recorded", or why not: "duplicate" (this key exists), "busy" (an unsettled
        trade of this market and direction), "mode:…", "config", "cap:…". With
        `trade_id=None` the decision is only stored (OBSERVE). Raises `NotSent` when the
        database did not answer (the commit's outcome is re-read by key first), `Fenced`
        when another engine owns the shard.
        """
        payload = {
            "shard": self._shard,
            "epoch": self.epoch,
            "opportunity": _opportunity_json(intent),
            "trade": _trade_json(intent, trade_id) if trade_id else None,
            "attempts": [_attempt_json(attempt) for attempt in attempts],
            "caps": {
                "notional": str(settings.daily_notional_cap_usd),
                "loss": str(settings.daily_loss_cap_usd),
                "trades": settings.daily_trades_cap,
            },
            "outbox": _exec_try_json(intent),
        }
        try:
            async with self._pool.connection() as conn:
                row = await (
                    await conn.execute("SELECT trading_record_intent(%s) AS verdict", [Jsonb(payload)])
                ).fetchone()
        except psycopg.OperationalError as error:
            if trade_id is not None and await self._intent_exists(intent.intent_key):
                return "recorded"
            raise NotSent(f"intent not durable: {error}") from error
        except psycopg.DatabaseError as error:
            raise _fenced_or(error) from error
        assert row is not None
        return str(row["verdict"])

    async def _intent_exists(self, intent_key: UUID) -> bool:
        """Re-read a commit whose outcome was lost: never assume either way."""
        try:
            async with self._pool.connection(timeout=5) as conn:
                found = await conn.execute(
                    "SELECT 1 FROM trading_trade WHERE intent_key = %s", [intent_key]
                )
                return await found.fetchone() is not None
        except psycopg.OperationalError:
            return False

    # ---- trades ---------------------------------------------------------------------

    async def commit(
        self,
        trade: TradeRecord,
        *,
        ledger: Sequence[LedgerLine] = (),
        release: tuple[Decimal, Decimal] | None = None,
    ) -> None:
        """Write the whole trade as it stands now, in one transaction, and tell the outbox.

        `release` = (notional used, realised) frees the day's reservation when the trade
        closes. Raises `Fenced` when the epoch is no longer ours; any other database
        error propagates and the caller keeps the trade in memory to retry the
        TRANSACTION (never the send).
        """
        trade.version += 1
        try:
            async with self._pool.connection() as conn, conn.transaction():
                await self._write_trade(conn, trade)
                for attempt in trade.attempts:
                    await self._write_attempt(conn, trade.id, attempt)
                for line in ledger:
                    await conn.execute(_LEDGER_SQL, _ledger_params(trade.id, line))
                if release is not None:
                    await self._release(conn, trade, *release)
                await conn.execute(
                    "INSERT INTO trading_outbox (subject, payload) VALUES (%s, %s)",
                    [
                        events.subject_for_asset(events.EXEC_RESULT, trade.intent.asset),
                        Jsonb(
                            msgspec.to_builtins(
                                events.ExecResult(trade=trade.row(), at_ns=self._clock.now_ns())
                            )
                        ),
                    ],
                )
        except psycopg.DatabaseError as error:
            trade.version -= 1
            raise _fenced_or(error) from error

    async def _write_trade(self, conn: psycopg.AsyncConnection[Any], trade: TradeRecord) -> None:
        done = await conn.execute(
            """
            UPDATE trading_trade SET version = %(version)s, state = %(state)s,
                is_settled = %(is_settled)s, outcome = %(outcome)s, is_verified = %(is_verified)s,
                realised_pnl_usd = %(realised)s, residual_base = %(residual)s,
                wired_ns = %(wired_ns)s, both_filled_ns = %(both_filled_ns)s,
                naked_from_ns = %(naked_from_ns)s, naked_until_ns = %(naked_until_ns)s,
                closed_ns = %(closed_ns)s, reason = %(reason)s
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
            },
        )
        if done.rowcount != 1:
            # A commit whose answer was lost is repeated with the same version: benign
            # only when the row already stands at it.
            row = await (
                await conn.execute("SELECT version FROM trading_trade WHERE id = %s", [trade.id])
            ).fetchone()
            if row is None or row["version"] != trade.version:
                raise Fenced(f"trade {trade.id} was changed by another engine")

    async def _write_attempt(
        self, conn: psycopg.AsyncConnection[Any], trade_id: UUID, attempt: AttemptRecord
    ) -> None:
        await conn.execute(_ATTEMPT_SQL, self._attempt_params(trade_id, attempt))
        for fill in attempt.fills.values():
            await conn.execute(_FILL_SQL, _fill_params(attempt.id, fill))

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

    async def _release(
        self,
        conn: psycopg.AsyncConnection[Any],
        trade: TradeRecord,
        used: Decimal,
        realised: Decimal,
    ) -> None:
        await conn.execute(
            """
            UPDATE risk_riskday SET notional_reserved = notional_reserved - %s,
                notional_used = notional_used + %s, realised = realised + %s
            WHERE day = %s AND asset = %s
            """,
            [trade.intent.notional_usd, used, realised, trade.risk_day, trade.intent.asset],
        )

    # ---- reads for start-up ---------------------------------------------------------

    async def unfinished_trades(self) -> list[TradeRecord]:
        """Every trade that is not closed, with attempts and fills, oldest first."""
        return await self._load("t.state <> 'closed'", [])

    async def trade_by_client_id(self, cl_ord_id: str) -> TradeRecord | None:
        """The trade of one Kraken client order id, whatever its state."""
        where = (
            "t.id = (SELECT trade_id FROM trading_attempt WHERE cl_ord_id = %s"
            " OR order_id = %s LIMIT 1)"
        )
        found = await self._load(where, [cl_ord_id, cl_ord_id])
        return found[0] if found else None

    async def known_order_ids(self, *, since_ns: int) -> set[str]:
        """Kraken order ids of our attempts sent since then."""
        async with self._pool.connection() as conn:
            rows = await conn.execute(
                "SELECT order_id FROM trading_attempt WHERE order_id <> '' AND sent_ns >= %s",
                [since_ns],
            )
            return {row["order_id"] async for row in rows}

    async def _load(self, where: str, params: list[Any]) -> list[TradeRecord]:
        async with self._pool.connection() as conn:
            trades = await (
                await conn.execute(
                    "SELECT t.*, o.intent FROM trading_trade t JOIN trading_opportunity o"
                    f" USING (intent_key) WHERE {where} ORDER BY t.detect_ns",
                    params,
                )
            ).fetchall()
            records = []
            for row in trades:
                attempts = await (
                    await conn.execute(
                        "SELECT * FROM trading_attempt WHERE trade_id = %s ORDER BY leg, seq",
                        [row["id"]],
                    )
                ).fetchall()
                fills = await (
                    await conn.execute(
                        "SELECT f.* FROM trading_fill f JOIN trading_attempt a"
                        " ON a.id = f.attempt_id WHERE a.trade_id = %s",
                        [row["id"]],
                    )
                ).fetchall()
                records.append(_trade_record(row, attempts, fills))
            return records

    # ---- windows --------------------------------------------------------------------

    async def save_windows(self, rows: Sequence[tuple[WindowRow, str, str, str, str]]) -> None:
        """Bulk-upsert windows with (decision, gate, value, limit); higher version wins."""
        if not rows:
            return
        async with self._pool.connection() as conn, conn.transaction():
            cursor = conn.cursor()
            await cursor.executemany(_WINDOW_SQL, [_window_params(*row) for row in rows])

    async def open_windows(self) -> list[WindowRow]:
        """Windows still open in the database, for the engine's restart."""
        fields = ", ".join(WindowRow.__struct_fields__)
        async with self._pool.connection() as conn:
            rows = await (
                await conn.execute(f"SELECT {fields} FROM trading_window WHERE closed_at_ns IS NULL")
            ).fetchall()
        return [msgspec.convert(row, WindowRow) for row in rows]

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A pooled connection for the host's own small reads."""
        async with self._pool.connection() as conn:
            yield conn


def _fenced_or(error: psycopg.DatabaseError) -> Exception:
    if error.sqlstate == FENCED_SQLSTATE:
        return Fenced(str(error).splitlines()[0])
    if isinstance(error, pg_errors.RaiseException):
        return Fenced(str(error).splitlines()[0])
    return error


def _opportunity_json(intent: Intent) -> dict[str, Any]:
    return {
        "intent_key": str(intent.intent_key),
        "window_id": str(intent.window_id),
        "asset": intent.asset,
        "direction": intent.direction,
        "mode": intent.mode,
        "size_base": str(size_base(intent)),
        "notional_usd": str(intent.notional_usd),
        "expected_pnl_usd": str(intent.pnl.expected),
        "config_version": intent.config_version,
        "decided_ns": intent.decided_ns,
        "intent": msgspec.to_builtins(intent),
    }


def _trade_json(intent: Intent, trade_id: UUID) -> dict[str, Any]:
    return {
        "id": str(trade_id),
        "leg_order": intent.verdict.order,
        "detect_ns": intent.detect_ns,
        "risk_day": risk_day(intent),
    }


def risk_day(intent: Intent) -> str:
    """The UTC day an intent's limits are counted on (ISO date)."""
    return at_from_ns(intent.decided_ns).date().isoformat()


def _attempt_json(attempt: AttemptRecord) -> dict[str, Any]:
    raw = attempt.raw_tx
    return {
        "id": str(attempt.id),
        "leg": attempt.leg,
        "seq": attempt.seq,
        "venue": attempt.venue,
        "side": attempt.side,
        "qty": str(attempt.qty),
        "limit_price": None if attempt.limit_price is None else str(attempt.limit_price),
        "state": attempt.state,
        "cl_ord_id": attempt.cl_ord_id,
        "deadline_ns": attempt.deadline_ns,
        "signature": attempt.signature,
        "raw_tx": None if raw is None else base64.b64encode(raw).decode(),
        "last_valid_height": attempt.last_valid_height,
        "threshold_raw": None if attempt.threshold_raw is None else str(attempt.threshold_raw),
        "sent_ns": attempt.sent_ns,
    }


def _exec_try_json(intent: Intent) -> dict[str, Any]:
    message = events.ExecTry(
        intent_key=str(intent.intent_key),
        window_id=str(intent.window_id),
        asset=intent.asset,
        direction=intent.direction,
        mode=intent.mode,
        policy=intent.verdict.order,
        size_base=str(size_base(intent)),
        expected_pnl_usd=str(intent.pnl.expected),
        at_ns=intent.decided_ns,
    )
    return {
        "subject": events.subject_for_asset(events.EXEC_TRY, intent.asset),
        "payload": msgspec.to_builtins(message),
    }


_ATTEMPT_COLUMNS = (
    "id trade_id shard leg seq venue side qty limit_price state epoch cl_ord_id order_id"
    " deadline_ns signature raw_tx last_valid_height threshold_raw sent_ns acked_ns filled_ns"
    " filled_base is_booked evidence"
).split()
_ATTEMPT_MUTABLE = (
    "state epoch order_id deadline_ns limit_price qty sent_ns acked_ns filled_ns filled_base"
    " is_booked evidence"
).split()
_ATTEMPT_SQL = (
    f"INSERT INTO trading_attempt ({', '.join(_ATTEMPT_COLUMNS)})"
    f" VALUES ({', '.join(f'%({name})s' for name in _ATTEMPT_COLUMNS)})"
    " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = EXCLUDED.{name}" for name in _ATTEMPT_MUTABLE)
)
# A booked fill is final: a later observation of the same execution changes nothing.
_FILL_SQL = """
INSERT INTO trading_fill (id, attempt_id, venue, venue_fill_id, status, base_delta,
    quote_delta, quote_asset, fee, fee_asset, at_ns)
VALUES (gen_random_uuid(), %(attempt_id)s, %(venue)s, %(venue_fill_id)s, %(status)s,
    %(base_delta)s, %(quote_delta)s, %(quote_asset)s, %(fee)s, %(fee_asset)s, %(at_ns)s)
ON CONFLICT (venue, venue_fill_id) DO UPDATE SET status = EXCLUDED.status,
    base_delta = EXCLUDED.base_delta, quote_delta = EXCLUDED.quote_delta,
    fee = EXCLUDED.fee, fee_asset = EXCLUDED.fee_asset, at_ns = EXCLUDED.at_ns
WHERE trading_fill.status = 'observed'
"""
_LEDGER_SQL = """
INSERT INTO trading_ledgerentry (trade_id, venue, venue_asset, asset, delta, kind, reference,
    at_ns)
VALUES (%(trade_id)s, %(venue)s, %(venue_asset)s, %(asset)s, %(delta)s, %(kind)s,
    %(reference)s, %(at_ns)s)
ON CONFLICT (venue, reference, venue_asset, kind) DO NOTHING
"""
_WINDOW_COLUMNS = [*WindowRow.__struct_fields__, "decision", "gate", "gate_value", "gate_limit"]
_WINDOW_SQL = (
    f"INSERT INTO trading_window ({', '.join(_WINDOW_COLUMNS)})"
    f" VALUES ({', '.join(f'%({name})s' for name in _WINDOW_COLUMNS)})"
    " ON CONFLICT (window_id) DO UPDATE SET "
    + ", ".join(f"{name} = EXCLUDED.{name}" for name in _WINDOW_COLUMNS[1:])
    + " WHERE trading_window.version < EXCLUDED.version"
)


def _fill_params(attempt_id: UUID, fill: FillRecord) -> dict[str, Any]:
    return {"attempt_id": attempt_id, **msgspec.structs.asdict(fill)}


def _ledger_params(trade_id: UUID, line: LedgerLine) -> dict[str, Any]:
    return {"trade_id": trade_id, **msgspec.structs.asdict(line)}


def _window_params(
    row: WindowRow, decision: str, gate: str, value: str, limit: str
) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(row),
        "decision": decision,
        "gate": gate[:64],
        "gate_value": value[:64],
        "gate_limit": limit[:64],
    }


def _trade_record(
    row: dict[str, Any], attempts: list[dict[str, Any]], fills: list[dict[str, Any]]
) -> TradeRecord:
    by_attempt: dict[UUID, dict[str, FillRecord]] = {}
    for fill in fills:
        record = FillRecord(**{name: fill[name] for name in FillRecord.__struct_fields__})
        by_attempt.setdefault(fill["attempt_id"], {})[record.venue_fill_id] = record
    return TradeRecord(
        id=row["id"],
        intent=msgspec.convert(row["intent"], Intent),
        state=row["state"],
        version=row["version"],
        risk_day=row["risk_day"].isoformat(),
        attempts=[_attempt_record(item, by_attempt.get(item["id"], {})) for item in attempts],
        is_settled=row["is_settled"],
        outcome=row["outcome"],
        is_verified=row["is_verified"],
        realised_pnl_usd=row["realised_pnl_usd"],
        wired_ns=row["wired_ns"],
        both_filled_ns=row["both_filled_ns"],
        naked_from_ns=row["naked_from_ns"],
        naked_until_ns=row["naked_until_ns"],
        closed_ns=row["closed_ns"],
        reason=row["reason"],
    )


def _attempt_record(row: dict[str, Any], fills: dict[str, FillRecord]) -> AttemptRecord:
    names = [name for name in AttemptRecord.__struct_fields__ if name != "fills"]
    values = {name: row[name] for name in names}
    if values["raw_tx"] is not None:
        values["raw_tx"] = bytes(values["raw_tx"])
    if values["threshold_raw"] is not None:
        values["threshold_raw"] = int(values["threshold_raw"])
    return AttemptRecord(**values, fills=fills)
