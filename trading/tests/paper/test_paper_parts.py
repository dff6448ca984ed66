"""Parts of the paper desk: its numbers, the eaten book, the projected pool, its balances."""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from arbsite.clock import seeded_random
from feeds.market.curve import root_price
from feeds.market.events import PoolUpdated
from feeds.market.pools import QuoteRefused, Swap
from feeds.market.quote import quote
from feeds.sim.kraken.latency import Latency
from feeds.sim.scenarios import scenario_of
from feeds.sim.solana.landing import Landing, LandingSettings
from feeds.sim.solana.server import RPC_LATENCY
from trading.paper.book import PaperBook
from trading.paper.draws import Congestion, land_chance, round_trip_ns
from trading.paper.ledger import PaperLedger, Rebalancing
from trading.paper.model import PaperModel, WireModel
from trading.paper.pool import PaperPool
from trading.tests.unit.builders import ladders, make_spec, make_whirlpool, whirlpools
from trading.tests.unit.desk import MS, START_NS, book

SECOND = 1_000_000_000


def test_the_numbers_are_the_simulators():
    model, landing, kraken = PaperModel(), LandingSettings(), Latency()
    assert model.landing.land_p == landing.land_p
    assert model.landing.top_land_p == landing.land_p_at_any_bid
    assert model.landing.reference_bid_lamports == landing.reference_bid_lamports
    assert model.landing.congestion_spread == landing.congestion_spread
    assert model.landing.congestion_recall == landing.congestion_recall
    assert model.landing.luck == landing.luck
    assert model.notice_ms == landing.notice_ms
    for ours, theirs in ((model.kraken, kraken), (model.rpc, RPC_LATENCY)):
        assert (ours.p50_ms, ours.p95_ms) == (theirs.p50_ms, theirs.p95_ms)
        assert ours.stall_p == theirs.stall_p
    rivals = sorted(each.bid_lamports for each in scenario_of("busy").assets["SOL"].competitors)
    assert model.landing.rival_bid_lamports == rivals[len(rivals) // 2]


@given(st.integers(0, 2_000_000), st.floats(0.2, 5.0))
def test_the_chance_of_a_slot_is_the_simulators(bid, congestion):
    theirs = Landing(LandingSettings(), seeded_random(1))
    theirs._log_congestion = math.log(congestion)
    expected = LandingSettings().land_p * theirs.chance_factor(bid)
    found = land_chance(PaperModel().landing, bid, theirs.congestion)
    assert abs(found - expected) < 1e-12
    assert 0 <= found <= PaperModel().landing.top_land_p


def test_a_certain_landing_is_certain_at_any_bid():
    sure = msgspec.structs.replace(PaperModel().landing, land_p=1.0)
    assert land_chance(sure, 0, 3.0) == 1.0


def test_round_trips_have_the_stated_percentiles_and_stalls():
    rng = seeded_random("trips")
    trips = sorted(round_trip_ns(PaperModel().kraken, rng) / 1e6 for _ in range(20_000))
    assert 19 < trips[10_000] < 21
    assert 74 < trips[19_000] < 87
    assert 10 < sum(1_000 <= trip <= 2_000 for trip in trips) < 90
    assert round_trip_ns(WireModel(1.0, 1.0, stall_p=1.0), rng) >= SECOND


def test_congestion_wanders_around_one():
    walk = Congestion(PaperModel().landing, seeded_random("congestion"))
    seen = []
    for _ in range(20_000):
        walk.next_slot()
        seen.append(walk.factor)
    assert min(seen) > 0.1
    assert 0.8 < sorted(seen)[10_000] < 1.25


# ---- book ---------------------------------------------------------------------------


@given(ladders("asks", 15_004), st.lists(st.integers(1, 10**11), min_size=1, max_size=4))
def test_we_never_meet_more_than_is_there_and_the_rest_is_shown(asks, orders):
    paper = PaperBook(SECOND)
    frame = msgspec.structs.replace(book(START_NS), asks=asks)
    paper.take_frame(frame)
    taken = 0
    for lots in orders:
        met = paper.take("buy", lots, 10**9, START_NS + MS)
        assert [one.ticks for one in met] == sorted(one.ticks for one in met)
        assert sum(one.lots for one in met) <= lots
        taken += sum(one.lots for one in met)
    total = sum(lots for _, lots in asks)
    assert taken == min(total, sum(orders))
    shown = paper.now(START_NS + 2 * MS)
    assert shown is not None
    assert sum(lots for _, lots in shown.asks) == total - taken
    assert shown.bids == frame.bids
    assert (shown.checksum == frame.checksum) == (taken == 0)


def test_a_limit_is_never_crossed():
    paper = PaperBook(SECOND)
    paper.take_frame(book(START_NS))
    met = paper.take("sell", 10**12, 15_000, START_NS)
    assert [one.ticks for one in met] == [15_002, 15_001, 15_000]


def test_what_we_took_stays_gone_until_the_venue_shows_another_quantity():
    paper = PaperBook(SECOND)
    paper.take_frame(book(START_NS))
    paper.take("buy", 10**9, 10**9, START_NS + MS)
    same = paper.take_frame(book(START_NS + 100 * MS))
    assert same.asks[0][0] == 15_005
    assert paper.has_impact
    other = paper.take_frame(book(START_NS + 200 * MS, lots=10**9 + 1))
    assert other.asks[0] == (15_004, 10**9 + 1)
    assert not paper.has_impact


def test_a_level_comes_back_by_itself_after_the_refill_time():
    paper = PaperBook(SECOND)
    paper.take_frame(book(START_NS))
    paper.take("buy", 10**8, 10**9, START_NS)
    shown = paper.now(START_NS + SECOND - 1)
    assert shown is not None
    assert shown.asks[0] == (15_004, 9 * 10**8)
    shown = paper.now(START_NS + SECOND)
    assert shown is not None
    assert shown.asks[0] == (15_004, 10**9)


def test_an_invalid_book_cannot_be_met():
    paper = PaperBook(SECOND)
    paper.take_frame(book(START_NS))
    paper.drop()
    assert paper.take("buy", 1, 10**9, START_NS) == []
    assert paper.now(START_NS) is None


# ---- pool ---------------------------------------------------------------------------


def updated(state, slot: int) -> PoolUpdated:
    state = msgspec.structs.replace(state, slot=slot)
    return PoolUpdated(state.address, slot, state, START_NS + slot)


def land(paper: PaperPool, slot: int, base: int, **changes):
    asked = {"threshold_raw": 0, "exact_in": True, "a_to_b": True, "is_first": False, "now_s": 0}
    return paper.swap_in(slot, base_raw=base, **{**asked, **changes})


@settings(max_examples=60)
@given(whirlpools(), st.integers(10**6, 10**12))
def test_a_swap_is_exactly_the_quote_and_is_shown_on_later_states(pool, base):
    paper = PaperPool(True, 150)
    paper.take_state(updated(pool, 10))
    expected = quote(pool, base, exact_in=True, a_to_b=True)
    found = land(paper, 11, base)
    if isinstance(expected, QuoteRefused) or expected.amount_in != base:
        assert isinstance(found, QuoteRefused)
        return
    assert isinstance(found, Swap)
    assert (found.amount_in, found.amount_out) == (expected.amount_in, expected.amount_out)
    later = paper.take_state(updated(pool, 12))
    assert msgspec.structs.replace(later.state, slot=0) == msgspec.structs.replace(
        expected.after, slot=0
    )
    seen = paper.now(12, START_NS)
    assert seen is not None
    assert seen.state == later.state


def test_a_breached_threshold_refuses_and_moves_nothing():
    pool = make_whirlpool(-18_970, liquidity=3 * 10**13)
    paper = PaperPool(True, 150)
    paper.take_state(updated(pool, 10))
    sold = land(paper, 11, 10**10, threshold_raw=10**12)
    assert sold == QuoteRefused("threshold")
    bought = land(paper, 11, 10**10, threshold_raw=1, exact_in=False, a_to_b=False)
    assert bought == QuoteRefused("threshold")
    assert not paper.has_impact
    assert paper.take_state(updated(pool, 12)).state.sqrt_price == pool.sqrt_price


def test_our_swap_is_forgotten_when_the_chain_has_made_the_same_move():
    pool = make_whirlpool(-18_970, liquidity=3 * 10**13)
    paper = PaperPool(True, 150)
    paper.take_state(updated(pool, 10))
    mine = land(paper, 11, 10**10)
    assert isinstance(mine, Swap)
    smaller = quote(pool, 10**9, exact_in=True, a_to_b=True)
    assert isinstance(smaller, Swap)
    shown = paper.take_state(updated(smaller.after, 12))
    assert root_price(shown.state, True) < root_price(mine.after, True)
    bigger = quote(pool, 10**11, exact_in=True, a_to_b=True)
    assert isinstance(bigger, Swap)
    shown = paper.take_state(updated(bigger.after, 13))
    assert shown.state.sqrt_price == bigger.after.sqrt_price
    assert not paper.has_impact


def test_our_swap_is_forgotten_after_its_time():
    pool = make_whirlpool(-18_970, liquidity=3 * 10**13)
    paper = PaperPool(True, 150)
    paper.take_state(updated(pool, 10))
    land(paper, 11, 10**10)
    assert paper.take_state(updated(pool, 161)).state.sqrt_price != pool.sqrt_price
    assert paper.take_state(updated(pool, 162)).state.sqrt_price == pool.sqrt_price


def test_going_first_in_a_slot_meets_the_state_before_the_others():
    pool = make_whirlpool(-18_970, liquidity=3 * 10**13)
    moved = quote(pool, 10**11, exact_in=True, a_to_b=True)
    assert isinstance(moved, Swap)
    amounts = {}
    for is_first in (True, False):
        paper = PaperPool(True, 150)
        paper.take_state(updated(pool, 10))
        paper.take_state(updated(moved.after, 11))
        assert paper.moved_in(11)
        found = land(paper, 11, 10**9, is_first=is_first)
        assert isinstance(found, Swap)
        amounts[is_first] = found.amount_out
    assert amounts[True] > amounts[False]


def test_an_unknown_pool_gives_nothing():
    paper = PaperPool(True, 150)
    assert land(paper, 11, 1) == QuoteRefused("pool_unknown")
    assert paper.now(11, START_NS) is None


# ---- balances -----------------------------------------------------------------------


def test_inventory_out_of_its_band_is_moved_back_and_arrives_later():
    rules = Rebalancing(band_pct=Decimal(40), transit_s=120, check_s=30)
    ledger = PaperLedger(
        {"SOL": make_spec()},
        {"SOL": Decimal(100), "USD": Decimal(15_000)},
        {"SOL": Decimal(100), "USDC": Decimal(15_000)},
        rules,
    )
    ledger.kraken["SOL"], ledger.solana["SOL"] = Decimal(50), Decimal(150)
    assert ledger.rebalance(START_NS, {})
    assert (ledger.kraken["SOL"], ledger.solana["SOL"]) == (Decimal(50), Decimal(100))
    assert not ledger.rebalance(START_NS + 60 * SECOND, {})
    assert ledger.rebalance(START_NS + 130 * SECOND, {})
    assert (ledger.kraken["SOL"], ledger.solana["SOL"]) == (Decimal(100), Decimal(100))
    assert (ledger.rebalances, ledger.rebalance_cost_usd) == (1, rules.cost_usd)


def test_without_rebalancing_nothing_moves():
    ledger = PaperLedger({"SOL": make_spec()}, {"SOL": Decimal(1)}, {"SOL": Decimal(9)})
    ledger.kraken["SOL"] = Decimal(0)
    assert not ledger.rebalance(START_NS, {})
