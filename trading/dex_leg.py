"""One Solana attempt of a trade: the same signed bytes until they land or cannot any more.

Landing is observed at `processed`, believed for hedging at `confirmed`, booked at
`finalized`. Death needs proof: the finalized height of every provider is past the last
valid height and none of them knows the signature. Called by the runner only.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Literal

from arbsite.errors import NotSent, OutcomeUnknown, QueryFailed, Rejected
from feeds.venues.base import DexReceipt, EndpointStatus, TxSighting
from trading.booking import expected_dex_fill, fill_from_receipt, ledger_of_receipt
from trading.intent import Intent
from trading.legs import AttemptEvent, next_attempt_state
from trading.ports import Desk
from trading.records import AttemptRecord, LedgerLine

log = logging.getLogger(__name__)
DexOutcome = Literal["pending", "landed", "failed", "expired"]


class DexLeg:
    """The driver of one Solana attempt."""

    def __init__(self, desk: Desk, intent: Intent, attempt: AttemptRecord) -> None:
        self.attempt = attempt
        self._desk = desk
        self._intent = intent
        self._outcome: DexOutcome = "pending"
        self._confirmed: DexReceipt | None = None
        self._was_sent = False
        self._next_send_ns = 0
        self._next_poll_ns = 0
        self.landed_slot: int | None = None
        if attempt.fills:
            self._outcome = "landed"

    @property
    def outcome(self) -> DexOutcome:
        """What the trade may act on now: provisional for `landed` and `expired`.

        `failed` is said at confirmed or better, `expired` when confirmed heights passed
        the last valid one; `landed` at processed.
        """
        if self.attempt.state == "done":
            return "landed" if self.attempt.base_delta else "failed"
        if self.attempt.state in ("dead", "stale"):
            return "expired"
        return self._outcome

    # ---- sending --------------------------------------------------------------------

    async def send(self) -> None:
        """Broadcast the stored bytes; the attempt must be durable as SENDING."""
        attempt = self.attempt
        assert attempt.raw_tx is not None
        assert attempt.signature is not None
        self._next_send_ns = self._desk.clock.now_ns() + self._ns(self._desk.protocol.rebroadcast_s)
        self._desk.solana.watch(attempt.signature)
        try:
            await self._desk.solana.broadcast(attempt.raw_tx)
        except NotSent as error:
            # Only a first broadcast proves that nothing is out there.
            if not self._was_sent and attempt.state == "sending":
                self._move("send_failed_before_wire", str(error))
                attempt.is_booked = True
        except (Rejected, OutcomeUnknown) as error:
            self._was_sent = True
            if attempt.state == "sending":
                self._move("outcome_unknown", str(error))
        else:
            self._was_sent = True

    def resume(self) -> None:
        """After a restart nothing proves that the bytes never left."""
        self._was_sent = True
        if self.attempt.signature and self.attempt.is_live:
            self._desk.solana.watch(self.attempt.signature)

    # ---- what the chain says --------------------------------------------------------

    def see(self, sighting: TxSighting) -> None:
        """Take a sighting of our signature in a block."""
        attempt = self.attempt
        if attempt.state in ("sending", "unknown"):
            attempt.acked_ns = sighting.recv_ns
            self._move("found")
        if attempt.state != "acked" or self._outcome in ("landed", "failed"):
            return
        self.landed_slot = sighting.slot
        if sighting.error is None:
            self._outcome = "landed"
            attempt.filled_ns = attempt.filled_ns or sighting.recv_ns
            fill = expected_dex_fill(self._intent, attempt, sighting.recv_ns)
            attempt.fills[fill.venue_fill_id] = fill
            attempt.filled_base = abs(attempt.base_delta)
        elif sighting.commitment != "processed":
            self._fail(sighting.error)

    def _fail(self, error: str) -> None:
        self._outcome = "failed"
        self.attempt.evidence.append(
            {"event": "landed_failed", "at_ns": self._desk.clock.now_ns(), "answer": error[:300]}
        )

    # ---- resolving and booking ------------------------------------------------------

    async def drive(self, *, may_broadcast: bool) -> list[LedgerLine]:
        """Re-send, ask, prove or book, whatever is due; returns lines when booked."""
        attempt = self.attempt
        if not attempt.is_live or attempt.state == "planned":
            return []
        now_ns = self._desk.clock.now_ns()
        if self._outcome == "pending" and may_broadcast and now_ns >= self._next_send_ns:
            await self.send()
        if now_ns < self._next_poll_ns:
            return []
        self._next_poll_ns = now_ns + self._ns(self._desk.protocol.dex_poll_s)
        try:
            if self._outcome in ("landed", "failed"):
                return await self._confirm_and_book()
            return await self._look_for_it()
        except QueryFailed as error:
            log.info("attempt.query_failed", extra={"leg": attempt.leg, "error": str(error)})
            return []

    async def _confirm_and_book(self) -> list[LedgerLine]:
        attempt = self.attempt
        assert attempt.signature is not None
        if self._confirmed is None:
            self._confirmed = await self._desk.solana.receipt(
                attempt.signature, commitment="confirmed"
            )
            if self._confirmed is not None:
                self._take_receipt(self._confirmed, booked=False)
                return []
        final = await self._desk.solana.receipt(attempt.signature, commitment="finalized")
        if final is None:
            await self._check_for_fork()
            return []
        self._take_receipt(final, booked=True)
        self._move("filled_terminal", f"finalized in slot {final.slot}")
        attempt.is_booked = True
        return ledger_of_receipt(self._intent, final)

    def _take_receipt(self, receipt: DexReceipt, *, booked: bool) -> None:
        attempt = self.attempt
        self.landed_slot = receipt.slot
        fill = fill_from_receipt(self._intent, receipt, booked=booked)
        if fill is None:
            attempt.fills.clear()
            if self._outcome != "failed":
                self._fail(receipt.error or "no balance moved")
        else:
            self._outcome = "landed"
            attempt.filled_ns = attempt.filled_ns or self._desk.clock.now_ns()
            attempt.fills[fill.venue_fill_id] = fill
        attempt.filled_base = abs(attempt.base_delta)

    async def _look_for_it(self) -> list[LedgerLine]:
        attempt = self.attempt
        assert attempt.signature is not None
        answers = await self._desk.solana.statuses(attempt.signature, commitment="confirmed")
        for answer in answers:
            if answer.sighting is not None:
                self.see(answer.sighting)
                return []
        if self._passed(answers):
            if self._outcome != "expired":
                self._outcome = "expired"
                self._note(answers, "confirmed")
            await self._prove_dead()
        return []

    async def _prove_dead(self) -> None:
        """DEAD: every provider's finalized height passed the last valid one, none knows it."""
        attempt = self.attempt
        assert attempt.signature is not None
        answers = await self._desk.solana.statuses(attempt.signature, commitment="finalized")
        for answer in answers:
            if answer.sighting is not None:
                self._outcome = "pending"
                self.see(answer.sighting)
                return
        if self._passed(answers):
            self._note(answers, "finalized")
            if attempt.state == "sending":
                self._move("outcome_unknown", "last valid height passed")
            self._move("proven_dead", "not known past its last valid height")
            attempt.is_booked = True

    async def _check_for_fork(self) -> None:
        """A sighting whose block was abandoned: past expiry and unknown everywhere."""
        attempt = self.attempt
        assert attempt.signature is not None
        answers = await self._desk.solana.statuses(attempt.signature, commitment="finalized")
        if any(answer.sighting is not None for answer in answers) or not self._passed(answers):
            return
        log.warning("fill.reorged", extra={"signature": attempt.signature})
        self._note(answers, "finalized")
        for fill in attempt.fills.values():
            # Kept as a row of zeros: the database never forgets that it was seen.
            fill.base_delta = fill.quote_delta = fill.fee = Decimal(0)
        attempt.filled_base = Decimal(0)
        self._move("proven_dead", "the block that held it was abandoned")
        attempt.is_booked = True

    def _passed(self, answers: list[EndpointStatus]) -> bool:
        """Whether silence is proof: two providers past the height, or one with a margin."""
        last = self.attempt.last_valid_height
        assert last is not None
        providers = {answer.provider for answer in answers if answer.height > last}
        if len(providers) >= 2:
            return all(answer.height > last for answer in answers)
        margin = self._desk.protocol.single_provider_margin_blocks
        return bool(answers) and all(answer.height > last + margin for answer in answers)

    def _note(self, answers: list[EndpointStatus], commitment: str) -> None:
        self.attempt.evidence.append(
            {
                "asked": f"signature status with history at {commitment}",
                "at_ns": self._desk.clock.now_ns(),
                "answer": [f"{item.endpoint}: unknown at {item.height}" for item in answers],
            }
        )

    def abandon(self, why: str) -> None:
        """A planned attempt that will never be sent."""
        self._move("abandoned", why)
        self.attempt.is_booked = True

    def _move(self, event: AttemptEvent, why: str = "") -> None:
        attempt = self.attempt
        before = attempt.state
        attempt.state = next_attempt_state(before, event)  # type: ignore[arg-type]
        if why:
            attempt.evidence.append(
                {"event": event, "at_ns": self._desk.clock.now_ns(), "answer": why[:300]}
            )
        log.info(
            "attempt.moved",
            extra={"leg": attempt.leg, "from": before, "to": attempt.state, "why": why[:200]},
        )

    @staticmethod
    def _ns(seconds: float) -> int:
        return int(seconds * 1e9)
