"""A slow order book written straight from the venue's rules, to hold the fast one against."""

from __future__ import annotations

import zlib
from decimal import Decimal

from feeds.market.book import RawLevel


class NaiveBook:
    """Dictionaries of decimals, sorted anew for every question."""

    def __init__(
        self, price_precision: int, qty_precision: int, depth: int, *, truncates: bool = True
    ) -> None:
        self.price_precision = price_precision
        self.qty_precision = qty_precision
        self.depth = depth
        self.truncates = truncates
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def snapshot(self, bids: list[RawLevel], asks: list[RawLevel]) -> None:
        """Start over."""
        self.bids, self.asks = {}, {}
        self.update(bids, asks)

    def update(self, bids: list[RawLevel], asks: list[RawLevel]) -> None:
        """Apply in order, then drop what is beyond the depth."""
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for level in levels:
                price, qty = _decimal(level.price), _decimal(level.qty)
                if qty == 0:
                    side.pop(price, None)
                else:
                    side[price] = qty
        if self.truncates:
            self.bids = dict(self._best(self.bids, is_bid=True)[: self.depth])
            self.asks = dict(self._best(self.asks, is_bid=False)[: self.depth])

    def copy(self) -> NaiveBook:
        """Another book with the same levels."""
        twin = NaiveBook(
            self.price_precision, self.qty_precision, self.depth, truncates=self.truncates
        )
        twin.bids, twin.asks = dict(self.bids), dict(self.asks)
        return twin

    def checksum(self) -> int:
        """Print each level at full precision, drop the dot and the leading zeros."""
        text = ""
        for side, is_bid in ((self.asks, False), (self.bids, True)):
            for price, qty in self._best(side, is_bid=is_bid)[:10]:
                for value, precision in ((price, self.price_precision), (qty, self.qty_precision)):
                    text += f"{value:.{precision}f}".replace(".", "").lstrip("0")
        return zlib.crc32(text.encode())

    def levels(self) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """(bids, asks) in ticks and lots, best first."""
        bids, asks = (
            tuple(
                (
                    int(price.scaleb(self.price_precision)),
                    int(qty.scaleb(self.qty_precision)),
                )
                for price, qty in self._best(side, is_bid=is_bid)
            )
            for side, is_bid in ((self.bids, True), (self.asks, False))
        )
        return bids, asks

    @staticmethod
    def _best(side: dict[Decimal, Decimal], *, is_bid: bool) -> list[tuple[Decimal, Decimal]]:
        return sorted(side.items(), reverse=is_bid)


def _decimal(token: bytes | int) -> Decimal:
    return Decimal(token if isinstance(token, int) else token.decode())
