"""Every Prometheus series of the product, declared once, and the port that serves them.

Each process fills the series it knows and serves its own registry: the web process under
/metrics, the others through `start_metrics_server`. deploy/metrics.md explains each one
for people; a test keeps the two alike. Units are in the names. Not here: rules and
dashboards (deploy/), percentiles (Prometheus computes them from the buckets).
"""

from __future__ import annotations

import os

from prometheus_client import Counter, Gauge, Histogram, start_http_server

_MICROSECONDS = (2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 10_000, 50_000)
_COMMIT_MS = (0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 50, 100, 500)
_FILL_MS = (50, 100, 200, 300, 400, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 60_000)
_ECHO_MS = (10, 25, 50, 100, 200, 300, 500, 750, 1_000, 1_500, 3_000)
_BPS = (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 100, 200)
_USD = (-100, -50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100, 200)

# ---- hot path -----------------------------------------------------------------------

TICK_TO_SIGNAL_US = Histogram(
    "spreadline_tick_to_signal_us",
    "From reading the completing frame to a priced and sized decision, µs.",
    ["venue"],
    buckets=_MICROSECONDS,
)
INTENT_COMMIT_MS = Histogram(
    "spreadline_intent_commit_ms",
    "Durable intent: what its order waits for, from legs signed to committed, ms.",
    buckets=_COMMIT_MS,
)
DETECT_TO_WIRE_MS = Histogram(
    "spreadline_detect_to_wire_ms",
    "From the detecting frame to a leg that waits for no other at its venue's adapter, ms.",
    ["leg"],
    buckets=_COMMIT_MS,
)
DETECT_TO_FILLS_MS = Histogram(
    "spreadline_detect_to_fills_ms",
    "From the detecting frame to both legs filled, ms.",
    ["asset"],
    buckets=_FILL_MS,
)
PROCESSORS_AWAKE = Gauge(
    "spreadline_processors_awake", "1 while this engine keeps the host's processors from sleeping."
)
QUEUE_DEPTH = Gauge(
    "spreadline_queue_depth", "Records waiting in a bounded queue of the engine.", ["queue"]
)
QUEUE_DROPPED = Counter(
    "spreadline_queue_dropped_total", "Records dropped because a queue was full.", ["queue"]
)

# ---- feeds --------------------------------------------------------------------------

FRAMES = Counter("spreadline_feed_frames_total", "Frames received.", ["venue"])
MALFORMED_FRAMES = Counter(
    "spreadline_feed_malformed_frames_total", "Frames refused because of their form.", ["venue"]
)
CHECKSUM_FAILURES = Counter(
    "spreadline_book_checksum_failures_total",
    "Book checksums that did not match; the symbol was resubscribed.",
    ["symbol"],
)
FEED_RECONNECTS = Counter(
    "spreadline_feed_reconnects_total", "Connections opened again.", ["venue"]
)
FEED_INVALIDATIONS = Counter(
    "spreadline_feed_invalidations_total",
    "Times a book or pool became unusable, by cause.",
    ["venue", "cause"],
)
FEED_AGE_MS = Gauge(
    "spreadline_feed_age_ms", "Age of the last proof that a feed is alive, ms.", ["venue"]
)
BOOK_AGE_MS = Gauge("spreadline_book_age_ms", "Age of the last change of a book, ms.", ["symbol"])
POOL_AGE_MS = Gauge("spreadline_pool_age_ms", "Age of the last pool state, ms.", ["pool"])
SLOT_LAG = Gauge("spreadline_solana_slot_lag", "Slots the endpoint in use is behind the best one.")
VENUE_RTT_MS = Gauge("spreadline_venue_rtt_ms", "Last application round trip, ms.", ["venue"])
SOCKET_PAUSES = Counter(
    "spreadline_socket_pauses_total",
    "Times a WebSocket was left unread because too many of its frames waited for us.",
    ["host"],
)
SOCKET_QUEUE_DEPTH = Gauge(
    "spreadline_socket_queue_depth",
    "The most frames of a WebSocket that have waited for us when it was left unread.",
    ["host"],
)

JUPITER_SAMPLES = Counter(
    "spreadline_jupiter_samples_total", "Comparison quotes asked of Jupiter.", ["outcome"]
)
JUPITER_LATENCY_MS = Histogram(
    "spreadline_jupiter_latency_ms",
    "From asking Jupiter for a quote to having checked it, ms.",
    buckets=_FILL_MS,
)
JUPITER_LATENCY_DELTA_MS = Gauge(
    "spreadline_jupiter_latency_delta_ms",
    "Latency of the last Jupiter quote less that of the direct pool's, ms.",
    ["asset"],
)
JUPITER_PRICE_DELTA_BPS = Gauge(
    "spreadline_jupiter_price_delta_bps",
    "Output of the last Jupiter quote over the direct pool's, less one, bps.",
    ["asset"],
)
JUPITER_FALLBACKS = Counter(
    "spreadline_jupiter_fallbacks_total",
    "Times a pool had no quote and Jupiter was asked, by outcome; a refusal is no trade.",
    ["outcome"],
)
RECORDED_BYTES = Counter(
    "spreadline_recorded_bytes_total", "Compressed bytes written to recordings.", ["stream"]
)
RECORDS_LOST = Counter(
    "spreadline_records_lost_total",
    "Records dropped because the recorder could not keep up or the disk refused.",
    ["stream"],
)
RECORDINGS_DELETED = Counter(
    "spreadline_recordings_deleted_total",
    "Oldest recording files deleted to stay below the disk limit.",
    ["stream"],
)

