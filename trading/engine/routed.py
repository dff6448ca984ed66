"""A pool leg that an aggregator quoted: its size against the book, priced like any other.

One size is judged as it was quoted, nothing is searched. Pure; called by `decision` where
the direct pool cannot be quoted. Not here: asking (`route_quotes`), gates, windows.
"""

from __future__ import annotations

from typing import Final

from feeds.market.events import Level
from feeds.market.spec import Direction, MarketSpec
from trading.engine.asset_state import AssetState
from trading.engine.evaluation import Found, Scene, Sized, price_quotes
from trading.engine.looks import Look
from trading.pricing import LegQuotes
from trading.route_quoted import RouteQuoted
from trading.sizing import walk_book

LIMITED_BY: Final = "route"
"""What bounds a routed size: it is the one that was asked for."""

# The chain's word on one amount: another venue is no answer to these.
OF_THE_AMOUNT: Final = frozenset({"", "zero_amount", "amount_out_of_range"})


def route_in_force(asset: AssetState, direction: Direction, now_ns: int) -> RouteQuoted | None:
    """The newest quote of a direction that has not expired."""
    route = asset.routes.get(direction)
    return route if route is not None and now_ns < route.expires_ns else None


def needs_route(asset: AssetState, beside_pool: str) -> bool:
    """Whether only the direct pool stands in the way of a quote.

    `beside_pool` is the fault of everything else. A pool not seen YET is waited for.
    """
    if asset.fault:
        return is_pool_fault(asset.fault) and not beside_pool
    return asset.quote_refusal not in OF_THE_AMOUNT


def is_pool_fault(fault: str) -> bool:
    """Whether a fault is the pool's, and not merely that nothing was heard of it yet."""
    return fault.startswith("pool: ") and not fault.endswith("not seen yet")


def priced_route(scene: Scene, route: RouteQuoted) -> Sized | None:
    """Price a quote against the book of now; None where the book is too thin for it."""
    spec, direction = scene.spec, route.direction
    rising = direction == "buy_dex_sell_cex"
    levels = scene.book.bids if rising else scene.book.asks
    quotes = leg_quotes(spec, route, levels)
    if quotes is None:
        return None
    look = _look(scene, route, quotes, rising)
    cause = _own_limit(scene, quotes, route, levels, rising)
    found = Found(
        lots=quotes.lots,
        capped_lots=0 if cause else quotes.lots,
        window_only=bool(cause),
        limited_by=cause or LIMITED_BY,
        worth_usd=0.0,
    )
    return price_quotes(scene, look, quotes, found, route)


def leg_quotes(spec: MarketSpec, route: RouteQuoted, levels: tuple[Level, ...]) -> LegQuotes | None:
    """Both legs of a quote; None when it is below a lot or the book too thin.

    A sale gives an exact number of lots. A purchase is sold on by what it guarantees, rounded
    down to whole lots; their cost is their share of the input, rounded up: what comes
    beyond them is worth what it cost.
    """
    if route.direction == "buy_cex_sell_dex":
        base_raw, quote_raw = route.amount_in, route.amount_out
        lots = _lots_below(spec, base_raw)
        if not lots or spec.raw_from_lots(lots) != base_raw:
            return None
    else:
        lots = _lots_below(spec, route.min_out)
        if not lots:
            return None
        base_raw = spec.raw_from_lots(lots)
        quote_raw = -(-route.amount_in * base_raw // route.amount_out)
    walked = walk_book(levels, lots)
    if walked is None:
        return None
    return LegQuotes(
        lots=lots,
        base_raw=base_raw,
        cex_value_ticklots=walked[0],
        cex_worst_ticks=walked[1],
        dex_quote_raw=quote_raw,
    )


def _lots_below(spec: MarketSpec, base_raw: int) -> int:
    """Whole steps within `base_raw`, in lots."""
    step = spec.step_lots
    return base_raw // spec.raw_from_lots(step) * step


def _look(scene: Scene, route: RouteQuoted, quotes: LegQuotes, rising: bool) -> Look:
    """The gap between the touch and the quoted price, its fees inside."""
    levels = scene.book.bids if rising else scene.book.asks
    ticks, quoted = levels[0][0], quotes.dex_quote_raw / quotes.base_raw
    ratio = ticks * scene.unit / quoted if rising else quoted / (ticks * scene.unit)
    rates = scene.terms.rates[route.direction]
    net = ratio * rates.net if rising else ratio / rates.net
    return Look(route.direction, ticks, (ratio - 1) * 1e4, (net - 1) * 1e4, net > 1)


def _own_limit(
    scene: Scene, quotes: LegQuotes, route: RouteQuoted, levels: tuple[Level, ...], rising: bool
) -> str:
    """What of ours does not allow the size, or nothing: the book's share, a balance."""
    spec, free = scene.spec, scene.available
    visible = sum(lots for _, lots in levels)
    if quotes.lots > visible * scene.terms.limits.cex_depth:
        return "cex_depth"
    if route.amount_in > free.dex_raw:
        return "inventory_solana"
    units = quotes.lots / 10.0**spec.qty_precision
    if not rising:
        price = quotes.cex_worst_ticks / 10.0**spec.price_precision
        units *= price * (1 + scene.terms.limits.slippage) * (1 + scene.terms.taker_rate)
    return "inventory_kraken" if units > free.cex_units else ""
