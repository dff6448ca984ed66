"""The only writer of what people order for a trade: asked once, approved, audited.

Each request is one transaction: lock the trade, refuse what makes no sense now, write the
row and the audit row; the database notifies the engine at commit. A repeat by idempotency
key is a no-op with the same answer. Not here: carrying anything out (`ways_out`). Callers:
`trading.resolution_api`, `manage.py resolve` and `flatten`.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal, get_args
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from arbsite import audit
from arbsite.clock import ns_from_at, utc_now
from arbsite.errors import DomainError
from arbsite.models import User
from trading.models import Opportunity, Resolution, Trade

OrderedAct = Literal["preview", "flatten", "attach", "keep", "prove", "stop_resending"]
OPEN_STATES = ("waiting", "requested", "taken")
LIFETIME = timedelta(minutes=5)
APPROVAL_LIFETIME = timedelta(minutes=15)
PREVIEW_LIFETIME = timedelta(seconds=60)
# Acts that change what the desk owns or owes: these wait for a second person above the value.
WEIGHTY: frozenset[OrderedAct] = frozenset({"flatten", "attach", "keep"})


class ResolutionPicture(msgspec.Struct, frozen=True):
    """One order about a trade as stored; `detail` holds a preview's prices as text."""

    id: str
    trade_id: str
    act: OrderedAct
    state: Literal["waiting", "requested", "taken", "done", "refused", "expired"]
    venue: str
    reference: str
    detail: dict[str, Any]
    user: str
    reason: str
    approved_by: str
    answer: str
    created_at_ns: int
    expires_at_ns: int
    answered_at_ns: int | None


class Wanted(msgspec.Struct, frozen=True):
    """What is asked: the act and what it needs."""

    act: OrderedAct
    venue: Literal["kraken", "solana", ""] = ""
    reference: str = ""
    preview: UUID | None = None


def picture(row: Resolution) -> ResolutionPicture:
    """The row as the API shows it."""
    fields: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("act", "state", "venue", "reference", "detail", "user", "reason")
    }
    return ResolutionPicture(
        **fields,
        id=str(row.id),
        trade_id=str(row.trade_id),
        approved_by=row.approved_by,
        answer=row.answer,
        created_at_ns=ns_from_at(row.created_at),
        expires_at_ns=ns_from_at(row.expires_at),
        answered_at_ns=None if row.answered_at is None else ns_from_at(row.answered_at),
    )


def of_trade(trade_id: UUID) -> list[ResolutionPicture]:
    """Everything ordered for a trade, newest first."""
    return [picture(row) for row in Resolution.objects.filter(trade_id=trade_id)]


def earlier(trade_id: UUID, wanted: Wanted, *, user: User, key: str) -> Resolution | None:
    """The order this key made before; DomainError (409) when it was another order."""
    row = Resolution.objects.filter(user=user.username, idempotency_key=key).first()
    if row is None:
        return None
    asked = (row.trade_id, row.act, row.venue, row.reference)
    if asked != (trade_id, wanted.act, wanted.venue, wanted.reference):
        raise DomainError(
            "This Idempotency-Key was used for another order; make a new one.",
            code="key_reused",
            status=409,
        )
    return row


def request(trade_id: UUID, wanted: Wanted, *, user: User, key: str, reason: str) -> Resolution:
    """Order an act. The caller has checked the second factor.

    Raises DomainError: 404 unknown trade, 409 when the trade is not with an operator, when
    another order about it is open, or when a flatten has no fresh preview, 400 without a
    reason.
    """
    assert wanted.act in get_args(OrderedAct)
    try:
        with transaction.atomic():
            return _request(trade_id, wanted, user=user, key=key, reason=reason)
    except IntegrityError as error:
        # Two clicks at once: the second finds what the first has made.
        row = earlier(trade_id, wanted, user=user, key=key)
        if row is None:
            raise _is_busy() from error
        return row


