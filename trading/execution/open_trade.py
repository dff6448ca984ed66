"""A trade in hand: its record, the drivers of its legs, sends on their way, durable saves.

What the runner, the second leg, the residual and the settling share. Nothing here decides;
it makes a change durable before what follows from it is sent. Callers: those four.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import msgspec
import psycopg

from arbsite.logs import event_logger
from trading.execution.booking import TradeRecords
from trading.execution.cex_leg import CexLeg
from trading.execution.dex_leg import DexLeg
from trading.execution.order_rate import OrderRate
from trading.execution.ports import Desk
from trading.legs import AttemptEvent, TradeEvent, next_attempt_state, next_trade_state
from trading.records import AttemptRecord, DayRelease, LedgerLine, TradeRecord

log = event_logger(__name__)
DATABASE_RETRY_S = 0.5


class Floor(msgspec.Struct, frozen=True):
    """What the trades of one executor share.

    `naked_usd` is the sum of all residuals now, at the marks of their decisions.
    """

    records: TradeRecords
    rate: OrderRate
    naked_usd: Callable[[], Decimal]


class OpenTrade:
    """One TradeRecord with everything that works on it.

    `crash` is the first task's failure; `wired_ns` when the last leg that waits for no other
    was handed to its venue by this process.
    """

    def __init__(self, desk: Desk, trade: TradeRecord, floor: Floor) -> None:
        self.desk = desk
        self.trade = trade
        self.cex: dict[object, CexLeg] = {}
        self.dex: dict[object, DexLeg] = {}
        self.wake = asyncio.Event()
        self.crash: BaseException | None = None
        self.wired_ns: int | None = None
        self.floor = floor
        self._sends: set[asyncio.Task[None]] = set()
        self._asking: dict[object, asyncio.Task[None]] = {}
        for attempt in trade.attempts:
            self.adopt(attempt)
        self._saved = self._picture()

    # ---- legs -----------------------------------------------------------------------

    def adopt(self, attempt: AttemptRecord) -> None:
        """Give an attempt of the trade its driver."""
        if attempt.venue == "kraken":
            self.cex[attempt.id] = CexLeg(self.desk, self.trade.intent, attempt, self.floor.records)
        else:
            self.dex[attempt.id] = DexLeg(self.desk, self.trade.intent, attempt)

    def dex_leg(self) -> DexLeg:
        """The driver of the newest swap of leg `dex`; the trade must have one."""
        attempt = self.trade.latest("dex")
        assert attempt is not None
        return self.dex[attempt.id]

    def outcomes_known(self) -> bool:
        """Whether every attempt's effect is known well enough to act on the residual."""
        if self._sends:
            return False
        for attempt in self.trade.attempts:
            if attempt.id in self.dex:
                if self.dex[attempt.id].outcome == "pending":
                    return False
            elif attempt.is_live:
                return False
        return True

    def outcomes_confirmed(self) -> bool:
        """Whether no swap is merely seen at processed; asked when all outcomes are known."""
        return all(leg.is_confirmed for leg in self.dex.values() if leg.attempt.is_live)

    def is_proven(self) -> bool:
        """Whether every attempt is over for good, by record or by proof."""
        return not any(attempt.is_live for attempt in self.trade.attempts)

    def is_all_booked(self) -> bool:
        """Whether no attempt can change the trade's books any more."""
        return all(not attempt.is_live and attempt.is_booked for attempt in self.trade.attempts)

    def drop(self, attempt: AttemptRecord, event: AttemptEvent, why: str) -> None:
        """End an attempt of which nothing left this machine."""
        attempt.state = next_attempt_state(attempt.state, event)  # type: ignore[arg-type]
        attempt.is_booked = True
        attempt.evidence.append(
            {"event": event, "at_ns": self.desk.clock.now_ns(), "answer": why[:300]}
        )

    def move(self, event: TradeEvent) -> None:
        """Move the trade by its table; IllegalTransition for a pair it does not list."""
        before = self.trade.state
        self.trade.state = next_trade_state(before, event)  # type: ignore[arg-type]
        log.info("trade.moved", was=before, now=self.trade.state, by=event)

    # ---- tasks ----------------------------------------------------------------------

    def is_asking(self, attempt: AttemptRecord) -> bool:
        """Whether the attempt's venue is being asked something now."""
        return attempt.id in self._asking

    def ask(self, attempt: AttemptRecord, work: Coroutine[Any, Any, list[LedgerLine]]) -> None:
        """Let a leg ask its venue beside everything else."""

        async def asked() -> None:
            self.trade.lines += await work

        task = asyncio.create_task(asked(), name=f"ask-{attempt.leg}-{attempt.seq}")
        self._asking[attempt.id] = task
        task.add_done_callback(lambda done: self._asked(attempt, done))

    def _asked(self, attempt: AttemptRecord, task: asyncio.Task[None]) -> None:
        self._asking.pop(attempt.id, None)
        self._note_end(task)

    def make_ready(self, attempt: AttemptRecord) -> None:
        """Have a SENDING attempt's message encoded while its row is still being written."""
        (self.cex.get(attempt.id) or self.dex[attempt.id]).make_ready()

    def send(self, attempt: AttemptRecord) -> None:
        """Hand a durable SENDING attempt to its venue beside everything else."""
        self.floor.rate.note(self.trade.intent.asset)
        task = asyncio.create_task(self._hand_over(attempt), name=f"send-{attempt.leg}")
        self._sends.add(task)
        task.add_done_callback(self._sent)

    async def _hand_over(self, attempt: AttemptRecord) -> None:
        leg, intent = self.cex.get(attempt.id) or self.dex[attempt.id], self.trade.intent
        if any(each is attempt for each in self.trade.first_attempts()):
            self.wired_ns = self.desk.clock.now_ns()
            # Counted two rounds of the loop later: the message leaves in the next one.
            took_ns = self.wired_ns - intent.detect_ns
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self.desk.first_sent, attempt.leg, took_ns)
        await leg.send()

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        self._note_end(task)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.crash = self.crash or task.exception()
        self.wake.set()

    @property
    def is_sending(self) -> bool:
        """Whether an attempt is on its way to its venue and not answered yet."""
        return bool(self._sends)

    def cancel_tasks(self) -> None:
        """Stop every send and question where it stands."""
        for task in [*self._sends, *self._asking.values()]:
            task.cancel()

    # ---- the database ---------------------------------------------------------------

    async def commit_and_send(self, attempt: AttemptRecord) -> None:
        """Make SENDING durable, then send: never the other way round."""
        if attempt.state != "planned":
            return
        attempt.state = next_attempt_state("planned", "send_started")
        attempt.sent_ns = self.desk.clock.now_ns()
        await self.save()
        self.send(attempt)

    async def save_if_changed(self) -> None:
        """Commit when anything durable differs from what was committed last."""
        if self._picture() != self._saved:
            await self.save()

    async def save(self, release: DayRelease | None = None) -> None:
        """Commit the trade; a database outage is waited out, the send behind it waits too."""
        while True:
            # Taken before: what moves while the commit runs may be in it or not.
            picture = self._picture()
            try:
                await self.desk.store.commit(self.trade, release=release)
            except psycopg.OperationalError as error:
                log.warning("trade.not_saved", error=str(error)[:200])
                await asyncio.sleep(DATABASE_RETRY_S)
            else:
                self._saved = picture
                return

    def _picture(self) -> bytes:
        """Everything durable that is worth a commit: not the version, nor when it was wired.

        That time goes with the next change; a commit of its own would compete with the sends.
        """
        trade = self.trade
        return msgspec.json.encode(
            [
                trade.state,
                trade.is_settled,
                trade.outcome,
                trade.is_verified,
                trade.both_filled_ns,
                trade.naked_until_ns,
                trade.reason,
                trade.day_pnl_usd,
                trade.verdicts,
                len(trade.lines),
                trade.attempts,
            ]
        )
