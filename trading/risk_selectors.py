"""What the desk as a whole may do, does now, and can lose at worst: one read of the tables."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
from django.db.models import F, Max, Q, Sum

from arbsite.clock import at_from_ns, ns_from_at
from risk.desk_limits import DESK, VERSIONS
from risk.models import RiskDay
from trading.models import AssetConfig, Trade
from trading.selectors import plain
from trading.worst_case import AssetAtRisk, WorstCase, worst_case

MEASURED_OVER = timedelta(days=30)


class DeskLimitsInForce(msgspec.Struct, frozen=True):
    """The version of the desk's limits in force; decimals are text."""

    version: int
    max_open_usd: str
    daily_notional_cap_usd: str
    fee_floor_sol: str
    changed_by: str
    in_force_at_ns: int | None


class RiskPicture(msgspec.Struct, frozen=True):
    """The desk's limits, what all shards use of them, and the residual risk; money as text.

    `open_usd`: notional of trades not yet settled, those with an operator included;
    `day_usd`: used and reserved over all assets of the UTC day.
    """

    at_ns: int
    limits: DeskLimitsInForce
    open_usd: str
    day_usd: str
    worst_case: WorstCase


def risk_picture(now_ns: int) -> RiskPicture:
    """The picture at `now_ns`; raises DomainError (404) while the desk has no limits."""
    limits = VERSIONS.in_force(DESK)
    now = at_from_ns(now_ns)
    is_open = Q(state__in=["open", "hedging", "operator"], is_settled=False)
    open_usd = Trade.objects.filter(is_open).aggregate(usd=Sum("notional_usd"))["usd"]
    used = RiskDay.objects.filter(day=now.date()).aggregate(
        usd=Sum(F("notional_used") + F("notional_reserved"))
    )["usd"]
    waits = Trade.objects.filter(detect_ns__gte=ns_from_at(now - MEASURED_OVER))
    longest_ns = waits.aggregate(ns=Max(F("naked_until_ns") - F("naked_from_ns")))["ns"] or 0
    enabled = AssetConfig.objects.filter(status="in_force", enabled=True, mode="live")
    assets = [
        AssetAtRisk(asset, most)
        for asset, most in enabled.order_by("asset").values_list("asset", "max_notional_usd")
    ]
    in_force_at = limits.in_force_at
    return RiskPicture(
        at_ns=now_ns,
        limits=DeskLimitsInForce(
            version=limits.version,
            max_open_usd=plain(limits.max_open_usd),
            daily_notional_cap_usd=plain(limits.daily_notional_cap_usd),
            fee_floor_sol=plain(limits.fee_floor_sol),
            changed_by=limits.created_by,
            in_force_at_ns=None if in_force_at is None else ns_from_at(in_force_at),
        ),
        open_usd=plain(open_usd or Decimal(0)),
        day_usd=plain(used or Decimal(0)),
        worst_case=worst_case(
            assets,
            max_open_usd=limits.max_open_usd,
            open_usd=open_usd or Decimal(0),
            longest_naked_s=longest_ns / 1e9,
        ),
    )
