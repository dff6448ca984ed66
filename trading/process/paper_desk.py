"""PAPER mode inside the engine process: live prices, a model's fills, its own money and day.

The engine decides as it does live, on the paper desk's balances and limits; what it decides
is recorded (`trading.storage.paper_store`) and handed to the model (`trading.paper.executor`),
which meets the market facts that follow. For assets in PAPER the engine sees the market
with the model's own impact in it, so that one edge is not fired at twice. Not here: real
orders, real balances. One per engine host.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
import psycopg

from arbsite.clock import Clock, seeded_random, uuid7
from arbsite.events import Mode
from arbsite.logs import event_logger
from feeds.market.events import BookUpdated, MarketEvent, PoolUpdated
from feeds.market.spec import MarketSpec
from trading.effects import NoteWindow
from trading.engine.engine_state import EngineState
from trading.inputs import EngineInput, HoldingsKnown, IntentRefused, TradeClosed
from trading.intent import AssetSettings, Intent
from trading.paper.executor import PaperExecutor
from trading.paper.ledger import SOL_DIGITS, PaperLedger
from trading.paper.model import PaperModel
from trading.paper.trade import PaperTrade
from trading.storage.paper_store import Balances, PaperStore, Venue

log = event_logger(__name__)
LOOK_EVERY_S: Final = 1.0
TELL_EVERY_NS: Final = 5_000_000_000
_NS: Final = 1_000_000_000


class PaperDesk:
    """The paper side of one engine process.

    `emit` reaches the engine past `show`; `mode` and `settings` are the desk's own;
    `engine` is read for books, pools, fees and the real balances that seed the paper ones.
    """

    def __init__(
        self,
        specs: Mapping[str, MarketSpec],
        store: PaperStore,
        clock: Clock,
        engine: EngineState,
        *,
        emit: Callable[[EngineInput], None],
        mode: Callable[[str], Mode],
        settings: Callable[[str], AssetSettings],
        model: PaperModel = PaperModel(),  # noqa: B008 - immutable
    ) -> None:
        self._specs = dict(specs)
        self._store = store
        self._clock = clock
        self._engine = engine
        self._emit = emit
        self._mode = mode
        self._settings = settings
        # Luck is named by the intent's key: a paper trade can be re-lived.
        self._model = PaperExecutor(specs, model, lambda name: seeded_random(f"paper/{name}"))
        self._ledger = PaperLedger(specs, {}, {})
        self._entered: frozenset[str] = frozenset()
        self._seeded: set[str] = set()
        self._running: dict[UUID, None] = {}
        self._to_book: list[PaperTrade] = []
        self._is_in_doubt = True
        self._told_ns = 0
        self._wake = asyncio.Event()
        # Read on every tick: whether facts have to pass here at all.
        self.is_on = False

    # ---- the tick path ----------------------------------------------------------------

    def show(self, event: EngineInput) -> EngineInput:
        """Let the model meet a market fact; return it as the engine is to see it."""
        if not isinstance(event, MarketEvent):
            return event
        # What was due before this fact met the market that stood before it.
        self._advance(event.recv_ns)
        shown = self._model.show(event)
        return shown if self._is_ours(event) else event

    def _is_ours(self, event: EngineInput) -> bool:
        """Whether a fact is of the market of an asset that trades on paper."""
        if isinstance(event, BookUpdated):
            return any(self._specs[asset].cex_symbol == event.symbol for asset in self._entered)
        if isinstance(event, PoolUpdated):
            return any(self._specs[asset].pool == event.pool for asset in self._entered)
        return False

    def _advance(self, at_ns: int) -> None:
        """Tell the engine what the model's trades did up to `at_ns`."""
        for event in self._model.advance(at_ns):
            if isinstance(event, TradeClosed):
                self._emit(msgspec.structs.replace(event, book="paper"))
            elif not isinstance(event, BookUpdated | PoolUpdated) or self._is_ours(event):
                self._emit(event)
        booked = self._model.take_booked()
        for trade in booked:
            self._ledger.book(trade)
            self._to_book.append(trade)
            log.info("paper.closed", asset=trade.asset, outcome=trade.outcome)
        if booked:
            self._tell_holdings(max(at_ns, *(trade.closed_ns for trade in booked)) + 1)
            self._wake.set()

    # ---- intents ----------------------------------------------------------------------

    async def execute(self, intent: Intent, window: NoteWindow | None) -> None:
        """Record a paper decision and let the model trade it; a refusal goes to the engine."""
        refusal = await self._record(intent, window)
        if refusal:
            log.info("paper.refused", asset=intent.asset, reason=refusal)
            now_ns = self._clock.now_ns()
            self._emit(IntentRefused(intent.intent_key, intent.asset, refusal, now_ns))
            return
        fees = self._engine.fees
        assert fees is not None
        taker = fees.taker[intent.spec.cex_symbol]
        self._model.execute(intent, self._settings(intent.asset), taker)
        self._wake.set()

    async def _record(self, intent: Intent, window: NoteWindow | None) -> str:
        mode = self._mode(intent.asset)
        if mode != "paper":
            return f"mode:{mode}"
        if intent.quote_source != "pool":
            return "the model swaps on the pool only"
        self._running[intent.intent_key] = None
        settings = self._settings(intent.asset)
        try:
            verdict = await self._store.record(intent, settings, uuid7(), window)
        except psycopg.OperationalError as error:
            # It may be on record without being traded: looked for when the database answers.
            self._is_in_doubt, verdict = True, f"not durable: {str(error)[:100]}"
        if verdict == "recorded":
            return ""
        self._running.pop(intent.intent_key, None)
        return verdict

    # ---- beside the tick path -----------------------------------------------------------

    async def run(self) -> None:
        """Enter and leave assets, let time pass for the model, book what has ended; for ever."""
        while True:
            try:
                await self._look()
            except psycopg.OperationalError as error:
                log.warning("paper.not_stored", error=str(error)[:200])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._wake.wait()
            self._wake.clear()
            self._advance(self._clock.now_ns())

    def _pause_s(self) -> float:
        due_ns = self._model.next_due_ns
        if due_ns is None:
            return LOOK_EVERY_S
        return min(LOOK_EVERY_S, max(0.001, (due_ns - self._clock.now_ns()) / _NS))

    async def _look(self) -> None:
        wanted = frozenset(asset for asset in self._specs if self._mode(asset) == "paper")
        if wanted and self._is_in_doubt:
            await self._store.abandon_open(keep=self._running)
            self._is_in_doubt = False
        while self._to_book:
            await self._store.book(self._to_book[0])
            self._running.pop(self._to_book.pop(0).intent_key, None)
        await self._enter(wanted)
        self.is_on = bool(self._entered or self._model.open_trades)
        if self._entered and self._clock.now_ns() - self._told_ns >= TELL_EVERY_NS:
            self._tell_holdings(self._clock.now_ns())
        for usage in await self._store.usage(sorted(self._entered)) if self._entered else ():
            self._emit(usage)

    async def _enter(self, wanted: frozenset[str]) -> None:
        """Put assets in or out of PAPER; a new one waits until the real balances are known."""
        for asset in sorted(wanted - self._seeded):
            opening = self._opening(self._specs[asset])
            if opening is None:
                continue
            self._take_balances(await self._store.seed(opening))
            self._seeded.add(asset)
            self._tell_holdings(self._clock.now_ns())
        entered = frozenset(wanted & self._seeded)
        for asset in sorted(entered - self._entered):
            self._catch_up(self._specs[asset])
            log.info("paper.entered", asset=asset)
        self._entered = entered

    def _opening(self, spec: MarketSpec) -> Balances | None:
        """What the paper desk starts with: the real balances of this market, as last read."""
        known = self._engine.reservations.holdings
        if known is None:
            return None
        decimals = {spec.asset: spec.base_decimals, spec.pool_quote: spec.quote_decimals}
        kraken: Venue = "kraken"
        solana: Venue = "solana"
        found = {(kraken, a): known.kraken.get(a, Decimal(0)) for a in (spec.asset, spec.cex_quote)}
        return found | {
            (solana, asset): Decimal(known.solana_raw.get(asset, 0)).scaleb(-places)
            for asset, places in ({"SOL": SOL_DIGITS} | decimals).items()
        }

    def _take_balances(self, balances: Balances) -> None:
        """Take balances that are new here; known ones are ahead of the rows."""
        for (venue, asset), total in balances.items():
            side = self._ledger.kraken if venue == "kraken" else self._ledger.solana
            side.setdefault(asset, total)

    def _catch_up(self, spec: MarketSpec) -> None:
        """Show the model the market as it stands: a quiet one may say nothing for long."""
        feeds = self._engine.feeds
        book, curve = feeds.books.get(spec.cex_symbol), feeds.curves.get(spec.pool)
        if book is not None:
            self._model.show(book)
        if curve is not None:
            self._model.show(curve.updated)

    def _tell_holdings(self, at_ns: int) -> None:
        self._told_ns = at_ns
        held: HoldingsKnown = self._ledger.holdings(at_ns)
        self._emit(msgspec.structs.replace(held, book="paper"))
