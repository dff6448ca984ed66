"""What the database says about the desk: controls, configurations, limits used, day figures.

Read by the engine process at start, on every NOTIFY and each second. Reads only; async
psycopg through the store's pool. Not here: writing any of it (risk.services,
trading.services).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from arbsite.clock import Clock, at_from_ns, ns_from_at
from arbsite.events import Mode, StopReason, strictest
from risk.candidate import DeskRoom
from trading.inputs import DayUsage, DeskUsage, LandingOutcome, ModeApplied, OutcomesKnown
from trading.intent import AssetSettings
from trading.storage.store import TradeStore

COMMANDS_REMEMBERED = 20
# Twice what a posterior remembers of one route.
OUTCOMES_PER_ASSET = 400


class ControlRow(msgspec.Struct, frozen=True):
    """One Control row as read."""

    scope: str
    mode: Mode
    trips: dict[str, dict[str, Any]]
    version: int
    command_id: str
    actor: str
    reason: str
    since_at: datetime

    @property
    def effective_mode(self) -> Mode:
        """The strictest of what people set and what rules tripped."""
        return strictest(self.mode, "hedge_only") if self.trips else self.mode

    def applied(self, at_ns: int) -> ModeApplied:
        """The engine input that puts this row in force."""
        rule, entry = next(iter(self.trips.items()), ("desk", {"text": self.reason}))
        return ModeApplied(
            scope=self.scope,
            mode=self.effective_mode,
            version=self.version,
            command_id=self.command_id,
            rule=rule,
            text=str(entry["text"]),
            at_ns=at_ns,
        )

    def reasons(self) -> list[StopReason]:
        """Why this scope is not LIVE, for the console; empty when it is."""
        found = [
            StopReason(
                asset=self.scope,
                mode="hedge_only",
                rule=rule,
                text=str(entry["text"]),
                value=str(entry["value"]),
                limit=str(entry["limit"]),
                since_ns=int(entry["since_ns"]),
            )
            for rule, entry in self.trips.items()
        ]
        if self.mode != "live":
            found.append(
                StopReason(
                    asset=self.scope,
                    mode=self.mode,
                    rule="desk",
                    text=f"{self.reason or 'Set'} ({self.actor})",
                    value="",
                    limit="",
                    since_ns=ns_from_at(self.since_at),
                )
            )
        return found


class DeskFigures(msgspec.Struct, frozen=True):
    """Counts and sums of the running UTC day, from the tables."""

    net_pnl_usd: Decimal
    expected_pnl_usd: Decimal
    trades: int
    verified: int
    partials: int
    missed: int
    notional_usd: Decimal
    eligible_windows: int
    captured_windows: int
    fills_p50_ms: float | None
    fills_p95_ms: float | None


class DeskState:
    """Reads of one engine process; keeps the last controls and settings it saw."""

    def __init__(self, store: TradeStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.controls: dict[str, ControlRow] = {}
        self.settings: dict[str, AssetSettings] = {}
        self.applied_commands: tuple[str, ...] = ()
        self.desk: DeskUsage | None = None

    @property
    def fee_floor_lamports(self) -> int:
        """Native SOL that is not for fees, by the desk's limits as last read."""
        return self.desk.fee_floor_lamports if self.desk is not None else 0

    def trips_of(self, scope: str) -> dict[str, dict[str, Any]]:
        """The rules that stop a scope, as last read."""
        row = self.controls.get(scope)
        return row.trips if row is not None else {}

    def mode(self, asset: str) -> Mode:
        """The mode in force for an asset; unknown scopes are OBSERVE."""
        modes: list[Mode] = [self._scope_mode("*")]
        if asset in self.controls:
            modes.append(self.controls[asset].effective_mode)
        if asset in self.settings:
            modes.append(self.settings[asset].mode)
        return strictest(*modes)

    def _scope_mode(self, scope: str) -> Mode:
        row = self.controls.get(scope)
        return row.effective_mode if row else "observe"

    async def read_controls(self) -> list[ControlRow]:
        """Rows whose version is new since the last read; also the commands they carry out."""
        async with self._store.connection() as conn:
            rows = await (
                await conn.execute(
                    "SELECT scope, mode, trips, version, command_id, actor, reason, since_at"
                    " FROM risk_control ORDER BY scope"
                )
            ).fetchall()
            commands = await (
                await conn.execute(
                    "SELECT id, scope, control_version FROM risk_command"
                    " WHERE NOT jsonb_exists(body, 'waits') ORDER BY created_at DESC LIMIT %s",
                    [COMMANDS_REMEMBERED],
                )
            ).fetchall()
        changed = []
        for row in rows:
            control = ControlRow(**row)
            known = self.controls.get(control.scope)
            if known is None or known.version < control.version:
                self.controls[control.scope] = control
                changed.append(control)
        # A command counts as applied when its scope stands at or past its version.
        self.applied_commands = tuple(
            str(command["id"])
            for command in reversed(commands)
            if command["scope"] in self.controls
            and command["control_version"] <= self.controls[command["scope"]].version
        )
        return changed

    async def read_settings(self) -> list[AssetSettings]:
        """Configurations in force whose version is new since the last read."""
        fields = list(AssetSettings.__struct_fields__)
        async with self._store.connection() as conn:
            rows = await (
                await conn.execute(
                    f"SELECT {', '.join(fields)} FROM trading_assetconfig"  # noqa: S608 - our own field names
                    " WHERE status = 'in_force'"
                )
            ).fetchall()
        changed = []
        for row in rows:
            settings = AssetSettings(**row)
            known = self.settings.get(settings.asset)
            if known is None or known.version != settings.version:
                self.settings[settings.asset] = settings
                changed.append(settings)
        return changed

    async def read_day_usage(self) -> list[DayUsage]:
        """Each asset's used and reserved limits of the running UTC day."""
        now_ns = self._clock.now_ns()
        async with self._store.connection() as conn:
            rows = await (
                await conn.execute(
                    "SELECT asset, notional_used + notional_reserved AS notional_usd,"
                    " -realised AS loss_usd, trades FROM risk_riskday WHERE day = %s",
                    [at_from_ns(now_ns).date()],
                )
            ).fetchall()
        by_asset = {row["asset"]: row for row in rows}
        zero = {"notional_usd": Decimal(0), "loss_usd": Decimal(0), "trades": 0}
        return [
            DayUsage(**{**zero, **by_asset.get(asset, {}), "asset": asset, "at_ns": now_ns})
            for asset in self.settings
        ]

    async def read_desk_usage(self) -> DeskUsage | None:
        """The desk's limits and what all shards use of them; None while there are no limits.

        Without limits the store refuses every intent by name.
        """
        now_ns = self._clock.now_ns()
        async with self._store.connection() as conn:
            row = await (
                await conn.execute(_DESK_SQL, {"day": at_from_ns(now_ns).date()})
            ).fetchone()
        if row is not None:
            floor = int(row.pop("fee_floor_sol").scaleb(9))
            self.desk = DeskUsage(DeskRoom(**row), fee_floor_lamports=floor, at_ns=now_ns)
        return self.desk

    async def read_outcomes(self) -> OutcomesKnown:
        """How the last trades of each asset went, oldest first: the odds of the next ones.

        What a predecessor had settled; trades still open are told when they end.
        """
        async with self._store.connection() as conn:
            rows = await (
                await conn.execute(_OUTCOMES_SQL, {"limit": OUTCOMES_PER_ASSET})
            ).fetchall()
        return OutcomesKnown(
            outcomes=tuple(LandingOutcome(**row) for row in rows), at_ns=self._clock.now_ns()
        )

    async def read_figures(self) -> DeskFigures:
        """The day's figures; percentiles over trades with both legs filled."""
        day = at_from_ns(self._clock.now_ns()).date()
        start_ns = ns_from_at(
            at_from_ns(self._clock.now_ns()).replace(hour=0, minute=0, second=0, microsecond=0)
        )
        async with self._store.connection() as conn:
            trades = await (await conn.execute(_TRADES_SQL, {"start": start_ns})).fetchone()
            windows = await (await conn.execute(_WINDOWS_SQL, {"start": start_ns})).fetchone()
            used = await (
                await conn.execute(
                    "SELECT coalesce(sum(notional_used + notional_reserved), 0) AS notional_usd"
                    " FROM risk_riskday WHERE day = %s",
                    [day],
                )
            ).fetchone()
        assert trades is not None
        assert windows is not None
        assert used is not None
        return DeskFigures(**trades, **windows, **used)


