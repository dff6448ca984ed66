"""The only writers of Control and Incident: what people command and what rules trip.

Each act is one transaction: lock the Control row, change mode and version, write the
command, the incident and the audit row. The database notifies the engine at commit; its
echo, not this answer, is what the console believes. A repeat by idempotency key is a no-op
with the same answer. The engine's own trips go through the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from arbsite import audit
from arbsite.clock import ns_from_at, utc_now
from arbsite.errors import DomainError
from risk.inspection import Check, is_green, reds
from risk.models import Command, Control, Incident, Inspection, trip_entry

WHOLE_ENGINE = "*"
DATABASE_AWAY = (
    "PostgreSQL does not answer. `manage.py kill --local` halts the engines of this machine"
    " without it; their log names what is open and the steps at the venues."
)
# Trips that lift themselves when the data is clean again (domain: ages and pauses).
SELF_CLEARING = frozenset({"kraken_stale", "solana_stale"})
PREFLIGHT_LASTS = timedelta(minutes=15)
# Where a person may go from each mode; everything else is refused with the remedy.
MAY_HOLD_BACK = frozenset({"live", "paper"})
MAY_PAPER = frozenset({"live", "paper", "observe"})


class Accepted(msgspec.Struct, frozen=True):
    """A command the database has taken; the engine confirms it by its id."""

    command_id: UUID
    control_version: int
    is_repeat: bool


def pause(scope: str, *, user: str, key: str, reason: str = "") -> Accepted:
    """STOP-NEW: no new intents; what is in flight is finished and hedged."""

    def change(control: Control) -> None:
        _refuse_if_killed(control)
        if control.mode != "stop_new":
            control.mode_before = control.mode
            control.mode = "stop_new"

    return _command("pause", scope, change, user=user, key=key, reason=reason)


def resume(scope: str, *, user: str, key: str, reason: str) -> Accepted:
    """Back to the mode before the pause; trips a person must lift are lifted with it."""

    def change(control: Control) -> None:
        _refuse_if_killed(control)
        if control.mode != "stop_new" and not control.trips:
            raise DomainError(f"{_name(scope)} is not paused.", code="not_paused", status=409)
        if control.mode == "stop_new":
            control.mode = control.mode_before or "observe"
        for rule in list(control.trips):
            if rule not in SELF_CLEARING:
                del control.trips[rule]
                _close_incident(scope, rule)

    _require_reason(reason)
    return _command("resume", scope, change, user=user, key=key, reason=reason)


def observe(scope: str, *, user: str, key: str, reason: str = "") -> Accepted:
    """OBSERVE: decisions are computed and stored, nothing is sent."""

    def change(control: Control) -> None:
        _refuse_if_killed(control)
        control.mode = "observe"

    return _command("observe", scope, change, user=user, key=key, reason=reason)


def paper(scope: str, *, user: str, key: str, reason: str = "") -> Accepted:
    """PAPER: a model fills what is decided, on a ledger of its own; nothing is sent."""

    def change(control: Control) -> None:
        _refuse_if_killed(control)
        if control.mode not in MAY_PAPER:
            raise DomainError(
                f"{_name(scope)} is {control.get_mode_display()}; resume it first.",
                code="not_running",
                status=409,
            )
        control.mode = "paper"

    return _command("paper", scope, change, user=user, key=key, reason=reason)


def go_live(scope: str, *, user: str, key: str, reason: str) -> Accepted:
    """End OBSERVE. The caller has checked the typed words and the second factor."""

    def change(control: Control) -> None:
        if control.mode == "live":
            return
        if control.mode != "observe":
            raise DomainError(
                f"{_name(scope)} is {control.get_mode_display()}; go to observe only first.",
                code="not_observing",
                status=409,
            )
        control.mode = "live"

    _require_reason(reason)
    _require_green_inspections()
    return _command("live", scope, change, user=user, key=key, reason=reason)


@transaction.atomic
def hold_back(rule: str, *, text: str, value: str = "", limit: str = "") -> None:
    """OBSERVE for the whole engine, with an incident: what trading relies on is not as it was.

    A stricter mode stays; a pause then goes back to OBSERVE. Holding back twice changes
    nothing more. A person ends it by going live, which asks for green inspections.
    """
    control = _locked(WHOLE_ENGINE)
    before = _picture(control)
    if control.mode_before in MAY_HOLD_BACK:
        control.mode_before = "observe"
    if control.mode in MAY_HOLD_BACK:
        control.mode = "observe"
        _bump(control, actor="engine", reason=text, command_id="")
    else:
        control.save(update_fields=["mode_before"])
    _open_incident(WHOLE_ENGINE, rule, Incident.Priority.CRITICAL, text, value, limit)
    audit.record(
        actor="engine",
        action="control.hold_back",
        target=WHOLE_ENGINE,
        before=before,
        after=_picture(control),
        reason=text,
    )


@transaction.atomic
def settle(rule: str) -> None:
    """Close the incident of a rule that has been found in order again; the mode stays."""
    _close_incident(WHOLE_ENGINE, rule)


def record_inspection(kind: str, checks: Sequence[Check], *, actor: str) -> Inspection:
    """Store what a preflight or the canaries saw."""
    return Inspection.objects.create(
        kind=kind,
        at=utc_now(),
        is_green=is_green(checks),
        checks=[msgspec.to_builtins(check) for check in checks],
        actor=actor,
    )


def _require_green_inspections() -> None:
    """A desk of real venues goes live with a fresh green preflight and no red canary."""
    if settings.IS_SIM:
        return
    latest = Inspection.objects.filter(kind="preflight").first()
    if latest is None or utc_now() - latest.at > PREFLIGHT_LASTS:
        raise DomainError(
            "Going live needs a preflight of the last 15 minutes: run manage.py preflight.",
            code="preflight_missing",
            status=409,
        )
    canary = Inspection.objects.filter(kind="canary").first()
    for inspection in (latest, canary):
        if inspection is not None and not inspection.is_green:
            checks = msgspec.convert(inspection.checks, list[Check])
            raise DomainError(
                f"{inspection.get_kind_display()}: red. {reds(checks)}",
                code=f"{inspection.kind}_red",
                status=409,
            )


def kill(scope: str, *, user: str, key: str, reason: str = "") -> Accepted:
    """HALT: nothing new is sent, signed bytes are not re-sent, hedges wait for a person."""

    def change(control: Control) -> None:
        control.mode = "halt"
        _open_incident(
            scope, "kill_switch", Incident.Priority.CRITICAL, f"Kill switch by {user}. {reason}"
        )

    return _command("kill", scope, change, user=user, key=key, reason=reason)


def reset(scope: str, *, user: str, key: str, reason: str, incident: int) -> Accepted:
    """Leave HALT to OBSERVE; the typed number must be the open kill incident's."""

    def change(control: Control) -> None:
        if control.mode != "halt":
            raise DomainError(f"{_name(scope)} is not killed.", code="not_killed", status=409)
        wanted = Incident.objects.filter(asset=scope, rule="kill_switch").exclude(state="closed")
        if not wanted.filter(number=incident).exists():
            raise DomainError(
                f"Incident {incident} is not the open kill-switch incident of {_name(scope)}.",
                code="wrong_incident",
            )
        control.mode = "observe"
        _close_incident(scope, "kill_switch")

    _require_reason(reason)
    return _command("reset", scope, change, user=user, key=key, reason=reason)


