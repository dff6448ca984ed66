"""An aggregator's quote as the engine hears of it: one exact size of one direction, signable.

Pure data. The host's poller (`route_quotes`) tells it, the engine prices it (`routed`), an
intent made of it carries it to the signature and into the opportunity's row. Not here: what
may be signed (the signing firewall reads the instruction again).
"""

from __future__ import annotations

import msgspec

from feeds.market.spec import Direction
from feeds.venues.base import SwapRoute


class RouteQuoted(msgspec.Struct, frozen=True, tag="route_quoted"):
    """A bound quote for one asset and direction; raw units, always an exact input.

    `min_out` is what the chain guarantees or nothing happens. `slot` is the oldest chain
    state that the quote may show. `tick_array_starts` are the arrays of the market's own
    pool that the swap may touch. Nothing is decided on it from `expires_ns` on. For people
    only: `latency_ms` from asking to having checked it, `delta_bps` what it gives above
    (+) or below the direct pool's last known state, None where none was ever known.
    """

    asset: str
    direction: Direction
    amount_in: int
    amount_out: int
    min_out: int
    route: SwapRoute
    dexes: tuple[str, ...]
    slot: int
    tick_array_starts: tuple[int, ...]
    expires_ns: int
    latency_ms: float
    delta_bps: float | None
    at_ns: int

    @property
    def threshold_raw(self) -> int:
        """The quote leg at its worst: all of a purchase's input, the least output of a sale."""
        return self.amount_in if self.direction == "buy_dex_sell_cex" else self.min_out
