"""One pass over a source with any number of parameter sets side by side.

All columns meet the same facts and, wherever they make the same trade, the same luck.
Called by reports' commands, the ablation and the benches. Pure but for what the source reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from arbsite.clock import seeded_random
from trading.backtest.desk import BacktestDesk, DeskSetup, Reshape
from trading.backtest.figures import Figures, figures_of
from trading.backtest.source import EventSource, clipped

Progress = Callable[[float], None]
"""Told the share done (0..1) now and then."""

_TELL_EVERY = 4_000


class BacktestResult(msgspec.Struct, frozen=True):
    """A finished back-test: what it ran on, and the figures of each parameter set."""

    source: str
    source_hash: str
    seed: int
    from_ns: int
    to_ns: int
    events: int
    columns: list[Figures]


def run_desks(
    source: EventSource,
    desks: Sequence[BacktestDesk],
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    progress: Progress | None = None,
) -> tuple[int, int, int]:
    """Feed every desk; returns (events, first ns, last ns) of what was read."""
    first, last = source.span_ns
    start, end = max(first, from_ns or first), min(last, to_ns or last)
    count = first_seen = last_seen = 0
    for event in clipped(source.events(), from_ns, to_ns):
        for desk in desks:
            desk.handle(event)
        first_seen = first_seen or event.recv_ns
        last_seen = max(last_seen, event.recv_ns)
        count += 1
        if progress is not None and count % _TELL_EVERY == 0 and end > start:
            progress(min(1.0, (event.recv_ns - start) / (end - start)))
    for desk in desks:
        desk.finish()
    if progress is not None:
        progress(1.0)
    return count, first_seen, last_seen


def run_backtest(
    source: EventSource,
    setups: Sequence[DeskSetup],
    seed: int,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    progress: Progress | None = None,
    reshapes: Sequence[Reshape | None] | None = None,
) -> BacktestResult:
    """Run every parameter set over the source and compute its figures."""
    desks = [
        BacktestDesk(
            source.specs,
            setup,
            lambda name: seeded_random(f"{seed}/{name}"),
            reshapes[place] if reshapes else None,
        )
        for place, setup in enumerate(setups)
    ]
    count, first_ns, last_ns = run_desks(
        source, desks, from_ns=from_ns, to_ns=to_ns, progress=progress
    )
    return BacktestResult(
        source=source.name,
        source_hash=source.digest(),
        seed=seed,
        from_ns=first_ns,
        to_ns=last_ns,
        events=count,
        columns=[figures_of(desk, seeded_random(f"{seed}/intervals")) for desk in desks],
    )
