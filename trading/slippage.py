"""How far each leg's price moves from its quote, and how that shares the slack of the next trade.

The slack of one edge budget goes to both legs in equal multiples of their own deviation, so
that neither is the one that always breaks. Taken from verified trades. A leg whose limit
broke moved by at least its slack and counts as exactly that: leaving it out would call the
leg that breaks the steadier one. Pure; `slip_watch` feeds it, the engine prices with the
split. Not here: the budget (`pricing`), the causes of a prediction's error (`prediction`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import sqrt
from typing import Final

import msgspec

from arbsite.units import decimal_from_int
from trading.intent import Intent, SlackSplit

EVEN: Final = Decimal("0.5")
# Until both legs have this many observations the split is even.
ENOUGH: Final = 20
TRADES_KEPT: Final = 100
# No leg is ever left with less than a fifth: a calm stretch proves little of the next jump.
_LEAST, _MOST = Decimal("0.2"), Decimal("0.8")
_FULL: Final = Decimal("0.9")
_ZERO: Final = Decimal(0)
_BPS: Final = Decimal(10_000)


class LegResult(msgspec.Struct, frozen=True):
    """What came of one leg: amounts filled (whole units, positive).

    `has_broken`: its limit kept it from filling in full. A swap that expired, ran out of
    units or was never sent says nothing of prices: not broken, nothing filled.
    """

    base: Decimal
    quote: Decimal
    has_broken: bool


class Slips(msgspec.Struct, frozen=True):
    """One trade's deviation from the quote by leg, bps of notional; None = it shows none."""

    cex_bps: float | None
    dex_bps: float | None


def slips_of(intent: Intent, cex: LegResult, dex: LegResult) -> Slips:
    """Compare both legs of a verified trade with what they were quoted, at the decision's marks."""
    spec, marks = intent.spec, intent.marks_usd
    sells = intent.cex_side == "sell"
    quoted = (intent.pnl.sell_proceeds, intent.pnl.buy_cost)
    cex_usd, dex_usd = quoted if sells else quoted[::-1]
    qty = Decimal(intent.qty_lots).scaleb(-spec.qty_precision)
    limit = decimal_from_int(intent.cex_limit_ticks * intent.qty_lots, _cex_digits(intent))
    threshold = decimal_from_int(intent.dex_threshold_raw, spec.quote_decimals)
    return Slips(
        cex_bps=_slip_bps(cex, qty, cex_usd, limit, marks[spec.cex_quote], intent.notional_usd),
        dex_bps=_slip_bps(
            dex, qty, dex_usd, threshold, marks[spec.pool_quote], intent.notional_usd
        ),
    )


def _slip_bps(
    leg: LegResult,
    qty: Decimal,
    quoted_usd: Decimal,
    at_limit: Decimal,
    mark_usd: Decimal,
    notional_usd: Decimal,
) -> float | None:
    part = leg.base / qty
    if leg.has_broken and part < _FULL:
        return float(abs(at_limit * mark_usd - quoted_usd) / notional_usd * _BPS)
    if part < _FULL:
        return None
    return float(abs(leg.quote * mark_usd / part - quoted_usd) / notional_usd * _BPS)


def _cex_digits(intent: Intent) -> int:
    return intent.spec.price_precision + intent.spec.qty_precision


def split_of(trades: Sequence[Slips], at_ns: int) -> SlackSplit:
    """Share the slack by the root mean squares of both legs' deviations; even until known."""
    cex = [slip.cex_bps for slip in trades if slip.cex_bps is not None]
    dex = [slip.dex_bps for slip in trades if slip.dex_bps is not None]
    cex_bps, dex_bps = _deviation(cex), _deviation(dex)
    share = EVEN
    if min(len(cex), len(dex)) >= ENOUGH and cex_bps + dex_bps > 0:
        found = Decimal(repr(cex_bps / (cex_bps + dex_bps))).quantize(Decimal("0.01"))
        share = min(_MOST, max(_LEAST, found))
    return SlackSplit(
        cex_share=share,
        trades=min(len(cex), len(dex)),
        cex_bps=cex_bps,
        dex_bps=dex_bps,
        at_ns=at_ns,
    )


def _deviation(slips: Sequence[float]) -> float:
    """From the quote, not from their own mean: the limits are measured from the quote."""
    return sqrt(sum(slip * slip for slip in slips) / len(slips)) if slips else 0.0
