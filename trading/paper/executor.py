"""Carries intents out on paper: the market facts that follow decide what would have filled.

Used at event time by the back-test and live by PAPER mode: `show` every market fact (it
returns what the desk would have seen, our own impact included), `advance` to a time, give
`execute` an intent; what the engine has to hear comes back from `advance`. The order of
the legs is the intent's verdict, abandon rules are the real executor's. Pure and seeded.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from decimal import Decimal

from arbsite.units import decimal_from_int
from feeds.market.events import (
    BookInvalidated,
    BookUpdated,
    MarketEvent,
    PoolInvalidated,
    PoolUpdated,
    SlotAdvanced,
)
from feeds.market.pools import QuoteRefused
from feeds.market.spec import MarketSpec
from feeds.venues.base import Side
from trading.compute_units import PRIOR_UNITS
from trading.inputs import ChainFeesKnown, EngineInput, TradeProgressed
from trading.intent import AssetSettings, Intent, LegOrder
from trading.paper.book import PaperBook
from trading.paper.draws import Congestion, Streams, goes_first, land_chance, round_trip_ns
from trading.paper.model import PaperModel
from trading.paper.pool import PaperPool
from trading.paper.trade import Outcome, PaperTrade, Running
from trading.pricing import chain_fee_usd, remaining_cex_limit

_MS = 1_000_000
_Due = Callable[[int], None]


class Swapping:
    """One transaction under way: what it asks for, and since when it may land."""

    def __init__(self, trade: Running, base_raw: int, threshold_raw: int, reach_ns: int) -> None:
        intent = trade.intent
        self.trade = trade
        self.base_raw = base_raw
        self.threshold_raw = threshold_raw
        self.reach_ns = reach_ns
        self.blocks = 0
        self.priority = -(-intent.cu_limit * intent.cu_price_micro_lamports // 1_000_000)
        self.tip = intent.tip_lamports
        # Leaders rank by what a unit pays: a tighter limit costs less and waits no longer.
        self.bid = -(-PRIOR_UNITS * intent.cu_price_micro_lamports // 1_000_000) + self.tip


class PaperExecutor:
    """All model trades of one paper desk."""

    def __init__(
        self, specs: Mapping[str, MarketSpec], model: PaperModel, streams: Streams
    ) -> None:
        self._model = model
        self._streams = streams
        self._books: dict[str, PaperBook] = {}
        self._pools: dict[str, PaperPool] = {}
        for spec in specs.values():
            self._books[spec.cex_symbol] = PaperBook(round(model.refill_ms * _MS))
            self._pools[spec.pool] = PaperPool(spec.base_is_a, model.impact_slots)
        self._congestion = Congestion(model.landing, streams("congestion"))
        self._slot = 0
        self._due: list[tuple[int, int, _Due]] = []
        self._planned = 0
        self._told: list[EngineInput] = []
        self._swaps: list[Swapping] = []
        self._running: list[Running] = []
        self._booked: list[PaperTrade] = []

    # ---- what the host calls --------------------------------------------------------

    @property
    def next_due_ns(self) -> int | None:
        """When `advance` has something to do; None while nothing is planned."""
        return self._due[0][0] if self._due else None

    @property
    def open_trades(self) -> int:
        """Model trades whose legs are under way."""
        return len(self._running)

    def chain_fees(self, at_ns: int) -> ChainFeesKnown:
        """What landed transactions pay now and usually, as the model has it, for every pool."""
        reference = self._model.landing.reference_bid_lamports * 1_000_000 / PRIOR_UNITS
        price = round(reference * self._congestion.factor)
        return ChainFeesKnown(
            price=dict.fromkeys(self._pools, price),
            usual=dict.fromkeys(self._pools, round(reference)),
            can_tip=True,
            at_ns=at_ns,
        )

    def take_booked(self) -> list[PaperTrade]:
        """The trades booked since the last call."""
        booked, self._booked = self._booked, []
        return booked

    def show(self, event: MarketEvent) -> MarketEvent:
        """Take a market fact; return it as the desk would have seen it, our impact included."""
        if isinstance(event, BookUpdated):
            book = self._books.get(event.symbol)
            return event if book is None else book.take_frame(event)
        if isinstance(event, PoolUpdated):
            pool = self._pools.get(event.pool)
            return event if pool is None else pool.take_state(event)
        if isinstance(event, SlotAdvanced):
            self._take_slot(event)
        elif isinstance(event, BookInvalidated) and event.symbol in self._books:
            self._books[event.symbol].drop()
        elif isinstance(event, PoolInvalidated) and event.pool in self._pools:
            self._pools[event.pool].drop()
        return event

    def execute(self, intent: Intent, settings: AssetSettings, taker: Decimal) -> None:
        """Start a model trade: `taker` is the fee charged, a fraction of the cost."""
        luck = self._streams(f"intent {intent.intent_key}")
        trade = Running(intent, settings, taker, luck)
        self._running.append(trade)
        wire_ns = intent.decided_ns + round(self._model.overhead_ms * _MS)
        order: LegOrder = intent.verdict.order
        if order != "dex_first":
            self._send_order(trade, wire_ns, intent.qty_lots, intent.cex_limit_ticks)
        if order != "cex_first":
            self._send_swap(trade, wire_ns, intent.base_raw, intent.dex_threshold_raw)

    def advance(self, at_ns: int) -> list[EngineInput]:
        """Do everything due up to and at `at_ns`; return what the engine has to hear, in order."""
        while self._due and self._due[0][0] <= at_ns:
            due_ns, _, call = heapq.heappop(self._due)
            call(due_ns)
        told, self._told = self._told, []
        return told

    def _at(self, due_ns: int, call: _Due) -> None:
        self._planned += 1
        heapq.heappush(self._due, (due_ns, self._planned, call))

    # ---- Kraken leg -----------------------------------------------------------------

    def _send_order(self, trade: Running, sent_ns: int, lots: int, limit_ticks: int) -> None:
        trade.cex, trade.cex_was_sent = "sending", True
        trade.sent_ns.append(sent_ns)

        def answered(met_lots: int, at_ns: int) -> None:
            trade.cex = "done" if met_lots else "dead"
            self._tell_progress(trade, at_ns)
            self._after_order(trade, at_ns)

        self._order(trade, "cex", trade.intent.cex_side, lots, limit_ticks, sent_ns, answered)

    def _order(
        self,
        trade: Running,
        leg: str,
        side: Side,
        lots: int,
        limit_ticks: int,
        sent_ns: int,
        answered: Callable[[int, int], None],
    ) -> None:
        """One IOC: it meets the book when it arrives; after its deadline it is refused."""
        model, intent = self._model, trade.intent
        trip_ns = round_trip_ns(model.kraken, trade.luck)
        arrives_ns, answer_ns = sent_ns + trip_ns // 2, sent_ns + trip_ns
        # The frame that shows the book of that moment is seen here a little later.
        meets_ns = arrives_ns + round(model.book_delay_ms * _MS)
        told_ns = max(answer_ns, meets_ns)
        if trip_ns // 2 > intent.order_deadline_ms * _MS:
            trade.reason = "the order reached Kraken after its deadline"
            self._at(told_ns, lambda at_ns: answered(0, at_ns))
            return
        book = self._books[intent.spec.cex_symbol]

        def meet(_: int) -> None:
            met = book.take(side, lots, limit_ticks, meets_ns)

            def fill(at_ns: int) -> None:
                name = "cex" if leg == "cex" else "hedge"
                got = trade.add_kraken(name, side, met, model.cost_places, at_ns)  # type: ignore[arg-type]
                answered(got, at_ns)
                # The venue's own feed shows what our order took.
                seen = book.now(at_ns + 1)
                if got and seen is not None:
                    self._told.append(seen)

            self._at(told_ns, fill)

        self._at(meets_ns, meet)

    def _after_order(self, trade: Running, at_ns: int) -> None:
        if trade.intent.verdict.order == "cex_first" and trade.dex == "planned":
            if not trade.cex_lots:
                trade.dex, trade.reason = "stale", trade.reason or "the Kraken leg filled nothing"
            else:
                base_raw = trade.intent.spec.raw_from_lots(trade.cex_lots)
                threshold = _scaled_threshold(trade.intent, base_raw)
                wire_ns = at_ns + round(self._model.overhead_ms * _MS)
                self._send_swap(trade, wire_ns, base_raw, threshold)
        self._settle(trade, at_ns)

    # ---- Solana leg -----------------------------------------------------------------

    def _send_swap(self, trade: Running, sent_ns: int, base_raw: int, threshold_raw: int) -> None:
        trade.dex, trade.dex_was_sent = "sending", True
        trade.sent_ns.append(sent_ns)
        reach_ns = sent_ns + round_trip_ns(self._model.rpc, trade.luck) // 2
        self._swaps.append(Swapping(trade, base_raw, threshold_raw, reach_ns))

    def _take_slot(self, event: SlotAdvanced) -> None:
        if event.slot <= self._slot:
            return
        self._slot = event.slot
        self._congestion.next_slot()
        if not self._swaps:
            return
        congestion = self._congestion.factor
        slot, heard_ns = event.slot, event.recv_ns
        # The slot's pool states are all here a little after the slot itself.
        self._at(
            heard_ns + round(self._model.settle_ms * _MS),
            lambda at_ns: self._land_in(slot, heard_ns, congestion, at_ns),
        )

    def _land_in(self, slot: int, heard_ns: int, congestion: float, at_ns: int) -> None:
        began_ns = heard_ns - round(self._model.notice_ms * _MS)
        landing = self._model.landing
        for swap in list(self._swaps):
            if began_ns <= swap.reach_ns:
                continue
            swap.blocks += 1
            chance = land_chance(landing, swap.bid, congestion)
            if swap.trade.luck.random() < chance:
                self._swaps.remove(swap)
                self._execute_swap(swap, slot, heard_ns, at_ns)
            elif swap.blocks >= landing.fuse_blocks:
                self._swaps.remove(swap)
                self._give_up(swap.trade, "the transaction expired", at_ns)

    def _execute_swap(self, swap: Swapping, slot: int, heard_ns: int, at_ns: int) -> None:
        trade, intent, model = swap.trade, swap.trade.intent, self._model
        pool = self._pools[intent.spec.pool]
        is_first = pool.moved_in(slot) and goes_first(model.landing, swap.bid, trade.luck)
        found = pool.swap_in(
            slot,
            base_raw=swap.base_raw,
            threshold_raw=swap.threshold_raw,
            exact_in=intent.dex_exact_in,
            a_to_b=intent.dex_a_to_b,
            is_first=is_first,
            now_s=heard_ns // 1_000_000_000,
        )
        lamports = model.base_fee_lamports + swap.priority
        if isinstance(found, QuoteRefused):
            # The fee is charged on failure too; the tip is part of what was undone.
            trade.add_swap(0, 0, lamports, heard_ns)
            self._give_up(trade, f"the swap failed: {found.cause}", at_ns)
            return
        paid = found.amount_out if intent.dex_exact_in else found.amount_in
        trade.add_swap(swap.base_raw, paid, lamports + swap.tip, heard_ns)
        trade.dex, trade.landed_slot = "done", slot
        self._tell_progress(trade, at_ns)
        seen = pool.now(slot, at_ns)
        if seen is not None:
            self._told.append(seen)
        self._after_swap(trade, heard_ns, at_ns)

    def _give_up(self, trade: Running, why: str, at_ns: int) -> None:
        """A failed or expired swap is believed two slots later."""

        def believed(now_ns: int) -> None:
            trade.dex, trade.reason = "dead", why
            if trade.cex == "planned":
                trade.cex = "stale"
            self._tell_progress(trade, now_ns)
            self._settle(trade, now_ns)

        self._at(at_ns + round(self._model.confirm_ms * _MS), believed)

    def _after_swap(self, trade: Running, heard_ns: int, at_ns: int) -> None:
        if trade.cex == "planned":
            wire_ns = max(at_ns, heard_ns + round(self._model.overhead_ms * _MS))
            limit = _second_leg_limit(trade, self._model)
            self._send_order(trade, wire_ns, trade.intent.qty_lots, limit)
        self._settle(trade, at_ns)

    # ---- residual and end -----------------------------------------------------------

    def _settle(self, trade: Running, at_ns: int) -> None:
        """Once both legs have ended: hedge what is left, or close."""
        if not trade.is_known:
            return
        intent, spec = trade.intent, trade.intent.spec
        residual = trade.residual_base
        lots = int(abs(residual).scaleb(spec.qty_precision))
        lots -= lots % spec.qty_increment_lots
        book = self._books[spec.cex_symbol].now(at_ns)
        touch = intent.cex_expected_ticks
        if book is not None and book.bids and book.asks:
            touch = book.bids[0][0] if residual > 0 else book.asks[0][0]
        cost = decimal_from_int(lots * touch, spec.price_precision + spec.qty_precision)
        if lots < spec.qty_min_lots or cost < Decimal(spec.cost_min):
            self._close(trade, trade.outcome(), at_ns)
        elif cost * intent.marks_usd[spec.cex_quote] > trade.settings.max_naked_usd:
            trade.reason = "residual above the naked limit"
            self._close(trade, "operator", at_ns)
        elif trade.hedges >= trade.settings.max_hedges:
            trade.reason = "no hedge attempts left"
            self._close(trade, "operator", at_ns)
        else:
            self._hedge(trade, "sell" if residual > 0 else "buy", lots, touch, at_ns)

    def _hedge(self, trade: Running, side: Side, lots: int, touch: int, at_ns: int) -> None:
        model, spec = self._model, trade.intent.spec
        trade.hedges += 1
        slip, step = model.hedge_slip_bps, spec.price_increment_ticks
        if side == "sell":
            limit = touch * (10_000 - slip) // 10_000
        else:
            limit = -(-touch * (10_000 + slip) // 10_000)
        pause_ms = model.overhead_ms if trade.hedges == 1 else model.hedge_pause_ms
        sent_ns = at_ns + round(pause_ms * _MS)
        self._order(
            trade, "hedge", side, lots, max(step, limit - limit % step), sent_ns,
            lambda _, now_ns: self._settle(trade, now_ns),
        )  # fmt: skip

    def _close(self, trade: Running, outcome: Outcome, at_ns: int) -> None:
        self._running.remove(trade)
        self._booked.append(trade.booked(outcome, at_ns))
        self._told.append(trade.closed(outcome, at_ns))

    def _tell_progress(self, trade: Running, at_ns: int) -> None:
        self._told.append(
            TradeProgressed(
                intent_key=trade.intent.intent_key,
                asset=trade.intent.asset,
                cex_state=trade.cex,
                dex_state=trade.dex,
                cex_fill_ns=trade.cex_filled_ns,
                landed_slot=trade.landed_slot,
                at_ns=at_ns,
            )
        )


def _scaled_threshold(intent: Intent, base_raw: int) -> int:
    """The threshold of a smaller swap, in proportion, rounded against us by at most one unit."""
    scaled = intent.dex_threshold_raw * base_raw
    return -(-scaled // intent.base_raw) if intent.dex_exact_in else scaled // intent.base_raw


def _second_leg_limit(trade: Running, model: PaperModel) -> int:
    """What is left of the edge may be spent by the book leg, as far as its slippage cap."""
    intent, spec = trade.intent, trade.intent.spec
    landed = next(fill for fill in trade.fills if fill.leg == "dex" and fill.base_delta)
    side = intent.cex_side
    rest = remaining_cex_limit(
        spec,
        side,
        qty_lots=intent.qty_lots,
        dex_quote_usd=abs(landed.quote_delta) * intent.marks_usd[spec.pool_quote],
        fixed_costs_usd=chain_fee_usd(
            base_fee_lamports=model.base_fee_lamports,
            cu_limit=intent.cu_limit,
            cu_price_micro_lamports=intent.cu_price_micro_lamports,
            tip_lamports=intent.tip_lamports,
            sol_usd=intent.marks_usd["SOL"],
        ),
        theta_min_usd=Decimal(0),
        cex_mark_usd=intent.marks_usd[spec.cex_quote],
        taker=trade.taker,
    )
    cap = trade.settings.slippage_cap_bps / 10_000
    step = spec.price_increment_ticks
    if side == "sell":
        floor = -(-int(intent.cex_expected_ticks * (1 - cap)) // step) * step
        return min(intent.cex_limit_ticks, max(rest, floor))
    ceiling = int(intent.cex_expected_ticks * (1 + cap)) // step * step
    return max(intent.cex_limit_ticks, min(rest, ceiling))
