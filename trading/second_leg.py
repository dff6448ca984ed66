"""The leg that waited for the other one: started, shrunk to what filled, or never sent.

DEX first: the Kraken order goes out when the swap has landed. CEX first: the swap goes out
when Kraken has filled, for exactly what it filled. Caller: the runner.
"""

from __future__ import annotations

from decimal import Decimal

from arbsite.errors import NotSent
from trading import attempts
from trading.open_trade import OpenTrade
from trading.records import AttemptRecord


class SecondLeg:
    """Starts the planned attempt of one trade once the first leg's outcome allows it."""

    def __init__(self, hand: OpenTrade) -> None:
        self._hand = hand
        self._desk = hand.desk

    async def start(self) -> None:
        """Send, shrink or drop the planned attempt; nothing when there is none yet due."""
        trade = self._hand.trade
        planned = [attempt for attempt in trade.attempts if attempt.state == "planned"]
        if not planned:
            return
        attempt = planned[0]
        mode = self._desk.mode(trade.intent.asset)
        if mode != "live":
            self._hand.drop(attempt, "abandoned", f"mode became {mode}")
        elif attempt.leg == "cex":
            await self._send_cex_after_dex(attempt)
        else:
            await self._send_dex_after_cex(attempt)

    async def _send_cex_after_dex(self, attempt: AttemptRecord) -> None:
        first = self._hand.dex_leg()
        if first.outcome == "landed":
            deadline_ms = self._hand.trade.intent.order_deadline_ms
            attempt.deadline_ns = self._desk.clock.now_ns() + deadline_ms * 1_000_000
            await self._hand.commit_and_send(attempt)
        elif first.outcome in ("failed", "expired"):
            self._hand.drop(attempt, "abandoned", f"the Solana leg {first.outcome}")

    async def _send_dex_after_cex(self, attempt: AttemptRecord) -> None:
        first = self._hand.trade.latest("cex")
        if first is None or first.is_live:
            return
        if first.filled_base == attempt.qty:
            await self._hand.commit_and_send(attempt)
            return
        self._hand.drop(attempt, "abandoned", f"the Kraken leg filled {first.filled_base}")
        if first.filled_base:
            self._shrink(attempt, first.filled_base)
            await self._hand.commit_and_send(self._hand.trade.attempts[-1])

    def _shrink(self, planned: AttemptRecord, base: Decimal) -> None:
        """Plan a swap of exactly what the partly filled first leg left to be swapped."""
        trade = self._hand.trade
        try:
            attempt = attempts.smaller_dex(
                trade.intent, self._desk.solana, seq=planned.seq + 1, base=base
            )
        except NotSent as error:
            trade.reason = f"second leg not signed: {error}"
            return
        trade.attempts.append(attempt)
        self._hand.adopt(attempt)
