"""Control, counters and incidents: what may trade now, what was used, what went wrong.

Only `risk.services` (people, rules) and the store's intent function (reservations) write
here. The engine re-reads `Control` each second, on every NOTIFY, and once more inside the
transaction that records an intent.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models

from arbsite.clock import uuid7
from arbsite.events import Mode, strictest
from risk.models_desk import DeskLimits as DeskLimits  # noqa: PLC0414 - a model of this app


class ModeChoice(models.TextChoices):
    """The modes of the desk, loosest first; words as the console shows them."""

    LIVE = "live", "LIVE"
    PAPER = "paper", "PAPER"
    OBSERVE = "observe", "OBSERVE"
    HEDGE_ONLY = "hedge_only", "AUTO-PAUSED"
    STOP_NEW = "stop_new", "PAUSED"
    HALT = "halt", "KILLED"


class Control(models.Model):
    """The mode of one scope: "*" (the whole engine) or an asset.

    `mode` is what people set. `trips` holds the rules that stopped the scope, by rule
    word: {"text", "value", "limit", "since_ns"}; `mode_before` is where a pause goes back to.
    While a trip is present the scope is at
    least HEDGE-ONLY, and lifting a trip never loosens what a person set.
    """

    scope = models.CharField(max_length=16, primary_key=True)
    mode = models.CharField(max_length=16, choices=ModeChoice.choices, default=ModeChoice.OBSERVE)
    mode_before = models.CharField(max_length=16, blank=True)
    trips = models.JSONField(default=dict, blank=True)
    version = models.PositiveBigIntegerField(default=1)
    command_id = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    since_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(mode__in=ModeChoice.values), name="control_mode_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.effective_mode} v{self.version}"

    @property
    def effective_mode(self) -> Mode:
        """The strictest of what people set and what rules tripped."""
        set_by_people: Mode = self.mode  # type: ignore[assignment]
        return strictest(set_by_people, "hedge_only") if self.trips else set_by_people


class Command(models.Model):
    """One request to change a control, remembered so that a repeat has one effect."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.CharField(max_length=150)
    idempotency_key = models.CharField(max_length=64)
    action = models.CharField(max_length=32)
    scope = models.CharField(max_length=16)
    body = models.JSONField(default=dict)
    control_version = models.PositiveBigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "idempotency_key"], name="command_once_per_key")
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.scope} by {self.user}"


class RiskDay(models.Model):
    """What one asset has used of its daily limits (UTC day), in USD.

    `notional_reserved` counts intents recorded but not yet closed, so that used +
    reserved never passes the limit even while orders are in flight.
    """

    day = models.DateField()
    asset = models.CharField(max_length=16)
    notional_used = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    notional_reserved = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    realised = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    trades = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "asset"], name="riskday_once"),
            models.CheckConstraint(
                condition=models.Q(notional_reserved__gte=0), name="riskday_reserved_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.day}"


class PaperDay(models.Model):
    """What the paper desk has used of the same limits: its own row, never RiskDay's.

    The caps are the asset's, so that a rehearsal meets them; a paper loss refuses further
    paper trades and trips nothing.
    """

    day = models.DateField()
    asset = models.CharField(max_length=16)
    notional_used = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    notional_reserved = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    realised = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    trades = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "asset"], name="paperday_once"),
            models.CheckConstraint(
                condition=models.Q(notional_reserved__gte=0),
                name="paperday_reserved_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"paper {self.asset} {self.day}"


class Incident(models.Model):
    """An alarm: condition, number and limit, and who dealt with it."""

    class Priority(models.TextChoices):
        CRITICAL = "critical", "Critical"
        WARNING = "warning", "Warning"
        NOTICE = "notice", "Notice"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKED = "acked", "Acknowledged"
        CLOSED = "closed", "Closed"

    number = models.BigAutoField(primary_key=True)
    priority = models.CharField(max_length=16, choices=Priority.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    asset = models.CharField(max_length=16)
    rule = models.CharField(max_length=64)
    text = models.CharField(max_length=500)
    value = models.CharField(max_length=64, blank=True)
    limit = models.CharField(max_length=64, blank=True)
    opened_at = models.DateTimeField()
    acked_at = models.DateTimeField(null=True, blank=True)
    acked_by = models.CharField(max_length=150, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["asset", "rule"],
                condition=~models.Q(state="closed"),
                name="incident_one_open_per_rule",
            )
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.rule} {self.asset}"


class Inspection(models.Model):
    """A look at everything that must be in order before money moves, or while it does."""

    class Kind(models.TextChoices):
        PREFLIGHT = "preflight", "Preflight"
        CANARY = "canary", "Canaries"
        RESTORE = "restore", "Restored database"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    at = models.DateTimeField()
    is_green = models.BooleanField()
    checks = models.JSONField()
    actor = models.CharField(max_length=150)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["kind", "-at"], name="inspection_latest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M} {'green' if self.is_green else 'red'}"


def trip_entry(text: str, value: str, limit: str, since_ns: int) -> dict[str, Any]:
    """The JSON stored under a rule's word in `Control.trips`."""
    return {"text": text, "value": value, "limit": limit, "since_ns": since_ns}
