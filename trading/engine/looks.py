"""The tops of book and pool against each other: a few float operations, all most ticks need.

Pure. Called by `asset_state` for every tick, shown by `board`. Not here: the size that an
edge allows and what it is worth (`evaluation`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from feeds.market.events import BookUpdated
from feeds.market.spec import Direction
from trading.engine.feed_state import PoolCurve
from trading.engine.terms import Terms

_ROUNDING: Final = 1e-9


class Look(msgspec.Struct, frozen=True, gc=False):
    """The tops of one direction: gross gap, net of proportional costs, first-unit edge."""

    direction: Direction
    cex_ticks: int
    gross_bps: float
    net_bps: float
    has_edge: bool


def look(book: BookUpdated, curve: PoolCurve, unit: float, terms: Terms, *, rising: bool) -> Look:
    """Compare best bid or ask with the pool's marginal price, before and after costs.

    `unit` is the pool-quote value of a tick (`sizing.tick_value`). Both sides must exist.
    """
    kept = 1 - curve.fee
    if rising:
        ticks = book.bids[0][0]
        ratio = ticks * unit / curve.price
        rates = terms.rates["buy_dex_sell_cex"]
        return Look(
            "buy_dex_sell_cex",
            ticks,
            (ratio - 1) * 1e4,
            (ratio * rates.net * kept - 1) * 1e4,
            ratio * rates.walk * kept > 1,
        )
    ticks = book.asks[0][0]
    ratio = curve.price / (ticks * unit)
    rates = terms.rates["buy_cex_sell_dex"]
    return Look(
        "buy_cex_sell_dex",
        ticks,
        (ratio - 1) * 1e4,
        (ratio * kept / rates.net - 1) * 1e4,
        ratio * kept > rates.walk,
    )


def edge_bounds(curve: PoolCurve, unit: float, terms: Terms) -> tuple[float, float]:
    """Ticks that a best bid must exceed, or a best ask undercut, before `look` sees an edge.

    Wider than the look's own limits by far more than its rounding, by nothing that matters.
    """
    kept = 1 - curve.fee
    worth = curve.price / unit
    return (
        worth / (terms.rates["buy_dex_sell_cex"].walk * kept) * (1 - _ROUNDING),
        worth * kept / terms.rates["buy_cex_sell_dex"].walk * (1 + _ROUNDING),
    )
