"""Fills the Prometheus series of the engine process from its own events.

Called by the host on the tick path (cheap counters) and each second (gauges). Series are
declared in `arbsite.metrics`; nothing is decided here.
"""

from __future__ import annotations

from decimal import Decimal

from prometheus_client import Counter

from arbsite import metrics
from arbsite.events import MODES_BY_STRICTNESS, StatusFrame
from feeds.assembly import Venues
from trading.effects import NoteWindow
from trading.inputs import TradeClosed
from trading.records import TradeRecord


class Measure:
    """Turns counters of the adapters, which only grow, into Prometheus increments."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        self._errors: dict[str, tuple[float, float, float]] = {}

    def signal(self, micros: float) -> None:
        """One tick priced and sized."""
        metrics.TICK_TO_SIGNAL_US.labels("both").observe(micros)

    def window(self, note: NoteWindow) -> None:
        """A window opened, was decided on, or closed."""
        window = note.window
        if window.closed_at_ns is not None:
            metrics.WINDOWS_CLOSED.labels(window.asset, window.close_cause).inc()
            return
        if window.version == 1:
            metrics.WINDOWS_OPENED.labels(window.asset).inc()
        metrics.OPPORTUNITIES.labels(window.asset, note.decision).inc()
        if note.decision == "refused":
            metrics.REFUSALS.labels(note.gate).inc()

    def intent_committed(self, took_ns: int) -> None:
        """A durable intent, from asking to the answer."""
        metrics.INTENT_COMMIT_MS.observe(took_ns / 1e6)

    def first_sent(self, leg: str, after_ns: int) -> None:
        """A leg that waits for no other was handed to its venue, intent durable."""
        metrics.DETECT_TO_WIRE_MS.labels(leg).observe(after_ns / 1e6)

    def settled(self, closed: TradeClosed) -> None:
        """Both legs' outcomes are known and nothing is naked."""
        metrics.TRADES.labels(closed.asset, closed.outcome).inc()

    def booked(self, trade: TradeRecord) -> None:
        """A trade was closed from the venues' own records."""
        intent = trade.intent
        assert trade.realised_pnl_usd is not None
        metrics.REALISED_PNL_USD.observe(float(trade.realised_pnl_usd))
        metrics.PREDICTED_PNL_USD.observe(float(intent.pnl.expected))
        error = abs(trade.realised_pnl_usd - intent.pnl.expected) / intent.notional_usd
        metrics.PNL_ERROR_BPS.labels(intent.asset).observe(float(error) * 1e4)
        self._error(intent.asset, trade.realised_pnl_usd, intent.pnl.expected)
        for attempt in trade.attempts:
            if attempt.leg == "hedge":
                result = "filled" if attempt.filled_base else "empty"
                metrics.HEDGES.labels(intent.asset, result).inc()
        if trade.both_filled_ns is not None:
            metrics.DETECT_TO_FILLS_MS.labels(intent.asset).observe(
                (trade.both_filled_ns - intent.detect_ns) / 1e6
            )

    def _error(self, asset: str, realised: Decimal, expected: Decimal) -> None:
        """Bias and WAPE of the asset since this process started."""
        error, size, scale = self._errors.get(asset, (0.0, 0.0, 0.0))
        wrong = float(realised - expected)
        error, size, scale = error + wrong, size + abs(wrong), scale + abs(float(expected))
        self._errors[asset] = (error, size, scale)
        if scale:
            metrics.PREDICTION_BIAS.labels(asset).set(error / scale)
            metrics.PREDICTION_WAPE.labels(asset).set(size / scale)

    def status(self, frame: StatusFrame) -> None:
        """The engine's own word as gauges: mode, open trades, ages of the venues."""
        for word in MODES_BY_STRICTNESS:
            metrics.ENGINE_MODE.labels(word).set(1.0 if word == frame.mode else 0.0)
        metrics.OPEN_TRADES.set(frame.open_trades)
        metrics.UNHEDGED_USD.set(float(frame.unhedged_usd))
        for pill in frame.venues:
            if pill.proof_age_ms is not None:
                metrics.FEED_AGE_MS.labels(pill.venue).set(pill.proof_age_ms)
            if pill.rtt_ms is not None:
                metrics.VENUE_RTT_MS.labels(pill.venue).set(pill.rtt_ms)
            if pill.slot_lag is not None:
                metrics.SLOT_LAG.set(pill.slot_lag)

    def venues(self, venues: Venues) -> None:
        """Totals the adapters keep, as increments since the last call."""
        kraken = venues.kraken_feed.counters
        self._grow("frames", kraken.frames, metrics.FRAMES.labels("kraken"))
        self._grow("malformed", kraken.malformed, metrics.MALFORMED_FRAMES.labels("kraken"))
        self._grow("checksum", kraken.checksum_failures, metrics.CHECKSUM_FAILURES.labels("*"))
        self._grow("reconnects", kraken.reconnects, metrics.FEED_RECONNECTS.labels("kraken"))
        solana = venues.solana_feed.counters
        self._grow("pools", solana.pool_updates, metrics.FRAMES.labels("solana"))
        self._grow("corrupt", solana.corrupt_accounts, metrics.MALFORMED_FRAMES.labels("solana"))

    def _grow(self, name: str, total: float, counter: Counter) -> None:
        grown = total - self._seen.get(name, 0.0)
        if grown > 0:
            counter.inc(grown)
            self._seen[name] = total
