"""How likely a leg succeeds: Beta posteriors with a prior, and their lower bounds.

Each route (a pool, a book) keeps a count of successes and failures on top of a prior, so
that the leg-order policy decides from the first trade on. Pure; called by `legs` and the
engine. Not here: what is done with the probability.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import Final

import msgspec

_TINY = 1e-300
_MAX_TERMS = 300

# Evidence counts half after an hour: a route refused for its odds earns no new evidence, so
# without this one storm would silence it for good.
HALF_LIFE_MINUTES: Final = 60
_MINUTE_NS = 60_000_000_000


class Posterior(msgspec.Struct, frozen=True):
    """Beta(alpha, beta): pseudo-counts of successes and failures, the prior included."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """Expected probability of success."""
        return self.alpha / (self.alpha + self.beta)

    def lower(self, level: float = 0.1) -> float:
        """The probability that the true one exceeds with confidence 1 - `level`."""
        return beta_quantile(self.alpha, self.beta, level)

    def after(self, success: bool, *, memory: float) -> Posterior:
        """Count one outcome; pseudo-counts above `memory` in total fade in proportion.

        Without fading, a route that was good for a thousand trades would need hundreds of
        failures before the policy noticed that it is not any more.
        """
        alpha = self.alpha + (1.0 if success else 0.0)
        beta = self.beta + (0.0 if success else 1.0)
        scale = min(1.0, memory / (alpha + beta))
        return Posterior(alpha * scale, beta * scale)


class Fading:
    """How much of what was learnt is still to be counted, by whole minutes of `now_ns`."""

    def __init__(self) -> None:
        self._until_ns: int | None = None

    def kept(self, now_ns: int) -> float:
        """The part to keep of everything counted up to the last call; 1 within a minute."""
        if self._until_ns is None:
            self._until_ns = now_ns
        minutes = max(0, now_ns - self._until_ns) // _MINUTE_NS
        self._until_ns += minutes * _MINUTE_NS
        return float(0.5 ** (minutes / HALF_LIFE_MINUTES))


# A marketable IOC inside the visible depth nearly always fills; worth fifty observations.
FILLING_PRIOR = Posterior(49.0, 1.0)


@lru_cache(maxsize=4096)
def beta_quantile(alpha: float, beta: float, level: float) -> float:
    """The x with P(Beta(alpha, beta) <= x) = `level`, by bisection to 1e-9."""
    if not 0.0 < level < 1.0:
        raise ValueError("level must lie between 0 and 1")
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if _beta_cdf(middle, alpha, beta) < level:
            low = middle
        else:
            high = middle
    return low


def _beta_cdf(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    # The fraction converges fast only below the mean; above it, use the mirror image.
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(x, a, b) / a
    return 1.0 - front * _continued_fraction(1.0 - x, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    """Evaluate the incomplete beta's continued fraction (modified Lentz)."""
    c = 1.0
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for numerator in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + numerator * d)
            c = _away_from_zero(1.0 + numerator / c)
            result *= c * d
        if abs(c * d - 1.0) < 1e-12:
            break
    return result


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
