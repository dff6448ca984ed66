"""Incidents: opened once per scope and rule, acknowledged by a person, closed with their cause.

Called inside the transactions of `risk.services` and `risk.trips`, and by the API.
"""

from __future__ import annotations

from django.db import transaction

from arbsite import audit
from arbsite.clock import utc_now
from arbsite.errors import DomainError
from risk.models import Incident


def open_incident(
    scope: str, rule: str, priority: str, text: str, value: str = "", limit: str = ""
) -> None:
    """Open an incident; one that stands already stays the only one, as it is."""
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


def close_incident(scope: str, rule: str) -> None:
    """Close what stands of a rule."""
    for incident in Incident.objects.select_for_update().filter(
        asset=scope, rule=rule, state__in=["open", "acked"]
    ):
        incident.state = Incident.State.CLOSED
        incident.closed_at = utc_now()
        incident.version += 1
        incident.save()


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
