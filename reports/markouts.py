"""Markouts of booked trades: where the mark went after them, and what the residuals drifted.

Reads `trading.Markout`. Positive bps: the mark went on the way the Kraken leg was on, so the
order looks right in hindsight; negative: waiting would have paid. Called by `prediction`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from statistics import fmean
from uuid import UUID

import msgspec

from trading.models import Markout, Trade
from trading.process.markouts import HORIZONS_S

_ZERO = Decimal(0)


class MarkoutFigure(msgspec.Struct, frozen=True):
    """One horizon: mean signed move over `trades`, and the residuals' drift in USD as text."""

    horizon_s: int
    trades: int
    mean_bps: float | None
    residual_drift_usd: str


def figures(trades: Iterable[Trade]) -> list[MarkoutFigure]:
    """One figure per horizon after settlement, over the trades that have both marks."""
    by_id = {trade.id: trade for trade in trades}
    rows = Markout.objects.filter(trade_id__in=by_id).values_list(
        "trade_id", "horizon_s", "mark_usd"
    )
    marks: dict[int, dict[UUID, Decimal]] = {horizon: {} for horizon in HORIZONS_S}
    for trade_id, horizon_s, mark in rows:
        marks.setdefault(horizon_s, {})[trade_id] = mark
    return [_figure(horizon, marks, by_id) for horizon in HORIZONS_S if horizon]


def _figure(
    horizon_s: int, marks: dict[int, dict[UUID, Decimal]], trades: dict[UUID, Trade]
) -> MarkoutFigure:
    start, end = marks[0], marks[horizon_s]
    both = sorted(set(start) & set(end))
    moves, drift = [], _ZERO
    for trade_id in both:
        trade = trades[trade_id]
        sign = 1 if trade.direction == "buy_cex_sell_dex" else -1
        moves.append(sign * float(end[trade_id] / start[trade_id] - 1) * 1e4)
        drift += trade.residual_base * (end[trade_id] - start[trade_id])
    return MarkoutFigure(horizon_s, len(both), fmean(moves) if moves else None, f"{drift:.6f}")
