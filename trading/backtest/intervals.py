"""Intervals for figures from few or dependent observations. Pure, floats: statistics only.

Wilson for shares, bootstrap for ratios and means, the effective sample size of an
autocorrelated series. Randomness is a stream handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

Z95 = 1.959963984540054
# Beyond this an hour of two-second samples has gone by; the sum is cut there.
_MOST_LAGS = 1_800
T = TypeVar("T")


class Picks(Protocol):
    """A seeded stream that picks with replacement (arbsite.clock)."""

    def choices(self, population: Sequence[int], *, k: int) -> list[int]:
        """`k` of the population, each equally likely."""


class Share(msgspec.Struct, frozen=True):
    """`hits` of `n`, with its 95 % interval; None where n is 0."""

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None


class Estimate(msgspec.Struct, frozen=True):
    """A figure with its 95 % interval; None where it cannot be told."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def wilson(hits: float, n: float) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; `n` may be an effective size. (0, 1) for n = 0."""
    if n <= 0:
        return 0.0, 1.0
    p, z2 = hits / n, Z95 * Z95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def share(hits: int, n: int) -> Share:
    """A share with its Wilson interval."""
    if not n:
        return Share(hits, n, None, None, None)
    low, high = wilson(hits, n)
    return Share(hits, n, hits / n, low, high)


def percentile(values: Sequence[float], level: float) -> float | None:
    """The value at `level` (0..1) by linear interpolation; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    place = level * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def bootstrap(
    items: Sequence[T],
    figure: Callable[[Sequence[T]], float | None],
    rng: Picks,
    *,
    draws: int = 1000,
) -> Estimate:
    """A figure of items and the central 95 % of it over resamples of the items."""
    value = figure(items)
    if value is None or len(items) < 2:
        return Estimate(value, None, None, len(items))
    places = range(len(items))
    found = []
    for _ in range(draws):
        again = figure([items[place] for place in rng.choices(places, k=len(items))])
        if again is not None:
            found.append(again)
    return Estimate(value, percentile(found, 0.025), percentile(found, 0.975), len(items))


def ratio_of(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Sum of the first over sum of the second; None while the second is not positive."""
    below = sum(pair[1] for pair in pairs)
    return sum(pair[0] for pair in pairs) / below if below > 0 else None


def effective_size(series: Sequence[float]) -> float:
    """How many independent observations a series is worth (Geyer's initial positive sums).

    n / (1 + 2 Σ ρ_k), where the sum of neighbouring autocorrelations is taken while it is
    positive. A constant series is worth one observation.
    """
    n = len(series)
    if n < 4:
        return float(n)
    mean = math.fsum(series) / n
    centred = [value - mean for value in series]
    variance = math.fsum(value * value for value in centred) / n
    if variance <= 0:
        return 1.0
    total = 0.0
    for lag in range(1, min(n // 2, _MOST_LAGS), 2):
        pair = _autocovariance(centred, lag) + _autocovariance(centred, lag + 1)
        if pair <= 0:
            break
        total += pair / variance
    return max(1.0, min(float(n), n / (1 + 2 * total)))


def _autocovariance(centred: Sequence[float], lag: int) -> float:
    n = len(centred)
    return math.fsum(centred[i] * centred[i + lag] for i in range(n - lag)) / n