# ---- decisions ----------------------------------------------------------------------

WINDOWS_OPENED = Counter("spreadline_windows_opened_total", "Windows opened.", ["asset"])
WINDOWS_CLOSED = Counter(
    "spreadline_windows_closed_total", "Windows closed, by cause.", ["asset", "cause"]
)
OPPORTUNITIES = Counter(
    "spreadline_opportunities_total",
    "Windows decided on: taken, stored, refused or watched.",
    ["asset", "decision"],
)
REFUSALS = Counter(
    "spreadline_refusals_total", "Candidates refused, by the first gate that said no.", ["gate"]
)
DUPLICATES = Counter(
    "spreadline_duplicate_intents_total",
    "Intents refused because their key was already recorded; sent twice is always 0.",
)
ENGINE_MODE = Gauge(
    "spreadline_engine_mode", "1 for the mode in force, 0 for the others.", ["mode"]
)

# ---- trades -------------------------------------------------------------------------

TRADES = Counter("spreadline_trades_total", "Trades closed, by outcome.", ["asset", "outcome"])
REALISED_PNL_USD = Histogram(
    "spreadline_realised_pnl_usd", "Realised PnL of a closed trade, USD.", buckets=_USD
)
PREDICTED_PNL_USD = Histogram(
    "spreadline_predicted_pnl_usd", "Predicted PnL of a closed trade, USD.", buckets=_USD
)
REALISED_PNL_SUM_USD = Gauge(
    "spreadline_realised_pnl_day_usd", "Realised PnL of the UTC day, USD.", ["asset"]
)
PNL_ERROR_BPS = Histogram(
    "spreadline_pnl_error_bps",
    "Absolute difference of realised and predicted PnL over the notional, bps.",
    ["asset"],
    buckets=_BPS,
)
PREDICTION_BIAS = Gauge(
    "spreadline_prediction_bias_ratio",
    "Sum of prediction errors over sum of absolute predictions since the engine's start.",
    ["asset"],
)
PREDICTION_WAPE = Gauge(
    "spreadline_prediction_wape_ratio",
    "Sum of absolute prediction errors over sum of absolute predictions since the start.",
    ["asset"],
)
HEDGES = Counter("spreadline_hedges_total", "Hedge orders sent, by result.", ["asset", "result"])
COMPUTE_LIMIT = Gauge(
    "spreadline_compute_limit_units", "Compute units that a swap asks for.", ["pool", "way"]
)
COMPUTE_SAMPLES = Counter(
    "spreadline_compute_samples_total",
    "Swaps simulated for the compute units they use, by result.",
    ["asset", "result"],
)
COMPUTE_EXCEEDED = Counter(
    "spreadline_compute_exceeded_total",
    "Swaps that landed and failed for want of compute units.",
    ["asset"],
)
SLACK_SHARE = Gauge(
    "spreadline_slack_cex_ratio", "Share of a budget's slack that the book leg gets.", ["asset"]
)
UNHEDGED_USD = Gauge(
    "spreadline_unhedged_usd", "Value of legs filled without their other leg, USD."
)
OPEN_TRADES = Gauge("spreadline_open_trades", "Trades not closed yet.")
OUTCOME_UNKNOWN = Counter(
    "spreadline_outcome_unknown_total",
    "Requests whose outcome had to be found out by queries; never resent.",
    ["venue"],
)

# ---- control, bus and console -------------------------------------------------------

CONTROL_ECHO_MS = Histogram(
    "spreadline_control_echo_ms",
    "From an operator's command being stored to the engine's echo, ms.",
    buckets=_ECHO_MS,
)
DATABASE_DOWN = Gauge(
    "spreadline_database_down", "1 while the engine cannot reach PostgreSQL: page at once."
)
OPEN_WHILE_DOWN = Gauge(
    "spreadline_open_trades_while_down", "Trades open when the database was found to be away."
)
INCIDENTS = Counter("spreadline_incidents_total", "Incidents opened.", ["rule", "priority"])
BUS_LOST = Counter("spreadline_bus_lost_total", "Messages that could not be published.")
BUS_DROPPED = Counter(
    "spreadline_bus_dropped_total", "Messages a slow subscriber lost.", ["subscriber"]
)
BUS_GAPS = Counter("spreadline_bus_gaps_total", "Times a bus connection was lost.", ["subscriber"])
CONSOLE_CLIENTS = Gauge("spreadline_console_clients", "Open console sockets.")
CONSOLE_CLOSED = Counter(
    "spreadline_console_closed_total", "Console sockets closed by us, by code.", ["code"]
)


def start_metrics_server(port: int | None = None, address: str = "127.0.0.1") -> int | None:
    """Serve this process's series in a thread; return the port, None when none is set.

    `port` defaults to SPREADLINE_METRICS_PORT. Raises OSError when it is taken.
    """
    if port is None:
        named = os.environ.get("SPREADLINE_METRICS_PORT", "")
        if not named:
            return None
        port = int(named)
    server, _ = start_http_server(port, addr=address)
    return int(server.server_port)
