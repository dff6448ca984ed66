"""Reads of the paper desk: its trades, and the gap between paper and live over one period.

The only place where both books are read together, side by side and never added up.
Callers: `trading.paper_api`, the trades list, the day report's readers.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Exists, OuterRef, Q, QuerySet

from arbsite.events import TradeRow
from trading.backtest.intervals import percentile
from trading.bound_quote import bound_quote
from trading.models import Opportunity, PaperEntry, PaperTrade, Trade, Window
from trading.paper.trade import PaperFill
from trading.paper_view import row_of
from trading.selectors import (
    FillPicture,
    LedgerPicture,
    Place,
    TradePicture,
    intent_shown,
    plain,
)


class BookFigures(msgspec.Struct, frozen=True):
    """One book of one asset over a period. Money in USD; None where there is no sample.

    `eligible_windows` and `captured_windows` are those decided in that book's mode;
    `error_per_trade_usd` is realised minus expected. Latency is detect → both legs filled.
    """

    trades: int
    both_filled: int
    eligible_windows: int
    captured_windows: int
    realised_usd: str
    pnl_per_trade_usd: str | None
    error_per_trade_usd: str | None
    fills_p50_ms: float | None
    fills_p95_ms: float | None


class PaperGap(msgspec.Struct, frozen=True):
    """Paper beside live for one asset; gaps are paper minus live, None without both."""

    asset: str
    live: BookFigures
    paper: BookFigures
    pnl_per_trade_gap_usd: str | None
    fills_p50_gap_ms: float | None
    capture_gap: float | None


def paper_trades(
    *,
    asset: str | None = None,
    state: str | None = None,
    outcome: str | None = None,
    after: Place | None = None,
) -> QuerySet[PaperTrade]:
    """Paper trades, newest detection first, those after `after` (the last row of a page)."""
    found = PaperTrade.objects.order_by("-detect_ns", "-id")
    conditions = {"asset": asset, "state": state, "outcome": outcome}
    found = found.filter(**{name: v for name, v in conditions.items() if v is not None})
    if after is not None:
        at_ns, trade_id = after
        found = found.filter(Q(detect_ns__lt=at_ns) | Q(detect_ns=at_ns, id__lt=trade_id))
    return found


def paper_trade_rows(found: Iterable[PaperTrade]) -> list[TradeRow]:
    """Paper trades as the API carries trades, marked as paper."""
    names = [field.attname for field in PaperTrade._meta.concrete_fields]
    return [row_of({name: getattr(trade, name) for name in names}) for trade in found]


def paper_picture(trade_id: UUID) -> TradePicture | None:
    """One paper trade as a trade is pictured; None for an unknown id.

    It has no attempts and no ids of venues: a model filled it.
    """
    trade = PaperTrade.objects.filter(id=trade_id).first()
    if trade is None:
        return None
    (row,) = paper_trade_rows([trade])
    decision = Opportunity.objects.get(intent_key=trade.intent_key)
    intent = intent_shown(decision)
    return TradePicture(
        trade=row,
        intent=intent,
        quote=bound_quote(intent),
        attempts=[],
        fills=[_fill(fill) for fill in msgspec.convert(trade.fills, list[PaperFill])],
        ledger=[_entry(entry) for entry in PaperEntry.objects.filter(trade=trade).order_by("id")],
        verdicts=[],
    )


def _fill(fill: PaperFill) -> FillPicture:
    return FillPicture(
        venue=fill.venue,
        venue_fill_id="",
        status="model",
        base_delta=plain(fill.base_delta),
        quote_delta=plain(fill.quote_delta),
        quote_asset=fill.quote_asset,
        fee=plain(fill.fee),
        fee_asset=fill.fee_asset,
        at_ns=fill.at_ns,
    )


def _entry(entry: PaperEntry) -> LedgerPicture:
    return LedgerPicture(
        venue=entry.venue,
        venue_asset=entry.asset,
        asset=entry.asset,
        delta=plain(entry.delta),
        kind=entry.kind,
        reference="",
        at_ns=entry.at_ns,
    )


def paper_gaps(*, since_ns: int, until_ns: int) -> list[PaperGap]:
    """Every asset that traded in either book, by detection time; `until_ns` excluded."""
    period = Q(detect_ns__gte=since_ns, detect_ns__lt=until_ns)
    live, paper = Trade.objects.filter(period), PaperTrade.objects.filter(period)
    windows = Window.objects.filter(
        is_eligible=True, opened_at_ns__gte=since_ns, opened_at_ns__lt=until_ns
    )
    decided_on_paper = Opportunity.objects.filter(window_id=OuterRef("window_id"), mode="paper")
    on_paper = windows.filter(Exists(decided_on_paper))
    assets = {*live.values_list("asset", flat=True), *paper.values_list("asset", flat=True)}
    return [
        _gap(
            asset,
            _figures(live.filter(asset=asset), of_live(windows.filter(asset=asset))),
            _figures(paper.filter(asset=asset), on_paper.filter(asset=asset)),
        )
        for asset in sorted(assets)
    ]


def of_live(windows: QuerySet[Window]) -> QuerySet[Window]:
    """Windows met in LIVE: those only stored (OBSERVE) or traded by a model do not count."""
    return windows.exclude(decision="stored")


def _figures(trades: QuerySet[Any], windows: QuerySet[Window]) -> BookFigures:
    closed = list(
        trades.filter(realised_pnl_usd__isnull=False).values_list(
            "realised_pnl_usd", "expected_pnl_usd"
        )
    )
    both = trades.filter(outcome="both")
    took = [
        (both_ns - detect_ns) / 1e6
        for both_ns, detect_ns in both.values_list("both_filled_ns", "detect_ns")
        if both_ns is not None
    ]
    realised = sum((one for one, _ in closed), Decimal(0))
    errors = sum((one - expected for one, expected in closed), Decimal(0))
    return BookFigures(
        trades=trades.count(),
        both_filled=both.count(),
        eligible_windows=windows.count(),
        captured_windows=windows.filter(window_id__in=both.values("window_id")).count(),
        realised_usd=plain(realised),
        pnl_per_trade_usd=_per(realised, len(closed)),
        error_per_trade_usd=_per(errors, len(closed)),
        fills_p50_ms=percentile(took, 0.5),
        fills_p95_ms=percentile(took, 0.95),
    )


def _gap(asset: str, live: BookFigures, paper: BookFigures) -> PaperGap:
    pnl = None
    if live.pnl_per_trade_usd is not None and paper.pnl_per_trade_usd is not None:
        pnl = plain(Decimal(paper.pnl_per_trade_usd) - Decimal(live.pnl_per_trade_usd))
    fills = None
    if live.fills_p50_ms is not None and paper.fills_p50_ms is not None:
        fills = paper.fills_p50_ms - live.fills_p50_ms
    capture = None
    if live.eligible_windows and paper.eligible_windows:
        capture = _capture(paper) - _capture(live)
    return PaperGap(asset, live, paper, pnl, fills, capture)


def _capture(figures: BookFigures) -> float:
    return figures.captured_windows / figures.eligible_windows


def _per(total: Decimal, count: int) -> str | None:
    return plain((total / count).quantize(Decimal("0.000001"))) if count else None
