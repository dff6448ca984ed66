"""The engine: market facts and answers in, decisions out; synchronous and deterministic.

`Engine.handle(event) -> [effects]` is the same object live, in replay and in the
back-test. It has no clock (time is the events', and never runs backwards), no I/O and no
randomness: the same log gives the same effects. The host feeds it, carries the effects
out, and tells it what became of them. Not here: how an input changes the state
(`market_facts`, `desk_facts`, `trade_facts`, `heartbeat`), how a moment is priced
(`evaluation`), what a window is (`windows`), whether a candidate may go (`risk.gates`), what
the console shows (`board`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from arbsite.events import Mode, SpreadRow, StopReason
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
from feeds.market.spec import MarketSpec
from trading.effects import Effect
from trading.engine import board
from trading.engine.appraisal import Appraisal
from trading.engine.decision import Decider
from trading.engine.desk_facts import DeskFacts
from trading.engine.engine_state import EngineModel, EngineState, Takers
from trading.engine.heartbeat import Heartbeat
from trading.engine.market_facts import MarketFacts
from trading.engine.rehearsal import Rehearsal
from trading.engine.staleness import VENUES, StalenessModel
from trading.engine.trade_facts import TradeFacts
from trading.inputs import EngineInput

RESUME_AFTER_NS: Final = 30_000_000_000
STALE_PAUSE_NS: Final = 10_000_000_000


class Engine:
    """The state of all assets and the one entry point, `handle`."""

    def __init__(
        self,
        specs: Mapping[str, MarketSpec],
        *,
        resume_after_ns: int = RESUME_AFTER_NS,
        stale_pause_ns: int = STALE_PAUSE_NS,
        model: EngineModel | None = None,
    ) -> None:
        staleness = StalenessModel(stale_pause_ns, resume_after_ns)
        self.state = EngineState(specs, staleness, model or EngineModel())
        decider = Decider(self.state)
        appraisal = Appraisal(self.state, decider)
        self._takers: Takers = {
            **MarketFacts(self.state, appraisal).takers(),
            **DeskFacts(self.state, appraisal).takers(),
            **TradeFacts(self.state, decider).takers(),
            **Heartbeat(self.state, appraisal).takers(),
        }
        self.rehearse = Rehearsal(self.state)
        """Keeps the decision's code warm where there is time; decides and changes nothing."""

    # ---- the one entry point --------------------------------------------------------

    def handle(self, event: EngineInput) -> list[Effect]:
        """Take one event and return what has to be done, in order."""
        at_ns = event.recv_ns if isinstance(event, _STAMPED_BY_FEED) else event.at_ns
        state = self.state
        # Two sources may be stamped out of order by a little: time stands, never goes back.
        if at_ns > state.now_ns:
            state.now_ns = at_ns
        if state.started_ns is None:
            state.started_ns = state.now_ns
        return self._takers[type(event)](event)

    # ---- views for the host ---------------------------------------------------------

    def spread_rows(self, now_ns: int) -> tuple[SpreadRow, ...]:
        """One row per asset, the better direction, as the console shows it."""
        return tuple(
            board.spread_row(self.state, asset, now_ns) for asset in self.state.assets.values()
        )

    def stop_reasons(self, now_ns: int) -> tuple[StopReason, ...]:
        """Why the desk or an asset is not LIVE."""
        return board.stop_reasons(self.state, now_ns)

    def venue_ages(self, now_ns: int) -> dict[str, board.VenueAges]:
        """Ages and slots per venue."""
        return {venue: board.venue_ages(self.state, venue, now_ns) for venue in VENUES}

    def effective_mode(self, asset: str | None = None) -> Mode:
        """The mode in force for the desk, or for one asset (strictest wins)."""
        if asset is None:
            return self.state.controls.effective()
        return self.state.mode_of(asset)

    @property
    def open_trades(self) -> int:
        """Trades in flight over all assets."""
        return sum(state.trades.open_count for state in self.state.assets.values())


_STAMPED_BY_FEED: Final = (
    BookUpdated,
    PoolUpdated,
    SlotAdvanced,
    FeedProof,
    TickerUpdated,
    BookInvalidated,
    PoolInvalidated,
    InstrumentUpdated,
    VenueStatus,
)
