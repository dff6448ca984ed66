"""What the engine knows of both venues: books, pools, marks, proofs of life, statuses.

A passive record of the latest market facts, updated event by event; pure, its time is
the events'. Called by the engine, the evaluation and the views. Not here: what any of
it means for an asset.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

from arbsite.units import decimal_from_int
from feeds.market.curve import Pieces, fee_fraction, root_price, segments
from feeds.market.events import (
    BookInvalidated,
    BookUpdated,
    FeedProof,
    InstrumentUpdated,
    PoolInvalidated,
    PoolUpdated,
    SlotAdvanced,
    TickerUpdated,
    VenueName,
    VenueStatus,
)
from feeds.market.quoter import Quoter, quoter_for
from feeds.market.spec import MARK_SYMBOLS
from trading.pricing import USD_MARK, Mark

SOL_SYMBOL: Final = "SOL/USD"
_MARK_ASSETS: Final = {symbol: asset for asset, symbol in MARK_SYMBOLS.items()} | {
    SOL_SYMBOL: "SOL"
}
UNSEEN: Final = "not seen yet"


class PoolCurve:
    """One pool state as the size search and the exact quotes see it, each way when first asked."""

    __slots__ = (
        "_base_is_a",
        "_falling",
        "_falling_quoter",
        "_rising",
        "_rising_quoter",
        "fee",
        "price",
        "root",
        "state",
        "updated",
    )

    def __init__(self, updated: PoolUpdated, base_is_a: bool) -> None:
        self.updated = updated
        self.state = updated.state
        self.root = root_price(updated.state, base_is_a)
        self.price = self.root * self.root
        self.fee = fee_fraction(updated.state, updated.recv_ns // 1_000_000_000)
        self._base_is_a = base_is_a
        self._rising: Pieces | None = None
        self._falling: Pieces | None = None
        self._rising_quoter: Quoter | None = None
        self._falling_quoter: Quoter | None = None

    def pieces(self, *, rising: bool) -> Pieces:
        """The pieces above (buying base) or below the current price."""
        found = self._rising if rising else self._falling
        if found is None:
            found = Pieces(segments(self.state, buys_base=rising, base_is_a=self._base_is_a))
            if rising:
                self._rising = found
            else:
                self._falling = found
        return found

    def quoter(self, *, rising: bool) -> Quoter:
        """Exact quotes of buying base (`rising`) or selling it."""
        found = self._rising_quoter if rising else self._falling_quoter
        if found is None:
            found = quoter_for(self.state, a_to_b=rising != self._base_is_a)
            if rising:
                self._rising_quoter = found
            else:
                self._falling_quoter = found
        return found


class FeedState:
    """The latest facts by symbol, pool and venue.

    `revision` grows whenever something became usable or unusable, or changed its units: a
    verdict about what may be priced holds as long as it stands.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.books: dict[str, BookUpdated] = {}
        self.book_faults: dict[str, str] = {}
        self.curves: dict[str, PoolCurve] = {}
        self.pool_faults: dict[str, str] = {}
        self.marks: dict[str, Mark] = {"USD": USD_MARK}
        # (bid, ask, price precision) that each mark was made from.
        self._mark_tops: dict[str, tuple[int, int, int]] = {}
        # How far each was from a dollar when last asked: the gates ask more often than it moves.
        self._depegs: dict[str, tuple[Mark, float]] = {}
        self.pair_status: dict[str, str] = {}
        self.venues: dict[str, VenueStatus] = {}
        self.slot: SlotAdvanced | None = None
        self.tickers: dict[str, TickerUpdated] = {}
        self.clock_skews_ms: dict[VenueName, float] = {}
        self._proofs: dict[VenueName, dict[str, int]] = {"kraken": {}, "solana": {}}

    # ---- updates ----------------------------------------------------------------

    def take_book(self, event: BookUpdated) -> bool:
        """Replace a book, which is also a proof; False when it is what we had, level by level."""
        symbol, bids, asks = event.symbol, event.bids, event.asks
        before = self.books.get(symbol)
        self.books[symbol] = event
        self._prove("kraken", symbol, event.recv_ns)
        was_faulty = self.book_faults.pop(symbol, None) is not None
        if not bids or not asks:
            self.book_faults[symbol] = "one side is empty"
        elif bids[0][0] >= asks[0][0]:
            self.book_faults[symbol] = "crossed"
        if (
            before is None
            or was_faulty
            or symbol in self.book_faults
            or before.price_precision != event.price_precision
            or before.qty_precision != event.qty_precision
        ):
            self.revision += 1
            return True
        return bids != before.bids or asks != before.asks

    def take_mark(self, event: BookUpdated) -> bool:
        """Take the mark that a book taken just now gives; False when it says what it said."""
        asset = _MARK_ASSETS.get(event.symbol)
        if asset is None:
            return False
        before, top = self.marks.get(asset), None
        if event.symbol not in self.book_faults:
            top = (event.bids[0][0], event.asks[0][0], event.price_precision)
        if top is None:
            self.marks.pop(asset, None)
        elif before is None or top != self._mark_tops.get(asset):
            bid, ask, precision = top
            middle = decimal_from_int(bid + ask, precision) / 2
            self.marks[asset] = Mark(middle, Decimal(ask - bid) / Decimal(ask + bid))
            self._mark_tops[asset] = top
        now = self.marks.get(asset)
        if (before is None) != (now is None):
            self.revision += 1
        return before != now

    def drop_book(self, event: BookInvalidated) -> None:
        """Forbid a book, and the mark it gives, until the next update."""
        self.revision += 1
        self.book_faults[event.symbol] = event.reason
        asset = _MARK_ASSETS.get(event.symbol)
        if asset is not None:
            self.marks.pop(asset, None)

    def take_pool(self, event: PoolUpdated, base_is_a: bool) -> bool:
        """Replace a pool; False when it is older than the one we have (slots never go back)."""
        self._prove("solana", event.pool, event.recv_ns)
        known = self.curves.get(event.pool)
        if known is not None and event.slot < known.updated.slot:
            return False
        curve = self.curves[event.pool] = PoolCurve(event, base_is_a)
        was_faulty = self.pool_faults.pop(event.pool, None) is not None
        if known is None or was_faulty or (known.root > 0) != (curve.root > 0):
            self.revision += 1
        return True

    def drop_pool(self, event: PoolInvalidated) -> None:
        """Forbid a pool until the next update, which may come from an earlier slot (a fork)."""
        self.revision += 1
        self.pool_faults[event.pool] = event.reason
        self.curves.pop(event.pool, None)

    def take_instrument(self, event: InstrumentUpdated) -> None:
        """Note a pair's trading status."""
        self.pair_status[event.symbol] = event.status

    def take_slot(self, event: SlotAdvanced) -> None:
        """Note the chain's height and our lag; hearing of a slot proves the connection."""
        self.slot = event
        self._prove("solana", "*", event.recv_ns)

    def take_status(self, event: VenueStatus) -> None:
        """Note a venue's status and clock; a new connection compares the clocks anew."""
        self.venues[event.venue] = event
        if event.clock_skew_ms is not None:
            self.clock_skews_ms[event.venue] = event.clock_skew_ms
        elif event.status == "disconnected":
            self.clock_skews_ms.pop(event.venue, None)

    def take_proof(self, event: FeedProof) -> None:
        """Note that a subscription known to be alive still is."""
        self._prove(event.venue, event.scope, event.recv_ns)

    def take_ticker(self, event: TickerUpdated) -> None:
        """Note the ticker's best bid and ask; its frame also proves the symbol."""
        self.tickers[event.symbol] = event
        self._prove("kraken", event.symbol, event.recv_ns)

    # ---- questions --------------------------------------------------------------

    def proof_ns(self, venue: VenueName, scope: str) -> int | None:
        """When that subscription, or the whole connection, last proved to be alive."""
        proofs = self._proofs[venue]
        of_scope, of_venue = proofs.get(scope), proofs.get("*")
        if of_scope is None or of_venue is None:
            return of_scope if of_venue is None else of_venue
        return max(of_scope, of_venue)

    def last_proof_ns(self, venue: VenueName) -> int | None:
        """When anything of that venue last proved to be alive."""
        return max(self._proofs[venue].values(), default=None)

    def status_of(self, venue: VenueName) -> str | None:
        """The venue's own word, None when it never spoke."""
        status = self.venues.get(venue)
        return status.status if status is not None else None

    def mark_of(self, asset: str) -> Mark | None:
        """The mark of an asset, None while its book is missing or invalid."""
        return self.marks.get(asset)

    def book_fault(self, symbol: str) -> str:
        """Why a book must not be used, or nothing."""
        if symbol not in self.books:
            return self.book_faults.get(symbol, UNSEEN)
        return self.book_faults.get(symbol, "")

    def ticker_fault(self, symbol: str) -> str:
        """How a ticker later than the book contradicts its top, or nothing."""
        ticker, book = self.tickers.get(symbol), self.books.get(symbol)
        if ticker is None or book is None or ticker.recv_ns <= book.recv_ns:
            return ""
        for told, side in ((ticker.bid, book.bids), (ticker.ask, book.asks)):
            top = decimal_from_int(side[0][0], book.price_precision) if side else None
            if top is None or Decimal(told) != top:
                return f"ticker {ticker.bid}/{ticker.ask}"
        return ""

    def depeg_bps(self, asset: str) -> float:
        """How far a quote asset's mark is from a dollar; infinite while it has none."""
        mark = self.marks.get(asset)
        if mark is None:
            return math.inf
        known = self._depegs.get(asset)
        if known is None or known[0] is not mark:
            known = self._depegs[asset] = (mark, float(mark.usd - 1) * 1e4)
        return known[1]

    def pool_fault(self, pool: str) -> str:
        """Why a pool must not be used, or nothing."""
        if pool not in self.curves:
            return self.pool_faults.get(pool, UNSEEN)
        return self.pool_faults.get(pool, "")

    # ---- inside -----------------------------------------------------------------

    def _prove(self, venue: VenueName, scope: str, at_ns: int) -> None:
        proofs = self._proofs[venue]
        if at_ns > proofs.get(scope, 0):
            proofs[scope] = at_ns
