"""One life of the engine process in the proof: what `run_engine` hosts, on a virtual clock.

The real engine, store, executor, recovery and adapters; the market's frames are handed to
the engine straight from the simulator (the feeds have proofs of their own). A life ends by
itself (a failure, a fence) or is ended at a point the script chose; what it left behind is
the next life's work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import psycopg

from arbsite.clock import Clock
from arbsite.errors import QueryFailed
from feeds.still_venues import SimVenues
from feeds.venues.base import (
    CexBalance,
    CexEvent,
    CexFill,
    CexLinkState,
    CexOrderState,
    DexEvent,
    TokenBalance,
    TxSighting,
)
from trading.effects import Effect, Execute, NoteWindow, RequestStop
from trading.engine.core import Engine
from trading.execution.executor import Executor
from trading.execution.ports import Desk
from trading.execution.recovery import keep_reconciling, recover
from trading.inputs import EngineInput, SettingsApplied, WindowsRestored
from trading.process.desk_state import DeskState
from trading.process.holdings import Holdings
from trading.proof import market
from trading.proof.database import EngineLine, EnginePool, ProofDatabase, Weather
from trading.proof.policies import Policy
from trading.proof.witness import Told, WatchedTransport, Witness
from trading.storage.lease import Lease

ASSET = "SOL"
BEAT_S = 1.0


class Surroundings(Protocol):
    """What a life needs of the desk around it."""

    venues: SimVenues
    database: ProofDatabase
    weather: Weather
    witness: Witness
    policy: Policy

    @property
    def engine_clock(self) -> Clock: ...

    has_rivals: asyncio.Event

    async def raise_stop(
        self, scope: str, rule: str, text: str, value: str, limit: str
    ) -> None: ...


class SteppedLease(Lease):
    """The real lease on the worker's connection; its lock has just been lost by the holder."""

    def __init__(self, database: ProofDatabase, holder: str) -> None:
        super().__init__("", shard="main", holder=holder)
        self._database = database

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return self._database.leases


