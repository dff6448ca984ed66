"""Every message of the bus that is not a market fact, and the subjects they travel on.

Market facts live in `feeds/market/events.py` (arbsite knows no app). Messages are
wake-ups and pictures: losing any of them loses no money, because PostgreSQL is the only
truth. Amounts and prices are decimal text, times ns since 1970 UTC.
"""

from __future__ import annotations

from typing import Literal

import msgspec

# Subject tokens; `<asset>` is appended after a dot where a subject is per asset.
BOOK_UPDATE = "cex.bookUpdate"
POOL_UPDATE = "dex.poolUpdate"
BOUND_QUOTE = "dex.boundQuote"
FEED_STATUS = "feed.status"
EXEC_TRY = "exec.try"
EXEC_RESULT = "exec.result"
CONTROL_CHANGED = "control.changed"
CONFIG_CHANGED = "config.changed"
RISK_INCIDENT = "risk.incident"
INVENTORY_CHANGED = "inventory.changed"
CONSOLE_STATUS = "console.status"
CONSOLE_SPREADS = "console.spreads"
CONSOLE_OPPORTUNITIES = "console.opportunities"
CONSOLE_METRICS = "console.metrics"
SUBJECTS: tuple[str, ...] = (
    BOOK_UPDATE,
    POOL_UPDATE,
    BOUND_QUOTE,
    FEED_STATUS,
    EXEC_TRY,
    EXEC_RESULT,
    CONTROL_CHANGED,
    CONFIG_CHANGED,
    RISK_INCIDENT,
    INVENTORY_CHANGED,
    CONSOLE_STATUS,
    CONSOLE_SPREADS,
    CONSOLE_OPPORTUNITIES,
    CONSOLE_METRICS,
)

# The modes of domain §5, from loosest to strictest; the strictest in force wins.
Mode = Literal["live", "paper", "observe", "hedge_only", "stop_new", "halt"]
MODES_BY_STRICTNESS: tuple[Mode, ...] = (
    "live",
    "paper",
    "observe",
    "hedge_only",
    "stop_new",
    "halt",
)


def strictest(*modes: Mode) -> Mode:
    """The mode that binds when several are in force."""
    return max(modes, key=MODES_BY_STRICTNESS.index)


class ControlChanged(msgspec.Struct, frozen=True, tag="control_changed"):
    """A Control row has a new version; the engine re-reads the rows on this wake-up."""

    scope: str
    version: int
    command_id: str


class ConfigChanged(msgspec.Struct, frozen=True, tag="config_changed"):
    """An asset's configuration has a new version in force."""

    asset: str
    version: int


class Incident(msgspec.Struct, frozen=True, tag="incident"):
    """An alarm opened, changed or cleared. `number` is what people type."""

    number: int
    priority: Literal["critical", "warning", "notice"]
    state: Literal["open", "acked", "closed"]
    asset: str
    rule: str
    text: str
    value: str
    limit: str
    opened_at_ns: int
    closed_at_ns: int | None = None
    version: int = 0


class StopReason(msgspec.Struct, frozen=True):
    """Why an asset (or "*", the whole engine) is not trading, with number and limit."""

    asset: str
    mode: Mode
    rule: str
    text: str
    value: str
    limit: str
    since_ns: int


class VenueHealth(msgspec.Struct, frozen=True):
    """One venue pill. Ages in ms; None = never seen."""

    venue: str
    status: Literal["healthy", "degraded", "stale", "down", "standby"]
    proof_age_ms: float | None
    data_age_ms: float | None
    limit_ms: float
    rtt_ms: float | None
    slot: int | None
    slot_lag: int | None
    messages_per_s: float
    reconnects: int
    checksum_failures: int
    endpoint: str


class RouteRow(msgspec.Struct, frozen=True):
    """The last thing Jupiter answered on one asset and side, beside the direct pool.

    `outcome` is `ok` or why there was no quote. `delta_bps` is what it gives above (+) or
    below the pool, `latency_delta_ms` how much longer it took; None where one had no quote.
    """

    asset: str
    side: Literal["buy", "sell"]
    outcome: str
    route_id: str
    asked_at_ns: int
    latency_ms: float | None
    latency_delta_ms: float | None
    delta_bps: float | None
    lag_slots: int | None


class StatusFrame(msgspec.Struct, frozen=True, tag="status"):
    """The engine's own word about itself: 2 Hz and at every change.

    `applied_commands` lists the command ids the engine has applied most recently (newest
    last, at most 20): the console turns a command to confirmed only by finding its id.
    """

    mode: Mode
    beat_ns: int
    started_at_ns: int
    epoch: int
    control_version: int
    config_version: int
    applied_commands: tuple[str, ...]
    reasons: tuple[StopReason, ...]
    venues: tuple[VenueHealth, ...]
    open_trades: int
    unhedged_usd: str
    profile: str
    routes: tuple[RouteRow, ...] = ()


SpreadState = Literal["armed", "below_cost", "observe", "paper", "paused", "auto_paused", "blocked"]


class SpreadRow(msgspec.Struct, frozen=True):
    """One line of the live spreads table; the better direction of the two.

    `direction` has the sign of the gross gap. Derived values are None when an input is
    missing; `reason` then says which. Ages in ms at `at_ns`.
    """

    asset: str
    direction: Literal["buy_dex_sell_cex", "buy_cex_sell_dex"]
    cex_symbol: str
    cex_price: str | None
    dex_price: str | None
    gross_bps: float | None
    cost_bps: float | None
    net_bps: float | None
    size_usd: str | None
    size_base: str | None
    limited_by: str
    state: SpreadState
    reason: str
    book_age_ms: float | None
    proof_age_ms: float | None
    pool_age_ms: float | None
    slot_lag: int | None
    at_ns: int


