"""A rolling 15-minute histogram of tick → signal, cheap enough for every tick.

Fifteen one-minute buckets of bin counts; percentiles are interpolated inside a bin. The
same samples go to Prometheus; this one feeds the console. Pure.
"""

from __future__ import annotations

from bisect import bisect_left

from arbsite.events import LatencyHistogram

EDGES_US: tuple[float, ...] = (
    5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 750,
    1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
)  # fmt: skip
MINUTES = 15


class RollingLatency:
    """Counts per bin and minute; `add` is O(log bins)."""

    def __init__(self) -> None:
        self._buckets: dict[int, list[int]] = {}

    def add(self, micros: float, at_ns: int) -> None:
        """Count one sample taken at `at_ns`."""
        minute = at_ns // 60_000_000_000
        counts = self._buckets.get(minute)
        if counts is None:
            counts = self._buckets[minute] = [0] * (len(EDGES_US) + 1)
            for old in [key for key in self._buckets if key <= minute - MINUTES]:
                del self._buckets[old]
        counts[bisect_left(EDGES_US, micros)] += 1

    def histogram(self, at_ns: int) -> LatencyHistogram:
        """The last 15 minutes as the console shows them; percentiles None without samples."""
        oldest = at_ns // 60_000_000_000 - MINUTES
        totals = [0] * (len(EDGES_US) + 1)
        for minute, counts in self._buckets.items():
            if minute > oldest:
                totals = [total + count for total, count in zip(totals, counts, strict=True)]
        return LatencyHistogram(
            edges_us=EDGES_US,
            counts=tuple(totals),
            p50_us=_percentile(totals, 0.50),
            p95_us=_percentile(totals, 0.95),
            p99_us=_percentile(totals, 0.99),
            count=sum(totals),
        )


def _percentile(counts: list[int], share: float) -> float | None:
    total = sum(counts)
    if not total:
        return None
    wanted, below = share * total, 0.0
    for position, count in enumerate(counts):
        if count and below + count >= wanted:
            low = EDGES_US[position - 1] if position else 0.0
            high = EDGES_US[min(position, len(EDGES_US) - 1)]
            return low + (high - low) * (wanted - below) / count
        below += count
    return EDGES_US[-1]
