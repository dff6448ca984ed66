"""A trade in the engine's memory: the mutable twins of the Trade, Attempt and Fill rows.

The runner changes these and hands them to `TradeStore.commit`, which writes them in one
fenced transaction. Whole units are `Decimal`; base deltas are signed (+ we received base).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec

from arbsite.events import LegRow, TradeRow
from trading.intent import Intent

LIVE_ATTEMPT_STATES = ("planned", "sending", "unknown", "acked")
RESEND_STOPPED = "resend_stopped"


class LedgerLine(msgspec.Struct, frozen=True):
    """One booked balance change of a trade, whole units, exact."""

    venue: str
    venue_asset: str
    asset: str
    delta: Decimal
    kind: Literal["trade", "fee", "tip"]
    reference: str
    at_ns: int


class DayRelease(msgspec.Struct, frozen=True):
    """What a closing trade gives back to its day's limits, in USD."""

    reserved: Decimal
    used: Decimal
    realised: Decimal


class PersonsOrder(msgspec.Struct, frozen=True):
    """What a person ordered for a trade; see `trading.models_resolution.Resolution`."""

    id: UUID
    trade_id: UUID
    act: str
    person: str
    venue: str = ""
    reference: str = ""
    detail: dict[str, str] = {}


class OrderAnswer(msgspec.Struct, frozen=True):
    """What came of an order, written with the changes it made."""

    id: UUID
    state: str
    words: str
    detail: dict[str, str]
    at_ns: int


class FillRecord(msgspec.Struct):
    """One execution by the venue's own id; `status` rises from observed to booked."""

    venue: str
    venue_fill_id: str
    status: str
    base_delta: Decimal
    quote_delta: Decimal
    quote_asset: str
    fee: Decimal
    fee_asset: str
    at_ns: int


class AttemptRecord(msgspec.Struct):
    """One order or transaction; see `trading.models.Attempt`."""

    id: UUID
    leg: str
    seq: int
    venue: str
    side: str
    qty: Decimal
    state: str
    limit_price: Decimal | None = None
    cl_ord_id: str | None = None
    order_id: str = ""
    deadline_ns: int | None = None
    signature: str | None = None
    raw_tx: bytes | None = None
    last_valid_height: int | None = None
    threshold_raw: int | None = None
    sent_ns: int | None = None
    acked_ns: int | None = None
    filled_ns: int | None = None
    filled_base: Decimal = Decimal(0)
    is_booked: bool = False
    evidence: list[dict[str, Any]] = msgspec.field(default_factory=list)
    fills: dict[str, FillRecord] = msgspec.field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        """Whether this attempt may still execute."""
        return self.state in LIVE_ATTEMPT_STATES

    @property
    def is_resend_stopped(self) -> bool:
        """Whether a person ordered that the signed bytes are not sent again."""
        return any(item.get("event") == RESEND_STOPPED for item in self.evidence)

    @property
    def base_delta(self) -> Decimal:
        """Signed base of all known fills."""
        return sum((fill.base_delta for fill in self.fills.values()), Decimal(0))


class TradeRecord(msgspec.Struct):
    """One trade with its attempts; see `trading.models.Trade`.

    `day_pnl_usd` is what the risk day has counted of this trade so far, `verdicts` what was
    decided about its residual and what every other way would have cost. `answers` go to the
    people who ordered something, with the next commit.
    """

    id: UUID
    intent: Intent
    state: str
    version: int
    risk_day: str
    attempts: list[AttemptRecord]
    is_settled: bool = False
    outcome: str = "pending"
    is_verified: bool = False
    realised_pnl_usd: Decimal | None = None
    wired_ns: int | None = None
    both_filled_ns: int | None = None
    naked_from_ns: int | None = None
    naked_until_ns: int | None = None
    closed_ns: int | None = None
    reason: str = ""
    day_pnl_usd: Decimal = Decimal(0)
    verdicts: list[dict[str, Any]] = msgspec.field(default_factory=list)
    lines: list[LedgerLine] = msgspec.field(default_factory=list)
    answers: list[OrderAnswer] = msgspec.field(default_factory=list)

    @property
    def has_filled(self) -> bool:
        """Whether anything executed on any leg."""
        return any(attempt.filled_base for attempt in self.attempts)

    @property
    def residual_base(self) -> Decimal:
        """Signed base left over by all fills: what is naked."""
        return sum((attempt.base_delta for attempt in self.attempts), Decimal(0))

    def first_attempts(self) -> list[AttemptRecord]:
        """The attempts that wait for no other leg: both of a concurrent trade, else one."""
        waiting = {"dex_first": "cex", "cex_first": "dex"}.get(self.intent.verdict.order, "")
        return [
            each for each in self.attempts if each.seq == 1 and each.leg not in ("hedge", waiting)
        ]

    def latest(self, leg: str) -> AttemptRecord | None:
        """The newest attempt of a leg, whatever its state."""
        found = [attempt for attempt in self.attempts if attempt.leg == leg]
        return max(found, key=lambda attempt: attempt.seq) if found else None

    def row(self) -> TradeRow:
        """The whole row as the bus, the API and the console carry it."""
        intent = self.intent
        both_ms = (self.both_filled_ns - intent.detect_ns) / 1e6 if self.both_filled_ns else None
        realised = self.realised_pnl_usd
        return TradeRow(
            id=str(self.id),
            version=self.version,
            intent_key=str(intent.intent_key),
            asset=intent.asset,
            direction=intent.direction,
            policy=intent.verdict.order,
            state=self.state,  # type: ignore[arg-type]
            outcome=self.outcome,  # type: ignore[arg-type]
            verified=self.is_verified,
            size_base=_text(size_base(intent)),
            notional_usd=_text(intent.notional_usd),
            expected_pnl_usd=_text(intent.pnl.expected),
            realised_pnl_usd=None if realised is None else _text(realised),
            detect_at_ns=intent.detect_ns,
            both_filled_ms=both_ms,
            residual_base=_text(self.residual_base),
            legs=tuple(_leg_row(attempt, intent.marks_usd) for attempt in self.attempts),
            closed_at_ns=self.closed_ns,
            reason=self.reason,
        )


def size_base(intent: Intent) -> Decimal:
    """The intended base quantity in whole units."""
    return Decimal(intent.qty_lots).scaleb(-intent.spec.qty_precision)


def _leg_row(attempt: AttemptRecord, marks_usd: Mapping[str, Decimal]) -> LegRow:
    fees_usd = (fill.fee * marks_usd[fill.fee_asset] for fill in attempt.fills.values())
    return LegRow(
        leg=attempt.leg,  # type: ignore[arg-type]
        seq=attempt.seq,
        venue=attempt.venue,
        side=attempt.side,
        state=attempt.state,
        qty=_text(attempt.qty),
        filled=_text(attempt.filled_base),
        price=_average_price(attempt),
        fee_usd=_text(sum(fees_usd, Decimal(0))),
        reference=attempt.order_id or attempt.signature or attempt.cl_ord_id or "",
        sent_at_ns=attempt.sent_ns,
        acked_at_ns=attempt.acked_ns,
        filled_at_ns=attempt.filled_ns,
    )


def _average_price(attempt: AttemptRecord) -> str | None:
    base = sum((abs(fill.base_delta) for fill in attempt.fills.values()), Decimal(0))
    if not base:
        return None
    quote = sum((abs(fill.quote_delta) for fill in attempt.fills.values()), Decimal(0))
    return _text((quote / base).quantize(Decimal("1e-10")))


def _text(value: Decimal) -> str:
    return format(value.normalize() if value else Decimal(0), "f")
