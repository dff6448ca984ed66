"""Computes day reports from the tables; idempotent, so a repeated task changes nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Q, Sum

from arbsite.clock import ns_from_at, utc_now
from feeds.models import Market
from reports.models import DayReport
from trading.models import Trade, Window
from trading.paper_selectors import of_live


def summarise_day(day: date) -> list[DayReport]:
    """Write one row per asset for a UTC day from what the tables say now."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    from_ns, to_ns = ns_from_at(start), ns_from_at(start + timedelta(days=1))
    return [
        _summarise_asset(day, asset, from_ns, to_ns)
        for asset in Market.objects.values_list("asset", flat=True)
    ]


def _summarise_asset(day: date, asset: str, from_ns: int, to_ns: int) -> DayReport:
    trades = Trade.objects.filter(asset=asset, detect_ns__gte=from_ns, detect_ns__lt=to_ns)
    sums = trades.aggregate(
        trades=Count("id"),
        both_filled=Count("id", filter=Q(outcome="both")),
        partials=Count("id", filter=Q(outcome__in=["partial", "hedged"])),
        missed=Count("id", filter=Q(outcome="missed")),
        verified=Count("id", filter=Q(is_verified=True)),
        notional=Sum("notional_usd"),
        expected=Sum("expected_pnl_usd", filter=Q(realised_pnl_usd__isnull=False)),
        realised=Sum("realised_pnl_usd"),
    )
    windows = Window.objects.filter(asset=asset, opened_at_ns__gte=from_ns, opened_at_ns__lt=to_ns)
    # Only stored, or traded by a model: that window was not ours to take.
    eligible = of_live(windows.filter(is_eligible=True))
    captured = trades.filter(outcome="both").values("window_id")
    row, _ = DayReport.objects.update_or_create(
        day=day,
        asset=asset,
        defaults={
            "trades": sums["trades"],
            "both_filled": sums["both_filled"],
            "partials": sums["partials"],
            "missed": sums["missed"],
            "verified": sums["verified"],
            "notional_usd": sums["notional"] or Decimal(0),
            "expected_pnl_usd": sums["expected"] or Decimal(0),
            "realised_pnl_usd": sums["realised"] or Decimal(0),
            "windows": windows.count(),
            "eligible_windows": eligible.count(),
            "captured_windows": eligible.filter(window_id__in=captured).count(),
            "computed_at": utc_now(),
        },
    )
    return row