class SpreadsFrame(msgspec.Struct, frozen=True, tag="spreads"):
    """All rows that changed since the last frame (up to 20 Hz)."""

    rows: tuple[SpreadRow, ...]
    at_ns: int


class OpportunityRow(msgspec.Struct, frozen=True):
    """A window as it opens, is decided on, or closes. `version` grows; last wins."""

    window_id: str
    version: int
    asset: str
    direction: str
    state: Literal["open", "closed"]
    decision: Literal["taken", "stored", "refused", "watched"]
    gate: str
    gate_value: str
    gate_limit: str
    gross_bps: float
    net_bps: float
    size_usd: str
    limited_by: str
    expected_pnl_usd: str
    opened_at_ns: int
    closed_at_ns: int | None
    close_cause: str
    intent_key: str | None


class OpportunitiesFrame(msgspec.Struct, frozen=True, tag="opportunities"):
    """Every window event since the last frame; never thinned."""

    rows: tuple[OpportunityRow, ...]
    at_ns: int


class ExecTry(msgspec.Struct, frozen=True, tag="exec_try"):
    """A keyed decision: sent (live, paper) or only stored (observe)."""

    intent_key: str
    window_id: str
    asset: str
    direction: str
    mode: Mode
    policy: str
    size_base: str
    expected_pnl_usd: str
    at_ns: int


class BoundQuote(msgspec.Struct, frozen=True, tag="bound_quote"):
    """The pool leg of a decision: exact amounts at one slot, and until when they bind.

    `side` is what happens to the base. Raw units of the two mints; `threshold_raw` is the
    least quote out when selling and the most quote in when buying, never looser than the
    asset's slippage cap. Past `expires_ns` nothing is sent on it. An aggregator's quote has
    its route, when it was asked for, how long the answer took, and what it gives above (+)
    or below the direct pool's last known state.
    """

    intent_key: str
    asset: str
    side: Literal["buy", "sell"]
    pool: str
    source: Literal["pool", "jupiter"]
    base_raw: int
    quote_raw: int
    threshold_raw: int
    slippage_cap_bps: str
    slot: int
    at_ns: int
    expires_ns: int
    route_id: str = ""
    asked_at_ns: int | None = None
    latency_ms: float | None = None
    delta_bps: float | None = None


class LegRow(msgspec.Struct, frozen=True):
    """One attempt as the console shows it."""

    leg: Literal["cex", "dex", "hedge"]
    seq: int
    venue: str
    side: str
    state: str
    qty: str
    filled: str
    price: str | None
    fee_usd: str
    reference: str
    sent_at_ns: int | None
    acked_at_ns: int | None
    filled_at_ns: int | None


class TradeRow(msgspec.Struct, frozen=True):
    """A whole trade; rows travel whole, the highest `version` wins."""

    id: str
    version: int
    intent_key: str
    asset: str
    direction: str
    policy: str
    state: Literal["open", "hedging", "closed", "operator"]
    outcome: Literal["both", "partial", "missed", "hedged", "pending"]
    verified: bool
    size_base: str
    notional_usd: str
    expected_pnl_usd: str
    realised_pnl_usd: str | None
    detect_at_ns: int
    both_filled_ms: float | None
    residual_base: str
    legs: tuple[LegRow, ...]
    closed_at_ns: int | None
    reason: str = ""
    book: Literal["live", "paper"] = "live"


class ExecResult(msgspec.Struct, frozen=True, tag="exec_result"):
    """A trade changed state."""

    trade: TradeRow
    at_ns: int


class LatencyHistogram(msgspec.Struct, frozen=True):
    """Counts per bin; `edges_us` are upper edges in µs, the last bin is open."""

    edges_us: tuple[float, ...]
    counts: tuple[int, ...]
    p50_us: float | None
    p95_us: float | None
    p99_us: float | None
    count: int


class MetricsFrame(msgspec.Struct, frozen=True, tag="metrics"):
    """Desk figures of the running UTC day and the last 15 minutes, 1 Hz.

    Percentile fields are None until there is a sample. Capture counts come with n.
    """

    at_ns: int
    day: str
    net_pnl_usd: str
    expected_pnl_usd: str
    fills_p50_ms: float | None
    fills_p95_ms: float | None
    eligible_windows: int
    captured_windows: int
    trades: int
    verified: int
    partials: int
    missed: int
    notional_usd: str
    notional_cap_usd: str
    unhedged_usd: str
    unhedged_max_usd: str
    unhedged_max_s: float
    tick_to_signal: LatencyHistogram
    signals: int
    opportunities: int
    duplicates: int


class InventoryRow(msgspec.Struct, frozen=True):
    """One asset's holdings on both venues and its drift from target, percent."""

    asset: str
    kraken: str
    solana: str
    total_usd: str
    kraken_share_pct: float
    drift_pct: float
    limit_pct: float


class InventoryFrame(msgspec.Struct, frozen=True, tag="inventory"):
    """Balances of both venues as last read."""

    rows: tuple[InventoryRow, ...]
    at_ns: int


BusMessage = (
    ControlChanged
    | ConfigChanged
    | Incident
    | StatusFrame
    | SpreadsFrame
    | OpportunitiesFrame
    | BoundQuote
    | ExecTry
    | ExecResult
    | MetricsFrame
    | InventoryFrame
)


def subject_for_asset(subject: str, asset: str) -> str:
    """`exec.try` + `SOL` → `exec.try.SOL`."""
    return f"{subject}.{asset}"
