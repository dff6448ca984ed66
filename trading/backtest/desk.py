"""One parameter set's desk over a stream of facts: engine, paper executor, paper ledger.

The engine is the one that trades. Beside it runs its shadow: the same engine in OBSERVE,
which sees the facts without our own impact, so its windows are what would have happened
without us (the counterfactual of an eligible window). Pure; time is the facts'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from arbsite.events import Mode
from feeds.market.events import MarketEvent
from feeds.market.spec import MarketSpec
from trading.effects import Effect, Execute, NoteWindow, RequestResume, RequestStop
from trading.engine.core import Engine
from trading.engine.engine_state import EngineModel
from trading.inputs import (
    EngineInput,
    FeesKnown,
    IntentRefused,
    ModeApplied,
    SettingsApplied,
    TimerFired,
    TradeClosed,
    VenuesReady,
)
from trading.intent import AssetSettings, Intent, WindowRow
from trading.paper.draws import Streams
from trading.paper.executor import PaperExecutor
from trading.paper.ledger import PaperLedger, Rebalancing
from trading.paper.model import PaperModel
from trading.paper.trade import PaperTrade
from trading.pricing import success_usd

TIMER_NS: Final = 100_000_000
REFRESH_NS: Final = 5_000_000_000

Reshape = Callable[[Intent, Engine, PaperExecutor], Intent | None]
"""Changes an intent before it is traded; None refuses it. For the ablation only."""


class DeskSetup(msgspec.Struct, frozen=True):
    """Everything one parameter set fixes. `taker` by Kraken symbol, a fraction."""

    label: str
    settings: dict[str, AssetSettings]
    taker: dict[str, Decimal]
    kraken: dict[str, Decimal]
    solana: dict[str, Decimal]
    model: PaperModel = PaperModel()
    engine_model: EngineModel = EngineModel()
    rebalancing: Rebalancing | None = Rebalancing()


class BacktestDesk:
    """Engine, shadow, paper executor and ledger of one parameter set."""

    def __init__(
        self,
        specs: Mapping[str, MarketSpec],
        setup: DeskSetup,
        streams: Streams,
        reshape: Reshape | None = None,
        *,
        shadow_of: BacktestDesk | None = None,
    ) -> None:
        """Open the desk; with `shadow_of` it is measured against that desk's windows.

        That desk must be fed first, and must want the same of a window.
        """
        self.setup = setup
        self.engine = Engine(specs, model=setup.engine_model)
        self.shadow = Engine(specs, model=setup.engine_model)
        self.paper = PaperExecutor(specs, setup.model, streams)
        self.ledger = PaperLedger(specs, setup.kraken, setup.solana, setup.rebalancing)
        self.trades: list[PaperTrade] = []
        self.windows: dict[UUID, NoteWindow] = {}
        self.shadow_windows: dict[UUID, WindowRow] = {}
        self.oracle_usd: dict[UUID, Decimal] = {}
        self._has_shadow = shadow_of is None
        if shadow_of is not None:
            self.shadow_windows = shadow_of.shadow_windows
            self.oracle_usd = shadow_of.oracle_usd
        self.stops: list[RequestStop] = []
        self.refused_by_reshape = 0
        self._reshape = reshape
        self._versions: dict[str, int] = {}
        self._next_timer_ns = 0
        self._next_refresh_ns = 0
        self._has_started = False

    # ---- the stream -----------------------------------------------------------------

    def handle(self, event: MarketEvent) -> None:
        """Take one fact, after everything that is due before it."""
        at_ns = event.recv_ns
        if not self._has_started:
            self._start(at_ns)
        self._run_until(at_ns)
        self._tell(self.paper.show(event))
        self._tell_shadow(event)

    def finish(self, patience_ns: int = 10_000_000_000) -> None:
        """The facts are over: orders under way end with the market as it stands.

        No timer fires any more (nothing is stale because a recording ended), and a swap
        that waits for a slot stays unfinished.
        """
        until_ns = self.engine.state.now_ns + patience_ns
        while (due_ns := self.paper.next_due_ns) is not None and due_ns <= until_ns:
            self._hear(self.paper.advance(due_ns), due_ns)

    def _start(self, at_ns: int) -> None:
        self._has_started = True
        self._next_timer_ns = at_ns + TIMER_NS
        for settings in self.setup.settings.values():
            traded = msgspec.structs.replace(settings, mode="live")
            watched = msgspec.structs.replace(settings, mode="observe")
            self._tell(SettingsApplied(traded, at_ns))
            self._tell_shadow(SettingsApplied(watched, at_ns))
        self._tell_both(VenuesReady(kraken=True, solana=True, at_ns=at_ns))
        self._tell(self._mode("*", "live", "desk", at_ns))
        self._tell_shadow(self._mode("*", "live", "desk", at_ns))
        self._refresh(at_ns)

    def _refresh(self, at_ns: int) -> None:
        """Repeat what the host reads from the venues every few seconds: it would age."""
        self._next_refresh_ns = at_ns + REFRESH_NS
        self._tell_both(FeesKnown(self.setup.taker, self.setup.model.base_fee_lamports, at_ns))
        self._tell_both(self.paper.chain_fees(at_ns))
        self._tell_both(self.ledger.holdings(at_ns))

    def _run_until(self, at_ns: int) -> None:
        """Timers and what the paper desk has planned, in the order of time."""
        while True:
            due_ns = self.paper.next_due_ns
            if due_ns is not None and due_ns <= min(at_ns, self._next_timer_ns):
                self._hear(self.paper.advance(due_ns), due_ns)
            elif self._next_timer_ns <= at_ns:
                self._beat(self._next_timer_ns)
                self._next_timer_ns += TIMER_NS
            else:
                return

    def _beat(self, at_ns: int) -> None:
        marks = {name: mark.usd for name, mark in self.engine.state.feeds.marks.items()}
        if self.ledger.rebalance(at_ns, marks) or at_ns >= self._next_refresh_ns:
            self._refresh(at_ns)
        self._tell_both(TimerFired(at_ns))

    def _hear(self, told: list[EngineInput], at_ns: int) -> None:
        """Tell the engine what its trades did; book what has ended."""
        booked = self.paper.take_booked()
        for trade in booked:
            self.ledger.book(trade)
            self.trades.append(trade)
        for event in told:
            self._tell(event)
            if isinstance(event, TradeClosed):
                # The shadow learns the same odds, but none of our fills happened there.
                clean = msgspec.structs.replace(event, cex_fill_ns=None, landed_slot=None)
                self._tell_shadow(clean)
        if booked:
            self._tell_both(self.ledger.holdings(at_ns))
            for asset in sorted({trade.asset for trade in booked}):
                self._tell(self.ledger.usage(asset, at_ns))

    # ---- the engines ----------------------------------------------------------------

    def _tell_both(self, event: EngineInput) -> None:
        self._tell(event)
        self._tell_shadow(event)

    def _tell(self, event: EngineInput) -> None:
        for effect in self.engine.handle(event):
            self._carry_out(effect)

    def _tell_shadow(self, event: EngineInput) -> None:
        if not self._has_shadow:
            return
        for effect in self.shadow.handle(event):
            if isinstance(effect, NoteWindow):
                self.shadow_windows[effect.window.window_id] = effect.window
                self._note_oracle(effect.window)

    def _note_oracle(self, row: WindowRow) -> None:
        """Keep what filling both legs at the window's best moment would have earned.

        The row's own PnL is weighted with the odds of landing; an oracle always lands.
        """
        sized = self.shadow.state.assets[row.asset].sized
        if sized is None or sized.direction != row.direction:
            return
        pnl = sized.pnl
        earned = success_usd(pnl.sell_proceeds, pnl.buy_cost, pnl.cex_fee, pnl.chain_fee)
        best = self.oracle_usd.get(row.window_id)
        if best is None or earned > best:
            self.oracle_usd[row.window_id] = earned

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Execute):
            self._execute(effect.intent)
        elif isinstance(effect, NoteWindow):
            self.windows[effect.window.window_id] = effect
        elif isinstance(effect, RequestStop):
            # The control service answers a trip with HEDGE-ONLY, and says which rule it was.
            self.stops.append(effect)
            self._tell(self._mode(effect.scope, "hedge_only", effect.rule, effect.at_ns))
        elif isinstance(effect, RequestResume):
            self._tell(self._mode(effect.scope, "live", "desk", effect.at_ns))

    def _execute(self, intent: Intent) -> None:
        shaped: Intent | None = intent
        if self._reshape is not None:
            shaped = self._reshape(intent, self.engine, self.paper)
        if shaped is None:
            self.refused_by_reshape += 1
            self._tell(
                IntentRefused(intent.intent_key, intent.asset, "reshaped", intent.decided_ns)
            )
            return
        settings = self.setup.settings[intent.asset]
        self.paper.execute(shaped, settings, self.setup.taker[intent.spec.cex_symbol])

    def _mode(self, scope: str, mode: Mode, rule: str, at_ns: int) -> ModeApplied:
        version = self._versions[scope] = self._versions.get(scope, 0) + 1
        return ModeApplied(scope, mode, version, "", rule, rule, at_ns)
