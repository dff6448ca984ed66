"""The paper desk's door to PostgreSQL: its decisions, trades, balances and day, under the fence.

Own tables only (`trading.models_paper`, `risk.PaperDay`), beside the shared record of
decisions and windows. Controls, configuration and caps are checked again under row locks,
in the order of the protocol: lease, control, day, trade. Caller: `trading.process.paper_desk`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
import psycopg
from psycopg import errors as pg_errors
from psycopg.types.json import Jsonb

from arbsite import events
from arbsite.clock import Clock, at_from_ns
from arbsite.errors import Fenced
from arbsite.events import Mode, TradeRow, strictest
from trading.effects import NoteWindow
from trading.inputs import DayUsage
from trading.intent import AssetSettings, Intent
from trading.paper.trade import PaperTrade
from trading.paper_view import open_row, row_of
from trading.storage import rows
from trading.storage.store import TradeStore

Venue = Literal["kraken", "solana"]
Connection = psycopg.AsyncConnection[dict[str, Any]]
Balances = dict[tuple[Venue, str], Decimal]
ABANDONED: Final = "the engine restarted while the model was trading"


class PaperStore:
    """Writes of one engine process; `store` lends its connections and its epoch."""

    def __init__(self, store: TradeStore, clock: Clock, *, shard: str) -> None:
        self._store = store
        self._clock = clock
        self._shard = shard

    # ---- decisions --------------------------------------------------------------------

    async def record(
        self, intent: Intent, settings: AssetSettings, trade_id: UUID, window: NoteWindow | None
    ) -> str:
        """Make a paper decision durable before the model trades it; "recorded", or why not.

        Raises `Fenced` when another engine owns the shard; psycopg errors propagate.
        """
        try:
            async with self._store.connection() as conn, conn.transaction():
                await self._refuse_if_fenced(conn)
                refusal = await self._refusal(conn, intent, settings)
                if refusal:
                    return refusal
                await self._insert(conn, intent, trade_id, window)
        except pg_errors.UniqueViolation as error:
            is_key = "intent_key" in str(error) or "opportunity" in str(error)
            return "duplicate" if is_key else "busy"
        return "recorded"

    async def _refuse_if_fenced(self, conn: Connection) -> None:
        found = await conn.execute(
            "SELECT epoch FROM trading_enginelease WHERE shard = %s FOR SHARE", [self._shard]
        )
        row = await found.fetchone()
        if row is None or row["epoch"] != self._store.epoch:
            raise Fenced(f"shard {self._shard} is not at epoch {self._store.epoch}")

    async def _refusal(self, conn: Connection, intent: Intent, settings: AssetSettings) -> str:
        """Why the rows do not allow this decision on paper; nothing when they do."""
        found = await conn.execute(
            "SELECT scope, mode, trips <> '{}'::jsonb AS is_tripped FROM risk_control"
            " WHERE scope IN ('*', %s) ORDER BY scope FOR SHARE",
            [intent.asset],
        )
        controls = await found.fetchall()
        found = await conn.execute(
            "SELECT version, mode FROM trading_assetconfig"
            " WHERE asset = %s AND status = 'in_force' AND enabled",
            [intent.asset],
        )
        config = await found.fetchone()
        if config is None or config["version"] != intent.config_version:
            return "config"
        modes: list[Mode] = [config["mode"], *(row["mode"] for row in controls)]
        if any(row["is_tripped"] for row in controls):
            modes.append("hedge_only")
        in_force: Mode = strictest(*modes) if controls else "observe"
        return (
            f"mode:{in_force}" if in_force != "paper" else await self._cap(conn, intent, settings)
        )

    async def _cap(self, conn: Connection, intent: Intent, settings: AssetSettings) -> str:
        """Which of the asset's daily caps the paper day would pass."""
        day = rows.risk_day(intent)
        await conn.execute(
            "INSERT INTO risk_paperday (day, asset, notional_used, notional_reserved, realised,"
            " trades) VALUES (%s, %s, 0, 0, 0, 0) ON CONFLICT (day, asset) DO NOTHING",
            [day, intent.asset],
        )
        found = await conn.execute(
            "SELECT * FROM risk_paperday WHERE day = %s AND asset = %s FOR UPDATE",
            [day, intent.asset],
        )
        used = await found.fetchone()
        assert used is not None
        taken = used["notional_used"] + used["notional_reserved"]
        if taken + intent.notional_usd > settings.daily_notional_cap_usd:
            return "cap:daily_notional"
        if -used["realised"] >= settings.daily_loss_cap_usd:
            return "cap:daily_loss"
        return "cap:daily_trades" if used["trades"] >= settings.daily_trades_cap else ""

    async def _insert(
        self, conn: Connection, intent: Intent, trade_id: UUID, window: NoteWindow | None
    ) -> None:
        told = rows.opportunity_json(intent)
        told["intent"] = Jsonb(told["intent"])
        await conn.execute(_OPPORTUNITY_SQL, told)
        await conn.execute(
            "UPDATE risk_paperday SET notional_reserved = notional_reserved + %s,"
            " trades = trades + 1 WHERE day = %s AND asset = %s",
            [intent.notional_usd, rows.risk_day(intent), intent.asset],
        )
        params = {**told, **rows.trade_json(intent, trade_id), "config": intent.config_version}
        await conn.execute(_TRADE_SQL, params)
        if window is not None:
            row = (window.window, window.decision, "", "", "")
            await conn.execute(rows.WINDOW_SQL, rows.window_params(*row))
        message = rows.exec_try_json(intent)
        await conn.execute(_OUTBOX_SQL, [message["subject"], Jsonb(message["payload"])])
        await self._tell(conn, open_row(intent, trade_id))

    # ---- the end of a trade -----------------------------------------------------------

    async def book(self, trade: PaperTrade) -> None:
        """Write a trade the model has ended: its fills, its balances, its day, its message.

        Booking one that is booked changes nothing. Raises `Fenced`; psycopg errors propagate.
        """
        async with self._store.connection() as conn, conn.transaction():
            await self._refuse_if_fenced(conn)
            found = await conn.execute(
                _CLOSE_SQL,
                {
                    "key": trade.intent_key,
                    "outcome": trade.outcome,
                    "realised": trade.realised_usd,
                    "residual": trade.residual_base,
                    "wired": trade.wired_ns,
                    "both": trade.both_filled_ns,
                    "closed": trade.closed_ns,
                    "naked": trade.naked_usd_s,
                    "reason": trade.reason[:500],
                    "fills": Jsonb(msgspec.to_builtins(trade.fills)),
                },
            )
            row = await found.fetchone()
            if row is None:
                return
            for entry in entries_of(trade):
                await conn.execute(_ENTRY_SQL, [row["id"], *entry])
            used = trade.notional_usd if trade.fills else Decimal(0)
            await conn.execute(
                _RELEASE_SQL,
                [trade.notional_usd, used, trade.realised_usd, row["risk_day"], trade.asset],
            )
            await self._tell(conn, row_of(row))

    async def abandon_open(self, keep: Iterable[UUID] = ()) -> int:
        """Close what no model is trading any more, but for `keep`; the number of trades.

        A predecessor's, or one whose commit had no answer: a model has no venue to ask.
        """
        now_ns = self._clock.now_ns()
        async with self._store.connection() as conn, conn.transaction():
            await self._refuse_if_fenced(conn)
            found = await conn.execute(
                "UPDATE trading_papertrade SET state = 'closed', outcome = 'stale',"
                " version = version + 1, realised_pnl_usd = 0, reason = %s, closed_ns = %s"
                " WHERE state = 'open' AND NOT intent_key = ANY(%s) RETURNING *",
                [ABANDONED, now_ns, list(keep)],
            )
            ended = await found.fetchall()
            for row in ended:
                released = [row["notional_usd"], 0, 0, row["risk_day"], row["asset"]]
                await conn.execute(_RELEASE_SQL, released)
                await self._tell(conn, row_of(row))
        return len(ended)

    async def _tell(self, conn: Connection, row: TradeRow) -> None:
        subject = events.subject_for_asset(events.EXEC_RESULT, row.asset)
        result = events.ExecResult(trade=row, at_ns=self._clock.now_ns())
        await conn.execute(_OUTBOX_SQL, [subject, Jsonb(msgspec.to_builtins(result))])

    # ---- balances and the day ---------------------------------------------------------

    async def seed(self, balances: Mapping[tuple[Venue, str], Decimal]) -> Balances:
        """Open balances that the paper desk does not have yet; return all of them as they stand."""
        async with self._store.connection() as conn, conn.transaction():
            await self._refuse_if_fenced(conn)
            for (venue, asset), amount in balances.items():
                await conn.execute(_SEED_SQL, [venue, asset, amount, self._clock.now_ns()])
            found = await conn.execute(
                "SELECT venue, asset, sum(delta) AS total FROM trading_paperentry"
                " GROUP BY venue, asset"
            )
            return {(row["venue"], row["asset"]): row["total"] for row in await found.fetchall()}

    async def usage(self, assets: Iterable[str]) -> list[DayUsage]:
        """What each asset's paper desk has used of the running UTC day."""
        now_ns = self._clock.now_ns()
        wanted = list(assets)
        async with self._store.connection() as conn:
            found = await conn.execute(
                "SELECT asset, notional_used + notional_reserved AS notional_usd,"
                " -realised AS loss_usd, trades FROM risk_paperday"
                " WHERE day = %s AND asset = ANY(%s)",
                [at_from_ns(now_ns).date(), wanted],
            )
            by_asset = {row["asset"]: row for row in await found.fetchall()}
        zero: dict[str, Any] = {"notional_usd": Decimal(0), "loss_usd": Decimal(0), "trades": 0}
        return [
            DayUsage(
                **{**zero, **by_asset.get(asset, {}), "asset": asset}, at_ns=now_ns, book="paper"
            )
            for asset in wanted
        ]


