"""What a running trade needs from its process: venues, store, clock, and words to others.

The host (`run_engine`), the seeded simulation and the tests each build one `Desk`; the
executor and the runners know nothing else of the process they live in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from arbsite.clock import Clock
from arbsite.events import Mode
from feeds.venues.base import CexTrading, DexTrading
from trading.execution.residual import HedgeMarket, ResidualLimits
from trading.inputs import EngineInput
from trading.intent import MAX_INTENT_AGE_NS, AssetSettings, Intent
from trading.needs import Funds
from trading.records import TradeRecord
from trading.storage.store import TradeStore

__all__ = ["Desk", "HedgeMarket", "OrdersPerMinute", "Protocolled"]


class Protocolled(msgspec.Struct, frozen=True):
    """Times of the execution protocol (design: exactly-once execution), in seconds.

    `max_intent_age_s`: an intent older than this right before the send is not sent.
    `skew_s` + `quiet_s`: how long after an order's deadline silence starts to count;
    quiet is the venue's measured visibility lag times three. `read_spacing_s` between the
    two empty reads. `rebroadcast_s` between sends of the same signed bytes. `reorg_s`: a
    landing that nobody knows any more this long after it was seen was on a lost fork.
    `hedge_pause_s` between two hedges of one trade.
    """

    max_intent_age_s: float = MAX_INTENT_AGE_NS / 1e9
    skew_s: float = 0.5
    quiet_s: float = 3.0
    read_spacing_s: float = 1.0
    empty_reads: int = 2
    rebroadcast_s: float = 1.0
    dex_poll_s: float = 0.8
    ack_patience_s: float = 1.5
    booking_poll_s: float = 2.0
    single_provider_margin_blocks: int = 10
    reorg_s: float = 3.0
    hedge_pause_s: float = 0.5
    hedge_slip_bps: int = 100


class OrdersPerMinute(msgspec.Struct, frozen=True):
    """How many orders and swaps may leave within any 60 s, per asset and in all."""

    asset: int = 120
    total: int = 600


def _no_funds() -> Funds | None:
    """The default: a process that shares its balances with nobody."""


def _nobody_counts(*_what: object) -> None:
    """The default of the hooks: a process without metrics."""


class Desk(msgspec.Struct):
    """Everything one engine process lends to its trades.

    `funds` are the balances as last read, held against what other shards may take of them.
    `intent_committed` hears how long a durable intent took (ns), `first_sent` which leg was
    handed to its venue how long after the detecting frame (ns), `trade_booked` each trade
    that was closed from the venues' records: for metrics and what is learnt from fills.
    `compute_exceeded` hears of a swap that landed and ran out of compute units: whose, which
    side of the pool, and its limit.
    """

    kraken: CexTrading
    solana: DexTrading
    store: TradeStore
    clock: Clock
    emit: Callable[[EngineInput], None]
    mode: Callable[[str], Mode]
    settings: Callable[[str], AssetSettings]
    hedge_market: Callable[[str], HedgeMarket | None]
    raise_stop: Callable[[str, str, str, str, str], Awaitable[None]]
    funds: Callable[[], Funds | None] = _no_funds
    protocol: Protocolled = Protocolled()
    limits: ResidualLimits = ResidualLimits()
    orders_per_minute: OrdersPerMinute = OrdersPerMinute()
    intent_committed: Callable[[int], None] = _nobody_counts
    first_sent: Callable[[str, int], None] = _nobody_counts
    trade_booked: Callable[[TradeRecord], None] = _nobody_counts
    compute_exceeded: Callable[[Intent, str, int], None] = _nobody_counts
