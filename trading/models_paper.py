"""The paper desk's trades and money: tables of their own, so that no query of live ones sees them.

Not a `book` column on the live tables: a filter can be forgotten, another table cannot be
summed by accident (decision 0018). Written by `trading.storage.paper_store` under the engine's
epoch, read by `trading.paper_selectors`.
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models


class PaperTrade(models.Model):
    """A decision that a model carried out. `fills` are the model's executions, exact.

    Money is in USD at the decision's marks. `naked_usd_s` is the integral of the unhedged
    notional over time; `wired_ns` the last leg's start on the wire.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    id = models.UUIDField(primary_key=True)
    version = models.PositiveIntegerField(default=1)
    intent_key = models.UUIDField(unique=True)
    window_id = models.UUIDField()
    asset = models.CharField(max_length=16)
    direction = models.CharField(max_length=32)
    leg_order = models.CharField(max_length=16)
    state = models.CharField(max_length=16, choices=State.choices)
    outcome = models.CharField(max_length=16, default="pending")
    config_version = models.PositiveIntegerField()
    size_base = models.DecimalField(max_digits=38, decimal_places=18)
    notional_usd = models.DecimalField(max_digits=38, decimal_places=18)
    expected_pnl_usd = models.DecimalField(max_digits=38, decimal_places=18)
    realised_pnl_usd = models.DecimalField(max_digits=38, decimal_places=18, null=True, blank=True)
    residual_base = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    detect_ns = models.BigIntegerField()
    wired_ns = models.BigIntegerField(null=True, blank=True)
    both_filled_ns = models.BigIntegerField(null=True, blank=True)
    closed_ns = models.BigIntegerField(null=True, blank=True)
    naked_usd_s = models.FloatField(default=0.0)
    risk_day = models.DateField()
    reason = models.CharField(max_length=500, blank=True)
    fills = models.JSONField(default=list)

    class Meta:
        ordering = ["-detect_ns"]
        indexes = [models.Index(fields=["-detect_ns"], name="paper_trade_by_time")]
        constraints = [
            models.UniqueConstraint(
                fields=["asset", "direction"],
                condition=models.Q(state="open"),
                name="paper_trade_one_open",
            )
        ]

    def __str__(self) -> str:
        return f"paper {self.asset} {self.state} {self.id}"


class PaperEntry(models.Model):
    """One change of a paper balance; a balance is the sum of its entries. Append-only.

    `seed` entries are the real balances of the moment PAPER was first entered.
    """

    class Kind(models.TextChoices):
        SEED = "seed", "Seed"
        TRADE = "trade", "Trade"
        FEE = "fee", "Fee"

    id = models.BigAutoField(primary_key=True)
    trade = models.ForeignKey(
        PaperTrade, on_delete=models.PROTECT, related_name="entries", null=True, blank=True
    )
    venue = models.CharField(max_length=16)
    asset = models.CharField(max_length=16)
    delta = models.DecimalField(max_digits=38, decimal_places=18)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    at_ns = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["venue", "asset"],
                condition=models.Q(kind="seed"),
                name="paper_entry_one_seed",
            )
        ]

    def __str__(self) -> str:
        return f"paper {self.venue} {self.asset} {self.delta}"
