"""The one door to Control and Incident: what people command here, what rules trip beside it.

Each act is one transaction: lock the Control row, change mode and version, write the
command, the incident and the audit row. The database notifies the engine at commit; its
echo, not this answer, is what the console believes. A repeat by idempotency key is a no-op
with the same answer. The engine's own trips are `risk.trips`, offered here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from arbsite import audit
from arbsite.clock import utc_now
from arbsite.errors import DomainError
from risk import second_person
from risk.controls import WHOLE_ENGINE, bump, locked, name_of, picture_of
from risk.incidents import acknowledge, close_incident, open_incident
from risk.inspection import Check, is_green, reds
from risk.leaving import SELF_CLEARING
from risk.models import Command, Control, Incident, Inspection
from risk.trips import hold_back, lift, raise_alarm, set_first_mode, settle, trip

__all__ = [
    "DATABASE_AWAY",
    "SELF_CLEARING",
    "WHOLE_ENGINE",
    "Accepted",
    "acknowledge",
    "go_live",
    "hold_back",
    "kill",
    "lift",
    "needs_second_factor",
    "observe",
    "paper",
    "pause",
    "raise_alarm",
    "record_inspection",
    "reset",
    "resume",
    "set_first_mode",
    "settle",
    "trip",
]
DATABASE_AWAY = (
    "PostgreSQL does not answer. `manage.py kill --local` halts the engines of this machine"
    " without it; their log names what is open and the steps at the venues."
)
PREFLIGHT_LASTS = timedelta(minutes=15)
# Where a person may go to PAPER from; everything else is refused with the remedy.
MAY_PAPER = frozenset({"live", "paper", "observe"})
# Marks a command in its body as one that has changed nothing: the engine confirms no such.
WAITS = "waits"


class Accepted(msgspec.Struct, frozen=True):
    """A command the database has taken; the engine confirms it by its id.

    One that `is_waiting` has changed nothing: a second person must order the same.
    """

    command_id: UUID
    control_version: int
    is_repeat: bool
    is_waiting: bool = False


def pause(scope: str, *, user: str, key: str, reason: str = "") -> Accepted:
    """STOP-NEW: no new intents; what is in flight is finished and hedged."""

    def change(control: Control) -> None:
        _refuse_if_killed(control)
        if control.mode != "stop_new":
            control.mode_before = control.mode
            control.mode = "stop_new"

    return _command("pause", scope, change, user=user, key=key, reason=reason)


def resume(
    scope: str, *, user: str, key: str, reason: str, has_second_factor: bool = False
) -> Accepted:
    """Back to the mode before the pause; trips a person must lift are lifted with it.

    After a loss rule nobody does it alone: every person's order needs a second factor, and
    all but the last one wait. Raises DomainError (403) without the factor.
    """

    def change(control: Control) -> None:
        if control.mode == "stop_new":
            control.mode = control.mode_before or "observe"
        for rule in list(control.trips):
            if rule not in SELF_CLEARING:
                del control.trips[rule]
                close_incident(scope, rule)

    def must_wait(control: Control) -> bool:
        _refuse_if_killed(control)
        if control.mode != "stop_new" and not control.trips:
            raise DomainError(f"{name_of(scope)} is not paused.", code="not_paused", status=409)
        if not second_person.has_lost(control):
            return False
        if settings.SPREADLINE_REQUIRE_OTP and not has_second_factor:
            raise DomainError(
                "Resuming after a loss needs a code of your second factor.",
                code="second_factor_required",
                status=403,
            )
        return not second_person.is_enough(control, user)

    _require_reason(reason)
    return _command("resume", scope, change, user=user, key=key, reason=reason, must_wait=must_wait)


def needs_second_factor(scope: str) -> bool:
    """Whether resuming the scope asks for one now; `resume` judges again under its lock."""
    control = Control.objects.filter(scope=scope).first()
    return control is not None and second_person.has_lost(control)


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
                f"{name_of(scope)} is {control.get_mode_display()}; resume it first.",
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
                f"{name_of(scope)} is {control.get_mode_display()}; go to observe only first.",
                code="not_observing",
                status=409,
            )
        control.mode = "live"

    _require_reason(reason)
    _require_green_inspections()
    return _command("live", scope, change, user=user, key=key, reason=reason)


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
    """A desk of real venues goes live with a fresh green preflight and no red canary.

    No desk does while a database that was put back is not accounted for.
    """
    _require_green(Inspection.objects.filter(kind="restore").first())
    if settings.IS_SIM:
        return
    latest = Inspection.objects.filter(kind="preflight").first()
    if latest is None or utc_now() - latest.at > PREFLIGHT_LASTS:
        raise DomainError(
            "Going live needs a preflight of the last 15 minutes: run manage.py preflight.",
            code="preflight_missing",
            status=409,
        )
    _require_green(latest)
    _require_green(Inspection.objects.filter(kind="canary").first())


def _require_green(inspection: Inspection | None) -> None:
    """Refuse with what is red and its remedy; an inspection that never was refuses nothing."""
    if inspection is None or inspection.is_green:
        return
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
        open_incident(
            scope, "kill_switch", Incident.Priority.CRITICAL, f"Kill switch by {user}. {reason}"
        )

    return _command("kill", scope, change, user=user, key=key, reason=reason)


def reset(scope: str, *, user: str, key: str, reason: str, incident: int) -> Accepted:
    """Leave HALT to OBSERVE; the typed number must be the open kill incident's."""

    def change(control: Control) -> None:
        if control.mode != "halt":
            raise DomainError(f"{name_of(scope)} is not killed.", code="not_killed", status=409)
        wanted = Incident.objects.filter(asset=scope, rule="kill_switch").exclude(state="closed")
        if not wanted.filter(number=incident).exists():
            raise DomainError(
                f"Incident {incident} is not the open kill-switch incident of {name_of(scope)}.",
                code="wrong_incident",
            )
        control.mode = "observe"
        close_incident(scope, "kill_switch")

    _require_reason(reason)
    return _command("reset", scope, change, user=user, key=key, reason=reason)


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
    must_wait: Callable[[Control], bool] = lambda _: False,
) -> Accepted:
    control = locked(scope)
    # Looked up under the lock: two clicks with one key queue here and the second sees it.
    earlier = Command.objects.filter(user=user, idempotency_key=key).first()
    if earlier is not None:
        if (earlier.action, earlier.scope) != (action, scope):
            raise DomainError(
                "This Idempotency-Key was used for another command; make a new one.",
                code="key_reused",
                status=409,
            )
        has_waited = bool(earlier.body.get(WAITS))
        return Accepted(earlier.id, earlier.control_version, True, has_waited)
    before = picture_of(control)
    is_waiting = must_wait(control)
    body = {"reason": reason, WAITS: True} if is_waiting else {"reason": reason}
    command = Command(
        user=user,
        idempotency_key=key,
        action=action,
        scope=scope,
        body=body,
        control_version=control.version + (not is_waiting),
        created_at=utc_now(),
    )
    if not is_waiting:
        change(control)
        bump(control, actor=user, reason=reason, command_id=str(command.id))
    command.save(force_insert=True)
    audit.record(
        actor=user,
        action=f"control.{action}.asked" if is_waiting else f"control.{action}",
        target=scope,
        before=before,
        after=picture_of(control),
        reason=reason,
    )
    return Accepted(command.id, control.version, False, is_waiting)


def _refuse_if_killed(control: Control) -> None:
    if control.mode == "halt":
        raise DomainError(
            f"{name_of(control.scope)} is killed; reset the kill switch first.",
            code="killed",
            status=409,
        )


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise DomainError("Give a reason.", code="reason_required")
