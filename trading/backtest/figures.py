"""What a parameter set came to: capture, PnL, errors, times, windows; ready to print and draw.

The denominator is the shadow's: windows that would have been there without us. Every
share carries n and its interval. Pure; money leaves as text, statistics as floats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from uuid import UUID

import msgspec

from risk.gates import INELIGIBLE_GATES
from trading.backtest.desk import BacktestDesk
from trading.backtest.errors import ErrorFigures, Prediction, error_figures
from trading.backtest.intervals import (
    Estimate,
    Picks,
    Share,
    bootstrap,
    percentile,
    ratio_of,
    share,
)
from trading.intent import PnlTerms, WindowRow
from trading.paper.trade import PaperTrade
from trading.windows import MERGE_GAP_NS, MIN_LIFE_NS

WINDOWS_KEPT = 500
_HOUR_NS = 3_600_000_000_000
_ZERO = Decimal(0)
_PARTIAL = ("partial", "hedged", "operator")
_BINS_BPS = tuple(range(-40, 41, 4))


class WindowLine(msgspec.Struct, frozen=True):
    """One counterfactual window: its life without us, what it was worth, what we made of it."""

    window_id: str
    asset: str
    direction: str
    opened_at_ns: int
    life_ms: float
    close_cause: str
    peak_usd: str
    oracle_usd: str
    best_size_usd: str
    gross_bps: float
    net_bps: float
    is_eligible: bool
    blocked_by: str
    outcome: str
    realised_usd: str


class Percentiles(msgspec.Struct, frozen=True):
    """Percentiles of one time, in its own unit; None without observations."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None
    largest: float | None


class Series(msgspec.Struct, frozen=True):
    """What the report page draws. Times in ms since 1970 UTC; bin edges in bps."""

    equity: list[tuple[int, float]]
    windows_by_hour: list[int]
    captured_by_hour: list[int]
    error_bins_bps: list[int]
    error_counts: list[int]


class Figures(msgspec.Struct, frozen=True):
    """Everything about one parameter set."""

    label: str
    windows: int
    eligible: int
    capture_count: Share
    capture_value: Estimate
    attempt_success: Share
    partials: Share
    realised_eligible_usd: str
    oracle_usd: str
    attempts: int
    unfinished: int
    outcomes: dict[str, int]
    orders: dict[str, int]
    limited_by: dict[str, int]
    blocked_by: dict[str, int]
    refused_by: dict[str, int]
    failures: dict[str, int]
    pnl_usd: str
    expected_usd: str
    notional_usd: str
    terms_usd: dict[str, str]
    slips_usd: dict[str, str]
    tail1_usd: str
    rebalances: int
    rebalance_cost_usd: str
    errors: ErrorFigures
    detect_to_fills_ms: Percentiles
    detect_to_wire_ms: Percentiles
    naked_s: Percentiles
    naked_usd_s: float
    stops: list[str]
    window_table: list[WindowLine]
    series: Series


