"""One scope's Control row under its lock: read, changed, put in words.

What people's commands (`risk.services`) and the rules' stops (`risk.trips`) share. No act
of its own: the callers open the transaction and write the audit row.
"""

from __future__ import annotations

from typing import Any

from arbsite.clock import utc_now
from arbsite.errors import DomainError
from risk.models import Control

WHOLE_ENGINE = "*"


def locked(scope: str) -> Control:
    """The row, locked; raises DomainError (404) for a scope that is not traded here."""
    control = Control.objects.select_for_update().filter(scope=scope).first()
    if control is None:
        raise DomainError(
            f"{scope} is not traded here; use * or one of the configured assets.",
            code="unknown_scope",
            status=404,
        )
    return control


def bump(control: Control, *, actor: str, reason: str, command_id: str) -> None:
    """Save a changed row as its next version, with who changed it and why."""
    control.version += 1
    control.actor, control.reason = actor, reason[:500]
    control.since_at = utc_now()
    if command_id:
        control.command_id = command_id
    control.save()


def picture_of(control: Control) -> dict[str, Any]:
    """The row as the audit log keeps it."""
    return {"mode": control.mode, "trips": sorted(control.trips), "version": control.version}


def name_of(scope: str) -> str:
    """The scope in a sentence."""
    return "The engine" if scope == WHOLE_ENGINE else scope
