"""`manage.py status`: what the desk is doing, from PostgreSQL alone."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from arbsite.home import current_home
from risk import selectors as risk
from risk.models import Incident
from risk.services import DATABASE_AWAY
from trading.models import Trade
from trading.terminal_orders import engine_word


class Command(BaseCommand):
    """Prints modes, the engine, open trades and standing incidents."""

    help = (
        "Say what the desk is doing: modes, the engine, what is open or parked, standing "
        "incidents. Needs only PostgreSQL; neither console, bus nor cache."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if current_home().kill_file.exists():
            self.stdout.write("KILLED on this machine: the kill file is there.")
        try:
            self._tell()
        except OperationalError as error:
            raise CommandError(DATABASE_AWAY) from error

    def _tell(self) -> None:
        for control in risk.control_rows():
            rules = f", tripped by {', '.join(control.rules)}" if control.rules else ""
            line = f"{control.scope:>6}  {control.mode}{rules}"
            if control.leaves_by:
                line += f"; left by {control.leaves_words}"
            if control.asked_by:
                line += f", asked for by {', '.join(control.asked_by)}"
            self.stdout.write(line)
        self.stdout.write(f"Engine: {engine_word()}")
        open_trades = Trade.objects.exclude(state="closed").order_by("detect_ns")
        for trade in open_trades:
            left = f"{trade.residual_base.normalize():f} {trade.asset} left over"
            self.stdout.write(f"{trade.id}  {trade.state}  {left}  {trade.reason}".rstrip())
        if not open_trades:
            self.stdout.write("No trade is open.")
        for incident in Incident.objects.exclude(state="closed"):
            self.stdout.write(f"Incident {incident.number} ({incident.priority}): {incident.text}")
