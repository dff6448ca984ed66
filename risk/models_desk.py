"""Limits of the desk as a whole: what all shards together may do, whatever each asset may.

The intent function locks the version in force, so that intents of all shards pass it one by
one. Versions are written by `risk.desk_limits` only.
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from arbsite.clock import uuid7


class DeskLimits(models.Model):
    """One version of the desk's limits. Rows never change once in force; exactly one is.

    `max_open_usd`: notional of all trades not yet settled, those with an operator included.
    `daily_notional_cap_usd`: used and reserved over all assets of a UTC day. `fee_floor_sol`:
    native SOL of the wallet that no intent may count on for its fees.
    """

    class Status(models.TextChoices):
        PROPOSED = "proposed", "Waiting for approval"
        IN_FORCE = "in_force", "In force"
        SUPERSEDED = "superseded", "Superseded"
        REJECTED = "rejected", "Rejected"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Always "*": versions of one scope stand in one line, as those of an asset do.
    scope = models.CharField(max_length=16, default="*")
    version = models.PositiveIntegerField()
    status = models.CharField(max_length=16, choices=Status.choices)
    max_open_usd = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(100_000))
    daily_notional_cap_usd = models.DecimalField(
        max_digits=38, decimal_places=18, default=Decimal(10_000_000)
    )
    fee_floor_sol = models.DecimalField(max_digits=18, decimal_places=9, default=Decimal("0.05"))
    created_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    in_force_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-version"]
        verbose_name_plural = "desk limits"
        constraints = [
            models.UniqueConstraint(fields=["scope", "version"], name="desk_version_once"),
            models.UniqueConstraint(
                fields=["scope"],
                condition=models.Q(status="in_force"),
                name="desk_one_in_force",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    max_open_usd__gte=0, daily_notional_cap_usd__gte=0, fee_floor_sol__gte=0
                ),
                name="desk_no_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"desk limits v{self.version} ({self.status})"
