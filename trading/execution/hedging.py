"""What is left over after both legs, and what is done about it until it is gone.

Prices every way out on the market of this moment (`residual.choose`), keeps the verdict
with the trade, and acts on it: an IOC or a swap that is durable before it is sent, a wait,
inventory, dust, or a person. Not here: the choice itself, what a person orders
(`ways_out`). Caller: the runner.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from arbsite.errors import NotSent
from arbsite.logs import event_logger
from trading.execution import attempts, booking
from trading.execution.open_trade import OpenTrade
from trading.execution.ports import HedgeMarket
from trading.execution.residual import Naked, ResidualVerdict, Venue, choose
from trading.execution.settling import Settling
from trading.records import AttemptRecord, DayRelease

log = event_logger(__name__)
FLATTEN_ORDERED = "flatten_ordered"


class Hedging:
    """Watches and works off the residual of one trade."""

    def __init__(self, hand: OpenTrade, settling: Settling) -> None:
        self._hand = hand
        self._desk = hand.desk
        self._settling = settling
        self._hedge_from_ns = 0
        self._wait_from: tuple[int, Decimal] | None = None

    async def settle_or_hedge(self) -> None:
        """One look at the residual: settle, act, park, or wait for what is missing."""
        trade = self._hand.trade
        self._reopen_if_moved()
        is_over = trade.is_settled and trade.state != "hedging"
        if is_over or trade.state == "operator" or not self._hand.outcomes_known():
            return
        market = self._desk.hedge_market(trade.intent.asset)
        verdict = self.look(market)
        if verdict.act in ("flat", "dust"):
            self._settling.settle(verdict.reason if verdict.act == "dust" else "")
        elif trade.verdicts and trade.verdicts[-1]["act"] == FLATTEN_ORDERED:
            # Nothing automatic follows a person's own order.
            left = f"{trade.residual_base} left after the flatten that was ordered"
            await self._park(left, market)
        elif verdict.act == "operator":
            await self._park(verdict.reason, market)
        elif self._desk.mode(trade.intent.asset) == "halt":
            await self._park("the desk is halted: hedges wait for a person", market)
        elif self._hand.outcomes_confirmed():
            await self._check_naked_total()
            await self._act(verdict, market)

    async def _act(self, verdict: ResidualVerdict, market: HedgeMarket | None) -> None:
        if verdict.act == "keep":
            self.keep(verdict)
            self._settling.settle(verdict.reason)
        elif verdict.act == "wait":
            self.keep(verdict)
            if market is not None and self._wait_from is None:
                self._wait_from = (self._desk.clock.now_ns(), market.middle_ticks)
        elif market is not None and self._may_hedge_now():
            await self._send(verdict, market)

    def look(self, market: HedgeMarket | None, *, is_ordered: bool = False) -> ResidualVerdict:
        """Price every way out of the residual as it stands.

        What a person orders is not counted against the automatic hedges.
        """
        trade = self._hand.trade
        spec, now_ns = trade.intent.spec, self._desk.clock.now_ns()
        settings = self._desk.settings(trade.intent.asset)
        lots = int(trade.residual_base.scaleb(spec.qty_precision))
        waited_ns, moved_bps = 0, 0.0
        if self._wait_from is not None:
            waited_ns = now_ns - self._wait_from[0]
            if market is not None:
                moved = (self._wait_from[1] - market.middle_ticks) / market.middle_ticks
                moved_bps = float(moved) * 1e4 * (1 if lots > 0 else -1)
        naked = Naked(
            lots=lots,
            ticks=Decimal(trade.intent.cex_expected_ticks),
            quote_usd=trade.intent.marks_usd[spec.cex_quote],
            filled_on=self._filled_on(),
            is_proven=self._hand.is_proven(),
            attempts_left=1 if is_ordered else settings.max_hedges - len(self._hedges()),
            swaps_left=self._swaps_left(),
            naked_s=(now_ns - (trade.naked_from_ns or now_ns)) / 1e9,
            waited_s=waited_ns / 1e9,
            moved_bps=moved_bps,
        )
        return choose(naked, spec, settings, market, limits=self._desk.limits)

    def _hedges(self) -> list[AttemptRecord]:
        return [attempt for attempt in self._hand.trade.attempts if attempt.leg == "hedge"]

    def _filled_on(self) -> Venue:
        """The venue whose fill was not matched by the other's."""
        moved = {"kraken": Decimal(0), "solana": Decimal(0)}
        for attempt in self._hand.trade.attempts:
            if attempt.leg != "hedge":
                moved[attempt.venue] += abs(attempt.base_delta)
        return "kraken" if moved["kraken"] > moved["solana"] else "solana"

    def _swaps_left(self) -> int:
        """One more swap, unless it was tried already or an earlier one may still land."""
        legs = self._hand.dex.values()
        has_tried = any(leg.attempt.leg == "hedge" for leg in legs)
        may_land = any(leg.attempt.is_live and leg.outcome == "expired" for leg in legs)
        return int(self._desk.solana.is_ready and not has_tried and not may_land)

    def _may_hedge_now(self) -> bool:
        """The first hedge goes at once; the next ones leave the book time to come back."""
        now_ns = self._desk.clock.now_ns()
        if self._hedges() and not self._hedge_from_ns:
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

    async def _send(self, verdict: ResidualVerdict, market: HedgeMarket) -> None:
        """Make the hedge durable with its verdict, then send it."""
        trade, now_ns = self._hand.trade, self._desk.clock.now_ns()
        if verdict.venue == "kraken" and not self._desk.kraken.is_ready:
            return
        hedge = attempts.Hedge(len(self._hedges()) + 1, verdict.side, verdict.lots)
        slip_bps = self._desk.protocol.hedge_slip_bps
        if verdict.venue == "kraken":
            attempt = attempts.hedge(trade.intent, market, hedge, slip_bps=slip_bps, now_ns=now_ns)
        else:
            try:
                attempt = attempts.hedge_swap(
                    trade.intent, market, hedge, self._desk.solana, slip_bps=slip_bps, now_ns=now_ns
                )
            except NotSent as error:
                log.warning("hedge.not_signed", error=str(error)[:200])
                return
        if trade.state == "open":
            self._hand.move("residual_found")
        self.keep(verdict)
        trade.attempts.append(attempt)
        self._hand.adopt(attempt)
        self._hedge_from_ns, self._wait_from = 0, None
        await self._hand.save()
        self._hand.send(attempt)

    def keep(self, verdict: ResidualVerdict, *, act: str = "", reason: str = "") -> None:
        """Keep a verdict with the trade; a wait that goes on is kept once."""
        kept = self._hand.trade.verdicts
        repeats = bool(kept) and (kept[-1]["act"], kept[-1]["reason"]) == ("wait", verdict.reason)
        if not repeats:
            told = self._told(verdict)
            kept.append({**told, "act": act or told["act"], "reason": reason or told["reason"]})

    def _told(self, verdict: ResidualVerdict) -> dict[str, Any]:
        trade, now_ns = self._hand.trade, self._desk.clock.now_ns()
        ways = [
            {
                "act": way.act,
                "venue": way.venue,
                "cost_usd": None if way.cost_usd is None else f"{way.cost_usd:.6f}",
                "why": way.why,
            }
            for way in verdict.ways
        ]
        return {
            "at_ns": now_ns,
            "act": verdict.act,
            "venue": verdict.venue,
            "reason": verdict.reason,
            "side": verdict.side,
            "residual_base": str(trade.residual_base),
            "notional_usd": f"{verdict.notional_usd:.6f}",
            "naked_ms": (now_ns - (trade.naked_from_ns or now_ns)) // 1_000_000,
            "is_provisional": not self._hand.is_proven(),
            "suggestion": verdict.suggestion,
            "ways": ways,
        }

    # ---- limits ---------------------------------------------------------------------

    async def _check_naked_total(self) -> None:
        """Too much naked in all: nothing new, while what is open is still hedged."""
        limit = self._desk.limits.max_naked_usd
        total = self._hand.floor.naked_usd()
        if total > limit:
            await self._desk.raise_stop(
                "*",
                "naked_limit",
                f"{total:.0f} USD are naked over all trades, more than {limit:.0f}",
                f"{total:.2f}",
                str(limit),
            )

    async def _park(self, why: str, market: HedgeMarket | None) -> None:
        """Hand the trade to a person, loudly: incident, stop, red banner, the loss counted."""
        trade = self._hand.trade
        self._hand.move("parked")
        trade.outcome = "partial"
        trade.reason = why
        # Priced as a person's order: the automatic hedges may be used up.
        ordered = self.look(market, is_ordered=True)
        self.keep(ordered, act="operator", reason=why)
        marked = min(booking.marked_usd(trade, market), Decimal(0))
        release = DayRelease(Decimal(0), Decimal(0), marked - trade.day_pnl_usd)
        trade.day_pnl_usd = marked
        await self._hand.save(release)
        await self._desk.raise_stop(
            trade.intent.asset,
            "residual_parked",
            f"{trade.residual_base} {trade.intent.asset} left over: {why}."
            f" Suggested: {ordered.suggestion}",
            str(trade.residual_base),
            "0",
        )
