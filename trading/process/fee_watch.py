"""Compares the taker fee that Kraken charged with the one the decision was priced at.

A tier that changed, a promotion that ended or a pair with a schedule of its own makes every
prediction wrong by the same amount: somebody has to know. Pure; the host asks at booking.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from trading.records import TradeRecord

RULE: Final = "taker_fee"
# Fees are booked in steps of the quote asset's smallest unit; far below a tier's step.
TOLERANCE: Final = Decimal("0.00005")
_BPS: Final = Decimal(10_000)


class FeeSurprise(msgspec.Struct, frozen=True):
    """Taker fees as fractions of what was traded on Kraken: charged, and priced with."""

    asset: str
    charged: Decimal
    predicted: Decimal

    @property
    def text(self) -> str:
        """One sentence for the incident."""
        side = "more" if self.charged > self.predicted else "less"
        return f"Kraken charges {side} than predicted on {self.asset}"

    @property
    def value(self) -> str:
        """Both fees, for people."""
        return f"{self.charged * _BPS:.2f} bps, predicted {self.predicted * _BPS:.2f} bps"


def fee_surprise(trade: TradeRecord, tolerance: Decimal = TOLERANCE) -> FeeSurprise | None:
    """Return by how much a booked trade's fee is off, None within `tolerance`.

    Both in USD at the decision's marks, so fees in another asset count too; None as well
    where nothing was traded on Kraken or the prediction had no CEX side.
    """
    intent, marks = trade.intent, trade.intent.marks_usd
    fills = [
        fill for each in trade.attempts if each.venue == "kraken" for fill in each.fills.values()
    ]
    traded = sum((abs(fill.quote_delta) * marks[fill.quote_asset] for fill in fills), Decimal(0))
    sells = intent.cex_side == "sell"
    priced = intent.pnl.sell_proceeds if sells else intent.pnl.buy_cost
    if not traded or not priced:
        return None
    charged = sum((fill.fee * marks[fill.fee_asset] for fill in fills), Decimal(0)) / traded
    predicted = intent.pnl.cex_fee / priced
    if abs(charged - predicted) <= tolerance:
        return None
    return FeeSurprise(intent.asset, charged, predicted)
