"""The second person of a resume after a loss: who asked, for how long that counts.

Each person orders the same resume with a second factor; the last one needed carries it out.
An approval is of exactly the trips that stand: another loss asks everybody again. Called by
`risk.services` under the control's lock, and by the selectors.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

import msgspec
from django.conf import settings
from django.db.models import QuerySet

from arbsite.clock import utc_now
from arbsite.errors import DomainError
from arbsite.models import Approval, User
from risk.leaving import LOSS_RULES
from risk.models import Control

LASTS = timedelta(minutes=15)


def has_lost(control: Control) -> bool:
    """Whether a loss rule holds the scope, so that nobody resumes it alone."""
    return not LOSS_RULES.isdisjoint(control.trips)


def is_enough(control: Control, user: str) -> bool:
    """Count this person's yes, and say whether it was the last one needed.

    Raises DomainError (403) for a name that may not trade where two people are needed.
    """
    if settings.SPREADLINE_APPROVERS < 2:
        return True
    person = _permitted().filter(username=user).first()
    if person is None:
        raise DomainError(
            "After a loss two people who may trade must resume.", code="not_permitted", status=403
        )
    Approval.objects.update_or_create(
        subject=_subject(control),
        user=person,
        defaults={"digest": _digest(control), "at": utc_now()},
    )
    return len(asked_by(control)) >= settings.SPREADLINE_APPROVERS


def asked_by(control: Control) -> list[str]:
    """Who has ordered the resume of these very trips lately and may still trade."""
    if not has_lost(control):
        return []
    found = Approval.objects.filter(
        subject=_subject(control),
        digest=_digest(control),
        at__gt=utc_now() - LASTS,
        user__in=_permitted(),
    )
    return sorted(found.values_list("user__username", flat=True))


def _permitted() -> QuerySet[User]:
    return User.objects.with_perm("arbsite.trade", backend="arbsite.auth.backend.GuardedBackend")


def _subject(control: Control) -> str:
    since_ns = max(int(control.trips[rule]["since_ns"]) for rule in _losses(control))
    return f"resume:{control.scope}:{since_ns}"


def _digest(control: Control) -> str:
    shown = {rule: control.trips[rule] for rule in _losses(control)}
    return hashlib.sha256(msgspec.json.encode(shown, order="deterministic")).hexdigest()


def _losses(control: Control) -> list[str]:
    return sorted(LOSS_RULES & control.trips.keys())
