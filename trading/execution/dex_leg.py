"""One Solana attempt of a trade: the same signed bytes until they land or cannot any more.

Landing is observed at `processed`, believed for hedging at `confirmed`, booked at
`finalized`. Death needs proof: the finalized height of every provider is past the last
valid height and none of them knows the signature. Called by the runner only.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from arbsite.errors import NotSent, OutcomeUnknown, QueryFailed, Rejected
from arbsite.logs import event_logger
from feeds.venues.base import DexReceipt, EndpointStatus, TxSighting
from trading.execution.attempts import hedge_cu_limit
from trading.execution.booking import expected_dex_fill, fill_from_receipt, ledger_of_receipt
from trading.execution.ports import Desk
from trading.intent import Intent
from trading.legs import AttemptEvent, next_attempt_state
from trading.records import AttemptRecord, LedgerLine

log = event_logger(__name__)
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
        self._is_seen_confirmed = False
        self._next_send_ns = 0
        self._next_poll_ns = 0
        self._seen_ns = 0
        self.landed_slot: int | None = None
        if attempt.base_delta:
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

    @property
    def is_confirmed(self) -> bool:
        """Whether the outcome is said at confirmed or better; a fork can still undo it."""
        if self._outcome == "landed" and self.attempt.is_live:
            return self._is_seen_confirmed or self._confirmed is not None
        return self.outcome != "pending"

    @property
    def paid_raw(self) -> int | None:
        """What the swap moved of the pool's quote asset, by the chain's own record; else None."""
        receipt = self._confirmed
        if receipt is None or receipt.error is not None:
            return None
        return abs(receipt.deltas_raw.get(self._intent.spec.quote_mint, 0))

    # ---- sending --------------------------------------------------------------------

    def make_ready(self) -> None:
        """Have the request encoded before it is known to be durable; nothing leaves."""
        if self.attempt.raw_tx is not None:
            self._desk.solana.make_ready(self.attempt.raw_tx)

    async def send(self) -> None:
        """Broadcast the stored bytes; the attempt must be durable as SENDING."""
        attempt = self.attempt
        assert attempt.raw_tx is not None
        assert attempt.signature is not None
        now_ns = self._desk.clock.now_ns()
        self._next_send_ns = now_ns + self._ns(self._desk.protocol.rebroadcast_s)
        if not self._was_sent:
            # Sightings come by themselves; asking at once would only cost calls.
            self._next_poll_ns = now_ns + self._ns(self._desk.protocol.dex_poll_s)
        self._desk.solana.watch(attempt.signature)
        try:
            await self._desk.solana.broadcast(attempt.raw_tx)
        except NotSent as error:
            # Only a first broadcast proves that nothing is out there.
            if not self._was_sent and attempt.state == "sending":
                attempt.sent_ns = None
                self._move("send_failed_before_wire", str(error))
                attempt.is_booked = True
        except Rejected as error:
            # Said only of a first broadcast that every endpoint refused to forward.
            if attempt.state == "sending":
                self._move("rejected", str(error))
                attempt.is_booked = True
        except OutcomeUnknown as error:
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
        elif attempt.state == "dead":
            if sighting.error is not None:
                return
            # The proof of a single provider was wrong; the chain's word wins.
            self._move("late_fill", f"seen in slot {sighting.slot}")
            attempt.is_booked = False
            self._outcome = "pending"
        if self._outcome == "landed" and sighting.error is None:
            self._is_seen_confirmed |= sighting.commitment != "processed"
        if attempt.is_booked or self._outcome in ("landed", "failed"):
            return
        self.landed_slot = sighting.slot
        self._seen_ns = self._desk.clock.now_ns()
        if sighting.error is None:
            self._outcome = "landed"
            self._is_seen_confirmed = sighting.commitment != "processed"
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

    def _ran_out(self) -> None:
        """The swap used up its compute units: name it, and have the next one ask for more."""
        attempt, intent = self.attempt, self._intent
        is_hedge = attempt.leg == "hedge"
        limit = hedge_cu_limit(intent) if is_hedge else intent.cu_limit
        self._desk.compute_exceeded(intent, attempt.side, limit)
        words = f"ran out of {limit} compute units"
        now_ns = self._desk.clock.now_ns()
        attempt.evidence.append({"event": "compute_exceeded", "at_ns": now_ns, "answer": words})

    # ---- resolving and booking ------------------------------------------------------

    def is_due(self, *, may_broadcast: bool) -> bool:
        """Whether the bytes should be sent again or the chain be asked something now."""
        attempt, now_ns = self.attempt, self._desk.clock.now_ns()
        if attempt.state in ("planned", "dead", "stale") or attempt.is_booked:
            return False
        return now_ns >= self._next_poll_ns or self._is_send_due(may_broadcast=may_broadcast)

    def _is_send_due(self, *, may_broadcast: bool) -> bool:
        is_waiting = self.attempt.is_live and self._outcome == "pending"
        return (
            is_waiting
            and not self.attempt.is_resend_stopped
            and may_broadcast
            and self._desk.clock.now_ns() >= self._next_send_ns
        )

    async def drive(self, *, may_broadcast: bool) -> list[LedgerLine]:
        """Re-send, ask, prove or book, whatever is due; returns lines when booked."""
        if self._is_send_due(may_broadcast=may_broadcast):
            await self.send()
        now_ns = self._desk.clock.now_ns()
        if now_ns < self._next_poll_ns or not self.is_due(may_broadcast=may_broadcast):
            return []
        self._next_poll_ns = now_ns + self._ns(self._desk.protocol.dex_poll_s)
        try:
            if self._outcome in ("landed", "failed"):
                return await self._confirm_and_book()
            await self._look_for_it()
        except QueryFailed as error:
            log.info("attempt.query_failed", leg=self.attempt.leg, error=str(error))
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
            self._forget_fills()
            if self._outcome != "failed":
                self._fail(receipt.error or "no balance moved")
            if receipt.failure == "compute_exceeded" and not booked:
                self._ran_out()
        else:
            self._outcome = "landed"
            attempt.filled_ns = attempt.filled_ns or self._desk.clock.now_ns()
            attempt.fills[fill.venue_fill_id] = fill
        attempt.filled_base = abs(attempt.base_delta)

    async def _look_for_it(self) -> None:
        attempt = self.attempt
        assert attempt.signature is not None
        answers = await self._desk.solana.statuses(attempt.signature, commitment="confirmed")
        if self._take_sightings(answers) or not self._passed(answers):
            return
        if self._outcome == "pending":
            self._outcome = "expired"
            self._note(answers, "confirmed")
        answers = await self._desk.solana.statuses(attempt.signature, commitment="finalized")
        if not self._take_sightings(answers) and self._passed(answers):
            self._prove_dead(answers, "not known past its last valid height")

    async def prove(self) -> None:
        """Ask every endpoint once more, with history; raises QueryFailed."""
        assert self.attempt.signature is not None
        answers = await self._desk.solana.statuses(self.attempt.signature, commitment="finalized")
        for answer in answers:
            if answer.sighting is not None:
                self.see(answer.sighting)
                return
        self._note(answers, "finalized")

    def _take_sightings(self, answers: list[EndpointStatus]) -> bool:
        """Take what the endpoints know; whether the swap is known to have landed by now.

        The subscription may have told it while these answers were on their way.
        """
        for answer in answers:
            if answer.sighting is not None:
                if self._outcome == "expired":
                    self._outcome = "pending"
                self.see(answer.sighting)
                return True
        return self._outcome in ("landed", "failed")

    def _prove_dead(self, answers: list[EndpointStatus], why: str) -> None:
        """DEAD: every provider's finalized height passed the last valid one, none knows it."""
        attempt = self.attempt
        self._note(answers, "finalized")
        if attempt.state == "sending":
            self._move("outcome_unknown", "last valid height passed")
        self._move("proven_dead", why)
        attempt.is_booked = True

    async def _check_for_fork(self) -> None:
        """A sighting whose block was abandoned: nobody knows the signature any more.

        Before its last valid height the same bytes may still land in another block, so it
        is waited for again; past that height it is dead.
        """
        attempt = self.attempt
        assert attempt.signature is not None
        if self._desk.clock.now_ns() - self._seen_ns < self._ns(self._desk.protocol.reorg_s):
            return
        answers = await self._desk.solana.statuses(attempt.signature, commitment="finalized")
        is_known = any(answer.sighting is not None for answer in answers)
        if is_known or not answers or attempt.state == "done":
            return
        log.warning("fill.reorged", signature=attempt.signature)
        self._forget_fills()
        self._confirmed, self._outcome = None, "pending"
        self._is_seen_confirmed = False
        if self._passed(answers):
            self._prove_dead(answers, "the block that held it was abandoned")

    def _forget_fills(self) -> None:
        """Turn observed fills into zeros: the database never forgets that they were seen."""
        for fill in self.attempt.fills.values():
            fill.base_delta = fill.quote_delta = fill.fee = Decimal(0)
        self.attempt.filled_base = Decimal(0)

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
        log.info("attempt.moved", leg=attempt.leg, was=before, now=attempt.state, why=why[:200])

    @staticmethod
    def _ns(seconds: float) -> int:
        return int(seconds * 1e9)
