"""An engine with a paper desk, as the host wires them: moving market, PostgreSQL, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

from arbsite.clock import LoopClock
from arbsite.events import Mode
from feeds.market.events import FeedProof, MarketEvent, SlotAdvanced
from feeds.tests.conformance.venues import run_patient
from trading.effects import Execute, NoteWindow
from trading.engine.core import Engine
from trading.inputs import EngineInput, FeesKnown, IntentRefused, TimerFired, TradeClosed
from trading.intent import Intent
from trading.process.paper_desk import PaperDesk
from trading.storage.lease import Lease
from trading.storage.paper_store import PaperStore
from trading.storage.store import TradeStore
from trading.tests.unit.builders import make_spec
from trading.tests.unit.desk import FAIR, book, holdings, mode, pool, settings_of, setup_events

WIDE = FAIR + 45
SLOT_S = 0.4
ASSET = "SOL"


class Rig:
    """One engine process with SOL in PAPER, and the market around it."""

    def __init__(self, dsn: str, **settings: Any) -> None:
        self.dsn = dsn
        self.clock = LoopClock()
        self.spec = make_spec()
        self.engine = Engine({ASSET: self.spec})
        self.store = TradeStore(dsn, shard="main", clock=self.clock)
        self.paper_store = PaperStore(self.store, self.clock, shard="main")
        self.settings = settings_of(mode="paper", **settings)
        self.mode: Mode = "paper"
        self.paper = PaperDesk(
            {ASSET: self.spec},
            self.paper_store,
            self.clock,
            self.engine.state,
            emit=self.take,
            mode=lambda _: self.mode,
            settings=lambda _: self.settings,
        )
        self.heard: list[EngineInput] = []
        self.intents: list[Intent] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.mid = FAIR
        self.slot = 1000

    async def start(self, *, with_desk: bool = True) -> None:
        """Take the lease, tell the engine the world, and let slots and timers pass."""
        lease = Lease(self.dsn, shard="main", holder="paper")
        self.store.epoch = await lease.acquire()
        await lease.release()
        await self.store.open()
        for event in setup_events(self.clock.now_ns(), mode="paper"):
            self.apply(event)
        if with_desk:
            self._start(self.paper.run())
        self._start(self._beat())

    async def stop(self) -> None:
        tasks = set(self.tasks)
        while tasks:
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.01)
        await self.store.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)

    async def _beat(self) -> None:
        """Books and proofs ten times a second, a slot each 0.4 s, balances and fees each second."""
        for turn in range(100_000):
            now = self.clock.now_ns()
            self.apply(book(now, self.mid))
            for venue in ("kraken", "solana"):
                self.apply(FeedProof(venue=venue, scope="*", recv_ns=now))  # type: ignore[arg-type]
            if turn % 4 == 0:
                self.slot += 1
                self.apply(SlotAdvanced(self.slot, 0, now))
                self.apply(pool(now, slot=self.slot))
            if turn % 10 == 0:
                self.apply(holdings(now))
                self.apply(FeesKnown({"SOL/USD": Decimal("0.001")}, 5000, now))
            self.apply(TimerFired(at_ns=now))
            await asyncio.sleep(0.1)

    # ---- the host's tick path ---------------------------------------------------------

    def apply(self, event: EngineInput) -> None:
        self.take(self.paper.show(event) if self.paper.is_on else event)

    def take(self, event: EngineInput) -> None:
        if not isinstance(event, MarketEvent):
            self.heard.append(event)
        effects = self.engine.handle(event)
        notes = [effect for effect in effects if isinstance(effect, NoteWindow)]
        for effect in effects:
            if isinstance(effect, Execute):
                self.intents.append(effect.intent)
                self._start(self.paper.execute(effect.intent, notes[-1]))

    # ---- what tests do ----------------------------------------------------------------

    def set_mode(self, word: Mode, version: int = 2) -> None:
        self.mode = word
        self.take(mode(self.clock.now_ns(), word, scope=ASSET, version=version))

    async def until(self, is_so: Callable[[], bool], longest_s: float = 60.0) -> None:
        async with asyncio.timeout(longest_s):
            while not is_so():
                self.raise_failures()
                await asyncio.sleep(0.05)

    def raise_failures(self) -> None:
        for task in self.tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                raise task.exception()  # type: ignore[misc]

    async def trade_once(self) -> TradeClosed:
        """Open a window until something closes, then let it end."""
        seen = len(self.closed)
        self.mid = WIDE
        await self.until(lambda: len(self.closed) > seen)
        self.mid = FAIR
        await asyncio.sleep(1.5)
        return self.closed[seen]

    @property
    def closed(self) -> list[TradeClosed]:
        return [event for event in self.heard if isinstance(event, TradeClosed)]

    @property
    def refusals(self) -> list[str]:
        return [event.reason for event in self.heard if isinstance(event, IntentRefused)]

    async def rows(self, query: str, *params: Any) -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(self.dsn, row_factory=dict_row) as conn:
            return await (await conn.execute(query, params)).fetchall()

    async def change(self, query: str, *params: Any) -> None:
        async with await psycopg.AsyncConnection.connect(self.dsn) as conn:
            await conn.execute(query, params)


def story(body: Callable[[Rig], Coroutine[Any, Any, None]], **settings: Any) -> None:
    """Run one story on a virtual loop."""

    async def tell(dsn: str) -> None:
        rig = Rig(dsn, **settings)
        try:
            await body(rig)
            rig.raise_failures()
        finally:
            with suppress(asyncio.CancelledError):
                await rig.stop()

    def test(desk_url: str) -> None:
        run_patient(tell(desk_url))

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test  # type: ignore[return-value]
