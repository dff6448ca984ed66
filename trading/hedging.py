"""What is left over after both legs: flat, dust, hedged on Kraken, or a person's.

Acts on the pure verdict of `legs.residual_action` with the market of this moment; a hedge
is durable before it is sent. Caller: the runner.
"""

from __future__ import annotations

from arbsite.logs import event_logger
from feeds.venues.base import Side
from trading import attempts
from trading.legs import ResidualVerdict, residual_action
from trading.open_trade import OpenTrade
from trading.ports import HedgeMarket
from trading.settling import Settling

log = event_logger(__name__)


class Hedging:
    """Watches and works off the residual of one trade."""

    def __init__(self, hand: OpenTrade, settling: Settling) -> None:
        self._hand = hand
        self._desk = hand.desk
        self._settling = settling
        self._hedge_from_ns = 0

    async def settle_or_hedge(self) -> None:
        """One look at the residual: settle, hedge, park, or wait for what is missing."""
        trade = self._hand.trade
        self._reopen_if_moved()
        is_over = trade.is_settled and trade.state != "hedging"
        if is_over or trade.state == "operator" or not self._hand.outcomes_known():
            return
        market = self._desk.hedge_market(trade.intent.asset)
        used = sum(1 for attempt in trade.attempts if attempt.leg == "hedge")
        verdict = self._verdict(market, used)
        if verdict.action in ("flat", "dust"):
            self._settling.settle(verdict.reason if verdict.action == "dust" else "")
        elif verdict.action == "operator":
            await self._park(verdict.reason)
        elif self._desk.mode(trade.intent.asset) == "halt":
            await self._park("the desk is killed: hedges wait for a person")
        elif market is not None and self._desk.kraken.is_ready and self._may_hedge_now(used):
            await self._hedge(verdict.side, verdict.lots, market, used)

    def _verdict(self, market: HedgeMarket | None, used: int) -> ResidualVerdict:
        trade, now_ns = self._hand.trade, self._desk.clock.now_ns()
        spec = trade.intent.spec
        settings = self._desk.settings(trade.intent.asset)
        return residual_action(
            int(trade.residual_base.scaleb(spec.qty_precision)),
            spec,
            settings,
            price_ticks=market.bid_ticks if market else trade.intent.cex_expected_ticks,
            cex_quote_usd=(
                market.cex_quote_usd if market else trade.intent.marks_usd[spec.cex_quote]
            ),
            attempts_left=settings.max_hedges - used,
            naked_s=(now_ns - (trade.naked_from_ns or now_ns)) / 1e9,
        )

    def _may_hedge_now(self, used: int) -> bool:
        """The first hedge goes at once; the next ones leave the book time to come back."""
        now_ns = self._desk.clock.now_ns()
        if used and not self._hedge_from_ns:
            self._hedge_from_ns = now_ns + int(self._desk.protocol.hedge_pause_s * 1e9)
        return now_ns >= self._hedge_from_ns

    def _reopen_if_moved(self) -> None:
        """A settled residual that moves again is a late fill, or a fork that took one back.

        The trade goes back to HEDGING but stays settled: its asset was given free and may
        be in another trade by now.
        """
        trade = self._hand.trade
        if not trade.is_settled or trade.residual_base == self._settling.settled_residual:
            return
        if trade.state in ("open", "closed", "hedging"):
            log.warning("trade.reopened", residual=str(trade.residual_base))
            self._hand.move("late_fill")
        self._settling.settled_residual = trade.residual_base

    async def _hedge(self, side: Side, lots: int, market: HedgeMarket, used: int) -> None:
        trade = self._hand.trade
        if trade.state == "open":
            self._hand.move("residual_found")
        attempt = attempts.hedge(
            trade.intent,
            market,
            seq=used + 1,
            side=side,
            lots=lots,
            slip_bps=self._desk.protocol.hedge_slip_bps,
            now_ns=self._desk.clock.now_ns(),
        )
        trade.attempts.append(attempt)
        self._hand.adopt(attempt)
        self._hedge_from_ns = 0
        await self._hand.save()
        self._hand.send(attempt)

    async def _park(self, why: str) -> None:
        """Hand the trade to a person, loudly: incident, stop, red banner."""
        trade = self._hand.trade
        self._hand.move("parked")
        trade.outcome = "partial"
        trade.reason = why
        await self._desk.raise_stop(
            trade.intent.asset,
            "residual_parked",
            f"{trade.residual_base} {trade.intent.asset} left over: {why}",
            str(trade.residual_base),
            "0",
        )
