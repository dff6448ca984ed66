"""The audit log: who did what to what, sealed in a hash chain.

`record` is called inside the transaction of the act itself, so an act and its row exist
together or not at all. Writers queue on one head row: never call it on the tick path.
PostgreSQL refuses UPDATE, DELETE and TRUNCATE of the log (SQLSTATE SPA01); whoever turns
that off is found by `first_broken_row`. Not here: who may act, and showing the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

from arbsite.clock import utc_now
from arbsite.models import AuditHead, AuditLog

GENESIS = "0" * 64


class Broken(msgspec.Struct, frozen=True):
    """Where the chain stops being believable, and why."""

    row: int
    why: str


def record(
    *,
    actor: str,
    action: str,
    target: str,
    before: Any,
    after: Any,
    reason: str = "",
) -> AuditLog:
    """Append one row to the log within the caller's transaction.

    `before` and `after` are plain data; Decimal, UUID and times become text and floats
    become their shortest text, because the row must read back exactly as it was hashed.
    Raises TransactionManagementError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "audit.record belongs inside the transaction of the act it reports"
        )
    head = _locked_head()
    row = AuditLog(
        id=head.last_id + 1,
        at=utc_now(),
        actor=_text(actor)[:150],
        action=action,
        target=_text(target)[:200],
        before=_plain(before),
        after=_plain(after),
        reason=_text(reason),
        prev_hash=head.last_hash,
    )
    row.hash = row_hash(row)
    row.save(force_insert=True)
    head.last_id, head.last_hash = row.id, row.hash
    head.save(update_fields=["last_id", "last_hash"])
    return row


def row_hash(row: AuditLog) -> str:
    """SHA-256 over the canonical JSON of every column but the hash itself, in hex."""
    content = {
        "id": row.id,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": row.actor,
        "action": row.action,
        "target": row.target,
        "before": row.before,
        "after": row.after,
        "reason": row.reason,
        "prev_hash": row.prev_hash,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def first_broken_row() -> Broken | None:
    """Walk the whole chain in order; None when every row and the head agree."""
    expected_id, last_hash = 1, GENESIS
    for row in AuditLog.objects.order_by("id").iterator(chunk_size=1000):
        if row.id != expected_id:
            return Broken(expected_id, "the row is missing")
        if row.prev_hash != last_hash:
            return Broken(row.id, "it does not follow the row before it")
        if row_hash(row) != row.hash:
            return Broken(row.id, "its content is not what was recorded")
        expected_id, last_hash = row.id + 1, row.hash
    head = AuditHead.objects.filter(id=1).first()
    seen = (head.last_id, head.last_hash) if head is not None else (0, GENESIS)
    if seen != (expected_id - 1, last_hash):
        return Broken(expected_id, f"the log ends here but its head counts {seen[0]} rows")
    return None


def _locked_head() -> AuditHead:
    head = AuditHead.objects.select_for_update().filter(id=1).first()
    if head is not None:
        return head
    # The first row ever: two first writers race to the insert and then queue on the lock.
    AuditHead.objects.bulk_create(
        [AuditHead(id=1, last_id=0, last_hash=GENESIS)], ignore_conflicts=True
    )
    return AuditHead.objects.select_for_update().get(id=1)


def _plain(value: Any) -> Any:
    """Data that PostgreSQL's jsonb gives back unchanged."""
    match value:
        case None | bool() | int():
            return value
        case str():
            return _text(value)
        case float() | Decimal():
            return str(value)
        case UUID():
            return str(value)
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return {_text(str(key)): _plain(entry) for key, entry in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(entry) for entry in value]
        case _:
            raise TypeError(f"an audit row cannot hold {type(value).__name__}")


def _text(value: str) -> str:
    """PostgreSQL stores neither NUL nor lone surrogates; an audit row must not fail on them."""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
