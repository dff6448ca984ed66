"""`manage.py reconcile`: have the engine compare our records with the venues' now."""

from __future__ import annotations

import getpass
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection
from django.db.models import Q

from arbsite.auth.step_up import require_second_factor
from arbsite.clock import SystemClock
from arbsite.errors import DomainError
from risk import restores
from risk.models import Inspection
from risk.services import DATABASE_AWAY
from trading.models import Attempt, Fill
from trading.terminal_orders import engine_word, person

LIVE = ("planned", "sending", "unknown", "acked")
LOOK_EVERY_S = 0.2


class Command(BaseCommand):
    """Wakes the engine's reconciliation and says what is not booked yet."""

    help = (
        "Have the engine compare the venues' records with ours at once (it does so every 15 s "
        "by itself and at each start), and list what is not booked yet. After a backup was put "
        "back it also says what Kraken knows and the database does not; --accept vouches for "
        "that, and the desk may go live again. Needs only PostgreSQL; a fill of nobody shows "
        "up as an incident."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--accept",
            action="store_true",
            help="account for what a restored database lacks (booked or written down by hand)",
        )
        parser.add_argument("--user", default="", help="who accounts for it")
        parser.add_argument("--reason", default="", help="how; kept in the audit log")
        parser.add_argument(
            "--wait", type=float, default=15.0, help="seconds for the engine's answer (default 15)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["accept"]:
                self._accept(options["user"], options["reason"])
            else:
                self._ask(options["wait"])
        except OperationalError as error:
            raise CommandError(DATABASE_AWAY) from error

    def _accept(self, username: str, reason: str) -> None:
        user = person(username)
        try:
            if settings.SPREADLINE_REQUIRE_OTP:
                require_second_factor(user, getpass.getpass("Code of your second factor: "))
            look = restores.account_for(user=user.username, reason=reason)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self._show(look)
        self.stdout.write("Accounted for; the desk stays in OBSERVE until somebody goes live.")

    def _ask(self, wait_s: float) -> None:
        before = restores.latest_look()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('spreadline', 'reconcile')")
        self.stdout.write(f"Asked for; {engine_word()}")
        if before is not None and not before.is_green:
            self._show(_next_look(before, wait_s))
        waiting = Attempt.objects.filter(Q(state__in=LIVE) | Q(is_booked=False))
        for attempt in waiting.order_by("trade_id", "leg", "seq"):
            name = attempt.order_id or attempt.signature or attempt.cl_ord_id
            self.stdout.write(f"{attempt.trade_id}  {attempt}  {attempt.venue} {name}")
        observed = Fill.objects.filter(status="observed").exclude(base_delta=0).count()
        total = waiting.count()
        self.stdout.write(f"{total} attempts and {observed} fills are not booked yet.")

    def _show(self, look: Inspection) -> None:
        word = "green" if look.is_green else "RED"
        for check in look.checks:
            self.stdout.write(f"Restored database: {word}. {check['seen']}")
            if not check["is_green"]:
                self.stdout.write(f"  {check['remedy']}")


def _next_look(before: Inspection, wait_s: float) -> Inspection:
    """The engine's next look at the restored database, or the last one while it is silent."""
    clock = SystemClock()
    deadline_ns = clock.monotonic_ns() + round(wait_s * 1e9)
    while True:
        look = restores.latest_look() or before
        if look.id != before.id or clock.monotonic_ns() > deadline_ns:
            return look
        time.sleep(LOOK_EVERY_S)
