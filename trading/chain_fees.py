"""Tells the engine what landing costs now, every few seconds.

Not here: reading the chain (`feeds.venues.solana.fees`), what is bid (`bidding`). Called by
the host.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from arbsite.clock import Clock
from arbsite.errors import QueryFailed
from arbsite.logs import event_logger
from feeds.venues.base import LandingFee
from trading.intent import ChainFeesKnown

log = event_logger(__name__)
READ_EVERY_S = 2.0


class ChainFees:
    """One reader; what it last told stays in force while the nodes do not answer."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Mapping[str, LandingFee]]],
        clock: Clock,
        emit: Callable[[ChainFeesKnown], None],
        *,
        can_tip: bool,
    ) -> None:
        self._read = read
        self._clock = clock
        self._emit = emit
        self._can_tip = can_tip

    async def tell(self) -> None:
        """Read all pools and emit one event; a failed read is logged and left for the next."""
        try:
            fees = await self._read()
        except QueryFailed as error:
            log.info("chain_fees.not_read", error=str(error)[:200])
            return
        self._emit(
            ChainFeesKnown(
                price={pool: fee.price for pool, fee in fees.items()},
                usual={pool: fee.usual for pool, fee in fees.items()},
                can_tip=self._can_tip,
                at_ns=self._clock.now_ns(),
            )
        )