@transaction.atomic
def trip(scope: str, rule: str, *, text: str, value: str, limit: str) -> int:
    """A rule stops a scope (HEDGE-ONLY). Tripping a tripped rule changes nothing.

    Returns the control version that carries the stop.
    """
    control = _locked(scope)
    if rule in control.trips:
        return control.version
    before = _picture(control)
    control.trips[rule] = trip_entry(text, value, limit, ns_from_at(utc_now()))
    _bump(control, actor="engine", reason=text, command_id="")
    priority = Incident.Priority.WARNING if rule in SELF_CLEARING else Incident.Priority.CRITICAL
    _open_incident(scope, rule, priority, text, value, limit)
    audit.record(
        actor="engine",
        action="control.trip",
        target=scope,
        before=before,
        after=_picture(control),
        reason=text,
    )
    return control.version


@transaction.atomic
def raise_alarm(scope: str, rule: str, *, text: str, value: str, limit: str) -> None:
    """Open a warning that stops nothing; one that is open already stays the only one."""
    _open_incident(scope, rule, Incident.Priority.WARNING, text, value, limit)


@transaction.atomic
def lift(scope: str, rule: str, *, reason: str) -> int:
    """The engine lifts its own self-clearing trip. Lifting what is not there is a no-op."""
    control = _locked(scope)
    if rule not in control.trips:
        return control.version
    if rule not in SELF_CLEARING:
        raise DomainError(f"{rule} is lifted by a person only.", code="not_self_clearing")
    before = _picture(control)
    del control.trips[rule]
    _bump(control, actor="engine", reason=reason, command_id="")
    _close_incident(scope, rule)
    audit.record(
        actor="engine",
        action="control.lift",
        target=scope,
        before=before,
        after=_picture(control),
        reason=reason,
    )
    return control.version


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
            after=_picture(control),
            reason=reason,
        )


