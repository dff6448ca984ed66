"""What the engine is told beside market data: configuration, balances, fees, what became of trades.

Pure data, one record a fact, each with the time it was learnt. The journal keeps every one of
them, so a field's name and a record's tag are a format. `EngineInput` is all that
`Engine.handle` takes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from arbsite.events import Mode
from feeds.market.events import MarketEvent
from risk.candidate import DeskRoom
from trading.compute_units import Limits
from trading.intent import AssetSettings, Book, SlackSplit, WindowRow
from trading.route_quoted import RouteQuoted


class SettingsApplied(msgspec.Struct, frozen=True, tag="settings_applied"):
    """A configuration version is in force from now on."""

    settings: AssetSettings
    at_ns: int


class ModeApplied(msgspec.Struct, frozen=True, tag="mode_applied"):
    """The Control row of a scope ("*" or an asset) as last read from the database."""

    scope: str
    mode: Mode
    version: int
    command_id: str
    rule: str
    text: str
    at_ns: int


class HoldingsKnown(msgspec.Struct, frozen=True, tag="holdings_known"):
    """Available balances: Kraken by asset (whole units), chain by asset name (raw).

    `lamports` is the wallet's native SOL; None where no wallet pays fees (a model).
    """

    kraken: dict[str, Decimal]
    solana_raw: dict[str, int]
    at_ns: int
    book: Book = "live"
    lamports: int | None = None


class FeesKnown(msgspec.Struct, frozen=True, tag="fees_known"):
    """Taker fee per Kraken symbol as a fraction, and the base fee of a signature."""

    taker: dict[str, Decimal]
    base_fee_lamports: int
    at_ns: int


class ChainFeesKnown(msgspec.Struct, frozen=True, tag="chain_fees_known"):
    """What landed transactions paid lately for a place in a block.

    By pool, micro-lamports a compute unit: `price` a percentile of the last slots, `usual`
    the same of a longer past. `can_tip` tells whether tip accounts are configured,
    `compute` how many units each way of trading asks for.
    """

    price: dict[str, int]
    usual: dict[str, int]
    can_tip: bool
    at_ns: int
    compute: Limits = {}


class LandingOutcome(msgspec.Struct, frozen=True):
    """How one trade's legs went: what the odds of later ones are learnt from."""

    asset: str
    tip_lamports: int
    congestion: str
    dex_landed: bool | None
    cex_filled_ratio: float | None
    at_ns: int
    opening: str = "slow"


class OutcomesKnown(msgspec.Struct, frozen=True, tag="outcomes_known"):
    """The last closed trades, oldest first, read at the start: odds survive a restart."""

    outcomes: tuple[LandingOutcome, ...]
    at_ns: int


class SlackKnown(msgspec.Struct, frozen=True, tag="slack_known"):
    """How one asset's next budgets share their slack between the legs."""

    asset: str
    split: SlackSplit
    at_ns: int


class VenuesReady(msgspec.Struct, frozen=True, tag="venues_ready"):
    """Whether each trading client can send right now."""

    kraken: bool
    solana: bool
    at_ns: int


class WindowsRestored(msgspec.Struct, frozen=True, tag="windows_restored"):
    """Open windows and open trades found in the database at start.

    A restart inside a window must neither rename nor re-fire it.
    """

    windows: tuple[WindowRow, ...]
    busy_assets: tuple[str, ...]
    at_ns: int


class IntentRefused(msgspec.Struct, frozen=True, tag="intent_refused"):
    """The store or executor refused before anything was sent; reservations are free again."""

    intent_key: UUID
    asset: str
    reason: str
    at_ns: int


class TradeProgressed(msgspec.Struct, frozen=True, tag="trade_progressed"):
    """A leg of an open trade changed. `landed_slot`/`cex_fill_ns` feed the projection:
    the asset stays blocked until a frame later than the fill and a slot at or after the
    landing contain it.
    """

    intent_key: UUID
    asset: str
    cex_state: str
    dex_state: str
    cex_fill_ns: int | None
    landed_slot: int | None
    at_ns: int


class TradeClosed(msgspec.Struct, frozen=True, tag="trade_closed"):
    """A trade reached closed or operator; feeds posteriors, cool-down and the day's caps.

    `tip_lamports`, `congestion` and `opening` are the intent's: what the outcome is counted
    under.
    """

    intent_key: UUID
    asset: str
    outcome: Literal["both", "partial", "missed", "hedged", "operator", "stale"]
    realised_usd: Decimal
    dex_landed: bool | None
    cex_filled_ratio: float | None
    cex_fill_ns: int | None
    landed_slot: int | None
    at_ns: int
    tip_lamports: int = 0
    congestion: str = "usual"
    book: Book = "live"
    opening: str = "slow"


class DayUsage(msgspec.Struct, frozen=True, tag="day_usage"):
    """RiskDay counters of one asset as last read (UTC day): used plus reserved."""

    asset: str
    notional_usd: Decimal
    loss_usd: Decimal
    trades: int
    at_ns: int
    book: Book = "live"


class DeskUsage(msgspec.Struct, frozen=True, tag="desk_usage"):
    """What all shards together use of the desk's limits, as last read.

    `fee_floor_lamports` of the wallet's native SOL are not for fees.
    """

    room: DeskRoom
    fee_floor_lamports: int
    at_ns: int


class TimerFired(msgspec.Struct, frozen=True, tag="timer_fired"):
    """The host's 100 ms heartbeat: ages grow even when nothing arrives."""

    at_ns: int


EngineInput = (
    MarketEvent
    | SettingsApplied
    | ModeApplied
    | HoldingsKnown
    | FeesKnown
    | ChainFeesKnown
    | OutcomesKnown
    | SlackKnown
    | VenuesReady
    | WindowsRestored
    | IntentRefused
    | TradeProgressed
    | TradeClosed
    | DayUsage
    | DeskUsage
    | RouteQuoted
    | TimerFired
)
