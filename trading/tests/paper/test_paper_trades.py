"""Model trades from intent to booking: orders of the legs, residuals, exact accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbsite.clock import seeded_random
from feeds.market.events import BookUpdated, MarketEvent, PoolUpdated, SlotAdvanced
from trading.compute_units import ComputeLimit
from trading.inputs import EngineInput, TradeClosed, TradeProgressed
from trading.intent import AssetSettings, Intent, LegOrder
from trading.paper.executor import PaperExecutor
from trading.paper.ledger import PaperLedger
from trading.paper.model import LandingModel, PaperModel, WireModel
from trading.paper.trade import PaperTrade, deltas_of
from trading.pricing import realised_pnl
from trading.tests.unit.builders import make_spec
from trading.tests.unit.desk import FAIR, MS, START_NS, Market, book, pool, settings_of

TAKER = Decimal("0.001")
SLOT_NS = 400 * MS
SURE = LandingModel(land_p=1.0, luck=0.0)
FLAT = WireModel(20.0, 20.0 + 1e-9)
PLAIN = PaperModel(kraken=FLAT, rpc=FLAT, landing=SURE)


def intent_of(order: LegOrder = "dex_first", mid: int = FAIR + 45, **changes: Any) -> Intent:
    """An intent of the real engine, carried out in the order under test."""
    market = Market(leg_order="dex_first")
    market.book(mid)
    (intent,) = market.intents
    verdict = msgspec.structs.replace(intent.verdict, order=order)
    return msgspec.structs.replace(intent, **{"verdict": verdict, **changes})


class Paper:
    """A paper executor in a market that stands still unless told otherwise."""

    def __init__(self, model: PaperModel = PLAIN, seed: str = "1") -> None:
        self.spec = make_spec()
        self.desk = PaperExecutor(
            {"SOL": self.spec}, model, lambda name: seeded_random(f"{seed}/{name}")
        )
        self.told: list[EngineInput] = []
        self.at_ns = START_NS
        self.slot = 1000
        self.facts(pool(self.at_ns, slot=1000), SlotAdvanced(1000, 0, self.at_ns))

    def facts(self, *events: MarketEvent) -> None:
        for event in events:
            self.at_ns = max(self.at_ns, event.recv_ns)
            self.told += self.desk.advance(event.recv_ns)
            self.desk.show(event)

    def slots(self, count: int = 1) -> None:
        """Slots go by, and a while after the last one."""
        for _ in range(count):
            self.slot += 1
            self.at_ns += SLOT_NS
            self.facts(SlotAdvanced(self.slot, 0, self.at_ns))
        self.wait(100)

    def wait(self, ms: float) -> None:
        self.at_ns += round(ms * MS)
        self.told += self.desk.advance(self.at_ns)

    def trade(self, intent: Intent, config: AssetSettings | None = None) -> None:
        self.at_ns = intent.decided_ns
        self.desk.execute(intent, config or settings_of(), TAKER)

    def booked(self) -> PaperTrade:
        (trade,) = self.desk.take_booked()
        assert self.desk.open_trades == 0
        return trade

    @property
    def closed(self) -> TradeClosed:
        (event,) = [event for event in self.told if isinstance(event, TradeClosed)]
        return event


def kinds(trade: PaperTrade) -> list[str]:
    """Legs in the order they first filled."""
    return list(dict.fromkeys(fill.leg for fill in trade.fills))


def test_the_swap_first_then_the_order_that_may_spend_the_rest_of_the_edge():
    paper, intent = Paper(), intent_of("dex_first")
    paper.facts(book(START_NS, FAIR + 45))
    paper.trade(intent)
    paper.wait(200)
    assert paper.told == []
    paper.slots(1)
    trade = paper.booked()
    assert [fill.fee_usd for fill in trade.fills] == [
        fill.fee * intent.marks_usd[fill.fee_asset] for fill in trade.fills
    ]
    assert (trade.outcome, kinds(trade)) == ("both", ["dex", "cex"])
    assert trade.residual_base == 0
    assert trade.both_filled_ns is not None
    assert 0 < trade.naked_s < 0.2
    assert paper.closed.landed_slot == paper.slot
    # The desk is shown both effects, so that one edge is not fired at twice.
    shown = [event for event in paper.told if isinstance(event, BookUpdated | PoolUpdated)]
    assert {type(event) for event in shown} == {BookUpdated, PoolUpdated}
    swapped = next(event for event in shown if isinstance(event, PoolUpdated))
    assert swapped.slot == paper.slot


def test_the_second_leg_accepts_a_price_beyond_its_first_limit():
    intent = intent_of("dex_first")
    worse = intent.cex_limit_ticks - 1
    paper = Paper()
    paper.facts(book(START_NS, worse + 1, lots=10**12))
    paper.trade(intent)
    paper.slots(1)
    trade = paper.booked()
    assert trade.outcome == "both"
    assert trade.realised_usd >= 0


@pytest.mark.parametrize("compute", [msgspec.UNSET, ComputeLimit(67_000, "simulation")])
def test_a_failed_swap_costs_its_fee_and_the_order_is_never_sent(compute):
    paper = Paper()
    intent = intent_of("dex_first", dex_threshold_raw=1, tip_lamports=7_000, compute=compute)
    paper.facts(book(START_NS, FAIR + 45))
    paper.trade(intent)
    paper.slots(3)
    trade = paper.booked()
    assert (trade.outcome, kinds(trade)) == ("missed", ["dex"])
    assert intent.cu_limit == (200_000 if compute is msgspec.UNSET else 67_000)
    lamports = 5_000 + -(-intent.cu_limit * intent.cu_price_micro_lamports // 1_000_000)
    assert trade.realised_usd == -Decimal(lamports).scaleb(-9) * intent.marks_usd["SOL"]
    assert "threshold" in trade.reason
    assert paper.closed.dex_landed is False
    assert paper.closed.cex_filled_ratio is None


def test_a_swap_that_never_lands_expires_without_cost():
    never = PaperModel(landing=LandingModel(land_p=1e-12, top_land_p=1e-11, fuse_blocks=40))
    paper = Paper(never)
    paper.facts(book(START_NS, FAIR + 45))
    paper.trade(intent_of("dex_first"))
    paper.slots(39)
    assert paper.desk.open_trades == 1
    paper.slots(4)
    trade = paper.booked()
    assert (trade.outcome, trade.fills, trade.realised_usd) == ("missed", (), 0)


def test_an_empty_first_order_ends_the_trade_before_a_swap():
    paper = Paper()
    paper.facts(book(START_NS, FAIR - 500))
    paper.trade(intent_of("cex_first"))
    paper.wait(100)
    trade = paper.booked()
    assert (trade.outcome, trade.fills) == ("missed", ())
    assert paper.closed.dex_landed is None
    assert paper.closed.cex_filled_ratio == 0


def test_a_part_filled_first_order_swaps_exactly_that_part():
    intent = intent_of("cex_first")
    thin = book(START_NS, FAIR + 45, lots=intent.qty_lots // 50)
    paper = Paper()
    paper.facts(thin)
    paper.trade(intent)
    paper.slots(3)
    trade = paper.booked()
    assert set(kinds(trade)) == {"cex", "dex"}
    assert trade.residual_base == 0
    assert trade.outcome == "partial"
    assert sum(f.base_delta for f in trade.fills if f.leg == "dex") < trade.size_base / 5


def test_concurrent_legs_hedge_what_one_of_them_left():
    paper = Paper()
    paper.facts(book(START_NS, FAIR + 45))
    paper.trade(intent_of("concurrent", dex_threshold_raw=1))
    paper.slots(4)
    trade = paper.booked()
    assert trade.outcome == "hedged"
    assert set(kinds(trade)) == {"cex", "dex", "hedge"}
    assert trade.residual_base == 0
    assert trade.realised_usd < 0
    assert trade.naked_usd_s > 100


def test_a_residual_nobody_takes_is_left_for_a_person_after_the_last_hedge():
    paper = Paper()
    intent = intent_of("dex_first")
    paper.facts(book(START_NS, FAIR + 45))
    paper.trade(intent)
    # The bids vanish while the swap lands.
    empty = msgspec.structs.replace(book(START_NS + 100 * MS), bids=((14_000, 1),))
    paper.facts(empty)
    paper.slots(6)
    trade = paper.booked()
    assert trade.outcome == "operator"
    assert trade.reason == "no hedge attempts left"
    assert trade.residual_base > 0


def test_a_residual_above_the_naked_limit_is_left_for_a_person_at_once():
    paper = Paper()
    paper.facts(book(START_NS, FAIR + 45))
    paper.trade(intent_of("concurrent", dex_threshold_raw=1), settings_of(max_naked_usd=Decimal(1)))
    paper.slots(4)
    assert paper.booked().reason == "residual above the naked limit"


def test_an_order_that_arrives_after_its_deadline_fills_nothing():
    stalled = PaperModel(kraken=WireModel(20.0, 80.0, stall_p=1.0, stall_min_ms=1_500.0))
    paper = Paper(stalled)
    paper.facts(book(START_NS, FAIR + 45))
    paper.trade(intent_of("cex_first", order_deadline_ms=700))
    paper.wait(2_500)
    trade = paper.booked()
    assert trade.outcome == "missed"
    assert "deadline" in trade.reason


@pytest.mark.parametrize("order", ["concurrent", "dex_first", "cex_first"])
def test_progress_is_told_before_the_end(order):
    paper = Paper()
    paper.facts(book(START_NS, FAIR + 45))
    paper.trade(intent_of(order))
    paper.slots(3)
    said = [e for e in paper.told if isinstance(e, TradeProgressed | TradeClosed)]
    assert isinstance(said[-1], TradeClosed)
    assert {e.cex_state for e in said[:-1] if isinstance(e, TradeProgressed)} & {"done"}
    stamps = [event.at_ns for event in said]
    assert stamps == sorted(stamps)


# ---- laws ---------------------------------------------------------------------------


@st.composite
def stories(draw: st.DrawFn) -> tuple[Intent, list[MarketEvent], str]:
    """An intent and a random market after it: books that move, pools that move, slots."""
    order = draw(st.sampled_from(["concurrent", "dex_first", "cex_first"]))
    mid = FAIR + draw(st.sampled_from([-45, 45]))
    intent = intent_of(order, mid, tip_lamports=draw(st.sampled_from([0, 10_000])))
    at_ns, slot = intent.decided_ns, 1000
    events: list[MarketEvent] = [book(at_ns, mid)]
    for _ in range(draw(st.integers(4, 14))):
        at_ns += draw(st.integers(5, 350)) * MS
        kind = draw(st.sampled_from(["book", "pool", "slot", "slot"]))
        if kind == "book":
            lots = draw(st.integers(10**7, 3 * 10**9))
            events.append(book(at_ns, mid + draw(st.integers(-60, 60)), lots=lots))
            continue
        slot += 1
        if kind == "pool":
            tick = -18_970 + draw(st.integers(-30, 30))
            events.append(pool(at_ns, tick=tick, slot=slot))
        events.append(SlotAdvanced(slot, 0, at_ns))
    events += [SlotAdvanced(slot + n, 0, at_ns + n * SLOT_NS) for n in range(1, 60)]
    return intent, events, draw(st.sampled_from(["a", "b", "c"]))


def played(story: tuple[Intent, list[MarketEvent], str]) -> tuple[PaperTrade, list[EngineInput]]:
    intent, events, seed = story
    paper = Paper(PaperModel(), seed)
    paper.facts(events[0])
    paper.trade(intent)
    paper.facts(*events[1:])
    paper.wait(10_000)
    return paper.booked(), paper.told


@settings(max_examples=60)
@given(stories())
def test_inventory_is_conserved_and_the_books_agree_with_the_fills(story):
    trade, told = played(story)
    intent = story[0]
    opening = {"SOL": Decimal(1000), "USD": Decimal(10**6), "USDC": Decimal(10**6)}
    ledger = PaperLedger({"SOL": make_spec()}, opening, opening)
    ledger.book(trade)
    moved = deltas_of(trade.fills, "SOL")
    for asset, amount in opening.items():
        total = ledger.kraken[asset] + ledger.solana[asset]
        assert total - 2 * amount == moved.get(asset, 0)
    assert trade.realised_usd == realised_pnl(moved, intent.marks_usd)
    base = sum((fill.base_delta for fill in trade.fills), Decimal(0))
    assert trade.residual_base == base
    if trade.outcome in ("both", "hedged", "missed"):
        least = Decimal(make_spec().qty_min_lots).scaleb(-8)
        assert abs(base) < max(least, Decimal("0.5") / 100)
    closed = [event for event in told if isinstance(event, TradeClosed)]
    assert [event.realised_usd for event in closed] == [trade.realised_usd]


@settings(max_examples=60)
@given(stories())
def test_fills_keep_to_their_limits_and_the_edge_is_spent_at_most_once(story):
    trade, _ = played(story)
    intent = story[0]
    first = [fill for fill in trade.fills if fill.leg == "cex"]
    for fill in first:
        ticks = abs(fill.quote_delta / fill.base_delta) * 100
        if trade.order != "dex_first" and intent.cex_side == "sell":
            assert ticks >= intent.cex_limit_ticks
        elif trade.order != "dex_first":
            assert ticks <= intent.cex_limit_ticks
    if trade.outcome == "both" and trade.residual_base == 0 and first:
        # Both legs whole and inside their limits: what is left is never a loss.
        full = abs(sum(fill.base_delta for fill in first)) == trade.size_base
        assert not full or trade.realised_usd > Decimal("-0.000001")


@settings(max_examples=25)
@given(stories())
def test_the_same_seed_tells_the_same_story(story):
    assert played(story) == played(story)
