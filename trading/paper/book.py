"""A Kraken book with our own model orders in it: what we took is gone until it comes back.

A recording does not contain our orders, so their effect is projected. The rule: a level we
took from stays short by what we took until the venue shows another quantity at that price,
the price leaves the visible book, or the refill time has passed. Pure.
"""

from __future__ import annotations

import zlib

import msgspec

from feeds.market.events import BookUpdated, Level
from feeds.venues.base import Side


class Eaten(msgspec.Struct, frozen=True):
    """Lots we took at a price while the venue showed `shown_lots` there."""

    lots: int
    shown_lots: int
    until_ns: int


class Met(msgspec.Struct, frozen=True):
    """One level an order met: price in ticks, lots."""

    ticks: int
    lots: int


class PaperBook:
    """The latest frame of one symbol, less what we took."""

    def __init__(self, refill_ns: int) -> None:
        self._refill_ns = refill_ns
        self._raw: BookUpdated | None = None
        self._eaten: dict[tuple[Side, int], Eaten] = {}
        self._shown: BookUpdated | None = None

    @property
    def has_impact(self) -> bool:
        """Whether what is shown differs from what the venue said."""
        return bool(self._eaten)

    def take_frame(self, event: BookUpdated) -> BookUpdated:
        """Replace the book by a frame; return it as the desk would have seen it."""
        self._raw = event
        if self._eaten:
            self._forget(event)
        self._shown = event if not self._eaten else self._less_eaten(event, event.recv_ns)
        return self._shown

    def drop(self) -> None:
        """The venue's book is invalid: nothing can be met until the next frame."""
        self._raw = self._shown = None

    def now(self, at_ns: int) -> BookUpdated | None:
        """The book as it stands at `at_ns`, stamped so; None while there is none."""
        if self._raw is None:
            return None
        self._eaten = {k: e for k, e in self._eaten.items() if e.until_ns > at_ns}
        self._shown = self._less_eaten(self._raw, max(at_ns, self._raw.recv_ns))
        return self._shown

    def take(self, side: Side, lots: int, limit_ticks: int, at_ns: int) -> list[Met]:
        """Meet the book with an IOC order, best price first; what is met stays taken."""
        book = self.now(at_ns)
        if book is None or self._raw is None:
            return []
        levels = book.asks if side == "buy" else book.bids
        raw = dict(self._raw.asks if side == "buy" else self._raw.bids)
        found: list[Met] = []
        for ticks, available in levels:
            beyond = ticks > limit_ticks if side == "buy" else ticks < limit_ticks
            if beyond or not lots:
                break
            met = min(available, lots)
            found.append(Met(ticks, met))
            lots -= met
            old = self._eaten.get((side, ticks))
            total = met + (old.lots if old else 0)
            self._eaten[side, ticks] = Eaten(total, raw[ticks], at_ns + self._refill_ns)
        return found

    def _forget(self, event: BookUpdated) -> None:
        shown: dict[Side, dict[int, int]] = {"buy": dict(event.asks), "sell": dict(event.bids)}
        self._eaten = {
            (side, ticks): eaten
            for (side, ticks), eaten in self._eaten.items()
            if shown[side].get(ticks) == eaten.shown_lots and eaten.until_ns > event.recv_ns
        }

    def _less_eaten(self, event: BookUpdated, recv_ns: int) -> BookUpdated:
        """The frame without what we took; named by a checksum of its own."""
        key = repr(sorted((side, t, e.lots) for (side, t), e in self._eaten.items())).encode()
        return msgspec.structs.replace(
            event,
            bids=self._left(event.bids, "sell"),
            asks=self._left(event.asks, "buy"),
            checksum=zlib.crc32(key, event.checksum),
            recv_ns=recv_ns,
        )

    def _left(self, levels: tuple[Level, ...], taker: Side) -> tuple[Level, ...]:
        left = []
        for ticks, lots in levels:
            eaten = self._eaten.get((taker, ticks))
            rest = lots - eaten.lots if eaten else lots
            if rest > 0:
                left.append((ticks, rest))
        return tuple(left)