def entries_of(trade: PaperTrade) -> list[tuple[str, str, Decimal, str, int]]:
    """(venue, asset, delta, kind, time) of every balance change of a trade."""
    found: list[tuple[str, str, Decimal, str, int]] = []
    for fill in trade.fills:
        for asset, delta, kind in (
            (trade.asset, fill.base_delta, "trade"),
            (fill.quote_asset, fill.quote_delta, "trade"),
            (fill.fee_asset, -fill.fee, "fee"),
        ):
            if delta:
                found.append((fill.venue, asset, delta, kind, fill.at_ns))
    return found


_OPPORTUNITY_SQL = """
INSERT INTO trading_opportunity (intent_key, window_id, asset, direction, mode, size_base,
    notional_usd, expected_pnl_usd, config_version, decided_ns, intent)
VALUES (%(intent_key)s, %(window_id)s, %(asset)s, %(direction)s, %(mode)s, %(size_base)s,
    %(notional_usd)s, %(expected_pnl_usd)s, %(config_version)s, %(decided_ns)s, %(intent)s)
"""
_TRADE_SQL = """
INSERT INTO trading_papertrade (id, version, intent_key, window_id, asset, direction, leg_order,
    state, outcome, config_version, size_base, notional_usd, expected_pnl_usd, residual_base,
    detect_ns, naked_usd_s, risk_day, reason, fills)
VALUES (%(id)s, 1, %(intent_key)s, %(window_id)s, %(asset)s, %(direction)s, %(leg_order)s,
    'open', 'pending', %(config)s, %(size_base)s, %(notional_usd)s, %(expected_pnl_usd)s, 0,
    %(detect_ns)s, 0, %(risk_day)s, '', '[]'::jsonb)
"""
_CLOSE_SQL = """
UPDATE trading_papertrade SET state = 'closed', version = version + 1, outcome = %(outcome)s,
    realised_pnl_usd = %(realised)s, residual_base = %(residual)s, wired_ns = %(wired)s,
    both_filled_ns = %(both)s, closed_ns = %(closed)s, naked_usd_s = %(naked)s,
    reason = %(reason)s, fills = %(fills)s
WHERE intent_key = %(key)s AND state = 'open' RETURNING *
"""
_ENTRY_SQL = """
INSERT INTO trading_paperentry (trade_id, venue, asset, delta, kind, at_ns)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_SEED_SQL = """
INSERT INTO trading_paperentry (venue, asset, delta, kind, at_ns) VALUES (%s, %s, %s, 'seed', %s)
ON CONFLICT (venue, asset) WHERE kind = 'seed' DO NOTHING
"""
_RELEASE_SQL = """
UPDATE risk_paperday SET notional_reserved = notional_reserved - %s,
    notional_used = notional_used + %s, realised = realised + %s
WHERE day = %s AND asset = %s
"""
_OUTBOX_SQL = "INSERT INTO trading_outbox (subject, payload) VALUES (%s, %s)"
