"""How long a start of the engine took, kept beside the start itself.

A start begins with the process (a standby's with the lease), is reconciled when every
unfinished trade is in a runner's hand and the fills are compared, and settled when the
venues have proven what became of those trades. Called by the engine's host; read by the
service levels. Not here: the restart rule (desk_link) and the lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg

from arbsite.clock import Clock
from arbsite.logs import event_logger
from trading.records import TradeRecord
from trading.store import TradeStore

log = event_logger(__name__)
LOOK_EVERY_S = 0.05


class StartRecord:
    """The times of one engine process's start. `began_ns`: when the process was made."""

    def __init__(self, store: TradeStore, clock: Clock, *, began_ns: int) -> None:
        self._store = store
        self._clock = clock
        self._began_ns = began_ns

    def leased(self, *, after_standby: bool) -> None:
        """The shard is ours; a standby's start begins here, however long it waited."""
        if after_standby:
            self._began_ns = self._clock.now_ns()

    async def follow(self, found: Sequence[TradeRecord], *, reconciled_ns: int) -> None:
        """Keep the times; returns when all trades found open are settled or parked."""
        await self._keep(reconciled_ns, None)
        while True:
            if all(trade.is_settled or trade.state == "operator" for trade in found):
                break
            await asyncio.sleep(LOOK_EVERY_S)
        await self._keep(reconciled_ns, self._clock.now_ns() if found else reconciled_ns)

    async def _keep(self, reconciled_ns: int, settled_ns: int | None) -> None:
        try:
            await self._store.keep_start(
                began_ns=self._began_ns, reconciled_ns=reconciled_ns, settled_ns=settled_ns
            )
        except psycopg.OperationalError as error:
            # A start without its times is left out of the figures; nothing hangs on it.
            log.warning("start.not_kept", error=str(error)[:200])