def _request(trade_id: UUID, wanted: Wanted, *, user: User, key: str, reason: str) -> Resolution:
    trade = Trade.objects.select_for_update().filter(id=trade_id).first()
    if trade is None:
        raise DomainError("There is no such trade.", code="unknown_trade", status=404)
    row = earlier(trade_id, wanted, user=user, key=key)
    if row is not None:
        return row
    _refuse_nonsense(trade, wanted, reason)
    now = utc_now()
    _expire(trade, now)
    if Resolution.objects.filter(trade=trade, state__in=OPEN_STATES).exists():
        raise _is_busy()
    needs_second = _needs_second_person(trade, wanted.act)
    row = Resolution(
        trade=trade,
        act=wanted.act,
        state="waiting" if needs_second else "requested",
        venue=wanted.venue,
        reference=wanted.reference,
        detail=_preview_of(trade, wanted.preview, now) if wanted.act == "flatten" else {},
        user=user.username,
        idempotency_key=key,
        reason=reason[:500],
        created_at=now,
        expires_at=now + (APPROVAL_LIFETIME if needs_second else LIFETIME),
    )
    row.save(force_insert=True)
    _record(f"trade.{wanted.act}", user, trade, row, reason)
    return row


@transaction.atomic
def approve(trade_id: UUID, resolution_id: UUID, *, user: User, reason: str = "") -> Resolution:
    """A second person's yes; the engine may take the order now.

    Raises DomainError: 404 unknown, 403 for the requester's own approval, 409 when it does
    not wait or has expired.
    """
    trade = Trade.objects.select_for_update().filter(id=trade_id).first()
    row = Resolution.objects.select_for_update().filter(id=resolution_id, trade=trade).first()
    if trade is None or row is None:
        raise DomainError("There is no such order.", code="unknown_order", status=404)
    if row.user == user.username:
        raise DomainError(
            "Somebody else must approve what you ordered.", code="own_order", status=403
        )
    if row.state == "requested" and row.approved_by == user.username:
        return row
    if row.state != "waiting" or row.expires_at <= utc_now():
        raise DomainError(
            "This order does not wait for approval any more.", code="not_waiting", status=409
        )
    row.state, row.approved_by = "requested", user.username
    row.expires_at = utc_now() + LIFETIME
    row.save(update_fields=["state", "approved_by", "expires_at"])
    _record("trade.approve", user, trade, row, reason)
    return row


def _refuse_nonsense(trade: Trade, wanted: Wanted, reason: str) -> None:
    if trade.state == "closed":
        raise DomainError("This trade is closed.", code="closed", status=409)
    if wanted.act != "stop_resending" and trade.state != "operator":
        raise DomainError(
            "The engine is still working on this trade; it is not with an operator.",
            code="not_parked",
            status=409,
        )
    if wanted.act != "preview" and not reason.strip():
        raise DomainError("Give a reason.", code="reason_required")
    if wanted.act == "attach" and not (wanted.venue and wanted.reference):
        raise DomainError("Name the venue and the record's id.", code="reference_required")
    if wanted.act != "attach" and (wanted.venue or wanted.reference):
        raise DomainError("Only attaching takes a venue and a record.", code="invalid")


def _preview_of(trade: Trade, preview_id: UUID | None, now: Any) -> dict[str, Any]:
    """The prices a flatten was confirmed at; they are its limit."""
    done = Resolution.objects.filter(trade=trade, act="preview", state="done")
    row = None if preview_id is None else done.filter(id=preview_id).first()
    if row is None or row.answered_at is None or now - row.answered_at > PREVIEW_LIFETIME:
        raise DomainError(
            "Ask for a preview first and confirm it within a minute.",
            code="preview_needed",
            status=409,
        )
    detail: dict[str, Any] = row.detail
    return detail


def _needs_second_person(trade: Trade, act: OrderedAct) -> bool:
    if settings.SPREADLINE_APPROVERS < 2 or act not in WEIGHTY:
        return False
    intent = Opportunity.objects.get(intent_key=trade.intent_key).intent
    mark = Decimal(str(intent["marks_usd"][trade.asset]))
    value = abs(trade.residual_base) * mark
    return value > Decimal(settings.SPREADLINE_RESOLVE_ALONE_USD)


def _expire(trade: Trade, now: Any) -> None:
    """Orders nobody took in time make room for a new one."""
    overdue = Q(trade=trade, state__in=["waiting", "requested"], expires_at__lte=now)
    Resolution.objects.filter(overdue).update(state="expired", answered_at=now)


def _is_busy() -> DomainError:
    return DomainError(
        "Another order about this trade is open; wait for its answer.", code="busy", status=409
    )


def _record(action: str, user: User, trade: Trade, row: Resolution, reason: str) -> None:
    audit.record(
        actor=user.username,
        action=action,
        target=f"trade {trade.id}",
        before={"state": trade.state, "residual_base": trade.residual_base},
        after={
            "order": str(row.id),
            "state": row.state,
            "venue": row.venue,
            "reference": row.reference,
            "detail": row.detail,
        },
        reason=reason,
    )
