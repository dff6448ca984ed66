"""One trade from its durable intent to its booked end, by looking at where it stands.

The runner is level-triggered: each turn it takes what the venues said, drives every live
attempt one step, starts the second leg, hedges a residual, settles, books and closes. A
fresh trade and one found after a crash run the same code. It never decides to trade; it
finishes what was decided. Callers: the executor.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from arbsite.logs import event_logger
from feeds.venues.base import CexFill, CexOrderState, DexEvent, TxSighting
from trading.execution.hedging import Hedging
from trading.execution.open_trade import Floor, OpenTrade
from trading.execution.ports import Desk
from trading.execution.second_leg import SecondLeg
from trading.execution.settling import Settling
from trading.execution.telling import Telling
from trading.execution.ways_out import WaysOut
from trading.legs import next_attempt_state
from trading.records import PersonsOrder, TradeRecord

log = event_logger(__name__)
VenueEvent = CexFill | CexOrderState | DexEvent
IDLE_TURN_S = 0.2


class TradeRunner:
    """Owns one TradeRecord; `run` returns when it is closed or parked with an operator."""

    def __init__(self, desk: Desk, trade: TradeRecord, floor: Floor) -> None:
        self.trade = trade
        self._desk = desk
        self._hand = OpenTrade(desk, trade, floor)
        self._second_leg = SecondLeg(self._hand)
        self._settling = Settling(self._hand)
        self._hedging = Hedging(self._hand, self._settling)
        self._ways_out = WaysOut(self._hand, self._settling, self._hedging)
        self._telling = Telling(trade, desk.emit)
        self._inbox: deque[VenueEvent] = deque()

    # ---- what the executor calls ----------------------------------------------------

    def deliver(self, event: VenueEvent) -> None:
        """Queue a venue's word for the next turn."""
        self._inbox.append(event)
        self._hand.wake.set()

    def order(self, order: PersonsOrder) -> None:
        """Queue what a person ordered for the next turn."""
        if self.trade.state == "operator":
            self._telling.was_told()
        self._ways_out.order(order)

    def owns(self, event: VenueEvent) -> bool:
        """Whether the event is about one of our attempts."""
        if isinstance(event, TxSighting):
            return any(a.signature == event.signature for a in self.trade.attempts)
        if isinstance(event, CexFill | CexOrderState):
            return any(
                (event.cl_ord_id is not None and a.cl_ord_id == event.cl_ord_id)
                or (a.order_id != "" and a.order_id == event.order_id)
                for a in self.trade.attempts
            )
        return False

    def make_ready(self) -> None:
        """Do beforehand what sending the first attempts takes, except for sending them."""
        for attempt in self.trade.attempts:
            if attempt.state == "sending":
                self._hand.make_ready(attempt)

    def start(self, *, decided_monotonic_ns: int) -> None:
        """Send what was recorded as SENDING, unless the decision has grown too old.

        Both clocks must agree that it is young: a wall clock that jumped back proves nothing.
        """
        intent, clock = self.trade.intent, self._desk.clock
        age_ns = max(
            clock.now_ns() - intent.decided_ns, clock.monotonic_ns() - decided_monotonic_ns
        )
        if age_ns > self._desk.protocol.max_intent_age_s * 1e9:
            self.trade.reason = f"not sent: the intent was {age_ns / 1e6:.0f} ms old"
            for attempt in self.trade.attempts:
                attempt.sent_ns = None
                self._hand.drop(attempt, "send_failed_before_wire", self.trade.reason)
            return
        for attempt in self.trade.attempts:
            if attempt.state == "sending":
                self._hand.send(attempt)

    def resume(self) -> None:
        """Take over after a restart: nothing planned is sent, nothing sent is sent again."""
        for attempt in self.trade.attempts:
            if attempt.state == "planned":
                self._hand.drop(attempt, "abandoned", "planned before a restart")
            elif attempt.state == "sending":
                attempt.state = next_attempt_state("sending", "outcome_unknown")
            if attempt.id in self._hand.dex:
                self._hand.dex[attempt.id].resume()

    async def run(self) -> None:
        """Work until the trade is closed or parked."""
        try:
            if self._hand.is_sending:
                # What a turn computes and saves must not delay what is about to leave: in
                # this round of the loop and, where requests have tasks of their own, the next.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await self._rest()
                intent = self.trade.intent
                log.info("trade.sent", asset=intent.asset, order=intent.verdict.order)
            while True:
                await self._turn()
                if self._hand.crash is not None:
                    # The database knows where the trade stands; a restart goes on from there.
                    raise self._hand.crash
                if self._is_finished() and not self._inbox and self._ways_out.is_idle:
                    return
                await self._rest()
        finally:
            self._hand.cancel_tasks()

    async def _rest(self) -> None:
        """Wait until something happened, or for an idle turn's time."""
        with contextlib.suppress(TimeoutError):
            # Not `wait_for`: it loses a cancellation that comes with the wake-up.
            async with asyncio.timeout(IDLE_TURN_S):
                await self._hand.wake.wait()
        self._hand.wake.clear()

    def _is_finished(self) -> bool:
        """Closed, or parked with nothing left to book."""
        if self.trade.state == "closed":
            return True
        return self.trade.state == "operator" and self._hand.is_all_booked()

    # ---- one turn -------------------------------------------------------------------

    async def _turn(self) -> None:
        while self._inbox:
            self._take(self._inbox.popleft())
        self._drive_legs()
        self._settling.note_times()
        await self._ways_out.carry_out()
        await self._second_leg.start()
        await self._hedging.settle_or_hedge()
        await self._settling.close_when_booked()
        await self._hand.save_if_changed()
        self._tell_engine()

    def _drive_legs(self) -> None:
        """Let every leg that is due ask its venue, without waiting for the answers.

        A slow read must never hold up the second leg or a hedge.
        """
        may_broadcast = self._desk.mode(self.trade.intent.asset) != "halt"
        for cex in self._hand.cex.values():
            if not self._hand.is_asking(cex.attempt) and cex.is_due():
                self._hand.ask(cex.attempt, cex.drive())
        for dex in self._hand.dex.values():
            is_due = dex.is_due(may_broadcast=may_broadcast)
            if not self._hand.is_asking(dex.attempt) and is_due:
                self._hand.ask(dex.attempt, dex.drive(may_broadcast=may_broadcast))

    def _take(self, event: VenueEvent) -> None:
        if isinstance(event, TxSighting):
            for dex in self._hand.dex.values():
                if dex.attempt.signature == event.signature:
                    dex.see(event)
            return
        if not isinstance(event, CexFill | CexOrderState):
            return
        for cex in self._hand.cex.values():
            attempt = cex.attempt
            if attempt.cl_ord_id == event.cl_ord_id or attempt.order_id == event.order_id:
                if isinstance(event, CexFill):
                    cex.see_fill(event)
                else:
                    cex.see_order(event)

    def _tell_engine(self) -> None:
        landed_slot = self._hand.dex_leg().landed_slot if self.trade.latest("dex") else None
        self._telling.tell(landed_slot=landed_slot, now_ns=self._desk.clock.now_ns())
