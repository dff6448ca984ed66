"""What the desk owns where, sampled: an append-only series of both venues' balances."""

from __future__ import annotations

from django.db import models

from arbsite.clock import uuid7


class BalanceSnapshot(models.Model):
    """One venue asset's balance as the venue reported it (a sample, never the ledger)."""

    pk = models.CompositePrimaryKey("at", "id")
    at = models.DateTimeField()
    id = models.UUIDField(default=uuid7, editable=False)
    venue = models.CharField(max_length=16)
    venue_asset = models.CharField(max_length=44)
    asset = models.CharField(max_length=16)
    balance = models.DecimalField(max_digits=38, decimal_places=18)

    class Meta:
        indexes = [models.Index(fields=["venue", "asset", "-at"], name="balance_latest")]

    def __str__(self) -> str:
        return f"{self.venue} {self.asset} {self.balance}"
