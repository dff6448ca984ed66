"""The decision to trade and what it was made under: settings, priced terms, limits, the window.

Pure data (no Django, no I/O): the engine builds an `Intent`, the store makes it durable,
the executor carries it out, the API shows it. Money is `Decimal` USD at the decision's
marks unless the name says otherwise; sizes are integer lots and raw base units. Not here:
what the engine hears (`inputs`) and what it asks for (`effects`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from arbsite.events import Mode
from feeds.market.spec import Direction, MarketSpec
from trading.compute_units import PRIOR_LIMIT, ComputeLimit
from trading.route_quoted import RouteQuoted

LegOrder = Literal["concurrent", "dex_first", "cex_first"]
# Whose money: real balances and limits, or those of the model desk. Never summed.
Book = Literal["live", "paper"]
# Execution §4: an intent older than this right before the send is not sent, so a quote
# that is bound to it is worth nothing after it.
MAX_INTENT_AGE_NS = 200_000_000


class AssetSettings(msgspec.Struct, frozen=True):
    """One asset's configuration in force (a version of `trading.AssetConfig`)."""

    asset: str
    version: int
    enabled: bool = True
    mode: Mode = "observe"
    leg_order: Literal["auto", "concurrent", "dex_first", "cex_first"] = "auto"
    min_edge_bps: Decimal = Decimal(2)
    min_profit_usd: Decimal = Decimal("0.25")
    haircut_bps: Decimal = Decimal(1)
    slippage_cap_bps: Decimal = Decimal(30)
    max_notional_usd: Decimal = Decimal(5000)
    cex_depth_cap: Decimal = Decimal("0.9")
    dex_impact_cap_bps: Decimal = Decimal(100)
    daily_notional_cap_usd: Decimal = Decimal(1000000)
    daily_loss_cap_usd: Decimal = Decimal(500)
    daily_trades_cap: int = 2000
    max_frame_age_ms: int = 1500
    max_slot_lag: int = 2
    cooldown_ms: int = 0
    intents_per_window: int = 1
    cu_price_micro_lamports: int = 100_000
    tip_lamports: int = 0
    order_deadline_ms: int = 1000
    max_hedges: int = 3
    max_naked_usd: Decimal = Decimal(7500)
    max_naked_s: int = 120
    inventory_band_pct: Decimal = Decimal(40)


class PnlTerms(msgspec.Struct, frozen=True):
    """Predicted PnL, term by term (domain §3), in USD at the decision's marks.

    Costs are positive numbers that are subtracted. The first four terms are those of a
    trade that succeeds; `failure_cost` is what not succeeding takes from them on average
    (the forgone profit, the failed fee, an unwind), so `expected` = sell_proceeds -
    buy_cost - cex_fee - chain_fee - failure_cost is an expectation over outcomes: what
    every error metric compares with realised. `decision_value` is what gates use.
    """

    sell_proceeds: Decimal
    buy_cost: Decimal
    cex_fee: Decimal
    chain_fee: Decimal
    failure_cost: Decimal
    expected: Decimal
    haircut: Decimal
    basis_cost: Decimal
    inventory_cost: Decimal
    leg_risk: Decimal
    decision_value: Decimal


class OrderVerdict(msgspec.Struct, frozen=True):
    """Why the legs go out in this order: the policy's inputs and its answer (domain §4)."""

    order: LegOrder
    p_land: float
    p_land_lower: float
    unwind_bps: float
    drift_bps: float
    fail_fee_bps: float
    ev_concurrent_bps: float
    ev_dex_first_bps: float
    ev_cex_first_bps: float
    forced_by_config: bool
    q_fill: float = 1.0
    congestion: str = "usual"
    opening: str = "slow"


class DecisionAges(msgspec.Struct, frozen=True):
    """How old each input was when the decision was made, ms (slot lag in slots).

    `clock_skew_ms` is Kraken's clock minus ours: by so much the frame's age may be wrong.
    """

    frame_ms: float
    book_ms: float
    pool_ms: float
    slot_lag: int
    mark_ms: float
    balances_ms: float
    fees_ms: float
    clock_skew_ms: float | None = None


