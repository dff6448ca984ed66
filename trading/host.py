"""The engine process: wires the pure engine to feeds, venues, database and bus.

Start order is the protocol's: lease and epoch, desk state, venues, recovery, feeds, then
decisions. Everything slow (windows, pictures, stops, reads) runs in side tasks; the tick
path is `apply`. A failure of any task ends the process: the supervisor starts it again and
start-up is recovery. Called by `manage.py run_engine`.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from arbsite import metrics
from arbsite.bus import Bus
from arbsite.clock import Clock
from arbsite.events import Mode
from arbsite.logs import event_logger
from feeds import bus_wire
from feeds.assembly import Venues
from feeds.market.events import MarketEvent
from feeds.market.spec import MarketSpec
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
from trading.balance_watch import LOOK_EVERY_S, BalanceWatch
from trading.canaries import Canaries
from trading.chain_fees import READ_EVERY_S, ChainFees
from trading.compute_sampling import SAMPLE_EVERY_S, ComputeSampler
from trading.compute_units import ComputeLimits
from trading.desk_link import DeskLink
from trading.desk_state import DeskState
from trading.executor import Executor
from trading.fee_watch import RULE as FEE_RULE
from trading.fee_watch import TOLERANCE as FEE_TOLERANCE
from trading.fee_watch import fee_surprise
from trading.hedge_market import hedge_market
from trading.holding_back import HoldingBack
from trading.holdings import Holdings
from trading.intent import (
    Effect,
    EngineInput,
    Execute,
    Intent,
    NoteWindow,
    RequestResume,
    RequestStop,
    SignalSeen,
    TimerFired,
    TradeClosed,
    WindowsRestored,
)
from trading.journal.format import EngineSetup
from trading.journal.keeper import EngineJournal
from trading.lease import SILENT_AFTER_S, Lease, LeaseLost
from trading.local_kill import LocalKill
from trading.markouts import Markouts
from trading.measure import Measure
from trading.outage import Outage
from trading.paper_desk import PaperDesk
from trading.paper_store import PaperStore
from trading.ports import Desk, HedgeMarket, OrdersPerMinute
from trading.process_tasks import ProcessTasks
from trading.publishing import Pictures
from trading.records import TradeRecord
from trading.recovery import keep_reconciling, recover
from trading.residual import ResidualLimits
from trading.resolution_orders import ResolutionOrders
from trading.restored import RestoredDatabase
from trading.rotation import KeyRotation
from trading.route_quotes import RouteQuotes, RouteSizes
from trading.sampling import Sampler
from trading.showing import Showing
from trading.slip_watch import SlipWatch
from trading.start_record import StartRecord
from trading.store import TradeStore
from trading.venue_reads import VenueReads

log = event_logger(__name__)
VenuesFactory = Callable[
    [Callable[[MarketEvent], None], Callable[[CexEvent | DexEvent], None]], Venues
]
DRAIN_S = 10.0
READY_LOOK_S = 0.01
MARK_EVERY_S = 2.0


class EngineHost:
    """One engine process of one shard."""

    def __init__(
        self,
        *,
        dsn: str,
        shard: str,
        specs: dict[str, MarketSpec],
        venues: VenuesFactory,
        bus: Bus,
        feeds: Literal["inline", "bus"],
        clock: Clock,
        profile: str,
        max_recent_starts: int,
        holder: str,
        lease_silent_s: float = SILENT_AFTER_S,
        key_name: str = "",
        journal: Callable[[EngineSetup], EngineJournal] | None = None,
        kill_file: Path | None = None,
        mark_file: Path | None = None,
        began_ns: int | None = None,
        limits: ResidualLimits = ResidualLimits(),  # noqa: B008 - immutable
        orders_per_minute: OrdersPerMinute = OrdersPerMinute(),  # noqa: B008 - immutable
        sample_share: float = 0.0,
    ) -> None:
        self._dsn = dsn
        self._clock = clock
        self._bus = bus
        self._specs = specs
        self._max_recent_starts = max_recent_starts
        self._lease = Lease(
            dsn, shard=shard, holder=holder, silent_after_s=lease_silent_s, key_name=key_name
        )
        self._store = TradeStore(dsn, shard=shard, clock=clock)
        self._restored = RestoredDatabase(self._store, mark_file, clock, shard=shard)
        self._state = DeskState(self._store, clock)
        self._tasks = ProcessTasks()
        self._measure = Measure()
        self._gap = asyncio.Event()
        self._link = DeskLink(
            dsn, self._state, clock, apply=self.apply,
            show_status=lambda: self._showing.status(),  # noqa: PLW0108 - it is made further down
        )  # fmt: skip
        setup = EngineSetup(specs=specs)
        self._engine = setup.build()
        self._journal = journal(setup) if journal is not None else None
        self._handle = self._journal.around(self._engine) if self._journal else self._engine.handle
        self._feeds = feeds
        self._venues = venues(self.apply, self._on_trading_event)
        self.local_kill = LocalKill(kill_file, obeyed=self._obey_local_kill)
        self._holdings = Holdings(
            specs.values(), self._venues.kraken, self._venues.solana, clock, self.apply
        )
        self._slips = SlipWatch(self._store, clock, self.apply)
        compute = ComputeLimits()
        self._compute = ComputeSampler(
            self._venues.compute.units, self._engine.state, compute, clock
        )
        self._chain_fees = ChainFees(
            self._venues.landing_fees, clock, self.apply,
            can_tip=self._venues.can_tip, compute=compute,
        )  # fmt: skip
        self._desk = Desk(
            kraken=self._venues.kraken,
            solana=self._venues.solana,
            store=self._store,
            clock=clock,
            emit=self.apply,
            mode=self._mode,
            settings=self._state.settings.__getitem__,
            hedge_market=self._hedge_market,
            raise_stop=self._link.raise_stop,
            intent_committed=self._measure.intent_committed,
            first_sent=self._measure.first_sent,
            funds=lambda: self._holdings.funds(self._state.fee_floor_lamports),
            limits=limits,
            orders_per_minute=orders_per_minute,
            trade_booked=self._on_booked,
            compute_exceeded=self._chain_fees.compute_exceeded,
        )
        self._executor = Executor(self._desk)
        self._paper = PaperDesk(
            specs,
            PaperStore(self._store, clock, shard=shard),
            clock,
            self._engine.state,
            emit=self._take,
            mode=self._desk.mode,
            settings=self._desk.settings,
        )
        venues_of = (self._venues.kraken, self._venues.solana)
        self._holding_back = HoldingBack(is_obeyed=profile != "sim")
        self._canaries = Canaries(*venues_of, specs, self._engine.state.feeds, clock)
        self._sampler = Sampler(
            *venues_of, self._store, clock, share=sample_share, report=self._holding_back.report
        )
        self._reads = VenueReads(
            self._venues, self._holdings, specs, self._store, clock, self.apply
        )
        self._balances = BalanceWatch(
            self._store, self._holdings, specs.values(), clock,
            raise_stop=self._link.raise_stop, stopped_by=self._state.trips_of,
        )  # fmt: skip
        self._outage = Outage(dsn, self._executor)
        self.rotation = KeyRotation(self._venues, self._lease, raise_alarm=self._link.raise_alarm)
        self._orders = ResolutionOrders(self._store, self._executor, clock, shard=shard)
        self._link.wakes = {"resolution": self._orders.wake, "reconcile": self._gap}
        self._routes = RouteQuotes(
            self._venues.routes, self._engine.state, clock, self.apply,
            RouteSizes(max_usd=self._venues.routes.max_usd),
        )  # fmt: skip
        self._pictures = Pictures(bus, self._state, profile=profile)
        self._showing = Showing(
            self._pictures, self._measure,
            engine=self._engine, venues=self._venues, executor=self._executor,
            state=self._state, store=self._store, clock=clock,
        )  # fmt: skip
        self._markouts = Markouts(self._store, specs, self._hedge_market)
        self._deciding = False
        self._start = StartRecord(self._store, clock, began_ns=began_ns or clock.now_ns())

    # ---- life -----------------------------------------------------------------------

    async def run(self) -> None:
        """Run until `stop` is called or a task fails; raises what failed."""
        self._start.reached("loaded")
        await self._store.open()
        self._start.reached("connected")
        try:
            await self._take_over()
            await self._open_venues()
            await self._begin_deciding()
            await self._tasks.stopping.wait()
        finally:
            await self._shut_down()
        if self._tasks.failure is not None:
            raise self._tasks.failure

    def stop(self) -> None:
        """Begin a graceful stop (SIGTERM): no new intents, trades settle, then the end."""
        self._tasks.stopping.set()

    async def _take_over(self) -> None:
        self._store.epoch = await self._lease.acquire(beyond=self._restored.least_epoch)
        self._start.leased(after_standby=self._lease.has_stood_by)
        self._tasks.start(self.local_kill.watch(self._link.record_local_kill), "local-kill")
        self._tasks.every(1.0, self._beat, "lease")
        await self._restored.compare(self._lease.found)
        self._tasks.every(MARK_EVERY_S, self._restored.keep, "database-mark", at_once=False)
        await self._link.read()
        await self._link.obey_restart_rule(self._lease, self._max_recent_starts)
        self._tasks.start(self._link.listen(), "listen")
        self._tasks.start(self._link.follow(), "desk")
        self._tasks.every(0.25, self._showing.status, "status")
        self._start.reached("desk_read")

    async def _beat(self) -> None:
        """Keep the lease; without the database nothing new starts, and somebody is paged."""
        try:
            await self._lease.beat()
        except LeaseLost:
            self._deciding = False
            await self._outage.last()
            raise

    def _mode(self, asset: str) -> Mode:
        """What may be sent for an asset: the desk's word, or less."""
        return self._restored.mode(self.local_kill.mode(self._state.mode(asset)))

    def _obey_local_kill(self) -> None:
        self._deciding = False
        self.apply(LocalKill.applied(self._clock.now_ns()))

    async def _open_venues(self) -> None:
        for name, work in self._venues.trading_tasks():
            self._tasks.start(work, name)
        # Balances and fees are asked for while the private links come up.
        async with asyncio.TaskGroup() as opening:
            opening.create_task(self._read_first())
            opening.create_task(self._until_ready())
        if self._tasks.stopping.is_set():
            return
        # Read a moment ago: the venue allows a start and its heirs few questions.
        self._tasks.every(5.0, self._show_holdings, "holdings", at_once=False)
        self._tasks.every(60.0, self._reads.fees, "fees", at_once=False)
        self._tasks.every(READ_EVERY_S, self._chain_fees.tell, "chain-fees")
        self._tasks.every(15.0, self._reads.samples, "samples")
        self._tasks.every(LOOK_EVERY_S, self._balances.look, "balance-watch")
        self._tasks.every(0.2, self._reads.ready, "ready")

    async def _read_first(self) -> None:
        await self._reads.first(self._tasks.stopping)
        self._start.reached("balances_read")

    async def _until_ready(self) -> None:
        while not (self._venues.kraken.is_ready and self._venues.solana.is_ready):
            if self._tasks.stopping.is_set():
                return
            await asyncio.sleep(READY_LOOK_S)
        self._start.reached("private_up")

    async def _begin_deciding(self) -> None:
        if self._tasks.stopping.is_set():
            return
        # Before recovery, so that what it settles is learnt once: when it is told.
        self.apply(await self._state.read_outcomes())
        # The links' own first word is "something may be missing": that is read now, once.
        self._gap.clear()
        busy = await recover(self._store, self._executor, self._venues.kraken, self._clock)
        self._start.reached("reconciled")
        followed = self._start.follow(self._executor.open_trades, is_market_up=self._is_market_up)
        self._tasks.start(followed, "start-record")
        windows = await self._store.open_windows()
        self.apply(
            WindowsRestored(windows=tuple(windows), busy_assets=busy, at_ns=self._clock.now_ns())
        )
        self._deciding = not self.local_kill.is_pulled
        if self._feeds == "inline":
            for name, work in self._venues.feed_tasks():
                self._tasks.start(work, name)
        else:
            self._tasks.start(self._take_from_bus(), "bus-feeds")
        self._tasks.every(0.1, self._tick, "timer")
        self._tasks.every(1.0, self._showing.write_windows, "windows")
        self._tasks.every(1.0, self._markouts.save, "markouts")
        self._tasks.every(SAMPLE_EVERY_S, self._compute.sample, "compute-units")
        self._tasks.start(self._slips.restore(), "slippage")
        self._tasks.every(0.05, self._showing.spreads, "spreads")
        self._tasks.every(1.0, self._showing.metrics, "metrics")
        self._tasks.start(self._executor_health(), "executor")
        if self._venues.routes.is_allowed:
            self._tasks.start(self._routes.run(), "routes")
        self._tasks.start(self._orders.follow(), "orders")
        self._tasks.start(self.rotation.follow(), "key-rotation")
        self._tasks.start(self._paper.run(), "paper")
        watched = self._canaries.keep(self._holding_back.record, self._holding_back.obey)
        self._tasks.start(watched, "canaries")
        self._tasks.start(
            keep_reconciling(
                self._store,
                self._executor,
                self._venues.kraken,
                self._clock,
                self._gap,
                self._restored,
            ),
            "reconcile",
        )
        if self._restored.unsure is not None:
            self._gap.set()
        # A generation-2 collection with Django loaded costs 12 ms; what lives now lives on.
        gc.collect()
        gc.freeze()
        log.info(
            "engine.started",
            epoch=self._store.epoch,
            assets=list(self._specs),
            stages_ms=self._start.stages_ms,
        )

    async def _take_from_bus(self) -> None:
        """Market events of the feed processes; the newest win when we fall behind."""
        subscription = await self._bus.subscribe(*bus_wire.SUBJECTS)
        async for _subject, payload in subscription:
            try:
                event = bus_wire.decode(payload)
            except msgspec.MsgspecError:
                metrics.MALFORMED_FRAMES.labels("bus").inc()
                continue
            self.apply(event)

    async def _shut_down(self) -> None:
        self._deciding = False
        if self._tasks.failure is None:
            await self._executor.drain(DRAIN_S)
        await self._executor.close()
        await self._tasks.cancel()
        if self._tasks.failure is None:
            await self._showing.write_windows()
        await self._venues.close()
        if self._journal is not None:
            await asyncio.to_thread(self._journal.close)
        await self._lease.release()
        await self._store.close()
        log.info("engine.stopped", failed=self._tasks.failure is not None)

    # ---- the tick path --------------------------------------------------------------

    def apply(self, event: EngineInput) -> None:
        """Feed one event to the engine and act on what it says. Synchronous, no I/O."""
        self._take(self._paper.show(event) if self._paper.is_on else event)

    def _take(self, event: EngineInput) -> None:
        effects = self._handle(event)
        for effect in effects:
            if isinstance(effect, SignalSeen):
                self._showing.signal(effect)
            elif isinstance(effect, Execute):
                self._execute(effect.intent, effects)
            elif isinstance(effect, NoteWindow):
                self._showing.note(effect)
            elif isinstance(effect, RequestStop):
                self._tasks.start(self._link.stop(effect), "stop")
            elif isinstance(effect, RequestResume):
                self._tasks.start(self._link.lift(effect), "lift")
        if isinstance(event, TradeClosed) and event.book == "live":
            self._measure.settled(event)
            self._markouts.settled(event)

    def _execute(self, intent: Intent, effects: list[Effect]) -> None:
        """Start an intent together with the note of the window it fires at."""
        if not self._deciding:
            return
        notes = (effect for effect in effects if isinstance(effect, NoteWindow))
        window = next((n for n in notes if n.window.window_id == intent.window_id), None)
        carry_out = self._paper.execute if intent.mode == "paper" else self._executor.execute
        self._tasks.start(carry_out(intent, window), "execute")
        if self._sampler.wants(intent):
            self._tasks.start(self._sampler.sample(intent), "sample")
        self._tasks.start(self._pictures.bound_quote(intent), "bound-quote")

    def _on_trading_event(self, event: CexEvent | DexEvent) -> None:
        """A venue's word about our own orders and balances."""
        if isinstance(event, CexFill | CexOrderState | TxSighting):
            self._executor.deliver(event)
        elif isinstance(event, CexBalance | TokenBalance):
            self._holdings.see(event)
        elif isinstance(event, CexLinkState):
            log.info("kraken.private_link", is_up=event.is_up, reason=event.reason)
            if event.gap:
                self._gap.set()

    def _on_booked(self, trade: TradeRecord) -> None:
        """Measure a trade closed from the venues' records, hold its fee to the prediction."""
        self._measure.booked(trade)
        self._slips.booked(trade)
        off = fee_surprise(trade)
        if off is not None:
            limit = f"{FEE_TOLERANCE * 10_000:.2f} bps off"
            alarm = self._link.raise_alarm(off.asset, FEE_RULE, off.text, off.value, limit)
            self._tasks.start(alarm, "alarm")

    def _hedge_market(self, asset: str) -> HedgeMarket | None:
        """What a residual of this asset would meet now; None while its book is unusable."""
        return hedge_market(self._engine.state, self._specs[asset], self._clock.now_ns())

    def _is_market_up(self) -> bool:
        """Whether every book and pool of ours can be priced."""
        feeds = self._engine.state.feeds
        return not any(
            feeds.book_fault(spec.cex_symbol) or feeds.pool_fault(spec.pool)
            for spec in self._specs.values()
        )

    def _marks_usd(self) -> dict[str, Decimal]:
        """USD marks of the quote assets and of SOL, as far as their books are usable."""
        marks = {asset: mark.usd for asset, mark in self._engine.state.feeds.marks.items()}
        return {"USD": Decimal(1), **marks}

    async def _tick(self) -> None:
        now_ns = self._clock.now_ns()
        self.apply(TimerFired(at_ns=now_ns))
        self._markouts.look(now_ns)

    # ---- side tasks -----------------------------------------------------------------

    async def _show_holdings(self) -> None:
        await self._reads.holdings(self._pictures, self._marks_usd())

    async def _executor_health(self) -> None:
        await self._executor.failed.wait()
        assert self._executor.failure is not None
        raise self._executor.failure