class EngineLife:
    """From the lease to the end."""

    def __init__(self, around: Surroundings, number: int) -> None:
        self.number = number
        self.told = Told()
        self.dead = asyncio.Event()
        self.cause = ""
        self.is_deciding = False
        self.gap = asyncio.Event()
        self._around = around
        self._notes: dict[Any, NoteWindow] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._executing: set[asyncio.Task[Any]] = set()
        self.pool = EnginePool(around.database.engines, around.weather, self.die)
        clock, policy, spec = around.engine_clock, around.policy, around.venues.spec
        self.store = policy.store_class("", shard="main", clock=clock)
        # The server is reached through the edge where the script breaks things.
        self.store._pool = self.pool  # type: ignore[assignment]
        self.store._lines = EngineLine(self.pool)  # type: ignore[assignment]
        self._lease = SteppedLease(around.database, f"life {number}")
        self.state = DeskState(self.store, clock)
        self.engine = Engine({ASSET: spec})
        self._transport = WatchedTransport(
            around.venues.transport(), around.witness, self._still_alive, lambda: self.told
        )
        self._kraken = around.venues.kraken_client(
            self._hear, transport=self._transport, clock=clock
        )
        self._solana = around.venues.solana_client(
            self._hear, transport=self._transport, clock=clock
        )
        self._kraken_port = policy.kraken(self._kraken)
        self.executor = Executor(self._make_desk())
        self._holdings = Holdings([spec], self._kraken, self._solana, clock, self.apply)

    def _make_desk(self) -> Desk:
        around = self._around
        return Desk(
            kraken=self._kraken_port,
            solana=around.policy.solana(self._solana),
            store=self.store,
            clock=around.engine_clock,
            emit=self.apply,
            mode=self.state.mode,
            settings=self.state.settings.__getitem__,
            hedge_market=lambda _: market.touch(around.venues),
            raise_stop=around.raise_stop,
        )

    # ---- life and death ---------------------------------------------------------------

    async def live(self) -> None:
        """Live until death; returns when nothing of this life runs any more."""
        life = self._spawn(self._run())
        watch = self._spawn(self.dead.wait())
        await asyncio.wait({life, watch}, return_when=asyncio.FIRST_COMPLETED)
        await self.bury()

    def die(self, cause: str) -> None:
        """Kill the process where it stands: nothing of it acts after this call."""
        if not self.dead.is_set():
            self.cause = cause
            self.dead.set()

    async def bury(self) -> None:
        """Stop everything of this life; idempotent."""
        self.die("stopped")
        self.is_deciding = False
        await self.executor.close()
        tasks = {task for task in self._tasks if not task.done()}
        while tasks:
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.01)
        await self._transport.close()

    async def _still_alive(self) -> None:
        if self.dead.is_set():
            await asyncio.Event().wait()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # As in the host: whatever fails ends the process, and start-up is recovery.
            self.die(repr(task.exception()))

    # ---- start ------------------------------------------------------------------------

    async def _run(self) -> None:
        around = self._around
        if around.weather.is_down:
            raise psycopg.OperationalError("connection refused")
        self.store.epoch = await self._lease.acquire()
        await self.read_desk()
        for work in (self._kraken.run(), self._solana.run(), self._beat()):
            self._spawn(work)
        while not all(self.readiness):  # noqa: ASYNC110 - two clients, no common event
            await asyncio.sleep(0.05)
        await self._until_answered(self._holdings.refresh)
        clock = around.engine_clock
        busy = await recover(self.store, self.executor, self._kraken_port, clock)
        for event in market.first_events(around.venues, clock.now_ns()):
            self.apply(event)
        windows = await self.store.open_windows()
        self.apply(WindowsRestored(windows=tuple(windows), busy_assets=busy, at_ns=clock.now_ns()))
        self.is_deciding = True
        self._spawn(keep_reconciling(self.store, self.executor, self._kraken_port, clock, self.gap))
        await self.executor.failed.wait()
        assert self.executor.failure is not None
        raise self.executor.failure

    async def _until_answered(self, ask: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await ask()
            except QueryFailed:
                await asyncio.sleep(1.0)

    async def _beat(self) -> None:
        # Alone in the world a beat finds nothing out; a round trip saved each second.
        await self._around.has_rivals.wait()
        while True:
            await asyncio.sleep(BEAT_S)
            await self._lease.beat()

    # ---- words in both directions -----------------------------------------------------

    def _hear(self, event: CexEvent | DexEvent) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self.pool.still_until_s:
            loop.call_at(self.pool.still_until_s, self._hear, event)
            return
        if self.dead.is_set():
            return
        if isinstance(event, CexFill | CexOrderState | TxSighting):
            self.executor.deliver(self._around.policy.heard(event))
        elif isinstance(event, CexBalance | TokenBalance):
            self._holdings.see(event)
        elif isinstance(event, CexLinkState) and event.gap:
            self.gap.set()

    def apply(self, event: EngineInput) -> None:
        """Feed one event to the engine and act on what it says, as the host does."""
        effects = self.engine.handle(event)
        for effect in effects:
            if isinstance(effect, Execute):
                self._execute(effect, effects)
            elif isinstance(effect, NoteWindow):
                if not self._notes:
                    asyncio.get_running_loop().call_later(1.0, self._write_windows)
                self._notes[effect.window.window_id] = effect
            elif isinstance(effect, RequestStop):
                self._spawn(
                    self._around.raise_stop(
                        effect.scope, effect.rule, effect.text, effect.value, effect.limit
                    )
                )

    def _execute(self, execute: Execute, effects: list[Effect]) -> None:
        if not self.is_deciding or self.dead.is_set():
            return
        intent = execute.intent
        notes = (effect for effect in effects if isinstance(effect, NoteWindow))
        window = next((n for n in notes if n.window.window_id == intent.window_id), None)
        task = self._spawn(self.executor.execute(intent, window))
        self._executing.add(task)
        task.add_done_callback(self._executing.discard)

    def _write_windows(self) -> None:
        notes, self._notes = self._notes, {}
        if not self.dead.is_set():
            self._spawn(self._save_windows(list(notes.values())))

    async def _save_windows(self, notes: list[NoteWindow]) -> None:
        rows = [(n.window, n.decision, n.gate, n.gate_value, n.gate_limit) for n in notes]
        try:
            await self.store.save_windows(rows)
        except psycopg.OperationalError:
            for note in notes:
                self._notes.setdefault(note.window.window_id, note)

    async def read_desk(self) -> None:
        """Read settings, controls and limits, as the desk link does when it is woken."""
        now_ns = self._around.engine_clock.now_ns()
        settings = await self.state.read_settings()
        controls = await self.state.read_controls()
        usage = await self.state.read_day_usage()
        for changed in settings:
            self.apply(SettingsApplied(settings=changed, at_ns=now_ns))
        for control in controls:
            self.apply(control.applied(now_ns))
        for row in usage:
            self.apply(row)
        mode = self.state.mode(ASSET)
        if mode != self.told.mode:
            self.told = Told(mode, asyncio.get_running_loop().time(), now_ns)

    @property
    def readiness(self) -> tuple[bool, bool]:
        """Whether each trading client can send right now."""
        return self._kraken.is_ready, self._solana.is_ready

    @property
    def is_idle(self) -> bool:
        """Whether this life has taken over and works on no trade."""
        is_working = bool(self._executing or self.executor.open_trades)
        return self.is_deciding and not self.dead.is_set() and not is_working
