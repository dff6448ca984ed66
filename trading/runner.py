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
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

import msgspec
import psycopg

from arbsite.errors import NotSent
from arbsite.logs import event_logger
from feeds.venues.base import CexFill, CexOrderState, DexEvent, Side, TxSighting
from trading import attempts, booking
from trading.cex_leg import CexLeg
from trading.dex_leg import DexLeg
from trading.legs import (
    AttemptEvent,
    TradeEvent,
    next_attempt_state,
    next_trade_state,
    residual_action,
)
from trading.ports import Desk, HedgeMarket
from trading.records import AttemptRecord, DayRelease, LedgerLine, TradeRecord
from trading.telling import Telling

log = event_logger(__name__)
VenueEvent = CexFill | CexOrderState | DexEvent
IDLE_TURN_S = 0.2
DATABASE_RETRY_S = 0.5
FULL_FILL = Decimal("0.9")


class TradeRunner:
    """Owns one TradeRecord; `run` returns when it is closed or parked with an operator."""

    def __init__(self, desk: Desk, trade: TradeRecord, records: booking.TradeRecords) -> None:
        self.trade = trade
        self._desk = desk
        self._records = records
        self._inbox: deque[VenueEvent] = deque()
        self._wake = asyncio.Event()
        self._sends: set[asyncio.Task[None]] = set()
        self._asking: dict[object, asyncio.Task[None]] = {}
        self._crash: BaseException | None = None
        self._hedge_from_ns = 0
        self._cex: dict[object, CexLeg] = {}
        self._dex: dict[object, DexLeg] = {}
        self._saved = self._picture()
        self._telling = Telling(trade, desk.emit)
        self._settled_residual = trade.residual_base
        for attempt in trade.attempts:
            self._adopt(attempt)

    def _adopt(self, attempt: AttemptRecord) -> None:
        if attempt.venue == "kraken":
            self._cex[attempt.id] = CexLeg(self._desk, self.trade.intent, attempt, self._records)
        else:
            self._dex[attempt.id] = DexLeg(self._desk, self.trade.intent, attempt)

    # ---- what the executor calls ----------------------------------------------------

    def deliver(self, event: VenueEvent) -> None:
        """Queue a venue's word for the next turn."""
        self._inbox.append(event)
        self._wake.set()

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
                self._drop(attempt, "send_failed_before_wire", self.trade.reason)
            return
        for attempt in self.trade.attempts:
            if attempt.state == "sending":
                self._send(attempt)

    def _drop(self, attempt: AttemptRecord, event: AttemptEvent, why: str) -> None:
        """End an attempt of which nothing left this machine."""
        attempt.state = next_attempt_state(attempt.state, event)  # type: ignore[arg-type]
        attempt.is_booked = True
        attempt.evidence.append(
            {"event": event, "at_ns": self._desk.clock.now_ns(), "answer": why[:300]}
        )

    def resume(self) -> None:
        """Take over after a restart: nothing planned is sent, nothing sent is sent again."""
        for attempt in self.trade.attempts:
            if attempt.state == "planned":
                self._drop(attempt, "abandoned", "planned before a restart")
            elif attempt.state == "sending":
                attempt.state = next_attempt_state("sending", "outcome_unknown")
            if attempt.id in self._dex:
                self._dex[attempt.id].resume()

    async def run(self) -> None:
        """Work until the trade is closed or parked."""
        try:
            while True:
                await self._turn()
                if self._crash is not None:
                    # The database knows where the trade stands; a restart goes on from there.
                    raise self._crash
                if self._is_finished() and not self._inbox:
                    return
                with contextlib.suppress(TimeoutError):
                    # Not `wait_for`: it loses a cancellation that comes with the wake-up.
                    async with asyncio.timeout(IDLE_TURN_S):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            for task in [*self._sends, *self._asking.values()]:
                task.cancel()

    def _is_finished(self) -> bool:
        """Closed, or parked with nothing left to book."""
        if self.trade.state == "closed":
            return True
        return self.trade.state == "operator" and self._is_all_booked()

    def _is_all_booked(self) -> bool:
        return all(not a.is_live and a.is_booked for a in self.trade.attempts)

    # ---- one turn -------------------------------------------------------------------

    async def _turn(self) -> None:
        while self._inbox:
            self._take(self._inbox.popleft())
        self._drive_legs()
        self._note_times()
        await self._start_second_leg()
        await self._settle_or_hedge()
        await self._close_when_booked()
        await self._save_if_changed()
        self._tell_engine()

    def _drive_legs(self) -> None:
        """Let every leg that is due ask its venue, without waiting for the answers.

        A slow read must never hold up the second leg or a hedge.
        """
        may_broadcast = self._desk.mode(self.trade.intent.asset) != "halt"
        for cex in self._cex.values():
            if cex.attempt.id not in self._asking and cex.is_due():
                self._ask(cex.attempt, cex.drive())
        for dex in self._dex.values():
            if dex.attempt.id not in self._asking and dex.is_due(may_broadcast=may_broadcast):
                self._ask(dex.attempt, dex.drive(may_broadcast=may_broadcast))

    def _ask(self, attempt: AttemptRecord, work: Coroutine[Any, Any, list[LedgerLine]]) -> None:
        async def ask() -> None:
            self.trade.lines += await work

        task = asyncio.create_task(ask(), name=f"ask-{attempt.leg}-{attempt.seq}")
        self._asking[attempt.id] = task
        task.add_done_callback(lambda done: self._asked(attempt, done))

    def _asked(self, attempt: AttemptRecord, task: asyncio.Task[None]) -> None:
        self._asking.pop(attempt.id, None)
        self._note_end(task)

    def _take(self, event: VenueEvent) -> None:
        if isinstance(event, TxSighting):
            for dex in self._dex.values():
                if dex.attempt.signature == event.signature:
                    dex.see(event)
            return
        if not isinstance(event, CexFill | CexOrderState):
            return
        for cex in self._cex.values():
            attempt = cex.attempt
            if attempt.cl_ord_id == event.cl_ord_id or attempt.order_id == event.order_id:
                if isinstance(event, CexFill):
                    cex.see_fill(event)
                else:
                    cex.see_order(event)

    def _send(self, attempt: AttemptRecord) -> None:
        leg = self._cex.get(attempt.id) or self._dex[attempt.id]
        task = asyncio.create_task(leg.send(), name=f"send-{attempt.leg}-{attempt.seq}")
        self._sends.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        self._note_end(task)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._crash = self._crash or task.exception()
        self._wake.set()

    # ---- second leg -----------------------------------------------------------------

    async def _start_second_leg(self) -> None:
        planned = [attempt for attempt in self.trade.attempts if attempt.state == "planned"]
        if not planned:
            return
        attempt = planned[0]
        mode = self._desk.mode(self.trade.intent.asset)
        if mode != "live":
            self._drop(attempt, "abandoned", f"mode became {mode}")
        elif attempt.leg == "cex":
            await self._send_cex_after_dex(attempt)
        else:
            await self._send_dex_after_cex(attempt)

    async def _send_cex_after_dex(self, attempt: AttemptRecord) -> None:
        first = self._dex_leg()
        if first.outcome == "landed":
            attempt.deadline_ns = self._deadline_ns()
            await self._commit_and_send(attempt)
        elif first.outcome in ("failed", "expired"):
            self._drop(attempt, "abandoned", f"the Solana leg {first.outcome}")

    async def _send_dex_after_cex(self, attempt: AttemptRecord) -> None:
        first = self.trade.latest("cex")
        if first is None or first.is_live:
            return
        if first.filled_base == attempt.qty:
            await self._commit_and_send(attempt)
            return
        self._drop(attempt, "abandoned", f"the Kraken leg filled {first.filled_base}")
        if first.filled_base:
            self._shrink(attempt, first.filled_base)
            await self._commit_and_send(self.trade.attempts[-1])

    def _shrink(self, planned: AttemptRecord, base: Decimal) -> None:
        """Plan a swap of exactly what the partly filled first leg left to be swapped."""
        try:
            attempt = attempts.smaller_dex(
                self.trade.intent, self._desk.solana, seq=planned.seq + 1, base=base
            )
        except NotSent as error:
            self.trade.reason = f"second leg not signed: {error}"
            return
        self.trade.attempts.append(attempt)
        self._adopt(attempt)

    async def _commit_and_send(self, attempt: AttemptRecord) -> None:
        """Make SENDING durable, then send: never the other way round."""
        if attempt.state != "planned":
            return
        attempt.state = next_attempt_state("planned", "send_started")
        attempt.sent_ns = self._desk.clock.now_ns()
        await self._save()
        self._send(attempt)

    # ---- residual -------------------------------------------------------------------

    async def _settle_or_hedge(self) -> None:
        trade = self.trade
        self._reopen_if_moved()
        is_over = trade.is_settled and trade.state != "hedging"
        if is_over or trade.state == "operator" or not self._outcomes_known():
            return
        spec = trade.intent.spec
        lots = int(trade.residual_base.scaleb(spec.qty_precision))
        market = self._desk.hedge_market(trade.intent.asset)
        settings = self._desk.settings(trade.intent.asset)
        used = sum(1 for attempt in trade.attempts if attempt.leg == "hedge")
        naked_ns = self._desk.clock.now_ns() - (trade.naked_from_ns or self._desk.clock.now_ns())
        verdict = residual_action(
            lots,
            spec,
            settings,
            price_ticks=market.bid_ticks if market else trade.intent.cex_expected_ticks,
            cex_quote_usd=(
                market.cex_quote_usd if market else trade.intent.marks_usd[spec.cex_quote]
            ),
            attempts_left=settings.max_hedges - used,
            naked_s=naked_ns / 1e9,
        )
        if verdict.action in ("flat", "dust"):
            self._settle(verdict.reason if verdict.action == "dust" else "")
        elif verdict.action == "operator":
            await self._park(verdict.reason)
        elif self._desk.mode(trade.intent.asset) == "halt":
            await self._park("the desk is killed: hedges wait for a person")
        elif market is not None and self._desk.kraken.is_ready and self._may_hedge_now(used):
            await self._hedge(verdict.side, verdict.lots, market, used)

    def _may_hedge_now(self, used: int) -> bool:
        """The first hedge goes at once; the next ones leave the book time to come back."""
        now_ns = self._desk.clock.now_ns()
        if used and not self._hedge_from_ns:
            self._hedge_from_ns = now_ns + int(self._desk.protocol.hedge_pause_s * 1e9)
        return now_ns >= self._hedge_from_ns

    def _reopen_if_moved(self) -> None:
        """A settled residual that moves again is a late fill, or a fork that took one back.

        The trade goes back to HEDGING but stays settled: its asset was given free and may
        be in another trade by now.
        """
        trade = self.trade
        if not trade.is_settled or trade.residual_base == self._settled_residual:
            return
        if trade.state in ("open", "closed", "hedging"):
            log.warning("trade.reopened", residual=str(trade.residual_base))
            self._move("late_fill")
        self._settled_residual = trade.residual_base

    def _outcomes_known(self) -> bool:
        """Whether every attempt's effect is known well enough to act on the residual."""
        if self._sends:
            return False
        for attempt in self.trade.attempts:
            if attempt.id in self._dex:
                if self._dex[attempt.id].outcome == "pending":
                    return False
            elif attempt.is_live:
                return False
        return True

    async def _hedge(self, side: Side, lots: int, market: HedgeMarket, used: int) -> None:
        if self.trade.state == "open":
            self._move("residual_found")
        attempt = attempts.hedge(
            self.trade.intent,
            market,
            seq=used + 1,
            side=side,
            lots=lots,
            slip_bps=self._desk.protocol.hedge_slip_bps,
            now_ns=self._desk.clock.now_ns(),
        )
        self.trade.attempts.append(attempt)
        self._adopt(attempt)
        self._hedge_from_ns = 0
        await self._save()
        self._send(attempt)

    def _settle(self, note: str) -> None:
        trade = self.trade
        if trade.state == "hedging":
            self._move("hedged")
        trade.is_settled = True
        self._settled_residual = trade.residual_base
        trade.outcome = self._outcome_word()
        if note and not trade.reason:
            trade.reason = note
        if trade.naked_from_ns is not None and trade.naked_until_ns is None:
            trade.naked_until_ns = (
                max(attempt.filled_ns or 0 for attempt in trade.attempts)
                or self._desk.clock.now_ns()
            )

    def _outcome_word(self) -> str:
        cex, dex = self.trade.latest("cex"), self.trade.latest("dex")
        wanted = Decimal(self.trade.intent.qty_lots).scaleb(-self.trade.intent.spec.qty_precision)
        filled = [attempt.filled_base if attempt else Decimal(0) for attempt in (cex, dex)]
        if any(attempt.filled_base for attempt in self.trade.attempts if attempt.leg == "hedge"):
            return "hedged"
        if all(amount >= FULL_FILL * wanted for amount in filled):
            return "both"
        return "partial" if any(filled) else "missed"

    async def _park(self, why: str) -> None:
        """Hand the trade to a person, loudly: incident, stop, red banner."""
        trade = self.trade
        self._move("parked")
        trade.outcome = "partial"
        trade.reason = why
        await self._desk.raise_stop(
            trade.intent.asset,
            "residual_parked",
            f"{trade.residual_base} {trade.intent.asset} left over: {why}",
            str(trade.residual_base),
            "0",
        )

    # ---- times, closing, saving -----------------------------------------------------

    def _note_times(self) -> None:
        trade = self.trade
        times = [a.filled_ns for a in trade.attempts if a.filled_ns and a.filled_base]
        if times and trade.naked_from_ns is None:
            trade.naked_from_ns = min(times)
        sent = [attempt.sent_ns for attempt in trade.attempts if attempt.leg != "hedge"]
        if trade.wired_ns is None and all(sent):
            trade.wired_ns = max(value for value in sent if value)
        cex, dex = trade.latest("cex"), trade.latest("dex")
        if trade.both_filled_ns is None and cex and dex:
            wanted = FULL_FILL * min(cex.qty, dex.qty)
            if min(cex.filled_base, dex.filled_base) >= wanted and cex.filled_ns and dex.filled_ns:
                trade.both_filled_ns = max(cex.filled_ns, dex.filled_ns)

    async def _close_when_booked(self) -> None:
        trade = self.trade
        if not trade.is_settled or trade.state != "open":
            return
        if not self._is_all_booked():
            return
        before = trade.realised_pnl_usd
        trade.realised_pnl_usd = booking.realised_usd(trade)
        trade.is_verified = all(
            fill.status == "booked"
            for attempt in trade.attempts
            for fill in attempt.fills.values()
            if fill.base_delta
        )
        if trade.closed_ns is None:
            traded = trade.intent.notional_usd if trade.has_filled else Decimal(0)
            release = DayRelease(trade.intent.notional_usd, traded, trade.realised_pnl_usd)
        else:
            # Reopened by a late fill: the reservation was freed at the first close.
            gained = trade.realised_pnl_usd - (before or Decimal(0))
            release = DayRelease(Decimal(0), Decimal(0), gained)
        trade.closed_ns = self._desk.clock.now_ns()
        self._move("closed_flat")
        await self._save(release)
        self._desk.trade_booked(trade)

    async def _save_if_changed(self) -> None:
        if self._picture() != self._saved:
            await self._save()

    async def _save(self, release: DayRelease | None = None) -> None:
        """Commit the trade; a database outage is waited out, the send behind it waits too."""
        while True:
            # Taken before: what moves while the commit runs may be in it or not.
            picture = self._picture()
            try:
                await self._desk.store.commit(self.trade, release=release)
            except psycopg.OperationalError as error:
                log.warning("trade.not_saved", error=str(error)[:200])
                await asyncio.sleep(DATABASE_RETRY_S)
            else:
                self._saved = picture
                return

    def _picture(self) -> bytes:
        """Everything durable about the trade but its version counter."""
        trade = self.trade
        return msgspec.json.encode(
            [
                trade.state,
                trade.is_settled,
                trade.outcome,
                trade.is_verified,
                trade.wired_ns,
                trade.both_filled_ns,
                trade.naked_until_ns,
                trade.reason,
                len(trade.lines),
                trade.attempts,
            ]
        )

    def _tell_engine(self) -> None:
        landed_slot = self._dex_leg().landed_slot if self.trade.latest("dex") else None
        self._telling.tell(landed_slot=landed_slot, now_ns=self._desk.clock.now_ns())

    def _move(self, event: TradeEvent) -> None:
        before = self.trade.state
        self.trade.state = next_trade_state(before, event)  # type: ignore[arg-type]
        log.info("trade.moved", was=before, now=self.trade.state, by=event)

    def _dex_leg(self) -> DexLeg:
        attempt = self.trade.latest("dex")
        assert attempt is not None
        return self._dex[attempt.id]

    def _deadline_ns(self) -> int:
        return self._desk.clock.now_ns() + self.trade.intent.order_deadline_ms * 1_000_000
