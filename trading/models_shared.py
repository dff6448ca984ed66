"""Balances that shards of one desk share, and what their trades may still take of them.

Written by the intent function and `trading.storage.store` only; a row of `SharedBalance` is what
all shards lock, its amount is the venue's to tell.
"""

from __future__ import annotations

from django.db import models


class SharedBalance(models.Model):
    """One asset on one venue: the row that intents of all shards pass one by one."""

    id = models.BigAutoField(primary_key=True)
    venue = models.CharField(max_length=16)
    asset = models.CharField(max_length=16)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["venue", "asset"], name="balance_once")]

    def __str__(self) -> str:
        return f"{self.venue} {self.asset}"


class Reservation(models.Model):
    """What one trade may take from a shared balance; whole units on Kraken, raw on Solana.

    `released_ns` is when both its legs' outcomes were known.
    """

    id = models.BigAutoField(primary_key=True)
    shard = models.CharField(max_length=32)
    trade_id = models.UUIDField()
    venue = models.CharField(max_length=16)
    asset = models.CharField(max_length=16)
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    released_ns = models.BigIntegerField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["venue", "asset", "released_ns"], name="reservation_by_balance")
        ]
        constraints = [
            models.UniqueConstraint(fields=["trade_id", "venue", "asset"], name="reservation_once")
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.asset} on {self.venue} for {self.trade_id}"


class BalanceAnchor(models.Model):
    """From where on our records must explain a balance: the venue's figure at a ledger id.

    Expected = `balance` + Σ of later ledger entries. `disputed` is what could not be
    explained while a person has not lifted the stop for it.
    """

    id = models.BigAutoField(primary_key=True)
    venue = models.CharField(max_length=16)
    venue_asset = models.CharField(max_length=44)
    balance = models.DecimalField(max_digits=38, decimal_places=18)
    ledger_id = models.BigIntegerField()
    at_ns = models.BigIntegerField()
    disputed = models.DecimalField(max_digits=38, decimal_places=18, null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["venue", "venue_asset"], name="anchor_once")]

    def __str__(self) -> str:
        return f"{self.venue} {self.venue_asset} {self.balance} at entry {self.ledger_id}"
