"""Studies as lines of text: parameter sets as columns, figures as rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from arbsite.clock import at_from_ns
from reports.ablation_study import AblationResult
from reports.feasibility import Feasibility
from reports.promise_tables import aligned, cells
from trading.backtest.figures import Figures, Percentiles
from trading.backtest.grid import GridCell
from trading.backtest.intervals import Estimate, Share
from trading.backtest.run import BacktestResult

_NAME = 24
_COLUMN = 34
Row = tuple[str, Callable[[Figures], str]]


def backtest_lines(result: BacktestResult, *, took_s: float, windows: int = 10) -> Iterator[str]:
    """The whole print of a back-test."""
    span_s = (result.to_ns - result.from_ns) / 1e9
    rate = span_s / took_s if took_s else 0.0
    yield f"source   {result.source} ({result.source_hash[:12]})"
    yield (
        f"span     {at_from_ns(result.from_ns):%Y-%m-%d %H:%M:%S} UTC, {span_s / 3600:.2f} h, "
        f"{result.events} facts, {rate:.0f} x real time, seed {result.seed}"
    )
    yield "fills    by the landing and latency model; capture against windows without us"
    yield ""
    columns = result.columns
    yield _line("", [column.label for column in columns])
    for name, cell in _ROWS:
        yield _line(name, [cell(column) for column in columns])
    for name, counted in (
        ("not eligible because", [column.blocked_by for column in columns]),
        ("refused by gate", [column.refused_by for column in columns]),
        ("ended without both legs", [column.failures for column in columns]),
        ("size limited by", [column.limited_by for column in columns]),
        ("PnL term, predicted USD", [column.terms_usd for column in columns]),
        ("realised - expected, USD", [column.slips_usd for column in columns]),
    ):
        yield from _counted(name, counted)
    yield from _window_lines(columns[0], windows)


def _window_lines(column: Figures, windows: int) -> Iterator[str]:
    if not windows or not column.window_table:
        return
    yield ""
    yield f"last windows of: {column.label}"
    yield "opened       asset direction         life ms  oracle USD  size USD  outcome   realised"
    for line in column.window_table[-windows:]:
        opened = f"{at_from_ns(line.opened_at_ns):%H:%M:%S.%f}"[:12]
        made = line.outcome or line.blocked_by or "not tried"
        yield (
            f"{opened} {line.asset:5} {line.direction:17} {line.life_ms:7.0f} "
            f"{float(line.oracle_usd):11.4f} {float(line.best_size_usd):9.0f}  {made:9.9} "
            f"{float(line.realised_usd):9.4f}"
        )


def feasibility_lines(found: Feasibility, source: str) -> Iterator[str]:
    """The print of a feasibility report."""
    yield f"{found.asset}: {found.verdict.upper()} - {found.why}"
    yield f"source                {source}, {found.hours:.2f} h"
    yield (
        f"observations          {found.n} every 2 s, worth {found.n_effective:.0f} independent ones"
    )
    yield f"break-even gap        {found.break_even_bps:.2f} bps after the pool's fee"
    yield f"needed gap            {found.needed_bps:.2f} bps"
    if found.gap_p50_bps is not None:
        yield (
            f"gaps seen             p50 {found.gap_p50_bps:.2f}, p95 {found.gap_p95_bps:.2f}, "
            f"p99 {found.gap_p99_bps:.2f}, largest {found.gap_largest_bps:.2f} bps"
        )
    if found.windows_per_day is not None:
        yield (
            f"windows a day         {found.windows_per_day:.1f} "
            f"({found.windows_per_day_low:.1f} to {found.windows_per_day_high:.1f})"
        )
        largest = found.largest_taker_bps
        tier = "none" if largest is None else f"{largest:.1f} bps"
        yield f"largest taker fee     {tier} for a window a day"


def ablation_lines(result: AblationResult) -> Iterator[str]:
    """The print of an ablation: two tables for each scenario, then the grid."""
    promises = {each.scenario: each.levels for each in result.promises}
    for scenario in dict.fromkeys(row.scenario for row in result.rows):
        yield f"{scenario}: every policy against the full system"
        yield (
            f"  {'policy':22} {'trades':>6} {'capture':>8} {'value':>7} {'partial':>8} "
            f"{'USD/h':>9} {'share of the full PnL':>22} {'worst 1 %':>10} {'naked USD·s/h':>22}"
        )
        for row in (row for row in result.rows if row.scenario == scenario):
            tail = row.tail1_usd.value
            yield (
                f"  {row.policy:22} {row.trades:6} {_percent(row.capture.value):>8} "
                f"{_percent(row.value_capture.value):>7} "
                f"{_percent(row.partials.value):>8} {row.pnl_per_hour.value or 0.0:9.2f} "
                f"{_between(row.of_full, '.0%'):>22} "
                f"{'no data' if tail is None else format(tail, '.2f'):>10} "
                f"{_between(row.naked_usd_s_per_hour, '.0f'):>22}"
            )
        yield ""
        yield f"{scenario}: the promises, kept by the full system"
        yield from (f"  {line}" for line in aligned(cells(promises.get(scenario, []))))
        yield ""
    if result.grid:
        yield "grid on busy: rivals x strength, chance of landing a slot, taker fee"
        yield from (f"  {line}" for line in aligned([_GRID_HEADS, *map(_grid_row, result.grid)]))


_GRID_HEADS = (
    "rivals", "p", "fee bps", "trades", "PnL USD", "capture", "partial", "median", "bias", "WAPE",
    "fills p50", "p95", "promises that fail",
)  # fmt: skip


def _grid_row(cell: GridCell) -> tuple[str, ...]:
    return (
        f"x{cell.strength:g}",
        f"{cell.land_p:g}",
        f"{cell.fee_bps:g}",
        str(cell.trades),
        f"{float(cell.pnl_usd):.2f}",
        _percent(cell.capture.value),
        _percent(cell.partials.value),
        _percent(cell.median_error),
        _percent(cell.bias),
        _percent(cell.wape),
        _milliseconds(cell.fills_p50_ms),
        _milliseconds(cell.fills_p95_ms),
        ", ".join(cell.fails) if cell.fails else "none",
    )


def _milliseconds(value: float | None) -> str:
    return "no data" if value is None else f"{value:.0f} ms"


def _between(value: Estimate, form: str) -> str:
    if value.value is None:
        return "no data"
    if value.low is None or value.high is None:
        return format(value.value, form)
    return f"{value.value:{form}} ({value.low:{form}} to {value.high:{form}})"


def _share(value: Share) -> str:
    if value.value is None:
        return "no data"
    return f"{value.value:.1%} ({value.low:.0%}-{value.high:.0%}) n={value.n}"


def _estimate(value: Estimate) -> str:
    if value.value is None:
        return "no data"
    if value.low is None or value.high is None:
        return f"{value.value:.1%} n={value.n}"
    return f"{value.value:.1%} ({value.low:.0%}-{value.high:.0%}) n={value.n}"


def _times(value: Percentiles, unit: str) -> str:
    if value.p50 is None or value.p95 is None or value.p99 is None:
        return "no data"
    return f"{value.p50:.4g} / {value.p95:.4g} / {value.p99:.4g} {unit}"


def _percent(value: float | None) -> str:
    return "no data" if value is None else f"{value:.1%}"


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:{_NAME}}" + "".join(f" {cell:{_COLUMN}.{_COLUMN}}" for cell in cells).rstrip()


def _counted(name: str, columns: Sequence[dict[str, int] | dict[str, str]]) -> Iterator[str]:
    words = list(dict.fromkeys(word for column in columns for word in column))
    if not words:
        return
    yield ""
    yield f"{name}:"
    for word in words:
        yield _line(f"  {word}", [str(column.get(word, "")) for column in columns])


_ROWS: tuple[Row, ...] = (
    ("eligible windows", lambda f: f"{f.eligible} of {f.windows}"),
    ("capture, count", lambda f: _share(f.capture_count)),
    ("capture, value", lambda f: _estimate(f.capture_value)),
    ("attempts succeeded", lambda f: _share(f.attempt_success)),
    ("partials and hedged", lambda f: _share(f.partials)),
    ("outcomes", lambda f: ", ".join(f"{n} {word}" for word, n in f.outcomes.items())),
    ("order of the legs", lambda f: ", ".join(f"{n} {word}" for word, n in f.orders.items())),
    ("PnL, USD", lambda f: f"{float(f.pnl_usd):.2f} (expected {float(f.expected_usd):.2f})"),
    ("oracle, USD", lambda f: f"{float(f.oracle_usd):.2f}"),
    ("notional, USD", lambda f: f"{float(f.notional_usd):.0f}"),
    ("worst 1 % of trades, USD", lambda f: f"{float(f.tail1_usd):.2f}"),
    ("error: bias", lambda f: _percent(f.errors.bias)),
    ("error: WAPE", lambda f: _percent(f.errors.wape)),
    ("error: median", lambda f: _percent(f.errors.median)),
    ("error: 80 % covered", lambda f: _share(f.errors.coverage80)),
    ("detect to fills p50/95/99", lambda f: _times(f.detect_to_fills_ms, "ms")),
    ("naked p50/95/99", lambda f: _times(f.naked_s, "s")),
    ("naked exposure", lambda f: f"{f.naked_usd_s:.0f} USD·s"),
    (
        "rebalances",
        lambda f: f"{f.rebalances} ({float(f.rebalance_cost_usd):.2f} USD)",
    ),
    ("stops", lambda f: ", ".join(f.stops) or "none"),
)
