"""What the gates are asked about: a candidate, what is known now, and the limits in force.

Pure records, filled by `trading.engine.gate_view`, read by `risk.gates`. No rule lives here.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from arbsite.events import Mode


class Candidate(msgspec.Struct, frozen=True):
    """A sized trade that wants to become an intent. Money in USD.

    `landed_value_usd` is its value if the swap were certain to succeed, `p_land` the lower
    bound of the chance that it does. `fee_lamports` is the most its swaps can cost in fees.
    """

    asset: str
    size_lots: int
    min_lots: int
    size_cost: Decimal
    min_cost: Decimal
    limited_by: str
    notional_usd: Decimal
    decision_value_usd: Decimal
    landed_value_usd: Decimal
    p_land: float
    gross_bps: float
    window_intents: int
    budget_refusal: str = ""
    fee_lamports: int = 0


class DeskRoom(msgspec.Struct, frozen=True):
    """What all shards together have open and have used today, and the desk's limits, USD."""

    open_usd: Decimal
    day_usd: Decimal
    max_open_usd: Decimal
    daily_cap_usd: Decimal

    @property
    def tightest(self) -> tuple[Decimal, str]:
        """What is left of the limit that binds first, with the limit's name."""
        left = (self.max_open_usd - self.open_usd, "desk_open")
        today = (self.daily_cap_usd - self.day_usd, "desk_daily")
        return min(left, today)


class GateState(msgspec.Struct, frozen=True):
    """What the engine knows at the decision. Ages in ms; None = never heard, so refused.

    `is_known_mode` is False until the Control rows have been read once. Skews are the
    venue's clock minus ours; `ticker_fault` says how a later ticker contradicts the book.
    `depegs` are the quote assets of the trade and how far each is from a dollar, bps.
    """

    mode: Mode
    is_known_mode: bool
    is_enabled: bool
    is_kraken_ready: bool
    is_solana_ready: bool
    kraken_status: str | None
    solana_status: str | None
    pair_status: str | None
    kraken_skew_ms: float | None
    solana_skew_ms: float | None
    frame_age_ms: float | None
    chain_age_ms: float | None
    book_fault: str
    ticker_fault: str
    pool_fault: str
    slot_lag: int | None
    mark_fault: str
    depegs: tuple[tuple[str, float], ...]
    mark_age_ms: float | None
    fees_age_ms: float | None
    balances_age_ms: float | None
    cooldown_left_ms: float
    busy_reason: str
    standing_basis: str
    used_notional_usd: Decimal
    used_loss_usd: Decimal
    used_trades: int
    # Since the aggregator was asked; None where the pool itself was quoted.
    route_age_ms: float | None = None
    # None in a process that is no desk (a back-test) and on paper, which has no wallet.
    desk: DeskRoom | None = None
    fee_lamports_free: int | None = None


class GateLimits(msgspec.Struct, frozen=True):
    """The limits in force for one asset; `max_depeg_bps` by quote asset."""

    max_kraken_skew_ms: float
    max_solana_skew_ms: float
    max_depeg_bps: dict[str, float]
    max_frame_age_ms: int
    max_slot_lag: int
    max_balances_age_ms: int
    max_fees_age_ms: int
    max_gap_bps: float
    intents_per_window: int
    daily_notional_cap_usd: Decimal
    daily_loss_cap_usd: Decimal
    daily_trades_cap: int
    max_notional_usd: Decimal
    min_profit_usd: Decimal
    max_route_age_ms: int = 1_000
