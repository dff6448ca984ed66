"""`manage.py status`: what the desk is doing, from PostgreSQL alone."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from arbsite.clock import SystemClock
from arbsite.errors import DomainError
from arbsite.home import current_home
from risk import selectors as risk
from risk.models import Incident
from risk.services import DATABASE_AWAY
from trading.models import Trade
from trading.risk_selectors import risk_picture
from trading.terminal_orders import engine_word


def _desk_line() -> str:
    """What all shards use of the desk's limits, and what one leg alone can cost at worst."""
    try:
        risk_now = risk_picture(SystemClock().now_ns())
    except DomainError as error:
        return f"{error} Nothing trades."
    limits, case = risk_now.limits, risk_now.worst_case
    return (
        f"Desk: {risk_now.open_usd} of {limits.max_open_usd} USD open,"
        f" {risk_now.day_usd} of {limits.daily_notional_cap_usd} USD today;"
        f" worst case {case.usd} USD, now {case.now_usd} USD"
        f" ({case.adverse_bps:.1f} bps in {case.proof_s:.0f} s)"
    )


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
        self.stdout.write(_desk_line())
        self.stdout.write(f"Engine: {engine_word()}")
        open_trades = Trade.objects.exclude(state="closed").order_by("detect_ns")
        for trade in open_trades:
            left = f"{trade.residual_base.normalize():f} {trade.asset} left over"
            self.stdout.write(f"{trade.id}  {trade.state}  {left}  {trade.reason}".rstrip())
        if not open_trades:
            self.stdout.write("No trade is open.")
        for incident in Incident.objects.exclude(state="closed"):
            self.stdout.write(f"Incident {incident.number} ({incident.priority}): {incident.text}")
