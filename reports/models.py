"""What was found out: each UTC day's figures, and stored studies (back-tests, feasibility).

A study is written once and never changed; its results are the JSON of the pure structs in
`trading.backtest` and of `reports.feasibility`.
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from arbsite.clock import uuid7


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


class BacktestRun(models.Model):
    """One finished back-test or ablation: what it ran on, with what, and what came out."""

    class Kind(models.TextChoices):
        BACKTEST = "backtest", "Back-test"
        ABLATION = "ablation", "Ablation"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.BACKTEST)
    source = models.CharField(max_length=200)
    source_hash = models.CharField(max_length=64)
    seed = models.BigIntegerField()
    from_ns = models.BigIntegerField()
    to_ns = models.BigIntegerField()
    parameters = models.JSONField()
    results = models.JSONField()
    version = models.CharField(max_length=64)
    took_s = models.FloatField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.source} {self.id}"


class FeasibilityReport(models.Model):
    """Whether one asset's two markets clear their costs at a fee tier, or that nobody knows."""

    class Verdict(models.TextChoices):
        CLEARS = "clears", "Clears its costs"
        FAILS = "fails", "Does not clear its costs"
        ABSTAIN = "abstain", "Too little data to say"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    asset = models.CharField(max_length=16)
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    taker_bps = models.DecimalField(max_digits=9, decimal_places=3)
    source = models.CharField(max_length=200)
    source_hash = models.CharField(max_length=64)
    results = models.JSONField()
    version = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.asset} {self.verdict} at {self.taker_bps} bps"