# What the intent function sums under its lock, read here without one.
_DESK_SQL = """
SELECT max_open_usd, daily_notional_cap_usd AS daily_cap_usd, fee_floor_sol,
    (SELECT coalesce(sum(notional_usd), 0) FROM trading_trade
        WHERE state IN ('open', 'hedging') AND NOT is_settled)
    + (SELECT coalesce(sum(notional_usd), 0) FROM trading_trade
        WHERE state = 'operator' AND NOT is_settled) AS open_usd,
    (SELECT coalesce(sum(notional_used + notional_reserved), 0) FROM risk_riskday
        WHERE day = %(day)s) AS day_usd
FROM risk_desklimits WHERE scope = '*' AND status = 'in_force'
"""
_OUTCOMES_SQL = """
SELECT asset, tip_lamports, congestion, opening, dex_landed, cex_filled_ratio,
    detect_ns AS at_ns
FROM (
    SELECT t.asset, t.detect_ns,
        row_number() OVER (PARTITION BY t.asset ORDER BY t.detect_ns DESC) AS age,
        (o.intent ->> 'tip_lamports')::bigint AS tip_lamports,
        coalesce(o.intent -> 'verdict' ->> 'congestion', 'usual') AS congestion,
        coalesce(o.intent -> 'verdict' ->> 'opening', 'slow') AS opening,
        CASE WHEN dex.sent_ns IS NOT NULL THEN dex.filled_base <> 0 END AS dex_landed,
        CASE WHEN cex.sent_ns IS NOT NULL THEN (cex.filled_base / cex.qty)::float8 END
            AS cex_filled_ratio
    FROM trading_trade t
    JOIN trading_opportunity o USING (intent_key)
    LEFT JOIN LATERAL (SELECT sent_ns, filled_base FROM trading_attempt
        WHERE trade_id = t.id AND leg = 'dex' ORDER BY seq DESC LIMIT 1) dex ON true
    LEFT JOIN LATERAL (SELECT sent_ns, filled_base, nullif(qty, 0) AS qty FROM trading_attempt
        WHERE trade_id = t.id AND leg = 'cex' ORDER BY seq DESC LIMIT 1) cex ON true
    WHERE t.is_settled OR t.state IN ('closed', 'operator')
) latest WHERE age <= %(limit)s ORDER BY detect_ns, asset
"""
_TRADES_SQL = """
SELECT coalesce(sum(realised_pnl_usd), 0) AS net_pnl_usd,
    coalesce(sum(expected_pnl_usd) FILTER (WHERE realised_pnl_usd IS NOT NULL), 0)
        AS expected_pnl_usd,
    count(*) AS trades,
    count(*) FILTER (WHERE is_verified) AS verified,
    count(*) FILTER (WHERE outcome IN ('partial', 'hedged')) AS partials,
    count(*) FILTER (WHERE outcome = 'missed') AS missed,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY (both_filled_ns - detect_ns) / 1e6)
        FILTER (WHERE both_filled_ns IS NOT NULL) AS fills_p50_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY (both_filled_ns - detect_ns) / 1e6)
        FILTER (WHERE both_filled_ns IS NOT NULL) AS fills_p95_ms
FROM trading_trade WHERE detect_ns >= %(start)s
"""
_WINDOWS_SQL = """
SELECT count(*) FILTER (WHERE w.is_eligible) AS eligible_windows,
    count(*) FILTER (WHERE w.is_eligible AND t.id IS NOT NULL) AS captured_windows
FROM trading_window w
LEFT JOIN trading_trade t ON t.window_id = w.window_id AND t.outcome = 'both'
WHERE w.opened_at_ns >= %(start)s AND w.closed_at_ns IS NOT NULL AND w.decision <> 'stored'
"""
