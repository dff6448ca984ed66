"""Reads a source once and tells how far it is: for studies that run no desk. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from feeds.market.events import MarketEvent
from trading.backtest.run import Progress
from trading.backtest.source import EventSource

_TELL_EVERY = 4_000


def watched(source: EventSource, progress: Progress) -> Iterator[MarketEvent]:
    """Yield the facts of a source, telling the share done now and then."""
    first, last = source.span_ns
    for count, event in enumerate(source.events()):
        if count % _TELL_EVERY == 0 and last > first:
            progress(max(0.0, min(1.0, (event.recv_ns - first) / (last - first))))
        yield event
    progress(1.0)
