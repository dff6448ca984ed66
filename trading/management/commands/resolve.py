"""`manage.py resolve TRADE`: take a parked trade out of OPERATOR, from a terminal."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading import terminal_orders
from trading.resolutions import OrderedAct, Wanted


class Command(BaseCommand):
    """Orders one act; the engine carries it out and answers."""

    help = (
        "Take a parked trade out of OPERATOR. Choose one way: --attach VENUE:ID re-reads a "
        "record from its venue (an order or trade id of Kraken, a signature of Solana); "
        "--flatten prices one order on the live book and sends it when you agree; --keep "
        "accepts the residual as inventory; --prove asks the venues about every attempt again. "
        "--stop-resending ends the broadcasts of a swap that may still land; nothing can "
        "cancel it. Needs PostgreSQL and a running engine."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trade", help="the trade's id, or its beginning")
        ways = parser.add_mutually_exclusive_group(required=True)
        ways.add_argument(
            "--attach", metavar="VENUE:ID", help="kraken:ORDER-ID or solana:SIGNATURE"
        )
        for name in ("flatten", "keep", "prove", "stop-resending"):
            ways.add_argument(f"--{name}", action="store_true")
        parser.add_argument("--user", required=True, help="who orders this")
        parser.add_argument("--reason", required=True, help="why; kept in the audit log")
        parser.add_argument("--yes", action="store_true", help="flatten without asking again")
        parser.add_argument("--wait", type=float, default=30.0, help="seconds (default 30)")

    def handle(self, *args: Any, **options: Any) -> None:
        user = terminal_orders.person(options["user"])
        trade = terminal_orders.trade_of(options["trade"])
        asked = {"user": user, "reason": options["reason"], "wait_s": options["wait"]}
        if options["flatten"]:
            wanted = self._previewed(trade.id, asked, is_sure=options["yes"])
        else:
            wanted = _wanted(options)
        row = terminal_orders.order(trade.id, wanted, **asked)
        if row.state == "waiting":
            self.stdout.write("Waiting for a second person to approve it in the console.")
        else:
            self.stdout.write(f"Done: {row.answer}.")

    def _previewed(self, trade_id: Any, asked: dict[str, Any], *, is_sure: bool) -> Wanted:
        """Show what a flatten would cost and have it confirmed."""
        preview = terminal_orders.order(trade_id, Wanted("preview"), **asked)
        for name, value in preview.detail.items():
            self.stdout.write(f"{name:>14}  {value}")
        if not is_sure and input("Send this order? Type FLATTEN: ") != "FLATTEN":
            raise CommandError("Nothing was sent.")
        return Wanted("flatten", preview=preview.id)


def _wanted(options: dict[str, Any]) -> Wanted:
    if options["attach"]:
        venue, _, reference = options["attach"].partition(":")
        if venue not in ("kraken", "solana") or not reference:
            raise CommandError("Write --attach kraken:ID or --attach solana:SIGNATURE.")
        return Wanted("attach", venue, reference)
    acts: dict[str, OrderedAct] = {
        "keep": "keep",
        "prove": "prove",
        "stop_resending": "stop_resending",
    }
    return Wanted(next(act for name, act in acts.items() if options[name]))
