"""Pictures of the engine for people: status, spreads, opportunities, metrics, on the bus.

Built from the engine's own views and the day's figures in the database; sent as fire and
forget (losing one loses nothing). Called by the host's side tasks, never on the tick path.
"""

from __future__ import annotations

from collections.abc import Sequence

from arbsite import bus as bus_port
from arbsite import events
from arbsite.events import VenueHealth
from trading.bound_quote import bound_quote
from trading.effects import NoteWindow
from trading.execution.executor import Executor
from trading.intent import Intent
from trading.process.desk_state import DeskFigures, DeskState
from trading.process.latency import RollingLatency


def opportunity_row(note: NoteWindow) -> events.OpportunityRow:
    """A window as the console's list shows it."""
    window = note.window
    return events.OpportunityRow(
        window_id=str(window.window_id),
        version=window.version,
        asset=window.asset,
        direction=window.direction,
        state="open" if window.closed_at_ns is None else "closed",
        decision=note.decision,
        gate=note.gate,
        gate_value=note.gate_value,
        gate_limit=note.gate_limit,
        gross_bps=window.gross_bps,
        net_bps=window.net_bps,
        size_usd=format(window.best_size_usd, "f"),
        limited_by=window.limited_by,
        expected_pnl_usd=format(window.best_pnl_usd, "f"),
        opened_at_ns=window.opened_at_ns,
        closed_at_ns=window.closed_at_ns,
        close_cause=window.close_cause,
        intent_key=None,
    )


class Pictures:
    """Sends frames; remembers what only accumulates (signals, largest naked exposure)."""

    def __init__(self, bus: bus_port.Bus, state: DeskState, *, profile: str) -> None:
        self._bus = bus
        self._state = state
        self._profile = profile
        self.latency = RollingLatency()
        self.signals = 0
        self.opportunities = 0
        self.duplicates = 0
        self._unhedged_max_usd = 0.0
        self._unhedged_max_s = 0.0

    async def status(
        self,
        *,
        now_ns: int,
        started_ns: int,
        epoch: int,
        venues: tuple[VenueHealth, ...],
        executor: Executor,
        routes: tuple[events.RouteRow, ...] = (),
    ) -> events.StatusFrame:
        """The engine's own word: mode, reasons, venues, and the commands it has applied."""
        reasons = [r for control in self._state.controls.values() for r in control.reasons()]
        frame = events.StatusFrame(
            mode=self._engine_mode(),
            beat_ns=now_ns,
            started_at_ns=started_ns,
            epoch=epoch,
            control_version=sum(c.version for c in self._state.controls.values()),
            config_version=sum(s.version for s in self._state.settings.values()),
            applied_commands=self._state.applied_commands,
            reasons=tuple(reasons),
            venues=venues,
            open_trades=len(executor.open_trades),
            unhedged_usd=f"{self._unhedged_usd(executor, now_ns):.2f}",
            profile=self._profile,
            routes=routes,
        )
        await self._send(events.CONSOLE_STATUS, frame)
        return frame

    def _engine_mode(self) -> events.Mode:
        """The whole engine's mode; AUTO-PAUSED when rules stopped every asset."""
        whole = self._state.controls.get("*")
        mode: events.Mode = whole.effective_mode if whole else "observe"
        assets = [c for scope, c in self._state.controls.items() if scope != "*"]
        if assets and all(control.trips for control in assets):
            return events.strictest(mode, "hedge_only")
        return mode

    def _unhedged_usd(self, executor: Executor, now_ns: int) -> float:
        """Notional of residuals whose trade is not settled; keeps the day's largest."""
        total = 0.0
        for trade in executor.open_trades:
            if trade.is_settled or trade.naked_from_ns is None:
                continue
            mark = trade.intent.marks_usd[trade.intent.asset]
            total += float(abs(trade.residual_base) * mark)
            self._unhedged_max_s = max(self._unhedged_max_s, (now_ns - trade.naked_from_ns) / 1e9)
        self._unhedged_max_usd = max(self._unhedged_max_usd, total)
        return total

    async def spreads(self, rows: Sequence[events.SpreadRow], now_ns: int) -> None:
        """The live spreads table."""
        await self._send(
            events.CONSOLE_SPREADS, events.SpreadsFrame(rows=tuple(rows), at_ns=now_ns)
        )

    async def windows(self, notes: Sequence[NoteWindow], now_ns: int) -> None:
        """Window events since the last call."""
        if notes:
            rows = tuple(opportunity_row(note) for note in notes)
            await self._send(
                events.CONSOLE_OPPORTUNITIES, events.OpportunitiesFrame(rows=rows, at_ns=now_ns)
            )

    async def metrics(
        self, figures: DeskFigures, *, day: str, executor: Executor, now_ns: int
    ) -> None:
        """The day's figures beside the 15-minute latency histogram."""
        cap = sum((s.daily_notional_cap_usd for s in self._state.settings.values()), start=0)
        if self._state.desk is not None:
            cap = min(cap, self._state.desk.room.daily_cap_usd)
        await self._send(
            events.CONSOLE_METRICS,
            events.MetricsFrame(
                at_ns=now_ns,
                day=day,
                net_pnl_usd=f"{figures.net_pnl_usd:.6f}",
                expected_pnl_usd=f"{figures.expected_pnl_usd:.6f}",
                fills_p50_ms=figures.fills_p50_ms,
                fills_p95_ms=figures.fills_p95_ms,
                eligible_windows=figures.eligible_windows,
                captured_windows=figures.captured_windows,
                trades=figures.trades,
                verified=figures.verified,
                partials=figures.partials,
                missed=figures.missed,
                notional_usd=f"{figures.notional_usd:.2f}",
                notional_cap_usd=f"{cap:.2f}",
                unhedged_usd=f"{self._unhedged_usd(executor, now_ns):.2f}",
                unhedged_max_usd=f"{self._unhedged_max_usd:.2f}",
                unhedged_max_s=self._unhedged_max_s,
                tick_to_signal=self.latency.histogram(now_ns),
                signals=self.signals,
                opportunities=self.opportunities,
                duplicates=self.duplicates,
            ),
        )

    async def bound_quote(self, intent: Intent) -> None:
        """The pool leg of a decision."""
        subject = events.subject_for_asset(events.BOUND_QUOTE, intent.asset)
        await self._send(subject, bound_quote(intent))

    async def inventory(self, frame: events.InventoryFrame) -> None:
        """Balances of both venues."""
        await self._send(events.INVENTORY_CHANGED, frame)

    async def _send(self, subject: str, message: object) -> None:
        await self._bus.publish(subject, bus_port.encode(message))  # type: ignore[arg-type]
