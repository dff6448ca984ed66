"""Reads of balances as last sampled."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from django.db.models import Max

from arbsite.clock import ns_from_at
from inventory.models import BalanceSnapshot

# Samples of one reading lie close together; older ones of a venue that is gone do not count.
LATEST_WITHIN = timedelta(hours=1)


class BalancePicture(msgspec.Struct, frozen=True):
    """One venue asset's balance in whole units, as that venue reported it."""

    venue: str
    venue_asset: str
    asset: str
    balance: str
    at_ns: int


def latest_balances() -> list[BalancePicture]:
    """The newest sample of each venue asset, of the last hour that has samples."""
    newest = BalanceSnapshot.objects.aggregate(at=Max("at"))["at"]
    if newest is None:
        return []
    found = (
        BalanceSnapshot.objects.filter(at__gte=newest - LATEST_WITHIN)
        .order_by("venue", "asset", "venue_asset", "-at")
        .distinct("venue", "asset", "venue_asset")
    )
    return [
        BalancePicture(
            venue=row.venue,
            venue_asset=row.venue_asset,
            asset=row.asset,
            balance=format(row.balance, "f"),
            at_ns=ns_from_at(row.at),
        )
        for row in found
    ]
