"""Carries intents out: plan both legs, make the intent durable, send, and see trades to their end.

One executor per engine process. It owns the runners of all unfinished trades, routes the
venues' words to them, and starts recovery's trades through the same code. It decides
nothing about whether to trade: the engine did, and the store checks once more.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import psycopg

from arbsite.clock import uuid7
from arbsite.errors import NotSent, OutcomeUnknown
from arbsite.logs import bound_intent, event_logger
from feeds.venues.base import CexFill, TxSighting
from trading.effects import NoteWindow
from trading.engine.projection import swaps_of
from trading.execution import attempts
from trading.execution.booking import TradeRecords
from trading.execution.open_trade import DATABASE_RETRY_S, Floor
from trading.execution.order_rate import OrderRate
from trading.execution.ports import Desk
from trading.execution.runner import TradeRunner, VenueEvent
from trading.inputs import IntentRefused
from trading.intent import Intent
from trading.needs import needs_of
from trading.records import AttemptRecord, PersonsOrder, TradeRecord
from trading.storage.rows import risk_day

log = event_logger(__name__)
CANCEL_AGAIN_S = 0.1
T = TypeVar("T")


class Executor:
    """Runs every unfinished trade of one engine process."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._started_ns = desk.clock.now_ns()
        records = TradeRecords(desk.kraken, desk.clock, spacing_s=desk.protocol.booking_poll_s)
        rate = OrderRate(desk.orders_per_minute, desk.clock)
        self._floor = Floor(records, rate, self._naked_usd)
        self._runners: dict[TradeRunner, asyncio.Task[None]] = {}
        self._late: set[asyncio.Task[None]] = set()
        self._reported: set[str] = set()
        self._placing = 0
        self.failure: BaseException | None = None
        self.failed = asyncio.Event()

    # ---- new intents ----------------------------------------------------------------

    async def execute(self, intent: Intent, window: NoteWindow | None = None) -> None:
        """Store the decision and, when LIVE, trade it. Refusals go back to the engine."""
        self._placing += 1
        try:
            with bound_intent(intent.intent_key):
                await self._execute(intent, window)
        finally:
            self._placing -= 1

    async def _execute(self, intent: Intent, window: NoteWindow | None) -> None:
        decided_monotonic_ns = self._desk.clock.monotonic_ns()
        settings = self._desk.settings(intent.asset)
        if intent.mode != "live":
            await self._store_only(intent, window)
            return
        mode = self._desk.mode(intent.asset)
        if mode != "live":
            # The record would refuse too; a stop that the database does not know is obeyed here.
            self._refuse(intent, f"mode:{mode}")
            return
        if not await self._is_rate_kept(intent):
            return
        # The server writes the decision while the swap is signed.
        self._desk.store.begin_intent(intent, window)
        try:
            planned = self._plan(intent)
        except NotSent as error:
            self._refuse(intent, str(error))
            await self._desk.store.forget_intent(intent)
            return
        trade = TradeRecord(
            id=uuid7(),
            intent=intent,
            state="open",
            version=1,
            risk_day=risk_day(intent),
            attempts=planned,
        )
        funds = self._desk.funds()
        # Runs while the server writes: after the commit nothing is left but to send.
        readying = asyncio.create_task(self._make_ready(trade))
        asked_ns = self._desk.clock.monotonic_ns()
        try:
            verdict = await self._desk.store.record_intent(
                intent,
                settings,
                trade_id=trade.id,
                attempts=planned,
                window=window,
                needs=needs_of(intent, funds, swaps_of(settings.max_hedges)) if funds else (),
            )
            committed_ns = self._desk.clock.monotonic_ns()
        except NotSent as error:
            self._refuse(intent, str(error))
            return
        except OutcomeUnknown as error:
            log.warning("intent.commit_unknown", error=str(error)[:200])
            verdict, committed_ns = await self._ask_for(trade), None
        if verdict != "recorded":
            self._refuse(intent, verdict)
            return
        runner = await readying
        runner.start(decided_monotonic_ns=decided_monotonic_ns)
        try:
            # The sends go first: what runs and counts the trade must not delay them.
            await asyncio.sleep(0)
        finally:
            self._run(runner)
        if committed_ns is not None:
            self._desk.intent_committed(committed_ns - asked_ns)

    async def _make_ready(self, trade: TradeRecord) -> TradeRunner:
        runner = self._adopt(trade)
        runner.make_ready()
        return runner

    async def _is_rate_kept(self, intent: Intent) -> bool:
        """Whether two more orders stay within the rate; a breach stops its scope."""
        breach = self._floor.rate.breach(intent.asset)
        if breach is None:
            return True
        self._refuse(intent, "order_rate")
        await self._desk.raise_stop(
            breach.scope,
            "order_rate",
            f"{breach.sent} orders within a minute, the limit is {breach.limit}",
            str(breach.sent),
            str(breach.limit),
        )
        return False

    async def _ask_for(self, trade: TradeRecord) -> str:
        """Wait until the database tells whether the trade is on record: never assume.

        What is found is by then too old to be sent and closes as such.
        """
        while True:
            await asyncio.sleep(DATABASE_RETRY_S)
            with contextlib.suppress(psycopg.OperationalError):
                found = await self._desk.store.has_trade(trade.id)
                return "recorded" if found else "the database lost the intent"

    async def _store_only(self, intent: Intent, window: NoteWindow | None) -> None:
        try:
            verdict = await self._desk.store.record_intent(
                intent,
                self._desk.settings(intent.asset),
                trade_id=None,
                attempts=(),
                window=window,
            )
        except NotSent as error:
            verdict = str(error)
        self._refuse(intent, "stored" if verdict == "recorded" else verdict)

    def _refuse(self, intent: Intent, reason: str) -> None:
        log.info("intent.not_sent", asset=intent.asset, reason=reason)
        self._desk.emit(
            IntentRefused(
                intent_key=intent.intent_key,
                asset=intent.asset,
                reason=reason,
                at_ns=self._desk.clock.now_ns(),
            )
        )

    def _plan(self, intent: Intent) -> list[AttemptRecord]:
        """Both first attempts, the transaction signed. Raises NotSent when it cannot be."""
        now_ns = self._desk.clock.now_ns()
        if not self._desk.kraken.is_ready:
            raise NotSent("Kraken's private socket is not ready")
        if not self._desk.solana.is_ready:
            raise NotSent("Solana has no fresh blockhash")
        order = intent.verdict.order
        return [
            attempts.first_cex(intent, now_ns=now_ns, is_first=order != "dex_first"),
            attempts.first_dex(
                intent, self._desk.solana, now_ns=now_ns, is_first=order != "cex_first"
            ),
        ]

    # ---- unfinished trades ----------------------------------------------------------

    def resume(self, trade: TradeRecord) -> None:
        """Take a trade found in the database over from where it stands.

        A no-op for a trade that runs already: a venue's word may have woken it before.
        """
        if any(runner.trade.id == trade.id for runner in self._runners):
            return
        runner = self._adopt(trade)
        runner.resume()
        self._run(runner)

    async def resolve(self, order: PersonsOrder) -> bool:
        """Hand a person's order to its trade, woken up if need be; False without such a trade."""
        if not any(runner.trade.id == order.trade_id for runner in self._runners):
            trade = await self._desk.store.trade_by_id(order.trade_id)
            if trade is None:
                return False
            if not any(runner.trade.id == order.trade_id for runner in self._runners):
                self._run(self._adopt(trade))
        for runner in self._runners:
            if runner.trade.id == order.trade_id:
                runner.order(order)
        return True

    def _adopt(self, trade: TradeRecord) -> TradeRunner:
        return TradeRunner(self._desk, trade, self._floor)

    def _run(self, runner: TradeRunner) -> None:
        # The key travels with the task into every record of this trade's life.
        with bound_intent(runner.trade.intent.intent_key):
            task = asyncio.create_task(runner.run(), name=f"trade-{runner.trade.id}")
        self._runners[runner] = task
        task.add_done_callback(lambda done: self._ended(runner, done))

    def _ended(self, runner: TradeRunner, task: asyncio.Task[None]) -> None:
        self._runners.pop(runner, None)
        self._note_failure(task)

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            # Fenced or a bug: the process must stop, the database knows the rest.
            self.failure = self.failure or task.exception()
            self.failed.set()

    # ---- the venues' words ----------------------------------------------------------

    def deliver(self, event: VenueEvent) -> None:
        """Route a venue event to the trade it belongs to; a stray one looks for its trade."""
        for runner in self._runners:
            if runner.owns(event):
                runner.deliver(event)
                return
        if isinstance(event, CexFill) or (isinstance(event, TxSighting) and event.error is None):
            task = asyncio.create_task(self._find_home(event))
            self._late.add(task)
            task.add_done_callback(self._found)

    def _found(self, task: asyncio.Task[None]) -> None:
        self._late.discard(task)
        self._note_failure(task)

    async def _find_home(self, event: CexFill | TxSighting) -> None:
        """An execution without a running trade: known already, late, or of nobody."""
        trade = await self._trade_of(event)
        if trade is None:
            if isinstance(event, CexFill) and not await self._is_anothers(event):
                await self._report_stray(event)
            return
        if _is_known(trade, event):
            return
        for runner in self._runners:
            if runner.trade.id == trade.id:
                runner.deliver(event)
                return
        runner = self._adopt(trade)
        # Found in the database only, so perhaps before recovery: no old signal is sent.
        runner.resume()
        runner.deliver(event)
        self._run(runner)

    async def _trade_of(self, event: CexFill | TxSighting) -> TradeRecord | None:
        store, references = self._desk.store, _references(event)
        return await self._until_told(lambda: store.trade_by_reference(*references))

    async def _is_anothers(self, fill: CexFill) -> bool:
        """Whether the fill belongs to another shard's order; the account is one."""
        store, references = self._desk.store, _references(fill)
        return await self._until_told(lambda: store.is_of_another_shard(*references))

    async def _until_told(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask()
            except psycopg.OperationalError as error:
                # A fill waits for the database as long as it takes: it must find its trade.
                log.warning("fill.waits_for_database", error=str(error)[:200])
                await asyncio.sleep(DATABASE_RETRY_S)

    async def _report_stray(self, fill: CexFill) -> None:
        if fill.venue_at_ns < self._started_ns:
            # The private stream's snapshot repeats the account's last fills at start.
            log.warning("fill.before_start", fill_id=fill.fill_id)
            return
        if fill.fill_id in self._reported:
            # Named once; a person who lifted the stop must not meet it again.
            return
        self._reported.add(fill.fill_id)
        log.error("fill.stray", fill_id=fill.fill_id, order_id=fill.order_id)
        await self._desk.raise_stop(
            "*",
            "stray_fill",
            f"Kraken reports fill {fill.fill_id} of an order that is not ours",
            fill.fill_id,
            "",
        )

    # ---- for the host ---------------------------------------------------------------

    @property
    def is_placing(self) -> bool:
        """Whether an intent is between its decision and its sends: nothing may get in its way."""
        return self._placing > 0

    @property
    def open_trades(self) -> list[TradeRecord]:
        """Trades still being worked on."""
        return [runner.trade for runner in self._runners]

    def _naked_usd(self) -> Decimal:
        """What all open trades have naked now, at the marks of their decisions."""
        return sum(
            (
                abs(trade.residual_base) * trade.intent.marks_usd[trade.intent.asset]
                for trade in self.open_trades
                if not trade.is_settled
            ),
            Decimal(0),
        )

    @property
    def live_order_ids(self) -> set[str]:
        """Kraken order ids of running trades, also those not yet durable."""
        running = [attempt for trade in self.open_trades for attempt in trade.attempts]
        return {attempt.order_id for attempt in running if attempt.order_id}

    @property
    def is_resolving(self) -> bool:
        """Whether a running trade has sent an order whose venue id is not known yet.

        An order of nobody may be that one: too early to call it a stray.
        """
        running = [attempt for trade in self.open_trades for attempt in trade.attempts]
        return any(a.venue == "kraken" and a.is_live and not a.order_id for a in running)

    async def drain(self, timeout_s: float) -> None:
        """Wait for trades to settle before a stop; what is left is recovery's work."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while asyncio.get_running_loop().time() < deadline:
            if all(trade.is_settled for trade in self.open_trades):
                return
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Stop every runner where it stands."""
        tasks = {*self._runners.values(), *self._late}
        while tasks:
            # Asked again and again: in this Python a cancellation that meets the end of an
            # `asyncio.wait_for` is lost, and psycopg waits for its socket with one.
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_S)


def _references(event: CexFill | TxSighting) -> list[str]:
    """The venue's names of what was executed."""
    if isinstance(event, TxSighting):
        return [event.signature]
    return [name for name in (event.cl_ord_id, event.order_id) if name]


def _is_known(trade: TradeRecord, event: CexFill | TxSighting) -> bool:
    """Whether the trade has this execution already."""
    if isinstance(event, CexFill):
        return any(event.fill_id in attempt.fills for attempt in trade.attempts)
    return any(
        attempt.signature == event.signature and attempt.state == "done"
        for attempt in trade.attempts
    )
