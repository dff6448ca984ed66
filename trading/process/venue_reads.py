"""What the engine reads of both venues while it runs: balances, taker fees, whether they can trade.

Reads that fail are logged and tried again; what was read last stays in force and ages, and
the gates refuse what has grown too old. Called by the host's side tasks. Not here: the
chain's fees (`chain_fees`), orders.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal

import psycopg

from arbsite.clock import Clock
from arbsite.errors import QueryFailed
from arbsite.logs import event_logger
from feeds.assembly import Venues
from feeds.market.spec import MarketSpec
from trading.inputs import EngineInput, FeesKnown, VenuesReady
from trading.process.holdings import Holdings
from trading.process.publishing import Pictures
from trading.storage.store import TradeStore

log = event_logger(__name__)
BASE_FEE_LAMPORTS = 5_000
RETRY_S = 1.0
FEES_EVERY_S = 60.0


class VenueReads:
    """The reader of one engine process; `emit` tells its engine."""

    def __init__(
        self,
        venues: Venues,
        holdings: Holdings,
        specs: Mapping[str, MarketSpec],
        store: TradeStore,
        clock: Clock,
        emit: Callable[[EngineInput], None],
    ) -> None:
        self._venues = venues
        self._holdings = holdings
        self._symbols = [spec.cex_symbol for spec in specs.values()]
        self._store = store
        self._clock = clock
        self._emit = emit

    async def first(self, stopping: asyncio.Event) -> None:
        """Learn the balances once; waits for the venues until it is told to stop."""
        while not stopping.is_set():
            try:
                await self._holdings.refresh()
            except QueryFailed as error:
                log.warning("venue.read_failed", error=str(error)[:200])
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def holdings(self, pictures: Pictures, marks_usd: dict[str, Decimal]) -> None:
        """Refresh the balances of both venues, and show them."""
        try:
            await self._holdings.refresh()
        except QueryFailed as error:
            log.info("holdings.not_read", error=str(error)[:200])
            return
        await pictures.inventory(self._holdings.frame(marks_usd))

    async def samples(self) -> None:
        """Store what the balances are."""
        try:
            async with self._store.connection() as conn:
                await self._holdings.store_samples(conn)
        except psycopg.OperationalError as error:
            log.warning("balances.not_sampled", error=str(error)[:200])

    async def follow_fees(self, first_read: Callable[[], None]) -> None:
        """Read the account's taker fee of each pair for ever; without one nothing trades."""
        is_known = False
        while True:
            try:
                taker = await self._venues.kraken.taker_fees(self._symbols)
            except QueryFailed as error:
                log.info("fees.not_read", error=str(error)[:200])
            else:
                self._emit(FeesKnown(taker, BASE_FEE_LAMPORTS, self._clock.now_ns()))
                if not is_known:
                    first_read()
                is_known = True
            await asyncio.sleep(FEES_EVERY_S if is_known else RETRY_S)

    async def ready(self) -> None:
        """Tell whether an order and a swap could be sent now."""
        self._emit(
            VenuesReady(
                kraken=self._venues.kraken.is_ready,
                solana=self._venues.solana.is_ready,
                at_ns=self._clock.now_ns(),
            )
        )
