"""What the feeds say, taken into the engine's state, and the assets it concerns priced again.

Books by symbol, pools by address, marks by the books that give them; an aggregator's quote
comes in here too. Pure; called by the engine. Not here: what a fact means (`feed_state`,
`decision`).
"""

from __future__ import annotations

import msgspec

from feeds.market.events import (
    BookInvalidated,
    BookUpdated,
    FeedProof,
    InstrumentUpdated,
    PoolInvalidated,
    PoolUpdated,
    SlotAdvanced,
    TickerUpdated,
    VenueStatus,
)
from feeds.market.spec import MARK_SYMBOLS
from trading.effects import Effect
from trading.engine.appraisal import Appraisal
from trading.engine.asset_state import AssetState, spec_from_instrument
from trading.engine.engine_state import EngineState, Takers
from trading.route_quoted import RouteQuoted


class MarketFacts:
    """Takes what both venues and the aggregator say."""

    def __init__(self, state: EngineState, appraisal: Appraisal) -> None:
        self._state = state
        self._appraisal = appraisal
        self._by_symbol: dict[str, list[AssetState]] = {}
        self._by_mark: dict[str, list[AssetState]] = {}
        self._by_pool: dict[str, AssetState] = {}
        for asset in state.assets.values():
            self._index(asset)

    def _index(self, state: AssetState) -> None:
        spec = state.spec
        self._by_symbol.setdefault(spec.cex_symbol, []).append(state)
        self._by_pool[spec.pool] = state
        marks = {MARK_SYMBOLS[q] for q in (spec.cex_quote, spec.pool_quote) if q in MARK_SYMBOLS}
        for symbol in sorted(marks):
            self._by_mark.setdefault(symbol, []).append(state)

    def takers(self) -> Takers:
        """Who takes which event."""
        return {
            BookUpdated: self._book_updated,
            BookInvalidated: self._book_invalidated,
            TickerUpdated: self._ticker_updated,
            InstrumentUpdated: self._instrument_updated,
            PoolUpdated: self._pool_updated,
            PoolInvalidated: self._pool_invalidated,
            SlotAdvanced: self._slot_advanced,
            VenueStatus: self._venue_status,
            FeedProof: self._feed_proof,
            RouteQuoted: self._route_quoted,
        }

    def _book_updated(self, event: BookUpdated) -> list[Effect]:
        effects: list[Effect] = []
        feeds, symbol = self._state.feeds, event.symbol
        if not feeds.take_book(event):
            return effects
        if feeds.take_mark(event):
            for state in self._by_mark.get(symbol, ()):
                state.terms = None
                self._appraisal.evaluate(state, "book", effects, event.recv_ns)
        for state in self._by_symbol.get(symbol, ()):
            self._appraisal.evaluate(state, "book", effects, event.recv_ns)
        return effects

    def _book_invalidated(self, event: BookInvalidated) -> list[Effect]:
        self._state.feeds.drop_book(event)
        effects: list[Effect] = []
        for state in self._by_mark.get(event.symbol, ()):
            state.terms = None
            self._appraisal.evaluate(state, "book", effects)
        for state in self._by_symbol.get(event.symbol, ()):
            self._appraisal.evaluate(state, "book", effects)
        return effects

    def _ticker_updated(self, event: TickerUpdated) -> list[Effect]:
        self._state.feeds.take_ticker(event)
        return []

    def _instrument_updated(self, event: InstrumentUpdated) -> list[Effect]:
        self._state.feeds.take_instrument(event)
        effects: list[Effect] = []
        for state in self._by_symbol.get(event.symbol, ()):
            try:
                state.spec = spec_from_instrument(state.spec, event)
            except (ValueError, ArithmeticError):
                # A pair whose units cannot be read is not traded until they can.
                self._state.feeds.pair_status[event.symbol] = "unreadable precision"
            state.terms = state.judged = None
            self._appraisal.evaluate(state, "config", effects)
        return effects

    def _pool_updated(self, event: PoolUpdated) -> list[Effect]:
        state = self._by_pool.get(event.pool)
        effects: list[Effect] = []
        if state is None:
            return effects
        before = self._state.feeds.curves.get(event.pool)
        if not self._state.feeds.take_pool(event, state.spec.base_is_a):
            return effects
        # A resync that repeats the state is news about its slot, not about its price.
        if before is None or not _same_liquidity(before.updated, event):
            self._appraisal.evaluate(state, "pool", effects, event.recv_ns)
        return effects

    def _pool_invalidated(self, event: PoolInvalidated) -> list[Effect]:
        effects: list[Effect] = []
        state = self._by_pool.get(event.pool)
        if state is not None:
            self._state.feeds.drop_pool(event)
            self._appraisal.evaluate(state, "pool", effects)
        return effects

    def _slot_advanced(self, event: SlotAdvanced) -> list[Effect]:
        before = self._state.feeds.slot
        self._state.feeds.take_slot(event)
        if before is None or event.slot > before.slot:
            # Several endpoints tell of a slot; the first marks its beginning.
            for state in self._state.assets.values():
                state.note_gaps()
        return []

    def _venue_status(self, event: VenueStatus) -> list[Effect]:
        self._state.feeds.take_status(event)
        return []

    def _feed_proof(self, event: FeedProof) -> list[Effect]:
        self._state.feeds.take_proof(event)
        return []

    def _route_quoted(self, event: RouteQuoted) -> list[Effect]:
        effects: list[Effect] = []
        state = self._state.assets.get(event.asset)
        if state is not None:
            state.routes[event.direction] = event
            self._appraisal.evaluate(state, "pool", effects)
        return effects


def _same_liquidity(before: PoolUpdated, after: PoolUpdated) -> bool:
    """Whether only the slot differs."""
    return msgspec.structs.replace(before.state, slot=after.state.slot) == after.state
