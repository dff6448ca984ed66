"""Gaps that are not opportunities: a standing basis between two venues.

A one-signed, constant gap (a bridged token, one dollar against another, suspended
withdrawals) is not a window. Pure; the engine feeds one detector per asset with samples
of the gross gap. Not here: the gap that is simply too wide (a gate).
"""

from __future__ import annotations

from collections import deque
from statistics import median

import msgspec


class BasisModel(msgspec.Struct, frozen=True):
    """When a gap counts as standing.

    `sample_ns` apart (nearer samples are not independent), over `samples` of them, never
    changing sign, at least `min_gap_bps` in the median, and with a range of at most
    `constancy` of the median.
    """

    sample_ns: int = 30_000_000_000
    samples: int = 40
    min_gap_bps: float = 10.0
    constancy: float = 0.5


class BasisDetector:
    """A ring of gap samples of one asset; `flag` says why it is standing, or nothing."""

    __slots__ = ("_gaps", "_last_ns", "_model", "flag")

    def __init__(self, model: BasisModel | None = None) -> None:
        self._model = model or BasisModel()
        self._gaps: deque[float] = deque(maxlen=self._model.samples)
        self._last_ns: int | None = None
        self.flag = ""

    def is_due(self, at_ns: int) -> bool:
        """Whether a sample at `at_ns` would be taken."""
        return self._last_ns is None or at_ns - self._last_ns >= self._model.sample_ns

    def observe(self, gap_bps: float, at_ns: int) -> None:
        """Take a sample if the last one is old enough, and judge again."""
        if not self.is_due(at_ns):
            return
        self._last_ns = at_ns
        self._gaps.append(gap_bps)
        self.flag = self._judge()

    def _judge(self) -> str:
        if len(self._gaps) < self._model.samples:
            return ""
        low, high = min(self._gaps), max(self._gaps)
        if low <= 0 <= high:
            return ""
        middle = abs(median(self._gaps))
        if middle < self._model.min_gap_bps or high - low > self._model.constancy * middle:
            return ""
        return f"{middle:.1f} bps in {len(self._gaps)} samples"
