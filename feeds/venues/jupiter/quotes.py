"""What is asked of Jupiter and what comes of it: asks, quotes, refusals, samples.

Plain values without I/O, used by the client, the fallback, the sampler and their hosts.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from feeds.venues.base import SwapRoute

ApiShape = Literal["v1", "v2"]

Cause = Literal[
    "throttled",
    "rate_limited",
    "down",
    "timeout",
    "refused",
    "no_route",
    "corrupt",
    "mismatch",
    "fee",
    "dex_not_allowed",
    "pool_not_pinned",
    "extra_instruction",
    "stale",
    "below_minimum",
    "not_allowed",
]
"""Why there is no route, in one stable word:

throttled our own limit or a pause after a 429 · rate_limited the API's 429 · down no
connection or 5xx · timeout · refused another 4xx · no_route none found · corrupt not the
documented shape · mismatch not what was asked · fee somebody else is paid · dex_not_allowed,
pool_not_pinned the pinning setting · extra_instruction more than a swap · stale older than
the limit · below_minimum less than the caller accepts · not_allowed the fallback is off.
"""


class RouteAsk(msgspec.Struct, frozen=True):
    """A swap of an exact raw input in one pool's pair, or through that pool when pinned."""

    pool: str
    mint_in: str
    mint_out: str
    amount_in: int


class RouteRefused(msgspec.Struct, frozen=True):
    """No route, and why."""

    cause: Cause
    detail: str = ""


class RouteQuote(msgspec.Struct, frozen=True):
    """A route at a price. `route` is there when its instruction was asked for too.

    `min_out` is the least raw output under the asked slippage, rounded down; the firewall
    reads it again from the instruction. The age counts from the request: one API names no
    slot.
    """

    ask: RouteAsk
    amount_out: int
    min_out: int
    route_id: str
    dexes: tuple[str, ...]
    pools: tuple[str, ...]
    context_slot: int | None
    asked_at_ns: int
    latency_ms: float
    route: SwapRoute | None = None


class RouteSample(msgspec.Struct, frozen=True):
    """Jupiter beside the direct pool at one moment, for the console and the log.

    `latency_delta_ms` and `delta_bps` are Jupiter's less the direct quote's (a positive
    price delta: Jupiter gives more). None where one of the two had no quote.
    """

    asset: str
    a_to_b: bool
    outcome: str
    amount_in: int
    asked_at_ns: int
    latency_ms: float | None = None
    latency_delta_ms: float | None = None
    route_id: str = ""
    dexes: tuple[str, ...] = ()
    jupiter_out: int | None = None
    direct_out: int | None = None
    delta_bps: float | None = None
    lag_slots: int | None = None


class BoundRoute(msgspec.Struct, frozen=True):
    """A signable quote, and what our own view of the chain adds to it.

    `slot` is the oldest chain state that it may show, `tick_array_starts` the arrays of a
    Whirlpool around its price, `delta_bps` its output over that of the direct pool's last
    known state less one, None where none was ever known.
    """

    quote: RouteQuote
    slot: int
    tick_array_starts: tuple[int, ...]
    delta_bps: float | None
