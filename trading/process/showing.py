"""What the engine shows of itself: status, spreads, windows and figures, to people and metrics.

Collects on the tick path (`signal`, `note`), sends and stores in side tasks, so that a slow
bus or database never holds a decision up. Called by the host. Not here: how a frame is made
(`publishing`), what is counted (`measure`).
"""

from __future__ import annotations

import psycopg

from arbsite.clock import Clock, at_from_ns
from arbsite.logs import event_logger
from feeds.assembly import Venues
from trading.effects import NoteWindow, SignalSeen
from trading.engine.core import Engine
from trading.execution.executor import Executor
from trading.process.desk_state import DeskState
from trading.process.measure import Measure
from trading.process.publishing import Pictures
from trading.process.venue_health import VenuePills
from trading.storage.store import TradeStore

log = event_logger(__name__)


class Showing:
    """The showing side of one engine process."""

    def __init__(
        self,
        pictures: Pictures,
        measure: Measure,
        *,
        engine: Engine,
        venues: Venues,
        executor: Executor,
        state: DeskState,
        store: TradeStore,
        clock: Clock,
    ) -> None:
        self._pictures = pictures
        self._measure = measure
        self._engine = engine
        self._venues = venues
        self._executor = executor
        self._state = state
        self._store = store
        self._clock = clock
        self._pills = VenuePills()
        self._notes: list[NoteWindow] = []
        self._shown: list[NoteWindow] = []
        self._started_ns = clock.now_ns()

    # ---- the tick path ----------------------------------------------------------------

    def note(self, note: NoteWindow) -> None:
        """Keep a window's note for the next write and the next picture."""
        self._notes.append(note)
        self._shown.append(note)
        self._measure.window(note)

    def signal(self, signal: SignalSeen) -> None:
        """Count a tick that was priced, and how long that took."""
        now_ns = self._clock.now_ns()
        micros = (now_ns - signal.recv_ns) / 1e3
        self._pictures.signals += 1
        self._pictures.opportunities += signal.is_opportunity
        self._pictures.latency.add(micros, now_ns)
        self._measure.signal(micros)

    # ---- side tasks -------------------------------------------------------------------

    async def write_windows(self) -> None:
        """Store the newest note of each window; kept for the next turn while that fails."""
        notes, self._notes = self._notes, []
        latest = {note.window.window_id: note for note in notes}
        rows = [
            (note.window, note.decision, note.gate, note.gate_value, note.gate_limit)
            for note in latest.values()
        ]
        try:
            await self._store.save_windows(rows)
        except psycopg.OperationalError as error:
            self._notes = [*notes, *self._notes]
            log.warning("windows.not_saved", error=str(error)[:200])

    async def status(self) -> None:
        """The engine's own word: mode, reasons, venues, commands applied."""
        frame = await self._pictures.status(
            now_ns=self._clock.now_ns(),
            started_ns=self._started_ns,
            epoch=self._store.epoch,
            venues=self._pills.draw(self._engine, self._venues, self._clock.now_ns()),
            executor=self._executor,
            routes=self._venues.routes.rows(),
        )
        self._measure.status(frame)

    async def spreads(self) -> None:
        """The spreads table, and the window events since the last call."""
        now_ns = self._clock.now_ns()
        await self._pictures.spreads(self._engine.spread_rows(now_ns), now_ns)
        shown, self._shown = self._shown, []
        await self._pictures.windows(shown, now_ns)

    async def metrics(self) -> None:
        """The day's figures; skipped while the database does not tell them."""
        now_ns = self._clock.now_ns()
        try:
            figures = await self._state.read_figures()
        except psycopg.OperationalError as error:
            log.warning("figures.not_read", error=str(error)[:200])
            return
        day = at_from_ns(now_ns).date().isoformat()
        self._measure.venues(self._venues)
        await self._pictures.metrics(figures, day=day, executor=self._executor, now_ns=now_ns)
