"""Asks an aggregator for a quote where the pool has none, and tells the engine of the answer.

One size per direction, from the book's depth and the asset's caps, one ask at a time, at
the account's rate. No answer is no trade: the source counts and logs why. Built by the
host where the settings allow the fallback. Not here: the API (`feeds.routes`), what the
quote is worth (`routed`), whether it is acted on (the engine's gates).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from arbsite.clock import Clock
from arbsite.logs import event_logger
from feeds.market.events import Level
from feeds.market.spec import DIRECTIONS, Direction
from feeds.venues.jupiter.quotes import BoundRoute, RouteAsk
from trading.engine.asset_state import AssetState
from trading.engine.engine_state import EngineState
from trading.engine.routed import needs_route
from trading.engine.scene import available_of, fault_beside_pool, mark_of
from trading.inputs import EngineInput
from trading.route_quoted import RouteQuoted
from trading.sizing import (
    Ladder,
    caps_from,
    lot_raw,
    lots_floor,
    size_limits,
    tick_value,
    walk_book,
)

log = event_logger(__name__)
_MS = 1_000_000


class RouteSource(Protocol):
    """Who is asked; `every_s` apart."""

    @property
    def every_s(self) -> float: ...

    async def bound(self, ask: RouteAsk) -> BoundRoute | None:
        """A signable quote, or None where there is none."""


class RouteSizes(msgspec.Struct, frozen=True):
    """How large an ask may be: in USD, and how deep into the book from its best price.

    `valid_ms` is how long an answer stands from the moment it was asked for, as the signing
    firewall counts it; no new trade is decided on the last third of that (gate `route`).
    """

    max_usd: float = 500.0
    depth_bps: float = 10.0
    valid_ms: int = 1_500


class RouteWant(msgspec.Struct, frozen=True):
    """One thing to ask: a size of one direction of one asset."""

    asset: str
    direction: Direction
    ask: RouteAsk


def wanted(state: EngineState, sizes: RouteSizes) -> list[RouteWant]:
    """Everything that could be traded now if only somebody else quoted the pool's pair."""
    found = []
    for asset in state.assets.values():
        settings = asset.settings
        if settings is None or not settings.enabled or asset.trades.open_count:
            continue
        if not needs_route(asset, fault_beside_pool(state, asset)):
            continue
        asks = ((direction, _ask(state, asset, direction, sizes)) for direction in DIRECTIONS)
        found += [RouteWant(asset.spec.asset, way, ask) for way, ask in asks if ask is not None]
    return found


def _ask(
    state: EngineState, asset: AssetState, direction: Direction, sizes: RouteSizes
) -> RouteAsk | None:
    """The size of a direction; None below the venue's minimum."""
    spec, settings, fees = asset.spec, asset.settings, state.fees
    assert settings is not None
    assert fees is not None
    rising, book = direction == "buy_dex_sell_cex", state.feeds.books[spec.cex_symbol]
    pool_usd = float(mark_of(state, spec.pool_quote).usd)
    # Only read here: what the engine keeps changes by its inputs alone, or no replay holds.
    unit = tick_value(spec, float(mark_of(state, spec.cex_quote).usd), pool_usd)
    levels = _near(book.bids if rising else book.asks, sizes.depth_bps)
    caps = caps_from(
        spec,
        size_limits(settings),
        Ladder(levels, unit, lot_raw(spec), 1.0),
        available_of(state, asset, settings, direction, pool_usd),
        taker=float(fees.taker[spec.cex_symbol]),
        rising=rising,
    )
    value = min(
        caps.cex_value, caps.dex_quote, sizes.max_usd * 10.0**spec.quote_decimals / pool_usd
    )
    lots = lots_floor(min(caps.base_raw, value / (levels[0][0] * unit)), spec)
    walked = walk_book(levels, lots)
    if lots < spec.qty_min_lots or walked is None:
        return None
    if not rising:
        return RouteAsk(spec.pool, spec.base_mint, spec.quote_mint, spec.raw_from_lots(lots))
    # What the book would pay for them: more than that no purchase is worth.
    worth = int(walked[0] * lot_raw(spec) * unit)
    return RouteAsk(spec.pool, spec.quote_mint, spec.base_mint, worth)


def _near(levels: tuple[Level, ...], depth_bps: float) -> tuple[Level, ...]:
    """The levels within so many bps of the best one."""
    best = levels[0][0]
    return tuple(level for level in levels if abs(level[0] - best) * 1e4 <= depth_bps * best)


class RouteQuotes:
    """The poller of one engine process."""

    def __init__(
        self,
        source: RouteSource,
        state: EngineState,
        clock: Clock,
        apply: Callable[[EngineInput], None],
        sizes: RouteSizes = RouteSizes(),  # noqa: B008 - immutable
    ) -> None:
        self._source = source
        self._state = state
        self._clock = clock
        self._apply = apply
        self._sizes = sizes
        self._asked: dict[tuple[str, Direction], int] = {}

    async def run(self) -> None:
        """Ask in turn until cancelled; idle while every pool can be quoted."""
        while True:
            await asyncio.sleep(self._source.every_s)
            wants = wanted(self._state, self._sizes)
            if wants:
                # Whoever waited longest; never asked comes first.
                await self.ask(min(wants, key=lambda one: self._asked.get(_key(one), 0)))

    async def ask(self, want: RouteWant) -> None:
        """Ask once and tell the engine of an answer."""
        self._asked[_key(want)] = self._clock.now_ns()
        bound = await self._source.bound(want.ask)
        if bound is None or bound.quote.route is None:
            return
        quote = bound.quote
        route = quote.route
        assert route is not None
        log.info(
            "route.bound",
            asset=want.asset,
            direction=want.direction,
            route=quote.route_id,
            asked_at_ns=quote.asked_at_ns,
            ms=quote.latency_ms,
            delta_bps=bound.delta_bps,
        )
        self._apply(
            RouteQuoted(
                asset=want.asset,
                direction=want.direction,
                amount_in=quote.ask.amount_in,
                amount_out=quote.amount_out,
                min_out=quote.min_out,
                route=route,
                dexes=quote.dexes,
                slot=bound.slot,
                tick_array_starts=bound.tick_array_starts,
                expires_ns=quote.asked_at_ns + self._sizes.valid_ms * _MS,
                latency_ms=quote.latency_ms,
                delta_bps=bound.delta_bps,
                at_ns=self._clock.now_ns(),
            )
        )


def _key(want: RouteWant) -> tuple[str, Direction]:
    return want.asset, want.direction
