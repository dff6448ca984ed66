"""What rules and processes do to a control: trip, lift their own, hold back, raise an alarm.

Each act is one transaction with its incident and audit row, through the same lock as
people's commands. Callers: the engine's `desk_link` and `holding_back`, by `risk.services`.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from arbsite import audit
from arbsite.clock import ns_from_at, utc_now
from arbsite.errors import DomainError
from risk.controls import WHOLE_ENGINE, bump, locked, picture_of
from risk.incidents import close_incident, open_incident
from risk.leaving import SELF_CLEARING
from risk.models import Control, Incident, trip_entry

# Modes that are loose enough to be held back.
MAY_HOLD_BACK = frozenset({"live", "paper"})


@transaction.atomic
def trip(scope: str, rule: str, *, text: str, value: str, limit: str) -> int:
    """A rule stops a scope (HEDGE-ONLY). Tripping a tripped rule changes nothing.

    Returns the control version that carries the stop.
    """
    control = locked(scope)
    if rule in control.trips:
        return control.version
    before = picture_of(control)
    control.trips[rule] = trip_entry(text, value, limit, ns_from_at(utc_now()))
    bump(control, actor="engine", reason=text, command_id="")
    priority = Incident.Priority.WARNING if rule in SELF_CLEARING else Incident.Priority.CRITICAL
    open_incident(scope, rule, priority, text, value, limit)
    _record("control.trip", control, before, text)
    return control.version


@transaction.atomic
def raise_alarm(scope: str, rule: str, *, text: str, value: str, limit: str) -> None:
    """Open a warning that stops nothing; one that is open already stays the only one."""
    open_incident(scope, rule, Incident.Priority.WARNING, text, value, limit)


@transaction.atomic
def lift(scope: str, rule: str, *, reason: str) -> int:
    """The engine lifts its own self-clearing trip. Lifting what is not there is a no-op."""
    control = locked(scope)
    if rule not in control.trips:
        return control.version
    if rule not in SELF_CLEARING:
        raise DomainError(f"{rule} is lifted by a person only.", code="not_self_clearing")
    before = picture_of(control)
    del control.trips[rule]
    bump(control, actor="engine", reason=reason, command_id="")
    close_incident(scope, rule)
    _record("control.lift", control, before, reason)
    return control.version


@transaction.atomic
def hold_back(rule: str, *, text: str, value: str = "", limit: str = "") -> None:
    """OBSERVE for the whole engine, with an incident: what trading relies on is not as it was.

    A stricter mode stays; a pause then goes back to OBSERVE. Holding back twice changes
    nothing more. A person ends it by going live, which asks for green inspections.
    """
    control = locked(WHOLE_ENGINE)
    before = picture_of(control)
    if control.mode_before in MAY_HOLD_BACK:
        control.mode_before = "observe"
    if control.mode in MAY_HOLD_BACK:
        control.mode = "observe"
        bump(control, actor="engine", reason=text, command_id="")
    else:
        control.save(update_fields=["mode_before"])
    open_incident(WHOLE_ENGINE, rule, Incident.Priority.CRITICAL, text, value, limit)
    _record("control.hold_back", control, before, text)


@transaction.atomic
def settle(rule: str) -> None:
    """Close the incident of a rule that has been found in order again; the mode stays."""
    close_incident(WHOLE_ENGINE, rule)


@transaction.atomic
def set_first_mode(scope: str, mode: str, *, actor: str, reason: str) -> None:
    """Create a scope's Control row at first boot; an existing row is left alone."""
    control, is_new = Control.objects.get_or_create(
        scope=scope,
        defaults={"mode": mode, "since_at": utc_now(), "actor": actor, "reason": reason},
    )
    if is_new:
        audit.record(
            actor=actor,
            action="control.first_mode",
            target=scope,
            before=None,
            after=picture_of(control),
            reason=reason,
        )


def _record(action: str, control: Control, before: dict[str, Any], reason: str) -> None:
    """The audit row of something the engine did to a control."""
    audit.record(
        actor="engine",
        action=action,
        target=control.scope,
        before=before,
        after=picture_of(control),
        reason=reason,
    )
