"""Start-up is recovery: nothing new is decided before the old is accounted for.

Every unfinished trade is handed to the executor's ordinary runners; then Kraken's trade
records since the oldest of them are compared with ours, so that what arrived while we
were away is named before the first new intent.
"""

from __future__ import annotations

import asyncio
import logging

from arbsite.clock import Clock
from arbsite.errors import QueryFailed
from feeds.venues.base import CexTrading
from trading.executor import Executor
from trading.store import TradeStore

log = logging.getLogger(__name__)
LOOK_BACK_NS = 120_000_000_000
RETRY_S = 1.0


async def recover(
    store: TradeStore, executor: Executor, kraken: CexTrading, clock: Clock
) -> tuple[str, ...]:
    """Resume unfinished trades and back-fill; returns the assets that stay busy for now."""
    trades = await store.unfinished_trades()
    for trade in trades:
        executor.resume(trade)
        log.info(
            "trade.resumed",
            extra={"intent_key": str(trade.intent.intent_key), "state": trade.state},
        )
    oldest_ns = min((trade.intent.decided_ns for trade in trades), default=clock.now_ns())
    await _back_fill(store, kraken, since_ns=oldest_ns - LOOK_BACK_NS)
    return tuple(sorted({trade.intent.asset for trade in trades if not trade.is_settled}))


async def _back_fill(store: TradeStore, kraken: CexTrading, *, since_ns: int) -> None:
    """Compare the venue's records with our attempts; wait for the venue if it is away."""
    while True:
        try:
            records = await kraken.fills(since_ns=since_ns)
            break
        except QueryFailed as error:
            log.warning("recovery.venue_away", extra={"error": str(error)[:200]})
            await asyncio.sleep(RETRY_S)
    known = await store.known_order_ids(since_ns=since_ns - LOOK_BACK_NS)
    strays = sorted({record.order_id for record in records} - known)
    if strays:
        # Their attempts are UNKNOWN and ask by client id, or DEAD and hear of the late fill
        # from the private stream's snapshot; an order of nobody is stopped on there.
        log.warning("recovery.unacknowledged_orders", extra={"order_ids": strays})
