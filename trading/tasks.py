"""Housekeeping of trading's tables. No task here sends an order: re-delivery would repeat it."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task

from arbsite.clock import utc_now
from trading.models import EngineStart, Outbox

OUTBOX_KEPT = timedelta(days=2)
STARTS_KEPT = timedelta(days=30)
CHUNK = 5_000


@shared_task
def prune_outbox() -> int:
    """Delete messages sent more than two days ago, in chunks; returns how many went."""
    before = utc_now() - OUTBOX_KEPT
    deleted = 0
    while ids := list(
        Outbox.objects.filter(sent_at__lt=before).values_list("id", flat=True)[:CHUNK]
    ):
        deleted += Outbox.objects.filter(id__in=ids).delete()[0]
    EngineStart.objects.filter(at__lt=utc_now() - STARTS_KEPT).delete()
    return deleted
