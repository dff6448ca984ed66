"""The order book inside the simulated exchange, and what a subscriber at one depth sees of it.

`PairBook` holds the market-makers' liquidity and the accounts' resting orders of one pair;
`DepthWindow` turns its changes into the minimal entries the venue would send, with the
checksum text written from tokens. Integer ticks and lots throughout. Not here: money,
ids, JSON. The checksum is written independently of the product's book on purpose: each
verifies the other.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import msgspec

from arbsite.units import text_from_int
from feeds.sim.kraken.records import Level, Order, PairSpec, Side, opposite

CHECKSUM_LEVELS = 10


class Match(msgspec.Struct, frozen=True):
    """A taker met `lots` at `ticks`; `maker` is the account order hit, None a market-maker."""

    ticks: int
    lots: int
    maker: Order | None


class Resting(msgspec.Struct):
    """An account's order in the book."""

    order: Order
    ticks: int
    lots: int


class PairBook:
    """Liquidity of one pair: anonymous lots per tick, and account orders in time order."""

    def __init__(self) -> None:
        self._makers: dict[Side, dict[int, int]] = {"buy": {}, "sell": {}}
        self._resting: dict[Side, list[Resting]] = {"buy": [], "sell": []}

    def quote(self, side: Side, levels: Sequence[Level]) -> None:
        """Replace the market-makers' liquidity of one side; ValueError on a bad level."""
        if any(ticks <= 0 or lots <= 0 for ticks, lots in levels):
            raise ValueError("ladder levels must have positive ticks and lots")
        self._makers[side] = dict(levels)
        if len(self._makers[side]) != len(levels):
            raise ValueError("a ladder names each price once")

    def rest(self, order: Order, ticks: int, lots: int) -> None:
        """Put an account's remainder into the book, behind what rests at its price."""
        self._resting[order.side].append(Resting(order, ticks, lots))

    def remove(self, order_id: str) -> None:
        """Take an account's order out; unknown ids are ignored."""
        for side in self._resting:
            self._resting[side] = [r for r in self._resting[side] if r.order.order_id != order_id]

    def clear(self) -> list[Order]:
        """Empty the book; return the account orders that rested in it."""
        orders = [row.order for rows in self._resting.values() for row in rows]
        for side in self._makers:
            self._makers[side], self._resting[side] = {}, []
        return orders

    def levels(self, side: Side) -> list[Level]:
        """Total lots per tick, best first."""
        total = dict(self._makers[side])
        for row in self._resting[side]:
            total[row.ticks] = total.get(row.ticks, 0) + row.lots
        return sorted(total.items(), reverse=side == "buy")

    def crossing(self, taker: Side, limit_ticks: int) -> int:
        """Lots a taker could meet at `limit_ticks` or better."""
        sign = 1 if taker == "buy" else -1
        found = self.levels(opposite(taker))
        return sum(lots for ticks, lots in found if sign * ticks <= sign * limit_ticks)

    def match(self, taker: Side, lots: int, limit_ticks: int, account: str = "") -> list[Match]:
        """Consume up to `lots` at `limit_ticks` or better, best price first.

        At one price the market-makers come first. Matching stops at an order of `account`
        itself (self-trade prevention: the newest order gives way).
        """
        side, sign = opposite(taker), (1 if taker == "buy" else -1)
        done: list[Match] = []
        for ticks, _ in self.levels(side):
            if sign * ticks > sign * limit_ticks or lots <= 0:
                break
            for met in self._match_level(side, ticks, lots):
                if met.maker is not None and account and met.maker.account == account:
                    return done
                self._consume(side, met)
                done.append(met)
                lots -= met.lots
        return done

    def crossed_orders(self) -> list[Resting]:
        """Account orders that the market-makers' new ladder now meets."""
        found = []
        for side, rows in self._resting.items():
            sign = 1 if side == "buy" else -1
            makers = self._makers[opposite(side)]
            found += [r for r in rows if any(sign * t <= sign * r.ticks for t in makers)]
        return found

    def match_makers(self, resting: Resting) -> int:
        """Let a resting order meet crossing market-makers at its own price; return the lots."""
        side: Side = resting.order.side
        sign = 1 if side == "buy" else -1
        makers = self._makers[opposite(side)]
        met = 0
        for ticks in sorted(makers, key=lambda t: sign * t):
            if sign * ticks > sign * resting.ticks or met == resting.lots:
                break
            lots = min(makers[ticks], resting.lots - met)
            self._consume(opposite(side), Match(ticks, lots, None))
            met += lots
        if met:
            self._consume(side, Match(resting.ticks, met, resting.order))
        return met

    def _match_level(self, side: Side, ticks: int, lots: int) -> Iterator[Match]:
        makers = min(self._makers[side].get(ticks, 0), lots)
        if makers:
            yield Match(ticks, makers, None)
            lots -= makers
        for row in [r for r in self._resting[side] if r.ticks == ticks]:
            if lots <= 0:
                return
            met = min(row.lots, lots)
            yield Match(ticks, met, row.order)
            lots -= met

    def _consume(self, side: Side, met: Match) -> None:
        if met.maker is None:
            left = self._makers[side][met.ticks] - met.lots
            if left:
                self._makers[side][met.ticks] = left
            else:
                del self._makers[side][met.ticks]
            return
        row = next(r for r in self._resting[side] if r.order is met.maker)
        row.lots -= met.lots
        if not row.lots:
            self._resting[side].remove(row)


class WindowDiff(msgspec.Struct, frozen=True):
    """Entries of one update: (ticks, lots), lots 0 removes."""

    bids: list[Level]
    asks: list[Level]
    checksum: int


class DepthWindow:
    """What all subscribers of one pair at one depth hold, as of the last frame."""

    def __init__(self, spec: PairSpec, depth: int) -> None:
        self.spec = spec
        self.depth = depth
        self.bids: list[Level] = []
        self.asks: list[Level] = []

    def advance(self, bids: Sequence[Level], asks: Sequence[Level]) -> WindowDiff | None:
        """Move to the new book (best first); None when nothing inside the window changed.

        A level that falls out at the bottom gets no removal (the client truncates); one
        that enters because another left comes in the same message.
        """
        new_bids, new_asks = list(bids[: self.depth]), list(asks[: self.depth])
        bid_diff = self._diff(self.bids, new_bids, bids)
        ask_diff = self._diff(self.asks, new_asks, asks)
        self.bids, self.asks = new_bids, new_asks
        if not bid_diff and not ask_diff:
            return None
        return WindowDiff(bid_diff, ask_diff, self.checksum())

    def checksum(self) -> int:
        """CRC32 of the best ten asks, then bids: digits of price and size, no leading zeros."""
        rows = self.asks[:CHECKSUM_LEVELS] + self.bids[:CHECKSUM_LEVELS]
        text = "".join(
            token.replace(".", "").lstrip("0") for level in rows for token in self.tokens(level)
        )
        return zlib.crc32(text.encode("ascii"))

    def tokens(self, level: Level) -> tuple[str, str]:
        """Price and quantity text of a level, zero-padded to the pair's precision."""
        ticks, lots = level
        return (
            text_from_int(ticks, self.spec.price_precision),
            text_from_int(lots, self.spec.qty_precision),
        )

    @staticmethod
    def _diff(old: list[Level], new: list[Level], whole: Sequence[Level]) -> list[Level]:
        before, alive = dict(old), {ticks for ticks, _ in whole}
        gone = [(ticks, 0) for ticks, _ in old if ticks not in alive]
        return gone + [(ticks, lots) for ticks, lots in new if before.get(ticks) != lots]
