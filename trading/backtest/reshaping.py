"""How the ablation's worse policies change an intent: a fixed size, a percentage slippage.

Only the ablation uses these; the desk that trades has no such switches. Pure.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import msgspec

from arbsite.units import decimal_from_int, int_from_decimal_floor
from feeds.market.events import Level
from feeds.market.pools import QuoteRefused
from feeds.market.quoter import Quoter
from trading.engine.core import Engine
from trading.intent import Intent, PnlTerms
from trading.paper.executor import PaperExecutor
from trading.pricing import LegQuotes, edge_budget, fraction_from_bps, success_usd
from trading.sizing import quote_exactly

_ZERO = Decimal(0)


class FixedSize:
    """Always trades the same notional, at most once a window, and only when that clears.

    It clears as an opportunity does (domain): worth the minimum profit and the minimum edge
    on all of it. With one intent a window it decides when the full system does; with many it
    waits for a moment that carries the size.
    """

    def __init__(self, notional_usd: Decimal, taker: Decimal) -> None:
        self._notional_usd = notional_usd
        self._taker = taker
        self._used: set[UUID] = set()

    def __call__(self, intent: Intent, engine: Engine, _: PaperExecutor) -> Intent | None:
        """The intent at the fixed size, or None while it does not pay."""
        if intent.window_id in self._used:
            return None
        spec, feeds = intent.spec, engine.state.feeds
        book, curve = feeds.books[spec.cex_symbol], feeds.curves[spec.pool]
        levels = book.bids if intent.cex_side == "sell" else book.asks
        lots = self._lots(intent, levels)
        if lots < spec.qty_min_lots:
            return None
        settings = engine.state.assets[intent.asset].settings
        assert settings is not None
        sized = resized(
            intent,
            levels,
            curve.quoter(rising=intent.cex_side == "sell"),
            lots,
            taker=self._taker,
            slippage_cap_bps=settings.slippage_cap_bps,
        )
        if sized is None:
            return None
        edge_usd = sized.notional_usd * fraction_from_bps(settings.min_edge_bps)
        if sized.pnl.decision_value < max(settings.min_profit_usd, edge_usd):
            return None
        self._used.add(intent.window_id)
        return sized

    def _lots(self, intent: Intent, levels: tuple[Level, ...]) -> int:
        spec = intent.spec
        unit = decimal_from_int(levels[0][0], spec.price_precision)
        base = self._notional_usd / (unit * intent.marks_usd[spec.cex_quote])
        lots = int_from_decimal_floor(base, spec.qty_precision)
        return lots - lots % spec.step_lots


def resized(
    intent: Intent,
    levels: tuple[Level, ...],
    pool: Quoter,
    lots: int,
    *,
    taker: Decimal,
    slippage_cap_bps: Decimal,
) -> Intent | None:
    """The same intent for another size, quoted exactly; None when it cannot be quoted or paid.

    Costs that hang on the notional scale with it, chain fees stay.
    """
    spec = intent.spec
    quotes = quote_exactly(
        spec, pool, levels, intent.direction, lots, intent.decided_ns // 1_000_000_000
    )
    if isinstance(quotes, QuoteRefused):
        return None
    pnl = _repriced(intent, quotes, taker)
    budget = edge_budget(
        spec,
        intent.direction,
        quotes,
        success_usd=success_usd(pnl.sell_proceeds, pnl.buy_cost, pnl.cex_fee, pnl.chain_fee),
        theta_min_usd=_ZERO,
        cex_mark_usd=intent.marks_usd[spec.cex_quote],
        dex_mark_usd=intent.marks_usd[spec.pool_quote],
        taker=taker,
        slippage_cap_bps=slippage_cap_bps,
        cex_share=intent.slack_split.cex_share,
    )
    if budget is None:
        return None
    return msgspec.structs.replace(
        intent,
        qty_lots=lots,
        base_raw=quotes.base_raw,
        cex_limit_ticks=budget.cex_limit_ticks,
        cex_expected_ticks=quotes.cex_worst_ticks,
        dex_expected_quote_raw=quotes.dex_quote_raw,
        dex_threshold_raw=budget.dex_threshold_raw,
        pnl=pnl,
        notional_usd=_cex_usd(intent, quotes),
        min_pnl_usd=budget.min_pnl_usd,
        limited_by="fixed",
    )


def _cex_usd(intent: Intent, quotes: LegQuotes) -> Decimal:
    spec = intent.spec
    value = decimal_from_int(quotes.cex_value_ticklots, spec.price_precision + spec.qty_precision)
    return value * intent.marks_usd[spec.cex_quote]


def _repriced(intent: Intent, quotes: LegQuotes, taker: Decimal) -> PnlTerms:
    old, spec = intent.pnl, intent.spec
    cex = _cex_usd(intent, quotes)
    dex = decimal_from_int(quotes.dex_quote_raw, spec.quote_decimals)
    dex *= intent.marks_usd[spec.pool_quote]
    sell, buy = (cex, dex) if intent.cex_side == "sell" else (dex, cex)
    fee = cex * taker
    success = success_usd(sell, buy, fee, old.chain_fee)
    before = success_usd(old.sell_proceeds, old.buy_cost, old.cex_fee, old.chain_fee)
    failure = old.failure_cost * success / before if before > 0 else old.failure_cost
    share = cex / intent.notional_usd
    expected = success - failure
    risks = (old.haircut + old.basis_cost + old.inventory_cost + old.leg_risk) * share
    return PnlTerms(
        sell_proceeds=sell,
        buy_cost=buy,
        cex_fee=fee,
        chain_fee=old.chain_fee,
        failure_cost=failure,
        expected=expected,
        haircut=old.haircut * share,
        basis_cost=old.basis_cost * share,
        inventory_cost=old.inventory_cost * share,
        leg_risk=old.leg_risk * share,
        decision_value=expected - risks,
    )


class PercentSlippage:
    """Limits from a percentage of the expected price instead of from the edge."""

    def __init__(self, bps: int) -> None:
        self._bps = bps

    def __call__(self, intent: Intent, _: Engine, __: PaperExecutor) -> Intent:
        """The intent with both limits `bps` away from the expectation, against us."""
        down, up, whole = 10_000 - self._bps, 10_000 + self._bps, 10_000
        step = intent.spec.price_increment_ticks
        if intent.cex_side == "sell":
            limit = -(-intent.cex_expected_ticks * down // whole // step) * step
            threshold = intent.dex_expected_quote_raw * up // whole
        else:
            limit = intent.cex_expected_ticks * up // whole // step * step
            threshold = -(-intent.dex_expected_quote_raw * down // whole)
        return msgspec.structs.replace(
            intent, cex_limit_ticks=max(step, limit), dex_threshold_raw=threshold
        )
