"""What a Kraken connection has seen and suffered, counted for the host's metrics.

Plain numbers that only grow (gauges are marked): the host reads them when it likes. Not
here: Prometheus, alarms, thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class FeedCounters:
    """Totals of one market feed since its start."""

    frames: int = 0
    books: int = 0
    checksum_failures: int = 0
    crossed: int = 0
    resyncs: int = 0
    malformed: int = 0
    refused: int = 0
    connects: int = 0
    disconnects: int = 0
    rtt_ms: float | None = None
    """Gauge: round trip of the last application ping."""
    clock_skew_ms: float | None = None
    """Gauge: venue clock minus ours, by the last ping; good to half a round trip."""

    @property
    def reconnects(self) -> int:
        """Connections made after the first."""
        return max(0, self.connects - 1)


@dataclass(slots=True)
class TradingCounters:
    """Totals of one trading connection since its start."""

    frames: int = 0
    malformed: int = 0
    gaps: int = 0
    connects: int = 0
    disconnects: int = 0
    orders_sent: int = 0
    orders_acked: int = 0
    orders_rejected: int = 0
    orders_unknown: int = 0
    rtt_ms: float | None = None
    """Gauge: round trip of the last application ping."""

    @property
    def reconnects(self) -> int:
        """Connections made after the first."""
        return max(0, self.connects - 1)
