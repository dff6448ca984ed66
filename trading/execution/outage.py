"""PostgreSQL is away: nothing new, and a page that names what is open and what to do.

The lease went with its connection, so this engine may not act again; it stays up only to
say what it knows, until the database is back and start-up can reconcile. Booked facts are
with the venues meanwhile. Caller: the host.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import psycopg

from arbsite import metrics
from arbsite.logs import event_logger
from trading.execution.executor import Executor
from trading.records import TradeRecord

log = event_logger(__name__)
PAGE_EVERY_S = 5.0
RETRY_S = 0.5
CONNECT_TIMEOUT_S = 2


class Outage:
    """Pages while the database is away."""

    def __init__(self, dsn: str, executor: Executor) -> None:
        self._dsn = dsn
        self._executor = executor

    async def last(self) -> None:
        """Page at once and every few seconds until the database answers."""
        metrics.DATABASE_DOWN.set(1)
        loop = asyncio.get_running_loop()
        page_at = loop.time()
        while True:
            if loop.time() >= page_at:
                self._page()
                page_at = loop.time() + PAGE_EVERY_S
            if await self._answers():
                metrics.DATABASE_DOWN.set(0)
                log.warning("database.is_back")
                return
            await asyncio.sleep(RETRY_S)

    def _page(self) -> None:
        found = [residual_steps(trade) for trade in self._executor.open_trades]
        naked = [item for item in found if item["residual_base"] != "0"]
        metrics.OPEN_WHILE_DOWN.set(len(found))
        log.critical(
            "database.away",
            open_trades=len(found),
            residuals=naked,
            act="nothing new is sent; restore PostgreSQL, the engine reconciles at its start",
        )

    async def _answers(self) -> bool:
        try:
            conn = await psycopg.AsyncConnection.connect(
                self._dsn, connect_timeout=CONNECT_TIMEOUT_S
            )
        except psycopg.OperationalError:
            return False
        await conn.close()
        return True


def residual_steps(trade: TradeRecord) -> dict[str, Any]:
    """What a trade has open and what a person can do at the venues, in plain words."""
    intent, residual = trade.intent, trade.residual_base
    live = [
        f"{attempt.venue} {attempt.order_id or attempt.signature or attempt.cl_ord_id}"
        for attempt in trade.attempts
        if attempt.is_live
    ]
    if not residual and not live:
        step = "nothing to do: it waits for booking only"
    elif not residual:
        step = f"look these up at the venue: {', '.join(live)}"
    else:
        side = "sell" if residual > 0 else "buy"
        step = (
            f"{side} {abs(residual).normalize():f} {intent.asset} on Kraken"
            f" ({intent.spec.cex_symbol}) if it cannot wait, then attach that order"
            + (f"; first look up {', '.join(live)}" if live else "")
        )
    return {
        "trade": str(trade.id),
        "asset": intent.asset,
        "residual_base": f"{residual.normalize() if residual else Decimal(0):f}",
        "step": step,
    }
