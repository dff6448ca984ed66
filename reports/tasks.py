"""Scheduled reports: the running day every few minutes, the day before once it is over."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task

from arbsite.clock import utc_now
from reports.services import summarise_day


@shared_task
def summarise_days() -> int:
    """Recompute today's and yesterday's rows; returns how many were written."""
    today = utc_now().date()
    return sum(len(summarise_day(day)) for day in (today - timedelta(days=1), today))
