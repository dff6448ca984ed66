"""Where a prediction went wrong: the error of each trade, split into what caused it.

e = realised - expected (domain: error of prediction). `decompose` says how much of e came
from the book leg, the pool leg, the fees, and from landing or not; the parts sum to e
exactly. `haircut_bps` turns the errors of trades that came off into a haircut that covers
four in five of them. Pure; called by the reports. Not here: bias, WAPE and their kin over
many trades (`trading.backtest.errors`), reading rows (`reports.prediction`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

import msgspec

from trading.intent import PnlTerms

_ZERO = Decimal(0)
_BPS = Decimal(10_000)


class Flow(msgspec.Struct, frozen=True):
    """What one leg moved: base in whole units, signed; quote and fee in USD at the marks."""

    base: Decimal = _ZERO
    quote_usd: Decimal = _ZERO
    fee_usd: Decimal = _ZERO


class Finished(msgspec.Struct, frozen=True):
    """One closed trade as predicted and as booked. Money in USD at the decision's marks.

    `qty` is the intended base, `buys_on_cex` its direction, `base_usd` the base's mark.
    `chain_usd` is what all its transactions cost, fees and tips.
    """

    asset: str
    terms: PnlTerms
    notional_usd: Decimal
    buys_on_cex: bool
    qty: Decimal
    base_usd: Decimal
    cex: Flow
    dex: Flow
    hedge: Flow
    chain_usd: Decimal
    realised_usd: Decimal

    @property
    def error_usd(self) -> Decimal:
        """Realised less expected."""
        return self.realised_usd - self.terms.expected

    @property
    def came_off(self) -> bool:
        """Whether both legs filled in full and nothing had to be hedged."""
        filled = (abs(self.cex.base), abs(self.dex.base))
        return all(amount >= self.qty for amount in filled) and not self.hedge.base


class Causes(msgspec.Struct, frozen=True):
    """The error by cause; positive earned more than expected. They sum to `error`.

    `landing`: what was expected of trades that fail against what this one did, unfilled
    parts and hedges included. `residual`: base left over, and whatever has no other name.
    """

    cex_slip: Decimal
    dex_slip: Decimal
    fees: Decimal
    landing: Decimal
    residual: Decimal
    error: Decimal


def decompose(trade: Finished) -> Causes:
    """Split a trade's error into its causes, exactly.

    A leg's slip compares its filled part with the same part of what was quoted; the
    unfilled part, its base at the mark, belongs to landing. What the four named causes
    leave over is the residual, so that nothing can be missing.
    """
    terms = trade.terms
    cex_quoted = -terms.buy_cost if trade.buys_on_cex else terms.sell_proceeds
    dex_quoted = terms.sell_proceeds if trade.buys_on_cex else -terms.buy_cost
    sign = 1 if trade.buys_on_cex else -1
    cex_part = _part(sign * trade.cex.base, trade.qty)
    dex_part = _part(-sign * trade.dex.base, trade.qty)
    landed = Decimal(1) if dex_part else _ZERO
    cex_slip = trade.cex.quote_usd - cex_part * cex_quoted
    dex_slip = trade.dex.quote_usd - dex_part * dex_quoted
    fees = cex_part * terms.cex_fee - trade.cex.fee_usd
    fees += landed * terms.chain_fee - trade.chain_usd
    base_usd = sign * trade.qty * trade.base_usd
    landing = (
        terms.failure_cost
        - (1 - cex_part) * (cex_quoted + base_usd - terms.cex_fee)
        - (1 - dex_part) * (dex_quoted - base_usd)
        + (1 - landed) * terms.chain_fee
        + trade.hedge.quote_usd
        + trade.hedge.base * trade.base_usd
        - trade.hedge.fee_usd
    )
    error = trade.error_usd
    return Causes(
        cex_slip=cex_slip,
        dex_slip=dex_slip,
        fees=fees,
        landing=landing,
        residual=error - cex_slip - dex_slip - fees - landing,
        error=error,
    )


def _part(filled: Decimal, qty: Decimal) -> Decimal:
    return filled / qty if qty else _ZERO


def haircut_bps(
    trades: Sequence[Finished], *, at_least: int = 50, most: Decimal = Decimal(10)
) -> Decimal | None:
    """The haircut that four of five trades that come off stay above, in bps, up to 0.1.

    Taken from the fifth of errors of execution (slips, fees, residual) over the notional:
    not landing is priced by its own odds and must not be charged twice. None with fewer
    than `at_least` trades; never negative, never above `most`.
    """
    errors = sorted(
        (causes.error - causes.landing) / trade.notional_usd * _BPS
        for trade, causes in ((one, decompose(one)) for one in trades if one.came_off)
    )
    if len(errors) < at_least:
        return None
    shortfall = max(_ZERO, -errors[len(errors) // 5])
    return min(most, shortfall.quantize(Decimal("0.1"), rounding=ROUND_CEILING))
