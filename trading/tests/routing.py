"""Quotes of an aggregator for the tests of the engine: made by hand, on the unit desk's market."""

from __future__ import annotations

from typing import Any

from feeds.market.events import PoolInvalidated
from feeds.venues.base import RouteAccount, SwapRoute
from trading.route_quoted import RouteQuoted
from trading.tests.unit.desk import MS, Market

LOTS_PER_SOL = 10**8
RAW_PER_SOL = 10**9
RAW_PER_USDC = 10**6


def make_route(
    at_ns: int, *, price: float = 150.03, sol: float = 2.0, **changes: Any
) -> RouteQuoted:
    """Two SOL at `price`, bought (a little more than is sold on) or sold, asked 100 ms ago."""
    asked_at_ns = at_ns - changes.pop("age_ms", 100) * MS
    is_sale = changes.get("direction") == "buy_cex_sell_dex"
    base, quote = round(sol * RAW_PER_SOL), round(sol * price * RAW_PER_USDC)
    amount_in, amount_out = (base, quote) if is_sale else (quote, base)
    fields: dict[str, Any] = {
        "asset": "SOL",
        "direction": "buy_dex_sell_cex",
        "amount_in": amount_in,
        "amount_out": amount_out,
        "min_out": amount_out * 9_990 // 10_000,
        "route": SwapRoute(
            "00ff00ff00ff00ff", "JUP", (RouteAccount("POOL-SOL", False, True),), b"\x01\xff",
            asked_at_ns, 1000,
        ),
        "dexes": ("Whirlpool",),
        "slot": 1000,
        "tick_array_starts": (-352, 0, 352),
        "expires_ns": asked_at_ns + 1_500 * MS,
        "latency_ms": 70.5,
        "delta_bps": -0.5,
        "at_ns": at_ns,
    }  # fmt: skip
    return RouteQuoted(**fields | changes)


def without_pool(market: Market, reason: str = "nodes disagree") -> Market:
    """The same market, its pool not to be used any more."""
    market.tell(PoolInvalidated(pool="POOL-SOL", reason=reason, recv_ns=market.after(1)))
    return market
