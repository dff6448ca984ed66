"""Housekeeping of balance samples (the ledger is the truth; samples may go)."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task

from arbsite.clock import utc_now
from inventory.models import BalanceSnapshot

SAMPLES_KEPT = timedelta(days=30)


@shared_task
def prune_balance_samples() -> int:
    """Delete samples older than 30 days; returns how many went."""
    return BalanceSnapshot.objects.filter(at__lt=utc_now() - SAMPLES_KEPT).delete()[0]
