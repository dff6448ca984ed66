"""One Kraken attempt of a trade: send once, resolve by reading, book from records.

A sent order is never sent again. A lost answer makes the attempt UNKNOWN, and only the
venue's own word ends that: an order found, or silence proven after the deadline (two
empty reads, spaced, later than deadline + skew + quiet). Called by the runner only.
"""

from __future__ import annotations

from decimal import Decimal

from arbsite.errors import NotSent, OutcomeUnknown, QueryFailed, Rejected
from arbsite.logs import event_logger
from feeds.venues.base import CexFill, CexOrder, CexOrderState
from trading.execution.booking import TradeRecords, fill_from_cex, ledger_of_cex_fill
from trading.execution.ports import Desk
from trading.intent import Intent
from trading.legs import AttemptEvent, next_attempt_state
from trading.records import AttemptRecord, LedgerLine

log = event_logger(__name__)
LOOK_BACK_NS = 60_000_000_000


class CexLeg:
    """The driver of one Kraken attempt (leg `cex` or `hedge`)."""

    def __init__(
        self, desk: Desk, intent: Intent, attempt: AttemptRecord, records: TradeRecords
    ) -> None:
        self.attempt = attempt
        self._desk = desk
        self._intent = intent
        self._records = records
        self._ended: CexOrderState | None = None
        self._empty_reads_ns: list[int] = []
        self._next_poll_ns = 0
        self.is_sending = False

    # ---- sending --------------------------------------------------------------------

    def make_ready(self) -> None:
        """Have the order encoded before it is known to be durable; nothing leaves."""
        self._desk.kraken.make_ready(self._order())

    async def send(self) -> None:
        """Hand the order to the venue, once. The attempt must be durable as SENDING."""
        attempt = self.attempt
        assert attempt.state == "sending"
        self.is_sending = True
        try:
            ack = await self._desk.kraken.submit(self._order())
        except NotSent as error:
            attempt.sent_ns = None
            self._move("send_failed_before_wire", str(error))
        except Rejected as error:
            # Frames in flight may have told more than the refusal; they stand.
            if attempt.state in ("sending", "unknown"):
                self._move("rejected", str(error))
        except OutcomeUnknown as error:
            # The stream may already have told the end while we waited for the reply.
            if attempt.is_live:
                self._move("outcome_unknown", str(error))
            self._next_poll_ns = 0
        else:
            attempt.order_id = ack.order_id
            attempt.acked_ns = attempt.acked_ns or ack.recv_ns
            if attempt.state in ("sending", "unknown"):
                self._move("acked")
        finally:
            self.is_sending = False

    def _order(self) -> CexOrder:
        attempt = self.attempt
        assert attempt.cl_ord_id is not None
        assert attempt.limit_price is not None
        assert attempt.deadline_ns is not None
        return CexOrder(
            cl_ord_id=attempt.cl_ord_id,
            symbol=self._intent.spec.cex_symbol,
            side="buy" if attempt.side == "buy" else "sell",
            qty=attempt.qty,
            limit_price=attempt.limit_price,
            deadline_ns=attempt.deadline_ns,
        )

    # ---- what the venue says --------------------------------------------------------

    def see_fill(self, fill: CexFill) -> None:
        """Take one execution, observed or on record, by the venue's own id."""
        attempt = self.attempt
        attempt.order_id = attempt.order_id or fill.order_id
        known = attempt.fills.get(fill.fill_id)
        if known is None:
            # The SLO clock: when it was first heard of, not when it was booked.
            attempt.filled_ns = max(attempt.filled_ns or 0, fill.recv_ns)
        if known is None or known.status == "observed":
            attempt.fills[fill.fill_id] = fill_from_cex(fill)
        attempt.filled_base = abs(attempt.base_delta)
        if attempt.state in ("dead", "stale", "planned"):
            # Dead by proof, yet executed: the venue's word wins. The other two are our bug.
            self._move("late_fill", fill.fill_id)
            attempt.is_booked = False
        elif attempt.state in ("sending", "unknown"):
            self._move("found", fill.order_id)
        self._end_when_complete()

    def see_order(self, state: CexOrderState) -> None:
        """Take the venue's word about the order; terminal words end the attempt."""
        attempt = self.attempt
        attempt.order_id = attempt.order_id or state.order_id
        if attempt.state in ("sending", "unknown"):
            attempt.acked_ns = attempt.acked_ns or state.recv_ns
            self._move("found", state.order_id)
        if state.is_terminal:
            self._ended = state
            self._end_when_complete()

    def _end_when_complete(self) -> None:
        """DONE only when every fill the order claims is in hand."""
        ended, attempt = self._ended, self.attempt
        if ended is None or attempt.state != "acked":
            return
        if abs(attempt.base_delta) == ended.filled_qty:
            self._move("filled_terminal", f"{ended.status} filled {ended.filled_qty}")

    # ---- resolving and booking ------------------------------------------------------

    def is_due(self) -> bool:
        """Whether the venue should be asked something now."""
        attempt, now_ns = self.attempt, self._desk.clock.now_ns()
        if self.is_sending or now_ns < self._next_poll_ns:
            return False
        is_open = attempt.state == "unknown" or self._acked_too_long(now_ns)
        return is_open or (attempt.state == "done" and not attempt.is_booked)

    async def drive(self) -> list[LedgerLine]:
        """Ask what is due; returns ledger lines when the attempt was booked."""
        protocol = self._desk.protocol
        try:
            if self.attempt.state == "done":
                self._pace(protocol.booking_poll_s / 2)
                return await self._book()
            self._pace(protocol.read_spacing_s)
            await self._resolve()
        except QueryFailed as error:
            # A failed query is never evidence.
            log.info("attempt.query_failed", leg=self.attempt.leg, error=str(error))
        return []

    def _acked_too_long(self, now_ns: int) -> bool:
        since = self.attempt.acked_ns or self.attempt.sent_ns or 0
        patience_ns = int(self._desk.protocol.ack_patience_s * 1e9)
        return self.attempt.state == "acked" and now_ns - since > patience_ns

    async def _resolve(self) -> None:
        attempt = self.attempt
        assert attempt.cl_ord_id
        since_ns = (attempt.sent_ns or 0) - LOOK_BACK_NS
        orders = await self._desk.kraken.find_orders(attempt.cl_ord_id, since_ns=since_ns)
        asked_ns = self._desk.clock.now_ns()
        if not orders:
            self._note_empty_read(asked_ns)
            return
        self._empty_reads_ns.clear()
        if len(orders) > 1:
            # The venue only keeps ids unique among OPEN orders; two would be our own bug.
            log.error("attempt.duplicate_order", cl_ord_id=attempt.cl_ord_id)
            await self._desk.raise_stop(
                "*", "duplicate_order", f"{len(orders)} orders carry one client id", "2", "1"
            )
        for order in orders:
            self.see_order(order)
        if self._ended and attempt.state == "acked" and self._ended.filled_qty:
            for fill in await self._records.of_order(attempt.order_id, since_ns=since_ns):
                self.see_fill(fill)

    async def prove(self) -> None:
        """Ask once more about an order that was sent, whatever is known; raises QueryFailed."""
        attempt = self.attempt
        assert attempt.cl_ord_id
        since_ns = (attempt.sent_ns or 0) - LOOK_BACK_NS
        orders = await self._desk.kraken.find_orders(attempt.cl_ord_id, since_ns=since_ns)
        for order in orders:
            self.see_order(order)
            if order.filled_qty:
                for fill in await self._desk.kraken.fills(since_ns=since_ns):
                    if fill.order_id == order.order_id:
                        self.see_fill(fill)
        attempt.evidence.append(
            {
                "asked": "open and closed orders by client id, as a person ordered",
                "at_ns": self._desk.clock.now_ns(),
                "answer": [f"{o.order_id}: {o.status} filled {o.filled_qty}" for o in orders],
            }
        )

    def _note_empty_read(self, asked_ns: int) -> None:
        """Count silence only after no match is possible any more."""
        attempt, protocol = self.attempt, self._desk.protocol
        assert attempt.deadline_ns is not None
        quiet_from_ns = attempt.deadline_ns + int((protocol.skew_s + protocol.quiet_s) * 1e9)
        if attempt.state != "unknown" or asked_ns <= quiet_from_ns:
            return
        self._empty_reads_ns.append(asked_ns)
        # Between the answer and the next question: a read may have waited for its turn.
        self._pace(protocol.read_spacing_s)
        attempt.evidence.append(
            {"asked": "open and closed orders by client id", "at_ns": asked_ns, "answer": "none"}
        )
        if len(self._empty_reads_ns) >= protocol.empty_reads:
            self._move("proven_dead", f"{len(self._empty_reads_ns)} empty reads after the deadline")
            attempt.is_booked = True

    async def _book(self) -> list[LedgerLine]:
        """Book when the closed order and the trade records agree, to the last unit."""
        attempt = self.attempt
        since_ns = (attempt.sent_ns or 0) - LOOK_BACK_NS
        # Known from the database only, or a zero the order itself has to confirm.
        is_end_told = self._ended is not None and bool(attempt.filled_base)
        if not is_end_told and not await self._read_end(since_ns):
            return []
        assert self._ended is not None
        if self._ended.filled_qty:
            for fill in await self._records.of_order(self._ended.order_id, since_ns=since_ns):
                self.see_fill(fill)
        booked = [fill for fill in attempt.fills.values() if fill.status == "booked"]
        if abs(sum((fill.base_delta for fill in booked), Decimal(0))) != self._ended.filled_qty:
            return []
        attempt.is_booked = True
        self._records.forget(self._ended.order_id)
        return [line for fill in booked for line in ledger_of_cex_fill(self._intent, fill)]

    async def _read_end(self, since_ns: int) -> bool:
        """Whether the venue's records show the order as over."""
        assert self.attempt.cl_ord_id
        orders = await self._desk.kraken.find_orders(
            self.attempt.cl_ord_id, since_ns=since_ns, is_over=True
        )
        for order in orders:
            if order.is_terminal:
                self.see_order(order)
                return True
        return False

    def _pace(self, seconds: float) -> None:
        self._next_poll_ns = self._desk.clock.now_ns() + int(seconds * 1e9)

    def _move(self, event: AttemptEvent, why: str = "") -> None:
        attempt = self.attempt
        before = attempt.state
        attempt.state = next_attempt_state(before, event)  # type: ignore[arg-type]
        if event in ("rejected", "send_failed_before_wire"):
            attempt.is_booked = True
        if why and event not in ("acked", "found"):
            attempt.evidence.append(
                {"event": event, "at_ns": self._desk.clock.now_ns(), "answer": why[:300]}
            )
        log.info("attempt.moved", leg=attempt.leg, was=before, now=attempt.state, why=why[:200])
