"""The venue pills: how each venue's feed and link stand right now, in numbers.

Read from the engine's ages and the adapters' counters; drawn by the console. Degraded
begins at half the limit, stale at the limit (domain: ages and pauses).
"""

from __future__ import annotations

from typing import Literal

from arbsite.events import VenueHealth
from feeds.assembly import Venues
from trading.engine.board import VenueAges
from trading.engine.core import STALE_PAUSE_NS, Engine

LIMIT_MS = STALE_PAUSE_NS / 1e6
# Heartbeats and slots come about once a second or faster: two seconds is already odd.
DEGRADED_MS = 2_000.0


class RateMeter:
    """Messages per second over the time between two looks."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}
        self._rates: dict[str, float] = {}

    def rate(self, name: str, total: int, now_ns: int) -> float:
        """The rate since the last look that was at least a second ago."""
        seen_total, seen_ns = self._last.get(name, (total, now_ns))
        elapsed_s = (now_ns - seen_ns) / 1e9
        if elapsed_s >= 1.0 or name not in self._last:
            self._last[name] = (total, now_ns)
            self._rates[name] = (total - seen_total) / elapsed_s if elapsed_s else 0.0
        return self._rates[name]


class VenuePills:
    """Builds one VenueHealth per venue."""

    def __init__(self) -> None:
        self._meter = RateMeter()

    def draw(self, engine: Engine, venues: Venues, now_ns: int) -> tuple[VenueHealth, ...]:
        """Kraken, then Solana."""
        ages = engine.venue_ages(now_ns)
        kraken, solana = venues.kraken_feed.counters, venues.solana_feed.counters
        return (
            self._pill(
                "kraken",
                ages["kraken"],
                rate=self._meter.rate("kraken", kraken.frames, now_ns),
                reconnects=kraken.reconnects,
                checksum_failures=kraken.checksum_failures,
                endpoint="websocket v2",
                rtt_ms=kraken.rtt_ms,
            ),
            self._pill(
                "solana",
                ages["solana"],
                rate=self._meter.rate("solana", solana.pool_updates, now_ns),
                reconnects=solana.silent_subscriptions,
                checksum_failures=solana.disagreements,
                endpoint=", ".join(venues.solana_labels),
                rtt_ms=ages["solana"].rtt_ms,
            ),
        )

    @staticmethod
    def _pill(
        venue: str,
        ages: VenueAges,
        *,
        rate: float,
        reconnects: int,
        checksum_failures: int,
        endpoint: str,
        rtt_ms: float | None,
    ) -> VenueHealth:
        return VenueHealth(
            venue=venue,
            status=_status(ages.proof_age_ms),
            proof_age_ms=ages.proof_age_ms,
            data_age_ms=ages.data_age_ms,
            limit_ms=LIMIT_MS,
            rtt_ms=rtt_ms,
            slot=ages.slot,
            slot_lag=ages.slot_lag,
            messages_per_s=round(rate, 1),
            reconnects=reconnects,
            checksum_failures=checksum_failures,
            endpoint=endpoint,
        )


def _status(proof_ms: float | None) -> Literal["healthy", "degraded", "stale", "down"]:
    if proof_ms is None:
        return "down"
    if proof_ms >= LIMIT_MS:
        return "stale"
    return "degraded" if proof_ms >= DEGRADED_MS else "healthy"
