"""The leg that waited for the other one: started, shrunk to what filled, or never sent.

DEX first: the Kraken order goes out when the swap has landed. CEX first: the swap goes out
when Kraken has filled, for exactly what it filled. Caller: the runner.
"""

from __future__ import annotations

from decimal import Decimal

from arbsite.errors import NotSent
from arbsite.units import decimal_from_int, int_from_decimal_ceil, int_from_decimal_floor
from trading.execution import attempts
from trading.execution.dex_leg import DexLeg
from trading.execution.open_trade import OpenTrade
from trading.pricing import chain_fee_usd, fraction_from_bps, remaining_cex_limit
from trading.records import AttemptRecord

BASE_FEE_LAMPORTS = 5_000


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
            attempt.limit_price = self._limit_after(first, attempt)
            await self._hand.commit_and_send(attempt)
        elif first.outcome in ("failed", "expired"):
            self._hand.drop(attempt, "abandoned", f"the Solana leg {first.outcome}")

    def _limit_after(self, swap: DexLeg, planned: AttemptRecord) -> Decimal | None:
        """The order's limit once the swap has landed: what is left of the edge, spent whole.

        What the swap moved is its threshold until the chain's record says better. Never
        tighter than planned (that limit was proven to keep the edge), never beyond the
        asset's slippage cap.
        """
        intent = self._hand.trade.intent
        spec, market = intent.spec, self._desk.hedge_market(intent.asset)
        if market is None or market.taker is None or planned.limit_price is None:
            return planned.limit_price
        paid = decimal_from_int(swap.paid_raw or intent.dex_threshold_raw, spec.quote_decimals)
        ticks = remaining_cex_limit(
            spec,
            intent.cex_side,
            qty_lots=intent.qty_lots,
            dex_quote_usd=paid * intent.marks_usd[spec.pool_quote],
            fixed_costs_usd=chain_fee_usd(
                base_fee_lamports=BASE_FEE_LAMPORTS,
                cu_limit=intent.cu_limit,
                cu_price_micro_lamports=intent.cu_price_micro_lamports,
                tip_lamports=intent.tip_lamports,
                sol_usd=intent.marks_usd["SOL"],
            ),
            theta_min_usd=Decimal(0),
            cex_mark_usd=intent.marks_usd[spec.cex_quote],
            taker=market.taker,
        )
        cap = fraction_from_bps(self._desk.settings(intent.asset).slippage_cap_bps)
        step = spec.price_increment_ticks
        if intent.cex_side == "sell":
            lowest = int_from_decimal_ceil(intent.cex_expected_ticks * (1 - cap) / step, 0) * step
            limit = Decimal(max(ticks, lowest)).scaleb(-spec.price_precision)
            return min(limit, planned.limit_price)
        highest = int_from_decimal_floor(intent.cex_expected_ticks * (1 + cap) / step, 0) * step
        limit = Decimal(min(ticks, highest)).scaleb(-spec.price_precision)
        return max(limit, planned.limit_price)

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
