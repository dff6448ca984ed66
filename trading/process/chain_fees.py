"""Tells the engine what landing costs now, every few seconds: a unit's price and how many units.

Not here: reading the chain (`feeds.venues.solana.fees`), measuring units
(`compute_sampling`), what is bid (`bidding`). Called by the host; the runners say when a
swap ran out of units.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from arbsite import metrics
from arbsite.clock import Clock
from arbsite.errors import QueryFailed
from arbsite.logs import event_logger
from feeds.market.spec import Direction
from feeds.venues.base import LandingFee
from trading.compute_units import ROUTE, ComputeLimits
from trading.inputs import ChainFeesKnown
from trading.intent import Intent

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
        compute: ComputeLimits,
    ) -> None:
        self._read = read
        self._clock = clock
        self._emit = emit
        self._can_tip = can_tip
        self._compute = compute
        self._fees: Mapping[str, LandingFee] = {}

    async def tell(self) -> None:
        """Read all pools and emit one event; a failed read is logged and left for the next."""
        try:
            self._fees = await self._read()
        except QueryFailed as error:
            log.info("chain_fees.not_read", error=str(error)[:200])
            return
        self._say()

    def compute_exceeded(self, intent: Intent, side: str, limit: int) -> None:
        """A swap of this intent ran out of `limit` units: the next one asks for more at once.

        `side` is what the swap did on the pool, which a hedge may do the other way.
        """
        metrics.COMPUTE_EXCEEDED.labels(intent.asset).inc()
        way: Direction = "buy_dex_sell_cex" if side == "buy" else "buy_cex_sell_dex"
        is_routed = intent.quote_source == "jupiter" and way == intent.direction
        log.warning("compute.exceeded", asset=intent.asset, way=way, limit=limit)
        if self._compute.exceeded(
            intent.spec.pool, ROUTE if is_routed else way, limit=limit, at_ns=self._clock.now_ns()
        ):
            self._say()

    def _say(self) -> None:
        now_ns = self._clock.now_ns()
        compute = self._compute.in_force(now_ns)
        for pool, ways in compute.items():
            for way, limit in ways.items():
                metrics.COMPUTE_LIMIT.labels(pool, way).set(limit.units)
        self._emit(
            ChainFeesKnown(
                price={pool: fee.price for pool, fee in self._fees.items()},
                usual={pool: fee.usual for pool, fee in self._fees.items()},
                can_tip=self._can_tip,
                at_ns=now_ns,
                compute=compute,
            )
        )
