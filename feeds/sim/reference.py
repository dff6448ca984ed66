"""Reference prices of the simulated world: what each asset is "really" worth in USD.

Jump diffusion with an intraday volatility profile and a weak pull to the start price, so
that a long soak stays in range; dollar tokens wander near par. Nobody trades at these
prices: market-makers quote around them, late. Called by `world`.
"""

from __future__ import annotations

import math

from feeds.sim.scenarios import PriceParams, StableParams
from feeds.sim.schedule import Stream

_YEAR_S = 365.25 * 86_400
# A log price is pulled back by half in this time: ±30 % stays a rare excursion.
_RECALL_S = 3 * 86_400
# Volatility is highest in the afternoon (UTC), when both continents trade.
_PROFILE_SWING = 0.35
_PROFILE_PEAK_HOUR = 15.0
_JUMP_SIGMA = 0.4


def day_profile(at_ns: int) -> float:
    """Volatility at a time of day, relative to the day's mean."""
    hour = at_ns / 3.6e12 % 24
    return 1 + _PROFILE_SWING * math.cos(2 * math.pi * (hour - _PROFILE_PEAK_HOUR) / 24)


class AssetPrice:
    """One asset's reference price in USD."""

    def __init__(self, start_usd: float, params: PriceParams, rng: Stream) -> None:
        self._home = math.log(start_usd)
        self._params = params
        self._rng = rng
        self.usd = start_usd

    def step(self, at_ns: int, seconds: float) -> None:
        """Move on by `seconds`."""
        spread = self._params.annual_volatility * math.sqrt(seconds / _YEAR_S)
        log_price = math.log(self.usd)
        log_price -= (log_price - self._home) * (seconds / _RECALL_S) * math.log(2)
        log_price += self._rng.gauss(0, spread * day_profile(at_ns))
        if self._rng.random() < self._params.jumps_per_minute * seconds / 60:
            size = self._params.jump_bps * math.exp(self._rng.gauss(0, _JUMP_SIGMA)) / 1e4
            log_price += size if self._rng.random() < 0.5 else -size
        self.usd = math.exp(log_price)


class StablePrice:
    """A dollar token's price in USD: a slow mean-reverting walk around par."""

    def __init__(self, params: StableParams, rng: Stream) -> None:
        self._params = params
        self._rng = rng
        self.usd = 1.0

    def step(self, at_ns: int, seconds: float) -> None:
        """Move on by `seconds`."""
        recall = min(1.0, seconds / (self._params.recall_minutes * 60))
        spread = self._params.wander_bps / 1e4 * math.sqrt(2 * recall)
        self.usd += (1 - self.usd) * recall + self._rng.gauss(0, spread)
