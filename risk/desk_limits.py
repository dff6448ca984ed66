"""The only writers of the desk's limits: tighter at once, looser after approval.

Read by the intent function under its lock and by the engine each second. Callers:
the admin page, `seed`. Not here: how versions change (`risk.versions`).
"""

from __future__ import annotations

from arbsite.clock import utc_now
from arbsite.errors import DomainError
from risk.models import DeskLimits
from risk.versions import Rank, Versions, less, more

DESK = "*"
TIGHTER: dict[str, Rank | None] = {
    "max_open_usd": less,
    "daily_notional_cap_usd": less,
    "fee_floor_sol": more,
}
VERSIONS = Versions(
    DeskLimits,
    TIGHTER,
    scope="scope",
    noun="desk_limits",
    name=lambda _: "The desk's limits",
    unknown=lambda _: DomainError("The desk has no limits.", code="unknown", status=404),
)


def seed_first() -> None:
    """Version 1 with the documented defaults, in force; existing limits are left alone."""
    now = utc_now()
    DeskLimits.objects.get_or_create(
        scope=DESK,
        version=1,
        defaults={
            "status": DeskLimits.Status.IN_FORCE,
            "created_by": "system",
            "reason": "first limits",
            "created_at": now,
            "in_force_at": now,
        },
    )
