"""Start-up is recovery, and recovery never ends: the venue's records against ours.

Every unfinished trade is handed to the executor's ordinary runners; then Kraken's trade
records are compared with ours, at start and for ever after, so that a fill that neither
the stream nor our own proof knew of is found, named and booked. Callers: the engine's host.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

import msgspec
import psycopg

from arbsite.clock import Clock
from arbsite.errors import QueryFailed
from arbsite.logs import event_logger
from feeds.venues.base import CexTrading
from trading.execution.executor import Executor
from trading.storage.database_mark import Unsure
from trading.storage.store import TradeStore

log = event_logger(__name__)
LOOK_BACK_NS = 120_000_000_000
RETRY_S = 1.0
RECONCILE_EVERY_S = 15.0


class Restored(Protocol):
    """The guard of a database that may have been put back (`trading.process.restored`)."""

    unsure: Unsure | None
    is_judged: bool

    async def judge(self, unknown: set[str]) -> None: ...

    async def keep(self) -> None: ...


async def recover(
    store: TradeStore, executor: Executor, kraken: CexTrading, clock: Clock
) -> tuple[str, ...]:
    """Resume unfinished trades and back-fill; returns the assets that stay busy for now."""
    trades = await store.unfinished_trades()
    oldest_ns = min((trade.intent.decided_ns for trade in trades), default=clock.now_ns())
    # The venue answers one question at a time and not many in a minute: this one is asked
    # before those of the trades, which begin when they are resumed.
    comparing = asyncio.create_task(
        _reconcile_until_told(store, executor, kraken, since_ns=oldest_ns - LOOK_BACK_NS)
    )
    for trade in trades:
        executor.resume(trade)
        log.info("trade.resumed", intent_key=str(trade.intent.intent_key), state=trade.state)
    await comparing
    return tuple(sorted({trade.intent.asset for trade in trades if not trade.is_settled}))


async def _reconcile_until_told(
    store: TradeStore, executor: Executor, kraken: CexTrading, *, since_ns: int
) -> None:
    while True:
        try:
            await reconcile_fills(store, executor, kraken, since_ns=since_ns, is_start=True)
            return
        except QueryFailed as error:
            log.warning("recovery.venue_away", error=str(error)[:200])
            await asyncio.sleep(RETRY_S)


async def keep_reconciling(
    store: TradeStore,
    executor: Executor,
    kraken: CexTrading,
    clock: Clock,
    gap: asyncio.Event,
    restored: Restored | None = None,
) -> None:
    """Compare every few seconds, and at once when the private stream says it missed something.

    DEAD is revisable: the venue may show an order later than our proof waited for it. A
    database that may lack trades is compared as far back as needed: once, and when asked.
    """
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECONCILE_EVERY_S):
                await gap.wait()
        is_asked, unsure = gap.is_set(), restored.unsure if restored else None
        gap.clear()
        since_ns = clock.now_ns() - LOOK_BACK_NS
        is_judging = unsure is not None and restored and (is_asked or not restored.is_judged)
        if unsure is not None and is_judging:
            since_ns = min(since_ns, unsure.since_ns)
        try:
            unknown = await reconcile_fills(store, executor, kraken, since_ns=since_ns)
            if restored and is_judging and unknown is not None:
                await restored.judge(unknown)
                await restored.keep()
        except (QueryFailed, psycopg.OperationalError) as error:
            log.info("recovery.not_reconciled", error=str(error)[:200])


async def reconcile_fills(
    store: TradeStore,
    executor: Executor,
    kraken: CexTrading,
    *,
    since_ns: int,
    is_start: bool = False,
) -> set[str] | None:
    """Hand every trade record of an order we do not know to the trade it belongs to.

    A record names the venue's order id only. The client ids of attempts that were proven
    dead are asked for; what remains is of nobody, raises a stop and is returned. None while
    orders of ours are being found, and nobody can tell. At the start the fills that the
    private stream has just shown will do, where it shows that none is missing; booking, and
    every later comparison, is by the records.
    """
    records = kraken.shown_fills(since_ns=since_ns) if is_start else None
    if records is None:
        records = await kraken.fills(since_ns=since_ns)
    known = await store.known_order_ids(since_ns=since_ns - LOOK_BACK_NS)
    strays = {record.order_id for record in records} - known - executor.live_order_ids
    if not strays:
        return set()
    log.warning("recovery.unknown_orders", order_ids=sorted(strays))
    owner: dict[str, str] = {}
    dead = await store.unfound_client_ids(since_ns=since_ns)
    found = await asyncio.gather(*(kraken.find_orders(each, since_ns=since_ns) for each in dead))
    for cl_ord_id, orders in zip(dead, found, strict=True):
        owner |= dict.fromkeys((order.order_id for order in orders), cl_ord_id)
    is_too_early = executor.is_resolving or await store.is_another_resolving()
    for record in records:
        if record.order_id in owner:
            executor.deliver(msgspec.structs.replace(record, cl_ord_id=owner[record.order_id]))
        elif record.order_id in strays and not is_too_early:
            executor.deliver(record)
    return None if is_too_early else strays - owner.keys()