@transaction.atomic
def acknowledge(number: int, *, user: str) -> Incident:
    """Stop an alarm's repetition; it never hides a condition that is still true."""
    incident = Incident.objects.select_for_update().filter(number=number).first()
    if incident is None:
        raise DomainError(f"There is no incident {number}.", code="unknown", status=404)
    if incident.state == Incident.State.OPEN:
        incident.state = Incident.State.ACKED
        incident.acked_at, incident.acked_by = utc_now(), user
        incident.version += 1
        incident.save()
        audit.record(
            actor=user,
            action="incident.ack",
            target=str(number),
            before={"state": "open"},
            after={"state": "acked"},
        )
    return incident


# ---- one command --------------------------------------------------------------------


@transaction.atomic
def _command(
    action: str,
    scope: str,
    change: Callable[[Control], None],
    *,
    user: str,
    key: str,
    reason: str,
) -> Accepted:
    control = _locked(scope)
    # Looked up under the lock: two clicks with one key queue here and the second sees it.
    earlier = Command.objects.filter(user=user, idempotency_key=key).first()
    if earlier is not None:
        if (earlier.action, earlier.scope) != (action, scope):
            raise DomainError(
                "This Idempotency-Key was used for another command; make a new one.",
                code="key_reused",
                status=409,
            )
        return Accepted(earlier.id, earlier.control_version, is_repeat=True)
    before = _picture(control)
    change(control)
    command = Command(
        user=user,
        idempotency_key=key,
        action=action,
        scope=scope,
        body={"reason": reason},
        control_version=control.version + 1,
        created_at=utc_now(),
    )
    _bump(control, actor=user, reason=reason, command_id=str(command.id))
    command.save(force_insert=True)
    audit.record(
        actor=user,
        action=f"control.{action}",
        target=scope,
        before=before,
        after=_picture(control),
        reason=reason,
    )
    return Accepted(command.id, control.version, is_repeat=False)


def _locked(scope: str) -> Control:
    control = Control.objects.select_for_update().filter(scope=scope).first()
    if control is None:
        raise DomainError(
            f"{scope} is not traded here; use * or one of the configured assets.",
            code="unknown_scope",
            status=404,
        )
    return control


def _bump(control: Control, *, actor: str, reason: str, command_id: str) -> None:
    control.version += 1
    control.actor, control.reason = actor, reason[:500]
    control.since_at = utc_now()
    if command_id:
        control.command_id = command_id
    control.save()


def _picture(control: Control) -> dict[str, Any]:
    return {"mode": control.mode, "trips": sorted(control.trips), "version": control.version}


def _refuse_if_killed(control: Control) -> None:
    if control.mode == "halt":
        raise DomainError(
            f"{_name(control.scope)} is killed; reset the kill switch first.",
            code="killed",
            status=409,
        )


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise DomainError("Give a reason.", code="reason_required")


def _name(scope: str) -> str:
    return "The engine" if scope == WHOLE_ENGINE else scope


def _open_incident(
    scope: str, rule: str, priority: str, text: str, value: str = "", limit: str = ""
) -> None:
    Incident.objects.get_or_create(
        asset=scope,
        rule=rule,
        state__in=["open", "acked"],
        defaults={
            "priority": priority,
            "state": "open",
            "text": text[:500],
            "value": value[:64],
            "limit": limit[:64],
            "opened_at": utc_now(),
        },
    )


def _close_incident(scope: str, rule: str) -> None:
    for incident in Incident.objects.select_for_update().filter(
        asset=scope, rule=rule, state__in=["open", "acked"]
    ):
        incident.state = Incident.State.CLOSED
        incident.closed_at = utc_now()
        incident.version += 1
        incident.save()
