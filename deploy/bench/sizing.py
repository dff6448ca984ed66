"""Times the joint optimal size and holds it against a brute-force grid.

The walk over 10 and 100 book levels that are all visited, beside two floors of the same run:
the early exit for no edge, and touching every level once. Then random books and pools (both
directions, 1 to 100 levels, 1 to 30 pieces): the profit of the walk's size as a share of the
best of a grid of sizes, both by one independent evaluation.
Run from the repository's root:  python deploy/bench/sizing.py [--cases 10000] [--grid 200]
"""

from __future__ import annotations

import argparse
import random
import sys
from math import exp, sqrt
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.bench.tables import microseconds, print_table
from feeds.market.curve import Pieces, Segment
from trading.sizing import BestSize, Caps, Ladder, best_size, has_edge

FEE = 4e-4
NO_CAPS = Caps(impact=1e9)


class Case:
    """A book side against a pool, and what any size would earn there."""

    def __init__(self, segments: list[Segment], fee: float, ladder: Ladder, rising: bool) -> None:
        self.segments, self.fee, self.ladder, self.rising = segments, fee, ladder, rising
        self.pieces = Pieces(segments)

    def walk(self) -> BestSize:
        return best_size(self.pieces, self.fee, self.ladder, NO_CAPS, rising=self.rising)

    def profit(self, base: float) -> float:
        """Quote earned by `base`, each leg walked on its own; -inf past the end of either."""
        left, value = base, 0.0
        for ticks, lots in self.ladder.levels:
            taken = min(left, lots * self.ladder.lot_raw)
            value += taken * ticks * self.ladder.tick_value
            left -= taken
        quote = self._quote(base)
        if left > 1e-6 * base or quote is None:
            return -float("inf")
        value *= self.ladder.take
        return value - quote if self.rising else quote - value

    def _quote(self, base: float) -> float | None:
        left, quote = base if self.rising else base * (1 - self.fee), 0.0
        for liquidity, start, end in self.segments:
            held = liquidity * abs(1 / start - 1 / end)
            if held >= left:
                inverse = 1 / start - left / liquidity * (1 if self.rising else -1)
                quote += liquidity * abs(1 / inverse - start)
                return quote / (1 - self.fee) if self.rising else quote
            quote += liquidity * abs(end - start)
            left -= held
        return None


def pieces(rng: random.Random, count: int, root: float, rising: bool) -> list[Segment]:
    """`count` touching pieces from `root` on, one in ten of them without liquidity."""
    found: list[Segment] = []
    here = root
    for number in range(count):
        there = here * (1 + (1 if rising else -1) * rng.uniform(1e-5, 1e-3))
        empty = number > 0 and rng.random() < 0.1
        found.append((0.0 if empty else 10 ** rng.uniform(11, 14), here, there))
        here = there
    return found


def random_case(rng: random.Random) -> Case:
    """Random depths around a price of 150, with an edge of up to 2 % before costs."""
    rising = rng.random() < 0.5
    sign = 1 if rising else -1
    price = 0.15 * exp(rng.uniform(-0.01, 0.01))
    ticks = round(price * 1e5 * (1 + sign * rng.uniform(0, 0.02)))
    levels = []
    for _ in range(rng.choice((1, 5, 10, 25, 100))):
        levels.append((ticks, rng.randint(10**6, 5 * 10**10)))
        ticks -= sign * rng.randint(1, 12)
    ladder = Ladder(tuple(levels), 1e-5, 10.0, 1 - sign * rng.uniform(0, 0.004))
    fee = rng.choice((1e-4, 4e-4, 3e-3))
    return Case(pieces(rng, rng.randint(1, 30), sqrt(price), rising), fee, ladder, rising)


def deep_case(count: int) -> Case:
    """A book whose `count` levels are all taken, over 26 pieces."""
    rng = random.Random(count)  # noqa: S311 the same book in every run
    root = sqrt(0.15)
    segments: list[Segment] = []
    for _ in range(26):
        segments.append((3e13, root, root * 1.0002))
        root *= 1.0002
    total = 5 * 10**9
    best = 1_520_000
    levels = tuple((best - 100 * i, rng.randint(total // 2, total) // count) for i in range(count))
    return Case(segments, FEE, Ladder(levels, 1e-7, 10.0, 1 - 0.0026), True)


def time_table() -> None:
    """Microseconds of a walk over all levels."""
    rows = []
    for count in (10, 100):
        case = deep_case(count)
        found = case.walk()
        assert found.limited_by == "cex_depth", "every level must be visited"
        root = case.segments[0][1]
        exit_early = microseconds(
            lambda one=case, at=root: has_edge(at * 1.1, FEE, one.ladder, rising=True)
        )
        touch = microseconds(lambda one=case: touched(one.ladder))
        walk = microseconds(case.walk, 1_000)
        rows.append([f"{count} levels", exit_early, touch, walk, walk / touch])
    print_table(
        "Joint optimal size: µs",
        ["book", "no edge", "levels touched", "walk", "/touched"],
        rows,
    )


def touched(ladder: Ladder) -> float:
    """The value of every level: the least a walk of all of them must do."""
    value = 0.0
    for ticks, lots in ladder.levels:
        value += ticks * ladder.tick_value * lots * ladder.lot_raw
    return value


def share_table(cases: int, grid: int) -> None:
    """The walk's profit over the grid's best, over random cases."""
    rng = random.Random(10_000)  # noqa: S311 the same cases in every run
    shares: list[float] = []
    ours = best_of_grid = 0.0
    for number in range(cases):
        case = random_case(rng)
        found = case.walk()
        mine = case.profit(found.base_raw * (1 - 1e-12)) if found.base_raw > 0 else 0.0
        top = 2 * found.base_raw or 1e9
        best = max(0.0, *(case.profit(top * step / grid) for step in range(1, grid + 1)))
        ours, best_of_grid = ours + mine, best_of_grid + best
        # Below a thousandth of a dollar both are rounding.
        if best > 1_000:
            shares.append(mine / best)
        if sys.stderr.isatty() and number % 100 == 0:
            print(f"\r{number}/{cases} cases", end="", file=sys.stderr)
    shares.sort()
    print_table(
        f"Against the best of {grid} sizes, {cases} random cases ({len(shares)} with a profit)",
        ["", "share of the grid's profit"],
        [["worst case", f"{shares[0]:.6%}"], ["all together", f"{ours / best_of_grid:.6%}"]],
    )
    if shares[0] < 0.9999:
        raise SystemExit("a size earns less than 99.99 % of what the grid found")


def main() -> None:
    """Print both tables; fail where the grid finds a better size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--grid", type=int, default=200)
    options = parser.parse_args()
    time_table()
    share_table(options.cases, options.grid)


if __name__ == "__main__":
    main()
