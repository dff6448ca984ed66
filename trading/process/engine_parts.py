"""The parts of one engine process, and how an event runs through them.

Builds the pure engine, executor, paper desk, watchers and pictures of one shard and
connects them; `apply` is the tick path. Nothing runs here by itself: the host starts and
ends the tasks. Called by `manage.py run_engine` and the host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from arbsite.bus import Bus
from arbsite.clock import Clock
from arbsite.events import Mode
from arbsite.logs import event_logger
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
from feeds.venues.kraken.framed import FrameInHand
from trading.compute_units import ComputeLimits
from trading.effects import Effect, Execute, NoteWindow, RequestResume, RequestStop, SignalSeen
from trading.execution.executor import Executor
from trading.execution.hedge_market import hedge_market
from trading.execution.outage import Outage
from trading.execution.ports import Desk, HedgeMarket, OrdersPerMinute
from trading.execution.residual import ResidualLimits
from trading.execution.resolution_orders import ResolutionOrders
from trading.inputs import EngineInput, TradeClosed
from trading.intent import Intent
from trading.journal.format import EngineSetup
from trading.journal.keeper import EngineJournal
from trading.process.balance_watch import BalanceWatch
from trading.process.canaries import Canaries
from trading.process.chain_fees import ChainFees
from trading.process.compute_sampling import ComputeSampler
from trading.process.desk_link import DeskLink
from trading.process.desk_state import DeskState
from trading.process.fee_watch import RULE as FEE_RULE
from trading.process.fee_watch import TOLERANCE as FEE_TOLERANCE
from trading.process.fee_watch import fee_surprise
from trading.process.holding_back import HoldingBack
from trading.process.holdings import Holdings
from trading.process.local_kill import LocalKill
from trading.process.markouts import Markouts
from trading.process.measure import Measure
from trading.process.paper_desk import PaperDesk
from trading.process.process_tasks import ProcessTasks
from trading.process.publishing import Pictures
from trading.process.restored import RestoredDatabase
from trading.process.rotation import KeyRotation
from trading.process.route_quotes import RouteQuotes, RouteSizes
from trading.process.sampling import Sampler
from trading.process.showing import Showing
from trading.process.slip_watch import SlipWatch
from trading.process.venue_reads import VenueReads
from trading.records import TradeRecord
from trading.storage.lease import SILENT_AFTER_S, Lease
from trading.storage.paper_store import PaperStore
from trading.storage.store import TradeStore

log = event_logger(__name__)
VenuesFactory = Callable[
    [Callable[[MarketEvent], None], Callable[[CexEvent | DexEvent], None]], Venues
]


class EngineParts:
    """Everything one engine process is made of."""

    def __init__(
        self,
        *,
        dsn: str,
        shard: str,
        specs: dict[str, MarketSpec],
        venues: VenuesFactory,
        bus: Bus,
        clock: Clock,
        profile: str,
        holder: str,
        lease_silent_s: float = SILENT_AFTER_S,
        key_name: str = "",
        journal: Callable[[EngineSetup], EngineJournal] | None = None,
        in_hand: FrameInHand | None = None,
        kill_file: Path | None = None,
        mark_file: Path | None = None,
        limits: ResidualLimits = ResidualLimits(),  # noqa: B008 - immutable
        orders_per_minute: OrdersPerMinute = OrdersPerMinute(),  # noqa: B008 - immutable
        sample_share: float = 0.0,
    ) -> None:
        self.clock = clock
        self.specs = specs
        self.lease = Lease(
            dsn, shard=shard, holder=holder, silent_after_s=lease_silent_s, key_name=key_name
        )
        self.store = TradeStore(dsn, shard=shard, clock=clock)
        self.restored = RestoredDatabase(self.store, mark_file, clock, shard=shard)
        self.state = DeskState(self.store, clock)
        self.tasks = ProcessTasks()
        self.measure = Measure()
        self.gap = asyncio.Event()
        self.link = DeskLink(
            dsn, self.state, clock, apply=self.apply,
            show_status=lambda: self.showing.status(),  # noqa: PLW0108 - it is made further down
        )  # fmt: skip
        setup = EngineSetup(specs=specs)
        self.engine = setup.build()
        self.journal = journal(setup) if journal is not None else None
        self._handle = (
            self.journal.around(self.engine, in_hand) if self.journal else self.engine.handle
        )
        self.venues = venues(self.apply, self._on_trading_event)
        self.local_kill = LocalKill(kill_file, obeyed=self._obey_local_kill)
        self.holdings = Holdings(
            specs.values(), self.venues.kraken, self.venues.solana, clock, self.apply
        )
        self.slips = SlipWatch(self.store, clock, self.apply)
        compute = ComputeLimits()
        self.compute = ComputeSampler(self.venues.compute.units, self.engine.state, compute, clock)
        self.chain_fees = ChainFees(
            self.venues.landing_fees, clock, self.apply,
            can_tip=self.venues.can_tip, compute=compute,
        )  # fmt: skip
        self._desk = self._make_desk(limits, orders_per_minute)
        self.executor = Executor(self._desk)
        self.paper = PaperDesk(
            specs,
            PaperStore(self.store, clock, shard=shard),
            clock,
            self.engine.state,
            emit=self._take,
            mode=self._desk.mode,
            settings=self._desk.settings,
        )
        self.outage = Outage(dsn, self.executor)
        self.rotation = KeyRotation(self.venues, self.lease, raise_alarm=self.link.raise_alarm)
        self.orders = ResolutionOrders(self.store, self.executor, clock, shard=shard)
        self.link.wakes = {"resolution": self.orders.wake, "reconcile": self.gap}
        self._add_watchers(is_sim=profile == "sim", sample_share=sample_share)
        self.pictures = Pictures(bus, self.state, profile=profile)
        self.showing = Showing(
            self.pictures, self.measure,
            engine=self.engine, venues=self.venues, executor=self.executor,
            state=self.state, store=self.store, clock=clock,
        )  # fmt: skip
        self.is_deciding = False

    def _make_desk(self, limits: ResidualLimits, orders_per_minute: OrdersPerMinute) -> Desk:
        """What the executor works with."""
        return Desk(
            kraken=self.venues.kraken,
            solana=self.venues.solana,
            store=self.store,
            clock=self.clock,
            emit=self.apply,
            mode=self._mode,
            settings=self.state.settings.__getitem__,
            hedge_market=self._hedge_market,
            raise_stop=self.link.raise_stop,
            intent_committed=self.measure.intent_committed,
            first_sent=self.measure.first_sent,
            funds=lambda: self.holdings.funds(self.state.fee_floor_lamports),
            limits=limits,
            orders_per_minute=orders_per_minute,
            trade_booked=self._on_booked,
            compute_exceeded=self.chain_fees.compute_exceeded,
        )

    def _add_watchers(self, *, is_sim: bool, sample_share: float) -> None:
        """What looks at venues, balances and trades beside the decisions."""
        venues, clock = self.venues, self.clock
        sides = (venues.kraken, venues.solana)
        self.holding_back = HoldingBack(is_obeyed=not is_sim)
        self.canaries = Canaries(*sides, self.specs, self.engine.state.feeds, clock)
        self.sampler = Sampler(
            *sides, self.store, clock, share=sample_share, report=self.holding_back.report
        )
        self.reads = VenueReads(venues, self.holdings, self.specs, self.store, clock, self.apply)
        self.balances = BalanceWatch(
            self.store, self.holdings, self.specs.values(), clock,
            raise_stop=self.link.raise_stop, stopped_by=self.state.trips_of,
        )  # fmt: skip
        self.routes = RouteQuotes(
            venues.routes, self.engine.state, clock, self.apply,
            RouteSizes(max_usd=venues.routes.max_usd),
        )  # fmt: skip
        self.markouts = Markouts(self.store, self.specs, self._hedge_market)

    # ---- the tick path --------------------------------------------------------------

    def apply(self, event: EngineInput) -> None:
        """Feed one event to the engine and act on what it says. Synchronous, no I/O."""
        self._take(self.paper.show(event) if self.paper.is_on else event)

    def _take(self, event: EngineInput) -> None:
        effects = self._handle(event)
        for effect in effects:
            if isinstance(effect, SignalSeen):
                self.showing.signal(effect)
            elif isinstance(effect, Execute):
                self._execute(effect.intent, effects)
            elif isinstance(effect, NoteWindow):
                self.showing.note(effect)
            elif isinstance(effect, RequestStop):
                self.tasks.start(self.link.stop(effect), "stop")
            elif isinstance(effect, RequestResume):
                self.tasks.start(self.link.lift(effect), "lift")
        if isinstance(event, TradeClosed) and event.book == "live":
            self.measure.settled(event)
            self.markouts.settled(event)

    def rehearse(self) -> None:
        """Keep the next decision in the caches, unless one is just being carried out."""
        if not self.executor.is_placing:
            self.engine.rehearse()

    def _execute(self, intent: Intent, effects: list[Effect]) -> None:
        """Start an intent together with the note of the window it fires at."""
        if not self.is_deciding:
            return
        notes = (effect for effect in effects if isinstance(effect, NoteWindow))
        window = next((n for n in notes if n.window.window_id == intent.window_id), None)
        self.tasks.start(self._carry_out(intent, window), "execute")
        if self.sampler.wants(intent):
            self.tasks.start(self.sampler.sample(intent), "sample")

    async def _carry_out(self, intent: Intent, window: NoteWindow | None) -> None:
        """Trade first, tell the bus afterwards: its readers share the cores with the sends."""
        if intent.mode == "paper":
            await self.paper.execute(intent, window)
        else:
            await self.executor.execute(intent, window)
        await self.pictures.bound_quote(intent)

    def _on_trading_event(self, event: CexEvent | DexEvent) -> None:
        """A venue's word about our own orders and balances."""
        if isinstance(event, CexFill | CexOrderState | TxSighting):
            self.executor.deliver(event)
        elif isinstance(event, CexBalance | TokenBalance):
            self.holdings.see(event)
        elif isinstance(event, CexLinkState):
            log.info("kraken.private_link", is_up=event.is_up, reason=event.reason)
            if event.gap:
                self.gap.set()

    def _on_booked(self, trade: TradeRecord) -> None:
        """Measure a trade closed from the venues' records, hold its fee to the prediction."""
        self.measure.booked(trade)
        self.slips.booked(trade)
        off = fee_surprise(trade)
        if off is not None:
            limit = f"{FEE_TOLERANCE * 10_000:.2f} bps off"
            alarm = self.link.raise_alarm(off.asset, FEE_RULE, off.text, off.value, limit)
            self.tasks.start(alarm, "alarm")

    def _hedge_market(self, asset: str) -> HedgeMarket | None:
        """What a residual of this asset would meet now; None while its book is unusable."""
        return hedge_market(self.engine.state, self.specs[asset], self.clock.now_ns())

    def is_market_up(self) -> bool:
        """Whether every book and pool of ours can be priced."""
        feeds = self.engine.state.feeds
        return not any(
            feeds.book_fault(spec.cex_symbol) or feeds.pool_fault(spec.pool)
            for spec in self.specs.values()
        )

    def marks_usd(self) -> dict[str, Decimal]:
        """USD marks of the quote assets and of SOL, as far as their books are usable."""
        marks = {asset: mark.usd for asset, mark in self.engine.state.feeds.marks.items()}
        return {"USD": Decimal(1), **marks}

    def _mode(self, asset: str) -> Mode:
        """What may be sent for an asset: the desk's word, or less."""
        return self.restored.mode(self.local_kill.mode(self.state.mode(asset)))

    def _obey_local_kill(self) -> None:
        self.is_deciding = False
        self.apply(LocalKill.applied(self.clock.now_ns()))
