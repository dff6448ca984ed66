"""One promise held against observations: its row, and how quantiles and shares are judged.

Pure. Called by the modules that read a kind of promise (`service_levels`, `reactions`,
`capture`). Not here: reading tables and metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Literal

import msgspec

from trading.backtest.intervals import Z95, Estimate, Share, percentile, share

Verdict = Literal["holds", "fails", "no data"]
LEAST_N = 20
NOTHING = "–"


class Level(msgspec.Struct, frozen=True):
    """One promise: its target, what was seen of how many, and the interval around it."""

    name: str
    target: str
    seen: str
    n: int
    interval: str
    verdict: Verdict


def unseen(name: str, target: str, why: str = "") -> Level:
    """A promise of which nothing was observed, and why if that is known."""
    return Level(name, target, why or NOTHING, 0, NOTHING, "no data")


def judged(is_kept: bool, n: int) -> Verdict:
    """The verdict; too few observations are not judged."""
    if n < LEAST_N:
        return "no data"
    return "holds" if is_kept else "fails"


def quantile(
    name: str, values: Sequence[float], level: float, limit: float | None, unit: str, note: str = ""
) -> Level:
    """A quantile with the distribution-free interval of its order statistics.

    Without a limit it is shown beside the promises. `note` is added to what was seen.
    """
    n = len(values)
    target = NOTHING if limit is None else f"≤ {limit:g} {unit}"
    seen = percentile(values, level)
    if seen is None:
        return unseen(name, target)
    half = Z95 * sqrt(level * (1 - level) / n)
    low = percentile(values, max(0.0, level - half))
    high = percentile(values, min(1.0, level + half))
    return Level(
        name,
        target,
        (f"{seen:.3g} {unit}" if seen < 100 else f"{seen:.0f} {unit}") + note,
        n,
        f"{low:.4g} – {high:.4g}",
        judged(limit is None or seen <= limit, n),
    )


def part(name: str, hits: Iterable[bool], limit: float | None, *, is_floor: bool) -> Level:
    """A share with its Wilson interval against a floor or a ceiling."""
    listed = list(hits)
    return of_share(name, share(sum(listed), len(listed)), limit, is_floor=is_floor)


def of_share(name: str, found: Share, limit: float | None, *, is_floor: bool) -> Level:
    """A share that is counted already, judged as `part` judges."""
    sign = "≥" if is_floor else "≤"
    target = NOTHING if limit is None else f"{sign} {limit:.0%}"
    if found.value is None or found.low is None or found.high is None:
        return unseen(name, target)
    is_kept = limit is None or (found.value >= limit if is_floor else found.value <= limit)
    interval = f"{found.low:.1%} – {found.high:.1%}"
    return Level(name, target, f"{found.value:.1%}", found.n, interval, judged(is_kept, found.n))


def estimated(name: str, found: Estimate, n: int, form: str) -> Level:
    """A figure of n things without a target, beside the promises; `form` formats a number."""
    if found.value is None:
        return unseen(name, NOTHING)
    has_interval = found.low is not None and found.high is not None
    interval = f"{found.low:{form}} – {found.high:{form}}" if has_interval else NOTHING
    return Level(name, NOTHING, f"{found.value:{form}}", n, interval, judged(True, n))


def none_of(name: str, count: int, n: int, detail: str = "") -> Level:
    """Something that must never happen: one is too many, however few were looked at."""
    verdict: Verdict = "fails" if count else "holds" if n else "no data"
    return Level(name, "0", f"{count}{detail}", n, NOTHING, verdict)
