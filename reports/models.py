"""What each UTC day came to, per asset: the rows that scheduled reports are made of."""

from __future__ import annotations

from decimal import Decimal

from django.db import models


class DayReport(models.Model):
    """One asset's UTC day. Recomputed from trades and windows until the day is over."""

    day = models.DateField()
    asset = models.CharField(max_length=16)
    trades = models.PositiveIntegerField(default=0)
    both_filled = models.PositiveIntegerField(default=0)
    partials = models.PositiveIntegerField(default=0)
    missed = models.PositiveIntegerField(default=0)
    verified = models.PositiveIntegerField(default=0)
    notional_usd = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    expected_pnl_usd = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    realised_pnl_usd = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    windows = models.PositiveIntegerField(default=0)
    eligible_windows = models.PositiveIntegerField(default=0)
    captured_windows = models.PositiveIntegerField(default=0)
    computed_at = models.DateTimeField()

    class Meta:
        ordering = ["-day", "asset"]
        constraints = [
            models.UniqueConstraint(fields=["day", "asset"], name="dayreport_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.asset}"
