"""A database that was put back, and the person who vouches for what it lacks.

While the latest inspection of the kind `restore` is red nobody goes live (`risk.services`).
The engine stores what it sees (`trading.process.restored`); what it cannot explain a person
accounts for here. Called by `manage.py reconcile`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from django.db import transaction

from arbsite import audit
from arbsite.clock import at_from_ns
from arbsite.errors import DomainError
from risk import services
from risk.controls import locked
from risk.inspection import Check, is_green
from risk.models import Inspection

KIND: Final = "restore"
# The rule that holds the desk back, and the name of the first look.
RESTORED: Final = "database_restored"


def latest_look() -> Inspection | None:
    """What was last seen of a restored database; None when there never was one."""
    return Inspection.objects.filter(kind=KIND).first()


@transaction.atomic
def record_look(checks: Sequence[Check], *, found_ns: int) -> None:
    """Store what the engine sees of a database found restored at `found_ns`.

    Once that was accounted for nothing more is stored: the engine may have looked before.
    """
    locked(services.WHOLE_ENGINE)
    if Inspection.objects.filter(kind=KIND, is_green=True, at__gt=at_from_ns(found_ns)).exists():
        return
    services.record_inspection(KIND, checks, actor="engine")
    if is_green(checks):
        services.settle(RESTORED)


@transaction.atomic
def account_for(*, user: str, reason: str) -> Inspection:
    """Vouch for what a restored database lacks; going live is open again after it.

    DomainError before the venues' records were compared: nobody can vouch for the unseen.
    """
    locked(services.WHOLE_ENGINE)
    look = latest_look()
    if look is None or look.is_green:
        raise DomainError("Nothing waits to be accounted for.", code="not_restored", status=409)
    checks = msgspec.convert(look.checks, list[Check])
    if all(check.name == RESTORED for check in checks):
        raise DomainError(
            "Kraken's records are not compared yet: start the engine, then manage.py reconcile.",
            code="not_compared",
            status=409,
        )
    if not reason.strip():
        raise DomainError("Say why: a reason is required.", code="reason_required", status=400)
    vouched = [
        Check(check.name, True, f"{check.seen}; accounted for by {user}: {reason}")
        for check in checks
    ]
    row = services.record_inspection(KIND, vouched, actor=user)
    services.settle(RESTORED)
    audit.record(
        actor=user,
        action="restore.account_for",
        target=services.WHOLE_ENGINE,
        before=look.checks,
        after=row.checks,
        reason=reason,
    )
    return row
