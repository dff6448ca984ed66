"""How wrong the predictions were: the error metrics of realised against expected PnL.

e = realised - expected, over every attempt, failed ones included (domain: error of
prediction). Pure; USD, and bps of the notional.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trading.backtest.intervals import Share, percentile, share

# |e| is related to no less than this, so that a tiny prediction does not look infinite.
FLOOR_USD = 0.05
# Predictions made before there are so many residuals have no interval of their own.
_LEARNED_FROM = 20


class Prediction(msgspec.Struct, frozen=True):
    """One attempt: expected and realised PnL, and what it traded, in USD."""

    expected: float
    realised: float
    notional: float

    @property
    def error_bps(self) -> float:
        """The error in bps of the notional."""
        return (self.realised - self.expected) / self.notional * 1e4

    @property
    def relative(self) -> float:
        """|error| in parts of the prediction, of five cents at least."""
        return abs(self.realised - self.expected) / max(abs(self.expected), FLOOR_USD)


class ErrorFigures(msgspec.Struct, frozen=True):
    """Figures of domain §7. Shares of Σ|expected| unless the name says otherwise.

    `coverage80` is the share of errors inside the central 80 % of all EARLIER errors.
    """

    n: int
    bias: float | None
    wape: float | None
    median: float | None
    bps_p5: float | None
    bps_p50: float | None
    bps_p95: float | None
    slope: float | None
    intercept_usd: float | None
    coverage80: Share


def error_figures(predictions: Sequence[Prediction]) -> ErrorFigures:
    """Compute all figures, in the order the predictions were made."""
    errors = [each.realised - each.expected for each in predictions]
    scale = sum(abs(each.expected) for each in predictions)
    bps = [each.error_bps for each in predictions]
    slope, intercept = _line(predictions)
    return ErrorFigures(
        n=len(predictions),
        bias=sum(errors) / scale if scale else None,
        wape=sum(abs(error) for error in errors) / scale if scale else None,
        median=percentile([each.relative for each in predictions], 0.5),
        bps_p5=percentile(bps, 0.05),
        bps_p50=percentile(bps, 0.5),
        bps_p95=percentile(bps, 0.95),
        slope=slope,
        intercept_usd=intercept,
        coverage80=_coverage(bps),
    )


def _line(predictions: Sequence[Prediction]) -> tuple[float | None, float | None]:
    """Least squares of realised on expected: (slope, intercept); (1, 0) is calibrated."""
    n = len(predictions)
    if n < 2:
        return None, None
    mean_x = sum(each.expected for each in predictions) / n
    mean_y = sum(each.realised for each in predictions) / n
    spread = sum((each.expected - mean_x) ** 2 for each in predictions)
    if spread <= 0:
        return None, None
    joint = sum((each.expected - mean_x) * (each.realised - mean_y) for each in predictions)
    slope = joint / spread
    return slope, mean_y - slope * mean_x


def _coverage(bps: Sequence[float]) -> Share:
    hits = n = 0
    for place in range(_LEARNED_FROM, len(bps)):
        earlier = bps[:place]
        low, high = percentile(earlier, 0.1), percentile(earlier, 0.9)
        assert low is not None
        assert high is not None
        n += 1
        hits += low <= bps[place] <= high
    return share(hits, n)
