"""Measures what our swaps use of the chain's compute units: one way of trading a turn.

Each turn simulates the largest swap that the settings and our balances allow, for it
crosses the most ticks. Nothing is signed and nothing is sent. Called by the host every
`SAMPLE_EVERY_S`, which bounds what it takes of the RPC's rate. Not here: the limit that
follows (`compute_units`), telling the engine (`chain_fees`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import cycle
from typing import Final

from arbsite import metrics
from arbsite.clock import Clock
from arbsite.errors import NotSent, QueryFailed, Rejected
from arbsite.logs import event_logger
from arbsite.units import decimal_from_int
from feeds.market.clmm import arrays_for_swap
from feeds.market.pools import QuoteRefused, Whirlpool
from feeds.market.quote import quote
from feeds.market.spec import DIRECTIONS, Direction
from feeds.venues.base import DexSwap
from trading.compute_units import MOST_UNITS, ComputeLimits
from trading.engine.asset_state import AssetState
from trading.engine.engine_state import EngineState
from trading.engine.scene import fault_of, marks_usd

log = event_logger(__name__)
SAMPLE_EVERY_S: Final = 2.0
# A balance may shrink before the node looks.
_OF_BALANCE: Final = Decimal("0.9")
_HALVINGS: Final = 4
# What an unsigned purchase may take beyond its quote: the pool moves before it is measured.
_ABOVE_QUOTE_PPM: Final = 20_000


class ComputeSampler:
    """Takes turns over all pools and directions of one engine process."""

    def __init__(
        self,
        units: Callable[[DexSwap], Awaitable[int]],
        state: EngineState,
        limits: ComputeLimits,
        clock: Clock,
    ) -> None:
        self._units = units
        self._state = state
        self._limits = limits
        self._clock = clock
        self._turns = cycle(
            [(asset, direction) for asset in state.assets for direction in DIRECTIONS]
        )

    async def sample(self) -> None:
        """Measure the next way; one that cannot be measured now keeps what it has."""
        name, direction = next(self._turns)
        asset = self._state.assets[name]
        swap = largest_swap(self._state, asset, direction, self._clock.now_ns() // 10**9)
        if swap is None:
            metrics.COMPUTE_SAMPLES.labels(name, "skipped").inc()
            return
        try:
            units = await self._units(swap)
        except (NotSent, QueryFailed, Rejected) as error:
            log.info("compute.not_measured", asset=name, way=direction, why=str(error)[:200])
            metrics.COMPUTE_SAMPLES.labels(name, "failed").inc()
            return
        metrics.COMPUTE_SAMPLES.labels(name, "measured").inc()
        self._limits.take(
            swap.pool, direction,
            units=units, crosses=swap.pool_kind == "whirlpool", at_ns=self._clock.now_ns(),
        )  # fmt: skip


def largest_swap(
    state: EngineState, asset: AssetState, direction: Direction, now_s: int
) -> DexSwap | None:
    """The largest swap that may be decided on now; None while that cannot be said.

    Its limit of units is the chain's own, so that the simulation runs to its end.
    """
    base_raw = _largest_base_raw(state, asset, direction)
    if base_raw is None:
        return None
    spec, sells = asset.spec, direction == "buy_cex_sell_dex"
    pool, a_to_b = state.feeds.curves[spec.pool].updated.state, spec.sells_a(direction)
    found = quote(pool, base_raw, exact_in=sells, a_to_b=a_to_b, now_s=now_s)
    for _ in range(_HALVINGS):
        if not isinstance(found, QuoteRefused):
            break
        base_raw //= 2
        found = quote(pool, base_raw, exact_in=sells, a_to_b=a_to_b, now_s=now_s)
    if isinstance(found, QuoteRefused):
        return None
    most_in = found.amount_in + found.amount_in * _ABOVE_QUOTE_PPM // 1_000_000
    return DexSwap(
        pool=spec.pool,
        pool_kind=spec.pool_kind,
        a_to_b=a_to_b,
        exact_in=sells,
        amount_raw=base_raw,
        threshold_raw=1 if sells else most_in,
        tick_array_starts=arrays_for_swap(pool, a_to_b) if isinstance(pool, Whirlpool) else (),
        cu_limit=MOST_UNITS,
    )


def _largest_base_raw(state: EngineState, asset: AssetState, direction: Direction) -> int | None:
    held, settings, spec = state.reservations.holdings, asset.settings, asset.spec
    if fault_of(state, asset) or held is None or settings is None:
        return None
    marks = marks_usd(state, asset)
    gives, decimals = (
        (spec.asset, spec.base_decimals)
        if direction == "buy_cex_sell_dex"
        else (spec.pool_quote, spec.quote_decimals)
    )
    have = decimal_from_int(held.solana_raw.get(gives, 0), decimals)
    usd = min(settings.max_notional_usd, have * marks[gives] * _OF_BALANCE)
    lots = int((usd / marks[spec.asset]).scaleb(spec.qty_precision))
    return spec.raw_from_lots(lots) if lots >= spec.qty_min_lots else None
