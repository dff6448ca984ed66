"""The engine process: its start, its side tasks and its end.

Start order is the protocol's: lease and epoch, desk state, venues, recovery, feeds, then
decisions. Everything slow (windows, pictures, stops, reads) runs in side tasks; the tick
path is `EngineParts.apply`. A failure of any task ends the process: the supervisor starts
it again and start-up is recovery. Called by `manage.py run_engine`. Not here: what the
process is made of (`engine_parts`).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Literal

from arbsite import metrics
from arbsite.bus import Bus
from arbsite.errors import FeedCorrupt
from arbsite.logs import event_logger
from feeds import bus_wire
from feeds.assembly import Venues
from feeds.market.events import MarketEvent
from feeds.venues.base import (
    CexEvent,
    DexEvent,
)
from trading.execution.recovery import keep_reconciling, recover
from trading.inputs import TimerFired, WindowsRestored
from trading.process.awake import stay_awake
from trading.process.balance_watch import LOOK_EVERY_S
from trading.process.chain_fees import READ_EVERY_S
from trading.process.compute_sampling import SAMPLE_EVERY_S
from trading.process.engine_parts import EngineParts
from trading.storage.lease import LeaseLost
from trading.storage.start_record import StartRecord

log = event_logger(__name__)
VenuesFactory = Callable[
    [Callable[[MarketEvent], None], Callable[[CexEvent | DexEvent], None]], Venues
]
DRAIN_S = 10.0
READY_LOOK_S = 0.01
MARK_EVERY_S = 2.0


class EngineHost:
    """One engine process of one shard, from its start to its end.

    `began_ns`: when the process was made, for the record of its start. `keeps_awake`:
    the host's processors do not sleep while the engine decides, if that is allowed.
    """

    def __init__(
        self,
        parts: EngineParts,
        *,
        bus: Bus,
        feeds: Literal["inline", "bus"],
        max_recent_starts: int,
        began_ns: int,
        keeps_awake: bool = False,
    ) -> None:
        self.parts = parts
        self._bus = bus
        self._feeds = feeds
        self._max_recent_starts = max_recent_starts
        self._keeps_awake = keeps_awake
        self._start = StartRecord(parts.store, parts.clock, began_ns=began_ns)

    # ---- life -----------------------------------------------------------------------

    async def run(self) -> None:
        """Run until `stop` is called or a task fails; raises what failed."""
        self._start.reached("loaded")
        await self.parts.store.open()
        self._start.reached("connected")
        try:
            await self._take_over()
            await self._open_venues()
            await self._begin_deciding()
            await self.parts.tasks.stopping.wait()
        finally:
            await self._shut_down()
        if self.parts.tasks.failure is not None:
            raise self.parts.tasks.failure

    def stop(self) -> None:
        """Begin a graceful stop (SIGTERM): no new intents, trades settle, then the end."""
        self.parts.tasks.stopping.set()

    async def _take_over(self) -> None:
        parts, tasks = self.parts, self.parts.tasks
        parts.store.epoch = await parts.lease.acquire(beyond=parts.restored.least_epoch)
        self._start.leased(after_standby=parts.lease.has_stood_by)
        tasks.start(parts.store.rehearse_intent(), "rehearse-intent")
        tasks.start(parts.local_kill.watch(parts.link.record_local_kill), "local-kill")
        tasks.every(1.0, self._beat, "lease")
        await parts.restored.compare(parts.lease.found)
        tasks.every(MARK_EVERY_S, parts.restored.keep, "database-mark", at_once=False)
        await parts.link.read()
        await parts.link.obey_restart_rule(parts.lease, self._max_recent_starts)
        tasks.start(parts.link.listen(), "listen")
        tasks.start(parts.link.follow(), "desk")
        tasks.every(0.25, parts.showing.status, "status")
        self._start.reached("desk_read")

    async def _beat(self) -> None:
        """Keep the lease; without the database nothing new starts, and somebody is paged."""
        try:
            await self.parts.lease.beat()
        except LeaseLost:
            self.parts.is_deciding = False
            await self.parts.outage.last()
            raise

    async def _open_venues(self) -> None:
        parts, tasks = self.parts, self.parts.tasks
        for name, work in parts.venues.trading_tasks():
            tasks.start(work, name)
        await self._until_ready()
        # Kraken's stream has just shown its balances: the venue allows a start and its heirs
        # few questions, and those belong to the trades found open.
        await parts.reads.first(tasks.stopping)
        self._start.reached("balances_read")
        if tasks.stopping.is_set():
            return
        tasks.every(5.0, self._show_holdings, "holdings", at_once=False)
        tasks.every(READ_EVERY_S, parts.chain_fees.tell, "chain-fees")
        tasks.every(15.0, parts.reads.samples, "samples")
        tasks.every(LOOK_EVERY_S, parts.balances.look, "balance-watch", at_once=False)
        tasks.every(0.2, parts.reads.ready, "ready")

    async def _until_ready(self) -> None:
        while not (self.parts.venues.kraken.is_ready and self.parts.venues.solana.is_ready):
            if self.parts.tasks.stopping.is_set():
                return
            await asyncio.sleep(READY_LOOK_S)
        self._start.reached("private_up")

    async def _begin_deciding(self) -> None:
        parts, tasks = self.parts, self.parts.tasks
        if tasks.stopping.is_set():
            return
        # Before recovery, so that what it settles is learnt once: when it is told.
        parts.apply(await parts.state.read_outcomes())
        # The links' own first word is "something may be missing": that is read now, once.
        parts.gap.clear()
        busy = await recover(parts.store, parts.executor, parts.venues.kraken, parts.clock)
        self._start.reached("reconciled")
        # Nothing is priced before the fees are known; they are asked for after the proofs.
        fees_known = parts.reads.follow_fees(lambda: self._start.reached("fees_read"))
        tasks.start(fees_known, "fees")
        followed = self._start.follow(parts.executor.open_trades, is_market_up=parts.is_market_up)
        tasks.start(followed, "start-record")
        windows = await parts.store.open_windows()
        parts.apply(
            WindowsRestored(windows=tuple(windows), busy_assets=busy, at_ns=parts.clock.now_ns())
        )
        parts.is_deciding = not parts.local_kill.is_pulled
        if self._feeds == "inline":
            for name, work in parts.venues.feed_tasks():
                tasks.start(work, name)
        else:
            tasks.start(self._take_from_bus(), "bus-feeds")
        self._start_side_tasks()
        # A generation-2 collection with Django loaded costs 12 ms; what lives now lives on.
        gc.collect()
        gc.freeze()
        log.info(
            "engine.started",
            epoch=parts.store.epoch,
            assets=list(parts.specs),
            stages_ms=self._start.stages_ms,
        )

    def _start_side_tasks(self) -> None:
        parts, tasks = self.parts, self.parts.tasks
        tasks.every(0.1, self._tick, "timer")
        tasks.every(1.0, parts.showing.write_windows, "windows")
        tasks.every(1.0, parts.markouts.save, "markouts")
        tasks.every(SAMPLE_EVERY_S, parts.compute.sample, "compute-units")
        tasks.start(parts.slips.restore(), "slippage")
        tasks.every(0.05, parts.showing.spreads, "spreads")
        tasks.every(1.0, parts.showing.metrics, "metrics")
        tasks.start(self._executor_health(), "executor")
        if parts.venues.routes.is_allowed:
            tasks.start(parts.routes.run(), "routes")
        tasks.start(parts.orders.follow(), "orders")
        tasks.start(parts.rotation.follow(), "key-rotation")
        tasks.start(parts.paper.run(), "paper")
        watched = parts.canaries.keep(parts.holding_back.record, parts.holding_back.obey)
        tasks.start(watched, "canaries")
        tasks.start(
            keep_reconciling(
                parts.store,
                parts.executor,
                parts.venues.kraken,
                parts.clock,
                parts.gap,
                parts.restored,
            ),
            "reconcile",
        )
        if parts.restored.unsure is not None:
            parts.gap.set()
        if self._keeps_awake:
            tasks.start(stay_awake(parts.rehearse), "awake")

    async def _take_from_bus(self) -> None:
        """Market events of the feed processes; the newest win when we fall behind."""
        subscription = await self._bus.subscribe(*bus_wire.SUBJECTS)
        async for _subject, payload in subscription:
            try:
                event = bus_wire.decode(payload)
            except FeedCorrupt:
                metrics.MALFORMED_FRAMES.labels("bus").inc()
                continue
            self.parts.apply(event)

    async def _shut_down(self) -> None:
        parts, tasks = self.parts, self.parts.tasks
        parts.is_deciding = False
        if tasks.failure is None:
            await parts.executor.drain(DRAIN_S)
        await parts.executor.close()
        await tasks.cancel()
        if tasks.failure is None:
            await parts.showing.write_windows()
        await parts.venues.close()
        if parts.journal is not None:
            await asyncio.to_thread(parts.journal.close)
        await parts.lease.release()
        await parts.store.close()
        log.info("engine.stopped", failed=tasks.failure is not None)

    async def _tick(self) -> None:
        now_ns = self.parts.clock.now_ns()
        self.parts.apply(TimerFired(at_ns=now_ns))
        self.parts.markouts.look(now_ns)

    # ---- side tasks -----------------------------------------------------------------

    async def _show_holdings(self) -> None:
        await self.parts.reads.holdings(self.parts.pictures, self.parts.marks_usd())

    async def _executor_health(self) -> None:
        await self.parts.executor.failed.wait()
        assert self.parts.executor.failure is not None
        raise self.parts.executor.failure
