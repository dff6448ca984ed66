"""What the benchmarks here share: timing a call, printing a table.

Imported by the benches; not a command.
"""

from __future__ import annotations

import gc
import time
import timeit
from collections.abc import Callable, Sequence

REPEATS = 9


def microseconds(call: Callable[[], object], loops: int = 2_000) -> float:
    """Least disturbed of the repeats: the mean processor time of a call, in µs."""
    gc.collect()
    taken = timeit.repeat(call, timer=time.process_time, number=loops, repeat=REPEATS)
    return min(taken) / loops * 1e6


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the ordered figures lie (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their heads, the first column to the left, figures to the right."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(heads), *texts]) for i in range(len(heads))]
    print(f"\n{title}")
    for row in [list(heads), ["-" * width for width in widths], *texts]:
        cells = [
            row[0].ljust(widths[0]),
            *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
        ]
        print("  ".join(cells).rstrip())


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.2f}" if cell < 100 else f"{cell:.0f}"
    return str(cell)