def figures_of(desk: BacktestDesk, rng: Picks) -> Figures:
    """Compute the figures of a desk whose facts are over."""
    trades = sorted(desk.trades, key=lambda trade: trade.detect_ns)
    lines = window_lines(desk, trades)
    eligible = [line for line in lines if line.is_eligible]
    pairs = [(float(line.realised_usd), max(0.0, float(line.oracle_usd))) for line in eligible]
    outcomes = Counter(trade.outcome for trade in trades)
    pnl = sum((trade.realised_usd for trade in trades), _ZERO)
    return Figures(
        label=desk.setup.label,
        windows=len(lines),
        eligible=len(eligible),
        capture_count=share(sum(line.outcome == "both" for line in eligible), len(eligible)),
        capture_value=bootstrap(pairs, ratio_of, rng, draws=500),
        attempt_success=share(outcomes["both"], len(trades)),
        partials=share(
            outcomes["partial"] + outcomes["hedged"] + outcomes["operator"], len(trades)
        ),
        realised_eligible_usd=_text(sum((Decimal(line.realised_usd) for line in eligible), _ZERO)),
        oracle_usd=_text(sum((Decimal(line.oracle_usd) for line in eligible), _ZERO)),
        attempts=len(trades),
        unfinished=desk.paper.open_trades,
        outcomes=_counted(trade.outcome for trade in trades),
        orders=_counted(trade.order for trade in trades),
        limited_by=_counted(trade.limited_by for trade in trades),
        blocked_by=_counted(line.blocked_by for line in lines if not line.is_eligible),
        refused_by=_counted(
            note.window.blocked_by for note in desk.windows.values() if note.window.blocked_by
        ),
        failures=_counted(trade.reason for trade in trades if trade.reason),
        pnl_usd=_text(pnl),
        expected_usd=_text(sum((trade.pnl.expected for trade in trades), _ZERO)),
        notional_usd=_text(sum((trade.notional_usd for trade in trades), _ZERO)),
        terms_usd=_terms(trades),
        slips_usd=_slips(trades),
        tail1_usd=_text(tail_mean([trade.realised_usd for trade in trades])),
        rebalances=desk.ledger.rebalances,
        rebalance_cost_usd=_text(desk.ledger.rebalance_cost_usd),
        errors=error_figures([prediction_of(trade) for trade in trades]),
        detect_to_fills_ms=_percentiles(
            (t.both_filled_ns - t.detect_ns) / 1e6 for t in trades if t.both_filled_ns is not None
        ),
        detect_to_wire_ms=_percentiles(
            (t.wired_ns - t.detect_ns) / 1e6 for t in trades if t.wired_ns is not None
        ),
        naked_s=_percentiles(trade.naked_s for trade in trades if trade.naked_s),
        naked_usd_s=sum(trade.naked_usd_s for trade in trades),
        stops=sorted({f"{stop.scope} {stop.rule}" for stop in desk.stops}),
        window_table=lines[-WINDOWS_KEPT:],
        series=_series(trades, lines),
    )


def tail_mean(values: Sequence[Decimal], level: float = 0.01) -> Decimal:
    """The mean of the worst `level` of the trades (at least one); 0 of none."""
    if not values:
        return _ZERO
    worst = sorted(values)[: max(1, round(len(values) * level))]
    return sum(worst, _ZERO) / len(worst)


# ---- windows ------------------------------------------------------------------------


def window_lines(desk: BacktestDesk, trades: Sequence[PaperTrade]) -> list[WindowLine]:
    """Every closed counterfactual window, with the trade that was made from it."""
    rows = [row for row in desk.shadow_windows.values() if row.closed_at_ns is not None]
    rows.sort(key=lambda row: (row.opened_at_ns, str(row.window_id)))
    made = _trades_by_window(rows, trades)
    lines = []
    for row in rows:
        own = desk.windows.get(row.window_id)
        blocked = row.blocked_by
        if own is not None and own.window.blocked_by in INELIGIBLE_GATES:
            blocked = own.window.blocked_by
        oracle = desk.oracle_usd.get(row.window_id, row.best_pnl_usd)
        lines.append(_line(row, blocked, oracle, made.get(row.window_id, [])))
    return lines


def _line(row: WindowRow, blocked: str, oracle: Decimal, made: Sequence[PaperTrade]) -> WindowLine:
    assert row.closed_at_ns is not None
    life_ns = row.closed_at_ns - row.opened_at_ns
    is_eligible = life_ns >= MIN_LIFE_NS and blocked not in INELIGIBLE_GATES
    if life_ns < MIN_LIFE_NS:
        blocked = "shorter than 400 ms"
    outcomes = [trade.outcome for trade in made]
    outcome = "both" if "both" in outcomes else (outcomes[0] if outcomes else "")
    return WindowLine(
        window_id=str(row.window_id),
        asset=row.asset,
        direction=row.direction,
        opened_at_ns=row.opened_at_ns,
        life_ms=life_ns / 1e6,
        close_cause=row.close_cause,
        peak_usd=_text(row.peak_value_usd),
        oracle_usd=_text(oracle),
        best_size_usd=_text(row.best_size_usd),
        gross_bps=row.gross_bps,
        net_bps=row.net_bps,
        is_eligible=is_eligible,
        blocked_by=blocked,
        outcome=outcome,
        realised_usd=_text(sum((trade.realised_usd for trade in made), _ZERO)),
    )