class SlackSplit(msgspec.Struct, frozen=True):
    """Which part of a budget's slack the book leg gets (0..1), and what that was made from.

    `cex_bps` and `dex_bps` are how far each leg's price moves from its quote (root mean
    square, bps of notional), over `trades` observations of the leg that has fewer.
    """

    cex_share: Decimal = Decimal("0.5")
    trades: int = 0
    cex_bps: float = 0.0
    dex_bps: float = 0.0
    at_ns: int = 0


EVEN_SPLIT = SlackSplit()


class Intent(msgspec.Struct, frozen=True):
    """A keyed decision to trade one size on both venues.

    The base quantity is fixed on both legs: exact-out with max-in when buying on the DEX,
    exact-in with min-out when selling. `cex_limit_ticks` and `dex_threshold_raw` spend one
    edge budget: any pair of fills inside both limits keeps PnL ≥ `min_pnl_usd` less fees.

    With a `route` (`quote_source` "jupiter") the swap is an aggregator's, exact in both
    ways: a buy gives `dex_threshold_raw` of quote for at least `base_raw`, expected to cost
    `dex_expected_quote_raw` of it. Left out where there is none, so that a direct decision
    has the same bytes whether or not routes exist. `compute` and `slack` are left out while
    nothing has been measured: the prior limit is asked for, the slack split evenly.
    """

    intent_key: UUID
    window_id: UUID
    ordinal: int
    asset: str
    direction: Direction
    mode: Mode
    spec: MarketSpec
    qty_lots: int
    base_raw: int
    cex_side: Literal["buy", "sell"]
    cex_limit_ticks: int
    cex_expected_ticks: int
    dex_a_to_b: bool
    dex_exact_in: bool
    dex_expected_quote_raw: int
    dex_threshold_raw: int
    tick_array_starts: tuple[int, ...]
    verdict: OrderVerdict
    pnl: PnlTerms
    notional_usd: Decimal
    min_pnl_usd: Decimal
    limited_by: str
    gross_bps: float
    net_bps: float
    marks_usd: dict[str, Decimal]
    ages: DecisionAges
    book_checksum: int
    book_venue_at_ns: int
    pool_slot: int
    detect_ns: int
    decided_ns: int
    config_version: int
    control_version: int
    cu_price_micro_lamports: int
    tip_lamports: int
    order_deadline_ms: int
    slippage_cap_bps: Decimal = Decimal(0)
    quote_source: Literal["pool", "jupiter"] = "pool"
    route: RouteQuoted | msgspec.UnsetType = msgspec.UNSET
    compute: ComputeLimit | msgspec.UnsetType = msgspec.UNSET
    slack: SlackSplit | msgspec.UnsetType = msgspec.UNSET

    @property
    def slack_split(self) -> SlackSplit:
        """How the two limits shared what the walk left of the edge, and why."""
        return EVEN_SPLIT if isinstance(self.slack, msgspec.UnsetType) else self.slack

    @property
    def compute_limit(self) -> ComputeLimit:
        """What the swap may use of the chain's compute units, and why."""
        return PRIOR_LIMIT if isinstance(self.compute, msgspec.UnsetType) else self.compute

    @property
    def cu_limit(self) -> int:
        """Compute units the swap asks for; the priority fee is charged on all of them."""
        return self.compute_limit.units


class WindowRow(msgspec.Struct, frozen=True):
    """A window as stored: whole rows, `version` grows with every change, last wins.

    A row with `closed_at_ns` is provisional for one slot: a gap shorter than that is
    merged, and a higher version is open again.
    """

    window_id: UUID
    version: int
    asset: str
    direction: Direction
    opened_at_ns: int
    first_slot: int
    last_slot: int
    peak_value_usd: Decimal
    value_seconds_usd: Decimal
    best_pnl_usd: Decimal
    best_size_usd: Decimal
    gross_bps: float
    net_bps: float
    limited_by: str
    intents: int
    is_eligible: bool
    blocked_by: str
    closed_at_ns: int | None = None
    close_cause: str = ""
