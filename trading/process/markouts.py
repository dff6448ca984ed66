"""Where the market went after a trade: its base asset's mark at settlement, +1, +10, +60 s.

Tells execution error (what we paid against the mark of the moment) from drift (where the
mark went after it), as the domain's definition of realised PnL asks. Marks are middles of
the Kraken book in USD. Called by the host; a restart forgets the marks it still waited for,
and the figures say of how many trades they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from arbsite.logs import event_logger
from feeds.market.spec import MarketSpec
from trading.execution.residual import HedgeMarket
from trading.inputs import TradeClosed
from trading.storage.store import TradeStore

log = event_logger(__name__)
HORIZONS_S: Final = (0, 1, 10, 60)
# A book that is unusable for longer than this at a horizon leaves that horizon out.
PATIENCE_NS: Final = 2_000_000_000
_NS: Final = 1_000_000_000
_INSERT: Final = """
    INSERT INTO trading_markout (trade_id, horizon_s, mark_usd, at_ns)
    SELECT id, %(horizon_s)s, %(mark_usd)s, %(at_ns)s FROM trading_trade
    WHERE intent_key = %(intent_key)s
    ON CONFLICT (trade_id, horizon_s) DO NOTHING
"""


class _Awaited(msgspec.Struct, frozen=True):
    intent_key: UUID
    asset: str
    horizon_s: int
    due_ns: int


class Markouts:
    """Waits for the horizons of settled trades and stores the marks that stood then."""

    def __init__(
        self,
        store: TradeStore,
        specs: Mapping[str, MarketSpec],
        market: Callable[[str], HedgeMarket | None],
    ) -> None:
        self._store = store
        self._specs = specs
        self._market = market
        self._awaited: list[_Awaited] = []
        self._taken: list[dict[str, Any]] = []

    def settled(self, event: TradeClosed) -> None:
        """Begin to wait, unless nothing was filled: then there is nothing to mark out."""
        if event.outcome in ("missed", "stale"):
            return
        for horizon_s in HORIZONS_S:
            due_ns = event.at_ns + horizon_s * _NS
            self._awaited.append(_Awaited(event.intent_key, event.asset, horizon_s, due_ns))

    def look(self, now_ns: int) -> None:
        """Take the marks that are due."""
        waiting = []
        for awaited in self._awaited:
            market = self._market(awaited.asset) if awaited.due_ns <= now_ns else None
            if market is not None:
                self._taken.append(self._row(awaited, market, now_ns))
            elif now_ns - awaited.due_ns < PATIENCE_NS:
                waiting.append(awaited)
        self._awaited = waiting

    def _row(self, awaited: _Awaited, market: HedgeMarket, now_ns: int) -> dict[str, Any]:
        middle = market.middle_ticks.scaleb(-self._specs[awaited.asset].price_precision)
        return {
            "intent_key": awaited.intent_key,
            "horizon_s": awaited.horizon_s,
            "mark_usd": middle * market.cex_quote_usd,
            "at_ns": now_ns,
        }

    async def save(self) -> None:
        """Store what was taken; kept for the next time while the database is away."""
        rows, self._taken = self._taken, []
        if not rows:
            return
        try:
            async with self._store.connection() as conn, conn.transaction():
                await conn.cursor().executemany(_INSERT, rows)
        except psycopg.OperationalError as error:
            self._taken = [*rows, *self._taken]
            log.warning("markouts.not_saved", error=str(error)[:200])
