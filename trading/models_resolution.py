"""What a person orders for a trade: a durable request that the engine carries out.

The web process never talks to a venue. Written by `trading.resolutions` (the request) and,
under its fence, by the engine (`taken`, and the answer in the transaction of what it did).
"""

from __future__ import annotations

from django.db import models

from arbsite.clock import uuid7


class Resolution(models.Model):
    """One order about one trade; at most one of a trade is open at a time.

    `detail` is what the act needs and, when done, what came of it: a preview's prices, a
    flatten's limit. `epoch` is the engine's that took it.
    """

    class Act(models.TextChoices):
        PREVIEW = "preview", "Price a flatten"
        FLATTEN = "flatten", "Flatten now"
        ATTACH = "attach", "Attach a venue record"
        KEEP = "keep", "Keep as inventory"
        PROVE = "prove", "Run the proof again"
        STOP_RESENDING = "stop_resending", "Stop re-sending"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for a second person"
        REQUESTED = "requested", "Waiting for the engine"
        TAKEN = "taken", "Being carried out"
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"
        EXPIRED = "expired", "Expired"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    trade = models.ForeignKey("trading.Trade", on_delete=models.PROTECT, related_name="resolutions")
    act = models.CharField(max_length=16, choices=Act.choices)
    state = models.CharField(max_length=16, choices=State.choices)
    venue = models.CharField(max_length=16, blank=True)
    reference = models.CharField(max_length=96, blank=True)
    detail = models.JSONField(default=dict, blank=True)
    user = models.CharField(max_length=150)
    idempotency_key = models.CharField(max_length=64)
    reason = models.CharField(max_length=500, blank=True)
    approved_by = models.CharField(max_length=150, blank=True)
    epoch = models.PositiveBigIntegerField(null=True, blank=True)
    answer = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "idempotency_key"], name="resolution_once_per_key"
            ),
            models.UniqueConstraint(
                fields=["trade"],
                condition=models.Q(state__in=["waiting", "requested", "taken"]),
                name="resolution_one_open_per_trade",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.trade_id} {self.state}"
