"""The market-makers of one simulated Kraken book: a ladder around a late fair price.

Levels sit on a fixed grid of ticks and keep their size while they stand, so an update
changes one or two levels, as on the real venue. What takers eat comes back by and by.
Called by `world`; the exchange computes what subscribers see.
"""

from __future__ import annotations

import math

from feeds.sim.kraken.records import Level, PairSpec, Side
from feeds.sim.scenarios import MakerParams
from feeds.sim.schedule import Stream

_SIZE_SIGMA = 0.5
# The ladder moves when the fair price has left its anchor by this part of a grid step:
# real quotes do not flicker with every breath of the reference.
_HYSTERESIS = 0.6


class LadderMaker:
    """Quotes one pair. Prices in ticks, sizes in lots, `fair` in quote units."""

    def __init__(self, pair: PairSpec, params: MakerParams, usd: float, rng: Stream) -> None:
        self._params = params
        self._rng = rng
        self._tick = 10.0**-pair.price_precision
        self._lots_per_usd = 10**pair.qty_precision / usd
        self._fair = 0.0
        self._anchor = 0.0
        self._sizes: dict[Side, dict[int, int]] = {"buy": {}, "sell": {}}
        self._eaten: dict[Side, dict[int, int]] = {"buy": {}, "sell": {}}

    @property
    def best(self) -> tuple[float, float]:
        """(bid, ask) this maker stands at, in quote units; (0, 0) before the first update."""
        bids, asks = self._sizes["buy"], self._sizes["sell"]
        if not bids or not asks:
            return 0.0, 0.0
        return max(bids) * self._tick, min(asks) * self._tick

    def eat(self, side: Side, ticks: int, lots: int) -> None:
        """A taker took `lots` of this maker's `side` at a level."""
        held = self._sizes[side].get(ticks)
        if held is not None:
            self._sizes[side][ticks] = max(0, held - lots)
            self._eaten[side][ticks] = self._eaten[side].get(ticks, 0) + lots

    def update(self, fair: float, elapsed_s: float) -> tuple[list[Level], list[Level]]:
        """Requote towards `fair`; return (bids, asks) to put up."""
        if not self._fair:
            self._fair = fair
        weight = 1 - math.exp(-elapsed_s * 1e3 / self._params.lag_ms)
        self._fair += (fair - self._fair) * weight
        grid = self._params.grid_ticks * self._tick
        if abs(self._fair - self._anchor) > _HYSTERESIS * grid:
            self._anchor = self._fair
            self._place()
        else:
            self._breathe()
        self._refill()
        return self._levels("buy"), self._levels("sell")

    def _place(self) -> None:
        grid = self._params.grid_ticks
        half = self._params.half_spread_bps / 1e4
        bid = math.floor(self._anchor * (1 - half) / self._tick / grid) * grid
        ask = math.ceil(self._anchor * (1 + half) / self._tick / grid) * grid
        for side, best, step in (("buy", bid, -grid), ("sell", ask, grid)):
            wanted = [best + step * place for place in range(self._params.levels)]
            old: dict[int, int] = self._sizes[side]  # type: ignore[index]
            sizes = {
                ticks: old[ticks] if ticks in old else self._size(place)
                for place, ticks in enumerate(wanted)
                if ticks > 0
            }
            self._sizes[side] = sizes  # type: ignore[index]

    def _breathe(self) -> None:
        """Change the size of one level, mostly near the top."""
        side: Side = "buy" if self._rng.random() < 0.5 else "sell"
        levels = self._levels(side)
        if levels:
            place = min(int(self._rng.expovariate(0.3)), len(levels) - 1)
            self._sizes[side][levels[place][0]] = self._size(place)

    def _refill(self) -> None:
        for side, eaten in self._eaten.items():
            for ticks in list(eaten):
                if ticks not in self._sizes[side]:
                    del eaten[ticks]
                elif self._rng.random() < self._params.refill_p:
                    self._sizes[side][ticks] += eaten.pop(ticks)

    def _size(self, place: int) -> int:
        usd = self._params.level_usd * self._params.depth_growth**place
        usd *= math.exp(self._rng.gauss(0, _SIZE_SIGMA))
        return max(1, int(usd * self._lots_per_usd))

    def _levels(self, side: Side) -> list[Level]:
        sizes = self._sizes[side]
        rows = [(ticks, lots) for ticks, lots in sizes.items() if lots]
        rows.sort(reverse=side == "buy")
        return rows
