"""Reads for audits: our trades and ledger, and the simulator's truth beside them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from django.db.models import Count, Q

from feeds.sim.truth import TruthStore
from reports.profiles import Movement
from trading.models import AssetConfig, Attempt, Fill, LedgerEntry, Opportunity, Trade

MOVING_KINDS = ("trade", "fee", "tip", "transfer")


class TruthPicture(msgspec.Struct, frozen=True):
    """What the simulated venues say happened to the desk's accounts."""

    movements: list[Movement]
    client_ids: list[str]


def truth_picture(path: Path, accounts: set[str]) -> TruthPicture:
    """Read the truth of the desk's accounts (a Kraken key, a wallet) from its file."""
    store = TruthStore(path)
    try:
        movements = [
            Movement(entry.venue, entry.asset, entry.reference, Decimal(entry.delta))
            for entry in store.ledger()
            if entry.account in accounts and entry.kind in MOVING_KINDS
        ]
        orders: list[dict[str, Any]] = [
            msgspec.json.decode(value) for _key, value in store.items("kraken.order")
        ]
    finally:
        store.close()
    return TruthPicture(
        movements=movements,
        client_ids=[
            order["cl_ord_id"]
            for order in orders
            if order["account"] in accounts and order["cl_ord_id"]
        ],
    )


def our_movements() -> list[Movement]:
    """Our whole ledger."""
    rows = LedgerEntry.objects.values_list("venue", "venue_asset", "reference", "delta")
    return [Movement(*row) for row in rows]


def unbooked_references() -> frozenset[str]:
    """Venue references of trades that are not closed, so not wholly in the ledger yet."""
    open_attempts = Attempt.objects.exclude(trade__state=Trade.State.CLOSED)
    fills = Fill.objects.filter(attempt__in=open_attempts).values_list("venue_fill_id", flat=True)
    signatures = open_attempts.exclude(signature=None).values_list("signature", flat=True)
    return frozenset([*fills, *(signature for signature in signatures if signature)])


def trade_counts() -> dict[str, Any]:
    """How many trades there are, how they ended, and over which assets."""
    totals = Trade.objects.aggregate(
        trades=Count("id"),
        completed=Count("id", filter=Q(state="closed", outcome="both")),
        verified=Count("id", filter=Q(state="closed", is_verified=True)),
        unfinished=Count("id", filter=~Q(state="closed")),
        needs_operator=Count("id", filter=Q(state="operator")),
    )
    outcomes = Trade.objects.filter(state="closed").values_list("outcome").annotate(Count("id"))
    by_asset = (
        Trade.objects.filter(state="closed", outcome="both")
        .values_list("asset")
        .annotate(Count("id"))
    )
    return {**totals, "outcomes": dict(outcomes), "completed_by_asset": dict(by_asset)}


def tries_per_window() -> dict[str, int]:
    """How often each window was decided on, over the whole history.

    Windows of assets whose configuration ever allowed several intents are left out.
    """
    several = AssetConfig.objects.filter(intents_per_window__gt=1).values("asset")
    rows = (
        Opportunity.objects.exclude(asset__in=several)
        .values_list("window_id")
        .annotate(Count("pk"))
    )
    return {str(window): count for window, count in rows}
