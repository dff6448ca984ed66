"""The ends of a trade: settled when nothing is naked, closed when everything is booked.

Also the times the service levels are measured by. Callers: the runner and the residual.
"""

from __future__ import annotations

from decimal import Decimal

from trading.execution import booking
from trading.execution.open_trade import OpenTrade
from trading.records import DayRelease

FULL_FILL = Decimal("0.9")


class Settling:
    """Settles and closes one trade. `settled_residual` is what it was settled with."""

    def __init__(self, hand: OpenTrade) -> None:
        self._hand = hand
        self.settled_residual = hand.trade.residual_base

    def settle(self, note: str) -> None:
        """Give the asset free for the next trade; the records are still to be booked."""
        trade = self._hand.trade
        if trade.state == "hedging":
            self._hand.move("hedged")
        trade.is_settled = True
        self.settled_residual = trade.residual_base
        trade.outcome = self._outcome_word()
        if note and not trade.reason:
            trade.reason = note
        if trade.naked_from_ns is not None and trade.naked_until_ns is None:
            trade.naked_until_ns = (
                max(attempt.filled_ns or 0 for attempt in trade.attempts)
                or self._hand.desk.clock.now_ns()
            )

    def _outcome_word(self) -> str:
        trade = self._hand.trade
        cex, dex = trade.latest("cex"), trade.latest("dex")
        wanted = Decimal(trade.intent.qty_lots).scaleb(-trade.intent.spec.qty_precision)
        filled = [attempt.filled_base if attempt else Decimal(0) for attempt in (cex, dex)]
        if any(attempt.filled_base for attempt in trade.attempts if attempt.leg == "hedge"):
            return "hedged"
        if all(amount >= FULL_FILL * wanted for amount in filled):
            return "both"
        return "partial" if any(filled) else "missed"

    def note_times(self) -> None:
        """Keep when the legs were wired, first naked, and both filled."""
        trade = self._hand.trade
        times = [a.filled_ns for a in trade.attempts if a.filled_ns and a.filled_base]
        if times and trade.naked_from_ns is None:
            trade.naked_from_ns = min(times)
        if trade.wired_ns is None and all(each.sent_ns for each in trade.first_attempts()):
            trade.wired_ns = self._hand.wired_ns
        cex, dex = trade.latest("cex"), trade.latest("dex")
        if trade.both_filled_ns is None and cex and dex:
            wanted = FULL_FILL * min(cex.qty, dex.qty)
            if min(cex.filled_base, dex.filled_base) >= wanted and cex.filled_ns and dex.filled_ns:
                trade.both_filled_ns = max(cex.filled_ns, dex.filled_ns)

    async def close_when_booked(self) -> None:
        """Close a settled trade once the venues' own records are in the ledger."""
        trade = self._hand.trade
        if not trade.is_settled or trade.state != "open" or not self._hand.is_all_booked():
            return
        trade.realised_pnl_usd = booking.realised_usd(trade)
        trade.is_verified = all(
            fill.status == "booked"
            for attempt in trade.attempts
            for fill in attempt.fills.values()
            if fill.base_delta
        )
        # The day may have counted a part: when it was parked, or before a late fill reopened it.
        gained = trade.realised_pnl_usd - trade.day_pnl_usd
        trade.day_pnl_usd = trade.realised_pnl_usd
        if trade.closed_ns is None:
            traded = trade.intent.notional_usd if trade.has_filled else Decimal(0)
            release = DayRelease(trade.intent.notional_usd, traded, gained)
        else:
            # The reservation was freed at the first close.
            release = DayRelease(Decimal(0), Decimal(0), gained)
        trade.closed_ns = self._hand.desk.clock.now_ns()
        self._hand.move("closed_flat")
        await self._hand.save(release)
        self._hand.desk.trade_booked(trade)
