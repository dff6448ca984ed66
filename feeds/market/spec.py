"""What one tradable asset is: its Kraken market, its pool, and the units of both.

Read from the database (`feeds.models.Market`) by selectors; pure code sees only this.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from arbsite.units import pow10

Direction = Literal["buy_dex_sell_cex", "buy_cex_sell_dex"]
DIRECTIONS: tuple[Direction, Direction] = ("buy_dex_sell_cex", "buy_cex_sell_dex")


class MarketSpec(msgspec.Struct, frozen=True):
    """One asset on both venues.

    `asset` is the unique upper-case key (base asset name). Quote assets are different
    assets even when both are called a dollar: `cex_quote` (USD, USDT, USDC) and
    `pool_quote` (USDC) are each marked to USD by their own feed.
    """

    asset: str
    cex_symbol: str
    cex_quote: str
    price_precision: int
    qty_precision: int
    price_increment_ticks: int
    qty_increment_lots: int
    qty_min_lots: int
    cost_min: str
    pool: str
    pool_kind: Literal["whirlpool", "cpmm", "ammv4"]
    pool_quote: str
    base_mint: str
    quote_mint: str
    base_is_a: bool
    base_decimals: int
    quote_decimals: int

    def sells_a(self, direction: Direction) -> bool:
        """Whether the pool leg of `direction` swaps a→b (gives token a)."""
        sells_base = direction == "buy_cex_sell_dex"
        return sells_base == self.base_is_a

    @property
    def step_lots(self) -> int:
        """Smallest book quantity that is whole on both venues, in lots."""
        coarse = max(0, self.qty_precision - self.base_decimals)
        step = pow10(coarse)
        inc = self.qty_increment_lots
        return inc if inc % step == 0 else inc * step

    def raw_from_lots(self, lots: int) -> int:
        """Base units on chain of a book quantity; exact for multiples of `step_lots`."""
        shift = self.base_decimals - self.qty_precision
        if shift >= 0:
            return lots * pow10(shift)
        value, rest = divmod(lots, pow10(-shift))
        if rest:
            raise ValueError(f"{lots} lots is not a whole number of base units")
        return value


# USD marks: which Kraken book prices a quote asset in USD. USD itself is 1.
MARK_SYMBOLS: dict[str, str] = {"USDC": "USDC/USD", "USDT": "USDT/USD"}
