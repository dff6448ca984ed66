"""Reads of controls and incidents, in the form the bus and the API carry."""

from __future__ import annotations

from typing import Literal

import msgspec
from django.db.models import QuerySet

from arbsite import events
from arbsite.clock import ns_from_at
from arbsite.events import Mode
from arbsite.streams import Picture, encoded, rows_data
from risk import second_person
from risk.leaving import WORDS, Leaves, leaves_by
from risk.models import Control, Incident


class ControlRow(msgspec.Struct, frozen=True):
    """One scope's control as the database has it; the engine's word is the status frame.

    `leaves_by` says what ends what holds it, `leaves_words` the same for people; `asked_by`
    who has ordered a resume that waits for a second person.
    """

    scope: str
    mode: Mode
    set_mode: str
    rules: list[str]
    version: int
    command_id: str
    actor: str
    reason: str
    since_ns: int
    leaves_by: Leaves
    leaves_words: str
    asked_by: list[str]


def control_rows() -> list[ControlRow]:
    """Every scope, the whole engine first."""
    return [_control_row(control) for control in Control.objects.order_by("scope")]


def _control_row(control: Control) -> ControlRow:
    set_mode: Mode = control.mode  # type: ignore[assignment]
    leaves = leaves_by(set_mode, control.trips)
    return ControlRow(
        scope=control.scope,
        mode=control.effective_mode,
        set_mode=control.mode,
        rules=sorted(control.trips),
        version=control.version,
        command_id=control.command_id,
        actor=control.actor,
        reason=control.reason,
        since_ns=ns_from_at(control.since_at),
        leaves_by=leaves,
        leaves_words=WORDS[leaves],
        asked_by=second_person.asked_by(control),
    )


def incident_row(incident: Incident) -> events.Incident:
    """An incident as it travels."""
    closed_at = incident.closed_at
    return events.Incident(
        number=incident.number,
        priority=incident.priority,  # type: ignore[arg-type]
        state=incident.state,  # type: ignore[arg-type]
        asset=incident.asset,
        rule=incident.rule,
        text=incident.text,
        value=incident.value,
        limit=incident.limit,
        opened_at_ns=ns_from_at(incident.opened_at),
        closed_at_ns=None if closed_at is None else ns_from_at(closed_at),
        version=incident.version,
    )


def incidents(
    *,
    state: Literal["open", "acked", "closed"] | None = None,
    asset: str | None = None,
    before: int | None = None,
) -> QuerySet[Incident]:
    """Incidents, newest first, below number `before`."""
    found = Incident.objects.order_by("-number")
    if state is not None:
        found = found.filter(state=state)
    if asset is not None:
        found = found.filter(asset=asset)
    return found if before is None else found.filter(number__lt=before)


def incidents_picture() -> Picture:
    """What the console starts with: everything not closed, and the last twenty."""
    standing = Incident.objects.exclude(state="closed")[:200]
    latest = Incident.objects.all()[:20]
    by_number = {incident.number: incident for incident in [*standing, *latest]}
    rows = [incident_row(by_number[number]) for number in sorted(by_number, reverse=True)]
    at_ns = max((row.closed_at_ns or row.opened_at_ns for row in rows), default=0)
    return Picture(at_ns, rows_data("incidents", map(encoded, rows), at_ns))


def incidents_after(versions: dict[int, int]) -> list[events.Incident]:
    """Incidents that `versions` (number → version) has not seen, and remember them there.

    Looks at what is not closed and at the last fifty, which is where changes happen.
    """
    standing = Incident.objects.exclude(state="closed")[:200]
    latest = Incident.objects.all()[:50]
    found = {incident.number: incident for incident in [*standing, *latest]}
    changed = [
        incident
        for number, incident in sorted(found.items())
        if versions.get(number, 0) < incident.version
    ]
    versions.update({incident.number: incident.version for incident in changed})
    return [incident_row(incident) for incident in changed]
