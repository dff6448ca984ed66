"""The simulated market in the words of the feeds, as an engine of a seed hears it.

Functions of the venues and the host's time. Called by `desk` (frames) and `life` (the rest);
not here: what moves the market (`desk`).
"""

from __future__ import annotations

from decimal import Decimal

from feeds.market.events import (
    BookUpdated,
    FeedProof,
    InstrumentUpdated,
    PoolUpdated,
    SlotAdvanced,
    VenueStatus,
)
from feeds.still_venues import SYMBOL, SimVenues
from trading.execution.ports import HedgeMarket
from trading.inputs import EngineInput, FeesKnown, TimerFired, VenuesReady


def touch(venues: SimVenues) -> HedgeMarket | None:
    """The best prices of the simulated book, None while a side is empty."""
    bids, asks = venues.exchange.levels(SYMBOL)
    if not bids or not asks:
        return None
    return HedgeMarket(bids[0][0], asks[0][0], Decimal(1))


def first_events(venues: SimVenues, now_ns: int) -> list[EngineInput]:
    """What an engine learns once at its start."""
    spec = venues.spec
    return [
        FeesKnown(taker={SYMBOL: Decimal("0.001")}, base_fee_lamports=5000, at_ns=now_ns),
        VenueStatus("kraken", "online", rtt_ms=20.0, recv_ns=now_ns, clock_skew_ms=0.0),
        VenueStatus(venue="solana", status="online", rtt_ms=None, recv_ns=now_ns),
        InstrumentUpdated(
            symbol=SYMBOL,
            status="online",
            price_precision=spec.price_precision,
            qty_precision=spec.qty_precision,
            price_increment="0.01",
            qty_increment="0.00000001",
            qty_min="0.02",
            cost_min="0.5",
            recv_ns=now_ns,
        ),
    ]


def frames(venues: SimVenues, readiness: tuple[bool, bool], now_ns: int) -> list[EngineInput]:
    """The market as the feeds would tell it at this moment; `readiness` is Kraken's, Solana's."""
    bids, asks = venues.exchange.levels(SYMBOL)
    slot = venues.chain.slot
    kraken_ready, solana_ready = readiness
    return [
        FeedProof(venue="kraken", scope="*", recv_ns=now_ns),
        FeedProof(venue="solana", scope="*", recv_ns=now_ns),
        VenuesReady(kraken=kraken_ready, solana=solana_ready, at_ns=now_ns),
        SlotAdvanced(slot=slot, lag_slots=0, recv_ns=now_ns),
        _book("USDC/USD", ((9_999, 10**12),), ((10_001, 10**12),), 4, now_ns),
        _book(SYMBOL, tuple(bids[:10]), tuple(asks[:10]), 2, now_ns),
        PoolUpdated(
            pool=venues.spec.pool,
            slot=slot,
            state=venues.chain.bank.pool(venues.spec.pool),
            recv_ns=now_ns,
        ),
        TimerFired(at_ns=now_ns),
    ]


def _book(
    symbol: str,
    bids: tuple[tuple[int, int], ...],
    asks: tuple[tuple[int, int], ...],
    precision: int,
    now_ns: int,
) -> BookUpdated:
    return BookUpdated(
        symbol=symbol,
        bids=bids,
        asks=asks,
        price_precision=precision,
        qty_precision=8,
        checksum=(_top(bids) * 31 + _top(asks)) & 0xFFFFFFFF,
        venue_at_ns=now_ns,
        recv_ns=now_ns,
    )


def _top(levels: tuple[tuple[int, int], ...]) -> int:
    """The best price of a side; 0 for one that orders have emptied."""
    return levels[0][0] if levels else 0
