"""`manage.py reconcile`: have the engine compare our records with the venues' now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.models import Q

from risk.services import DATABASE_AWAY
from trading.models import Attempt, Fill
from trading.terminal_orders import engine_word

LIVE = ("planned", "sending", "unknown", "acked")


class Command(BaseCommand):
    """Wakes the engine's reconciliation and says what is not booked yet."""

    help = (
        "Have the engine compare the venues' records with ours at once (it does so every 15 s "
        "by itself and at each start), and list what is not booked yet. Needs only PostgreSQL; "
        "a fill of nobody shows up as an incident."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._ask()
        except OperationalError as error:
            raise CommandError(DATABASE_AWAY) from error

    def _ask(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('spreadline', 'reconcile')")
        self.stdout.write(f"Asked for; {engine_word()}")
        waiting = Attempt.objects.filter(Q(state__in=LIVE) | Q(is_booked=False))
        for attempt in waiting.order_by("trade_id", "leg", "seq"):
            name = attempt.order_id or attempt.signature or attempt.cl_ord_id
            self.stdout.write(f"{attempt.trade_id}  {attempt}  {attempt.venue} {name}")
        observed = Fill.objects.filter(status="observed").exclude(base_delta=0).count()
        total = waiting.count()
        self.stdout.write(f"{total} attempts and {observed} fills are not booked yet.")