def _trades_by_window(
    rows: Sequence[WindowRow], trades: Sequence[PaperTrade]
) -> dict[UUID, list[PaperTrade]]:
    """Trades by the counterfactual window they were made from, by name or else by time.

    After a trade of ours the desk sees another market than the shadow, so the same window
    may have been named by another frame.
    """
    known = {row.window_id for row in rows}
    found: dict[UUID, list[PaperTrade]] = {}
    for trade in trades:
        if trade.window_id in known:
            found.setdefault(trade.window_id, []).append(trade)
            continue
        for row in rows:
            if (row.asset, row.direction) != (trade.asset, trade.direction):
                continue
            assert row.closed_at_ns is not None
            if row.opened_at_ns <= trade.detect_ns <= row.closed_at_ns + MERGE_GAP_NS:
                found.setdefault(row.window_id, []).append(trade)
                break
    return found


# ---- sums ---------------------------------------------------------------------------


def prediction_of(trade: PaperTrade) -> Prediction:
    """What was expected of a trade, what it made, and what it traded, in USD."""
    return Prediction(
        float(trade.pnl.expected), float(trade.realised_usd), float(trade.notional_usd)
    )


def _terms(trades: Sequence[PaperTrade]) -> dict[str, str]:
    """Every predicted term, summed over the attempts."""
    return {
        name: _text(sum((getattr(trade.pnl, name) for trade in trades), _ZERO))
        for name in PnlTerms.__struct_fields__
    }


def _slips(trades: Sequence[PaperTrade]) -> dict[str, str]:
    """Where realised left expected: both legs and fees of full trades, and all the rest."""
    cex = sum((trade.cex_slip_usd for trade in trades), _ZERO)
    dex = sum((trade.dex_slip_usd for trade in trades), _ZERO)
    fees = sum((trade.fee_slip_usd for trade in trades), _ZERO)
    error = sum((trade.realised_usd - trade.pnl.expected for trade in trades), _ZERO)
    return {
        "cex_slip": _text(cex),
        "dex_slip": _text(dex),
        "fees": _text(fees),
        "landing_and_timing": _text(error - cex - dex - fees),
        "error": _text(error),
    }


def _series(trades: Sequence[PaperTrade], lines: Sequence[WindowLine]) -> Series:
    equity, total = [], _ZERO
    for trade in sorted(trades, key=lambda one: one.closed_ns):
        total += trade.realised_usd
        equity.append((trade.closed_ns // 1_000_000, round(float(total), 6)))
    seen, captured = [0] * 24, [0] * 24
    for line in lines:
        hour = line.opened_at_ns // _HOUR_NS % 24
        seen[hour] += line.is_eligible
        captured[hour] += line.is_eligible and line.outcome == "both"
    counts = [0] * (len(_BINS_BPS) + 1)
    for trade in trades:
        error_bps = prediction_of(trade).error_bps
        counts[sum(error_bps >= edge for edge in _BINS_BPS)] += 1
    return Series(equity, seen, captured, list(_BINS_BPS), counts)


def _percentiles(values: Iterable[float]) -> Percentiles:
    found = list(values)
    return Percentiles(
        n=len(found),
        p50=percentile(found, 0.5),
        p95=percentile(found, 0.95),
        p99=percentile(found, 0.99),
        largest=max(found, default=None),
    )


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items(), key=lambda item: (-item[1], item[0])))


def _text(value: Decimal) -> str:
    return format(value.quantize(Decimal("0.000001")), "f")
