"""The promises about prediction errors (domain §7): median, bias and WAPE with intervals. Pure.

Called by `service_levels` (booked trades) and `ablation_study` (a model's trades).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arbsite.clock import seeded_random
from reports.promises import NOTHING, Level, judged, quantile, unseen
from trading.backtest.errors import Prediction
from trading.backtest.intervals import bootstrap, ratio_of

MEDIAN_LIMIT, BIAS_LIMIT, WAPE_LIMIT = 0.25, 0.10, 0.35
# Neighbours in time are resampled together: errors of one minute are alike.
_MOST_BLOCKS = 400


def levels(predictions: Sequence[Prediction]) -> list[Level]:
    """The three promises, in the order the predictions were made; failed attempts count."""
    percents = [each.relative * 100 for each in predictions]
    return [
        quantile("prediction error, median", percents, 0.5, MEDIAN_LIMIT * 100, "%"),
        _ratio("prediction error, bias", predictions, lambda one: one, BIAS_LIMIT, "± "),
        _ratio("prediction error, WAPE", predictions, abs, WAPE_LIMIT, "≤ "),
    ]


def _ratio(
    name: str,
    predictions: Sequence[Prediction],
    part: Callable[[float], float],
    limit: float,
    sign: str,
) -> Level:
    """Σ part(error) over Σ|expected|; its size is held against the limit."""
    target = f"{sign}{limit:.0%}"
    size = -(-len(predictions) // _MOST_BLOCKS) or 1
    pairs = [
        (
            sum(part(each.realised - each.expected) for each in predictions[start : start + size]),
            sum(abs(each.expected) for each in predictions[start : start + size]),
        )
        for start in range(0, len(predictions), size)
    ]
    found = bootstrap(pairs, ratio_of, seeded_random(name))
    if found.value is None:
        return unseen(name, target)
    has_interval = found.low is not None and found.high is not None
    interval = f"{found.low:.1%} – {found.high:.1%}" if has_interval else NOTHING
    verdict = judged(abs(found.value) <= limit, len(predictions))
    return Level(name, target, f"{found.value:.1%}", len(predictions), interval, verdict)
