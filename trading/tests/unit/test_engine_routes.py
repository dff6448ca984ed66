"""Where the pool has no quote: an aggregator's bound quote under the same gates and terms."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.market.events import BookInvalidated, PoolUpdated
from trading.bound_quote import bound_quote
from trading.effects import NoteWindow
from trading.engine.core import Engine
from trading.inputs import EngineInput
from trading.intent import Intent
from trading.journal.format import canonical, decode_decision, decode_input, encode_input
from trading.pricing import bound_budget, edge_budget
from trading.process.route_quotes import RouteSizes, wanted
from trading.tests.routing import LOTS_PER_SOL, RAW_PER_SOL, RAW_PER_USDC, make_route, without_pool

from .builders import make_cpmm, make_spec
from .desk import FAIR, MS, Market, book

WIDE = FAIR + 120
LOW = FAIR - 120
SIZES = RouteSizes()


def refusals(market: Market) -> list[str]:
    return [note.gate for note in market.notes if note.decision == "refused"]


def routed_market(mid: int = WIDE, **changes: Any) -> Market:
    market = without_pool(Market(**changes))
    market.book(mid)
    return market


def test_a_bound_purchase_becomes_an_intent_that_gives_all_its_input_for_the_base() -> None:
    market = routed_market()
    assert market.intents == []
    route = make_route(market.after(1))
    market.tell(route)
    (intent,) = market.intents
    assert (intent.quote_source, intent.route, intent.cex_side) == ("jupiter", route, "sell")
    assert intent.base_raw == intent.spec.raw_from_lots(intent.qty_lots) == route.min_out
    assert intent.dex_threshold_raw == route.amount_in
    # The base that is sold on costs its share; what comes beyond it is worth what it cost.
    assert intent.dex_expected_quote_raw == -(-route.amount_in * 999 // 1000)
    assert intent.tick_array_starts == route.tick_array_starts
    assert (intent.pool_slot, intent.limited_by) == (route.slot, "route")
    assert intent.ages.pool_ms == 100.0
    assert intent.min_pnl_usd >= 0
    assert intent.pnl.decision_value >= Decimal("0.05")


def test_a_bound_sale_gives_an_exact_number_of_lots() -> None:
    market = routed_market(LOW)
    route = make_route(market.after(1), direction="buy_cex_sell_dex")
    market.tell(route)
    (intent,) = market.intents
    assert (intent.cex_side, intent.dex_exact_in, intent.dex_a_to_b) == ("buy", True, True)
    assert intent.base_raw == route.amount_in == 2 * RAW_PER_SOL
    assert intent.dex_expected_quote_raw == route.amount_out
    assert intent.dex_threshold_raw == route.min_out


def test_the_bound_quote_tells_the_route_and_when_it_was_asked_for() -> None:
    market = routed_market()
    route = make_route(market.after(1), age_ms=900)
    market.tell(route)
    quote = bound_quote(market.intents[0])
    assert (quote.source, quote.route_id) == ("jupiter", route.route.route_id)
    assert (quote.asked_at_ns, quote.latency_ms) == (route.route.asked_at_ns, 70.5)
    assert quote.delta_bps == -0.5
    assert quote.expires_ns == quote.at_ns + 200 * MS < route.expires_ns


def test_the_pool_comes_first_whenever_it_can_be_quoted() -> None:
    market = Market()
    market.tell(make_route(market.after(1), price=120.0))
    market.alive()
    assert market.intents == []
    market.book(WIDE)
    (intent,) = market.intents
    assert (intent.quote_source, intent.route) == ("pool", msgspec.UNSET)


def test_a_pool_that_refuses_the_quote_is_replaced_too() -> None:
    market = Market()
    closed = make_cpmm(10**15, 15_003 * 10**10, status=4)
    market.tell(PoolUpdated("POOL-SOL", 1001, closed, market.after(1)))
    market.book(WIDE)
    asset = market.engine.state.assets["SOL"]
    assert (market.intents, asset.quote_refusal) == ([], "not_approved")
    assert [want.direction for want in wanted(market.engine.state, SIZES)]
    route = make_route(market.after(1))
    market.tell(route)
    assert [intent.route for intent in market.intents] == [route]


@pytest.mark.parametrize(
    ("gate", "changes"),
    [
        ("route", {"age_ms": 1_001}),
        ("edge_budget", {"min_out": 2 * RAW_PER_SOL * 9_900 // 10_000}),
        ("min_size", {"sol": 49.0}),
        ("anomaly", {"price": 130.0}),
    ],
)
def test_the_gates_are_the_same_and_the_age_has_its_own(gate: str, changes: dict[str, Any]) -> None:
    market = without_pool(Market(max_notional_usd=Decimal(10_000)))
    market.book(WIDE, lots=10 * LOTS_PER_SOL)
    market.tell(make_route(market.after(1), **changes))
    assert (market.intents, refusals(market)) == ([], [gate])


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_ns": 0},
        {"price": 151.3},
        {"sol": 51.0},
        {"sol": 1e-9},
        {"direction": "buy_cex_sell_dex"},
    ],
)
def test_expired_dear_deeper_than_the_book_or_the_wrong_way_round_is_nothing(
    changes: dict[str, Any],
) -> None:
    market = without_pool(Market())
    market.book(WIDE, lots=10 * LOTS_PER_SOL)
    market.tell(make_route(market.after(1), **changes))
    assert (market.intents, market.notes) == ([], [])


def test_a_route_does_not_stand_in_for_a_book() -> None:
    market = routed_market()
    market.tell(BookInvalidated("SOL/USD", "checksum", market.after(1)))
    market.tell(make_route(market.after(1)))
    assert market.intents == []
    assert wanted(market.engine.state, SIZES) == []


def test_a_window_lives_as_long_as_its_route_and_no_longer() -> None:
    market = routed_market(intents_per_window=1)
    market.tell(make_route(market.after(1), age_ms=0))
    market.book(WIDE + 1, after_ms=700)
    assert all(row.closed_at_ns is None for row in market.last_rows().values())
    market.timer(900)
    (row,) = market.last_rows().values()
    assert (row.close_cause, row.intents) == ("feed", 1)
    assert len(market.intents) == 1


def test_the_book_ends_a_window_before_its_route_does() -> None:
    market = routed_market(mode="observe")
    market.tell(make_route(market.after(1)))
    market.book(FAIR)
    (row,) = market.last_rows().values()
    assert row.close_cause == "book_moved"


def test_no_second_trade_on_a_quote_from_before_our_own_landing() -> None:
    market = routed_market()
    market.tell(make_route(market.after(1), slot=1000))
    market.close_trade(market.intents[0], landed_slot=1002)
    market.book(FAIR)
    market.alive(500)
    market.book(WIDE + 3)
    market.tell(make_route(market.after(1), slot=1001))
    assert len(market.intents) == 1
    assert refusals(market)[-1] == "busy"
    market.tell(make_route(market.after(1), slot=1002))
    assert len(market.intents) == 2


def test_the_same_inputs_make_the_same_decisions_from_the_journal_too() -> None:
    market = without_pool(Market())
    events: list[EngineInput] = [
        book(market.after(5), WIDE),
        make_route(market.after(5)),
        make_route(market.after(5), direction="buy_cex_sell_dex"),
        book(market.after(5), LOW),
    ]
    again = without_pool(Market(Engine({"SOL": make_spec()})))
    said = [canonical(effect) for event in events for effect in market.tell(event)]
    read = [decode_input(encode_input(event)) for event in events]
    assert read == events
    assert [canonical(effect) for event in read for effect in again.tell(event)] == said


def test_only_a_routed_decision_has_a_route_in_its_bytes() -> None:
    direct = Market()
    direct.book(WIDE)
    texts = [canonical(e) for e in direct.effects if not isinstance(e, NoteWindow)]
    assert not any(b'"route"' in text for text in texts)
    routed = routed_market()
    routed.tell(make_route(routed.after(1)))
    (intent,) = routed.intents
    stored = msgspec.to_builtins(intent)
    assert msgspec.convert(stored, Intent) == intent
    execute = next(e for e in routed.effects if getattr(e, "intent", None))
    assert decode_decision(canonical(execute)) == execute


def test_what_is_asked_fits_the_book_the_caps_and_the_small_limit() -> None:
    market = routed_market()
    asks = {want.direction: want.ask for want in wanted(market.engine.state, SIZES)}
    buy, sell = asks["buy_dex_sell_cex"], asks["buy_cex_sell_dex"]
    assert (buy.mint_in, sell.mint_in) == ("MINT-USDC", "MINT-SOL")
    assert 499 * RAW_PER_USDC < buy.amount_in <= 500 * RAW_PER_USDC
    assert 490 < sell.amount_in / RAW_PER_SOL * 151.23 <= 500
    assert sell.amount_in % 10 == 0  # whole lots
    market.book(WIDE, lots=LOTS_PER_SOL)
    thin = {want.direction: want.ask for want in wanted(market.engine.state, SIZES)}
    # Five levels of one SOL within ten bps, of which nine tenths may be taken.
    assert thin["buy_cex_sell_dex"].amount_in < 5 * 0.9 * RAW_PER_SOL
    market.book(WIDE, lots=10**5)
    assert wanted(market.engine.state, SIZES) == []


def test_nothing_is_asked_while_the_pool_will_do_is_awaited_or_we_are_busy() -> None:
    market = Market()
    assert wanted(market.engine.state, SIZES) == []
    unseen = Market(enabled=False)
    without_pool(unseen)
    unseen.timer()
    assert wanted(unseen.engine.state, SIZES) == []
    busy = routed_market()
    assert len(wanted(busy.engine.state, SIZES)) == 2
    busy.tell(make_route(busy.after(1)))
    assert wanted(busy.engine.state, SIZES) == []


def test_asking_changes_nothing_that_a_replay_would_miss() -> None:
    quiet, asked = routed_market(), routed_market()
    for _ in range(3):
        wanted(asked.engine.state, SIZES)
    route = make_route(quiet.after(1))
    assert quiet.tell(route) == asked.tell(route)


@given(
    given_raw=st.integers(0, 900_000),
    success=st.integers(0, 5_000),
)
def test_a_given_limit_is_paid_for_before_the_books(given_raw: int, success: int) -> None:
    """Any fills inside both limits keep what the budget says, and never less than nothing."""
    spec = make_spec()
    market = routed_market()
    market.tell(make_route(market.after(1)))
    sized = market.engine.state.assets["SOL"].sized
    assert sized is not None
    quotes, limits = sized.quotes, {
        "success_usd": Decimal(success) / 1000,
        "theta_min_usd": Decimal(0),
        "cex_mark_usd": Decimal(1),
        "dex_mark_usd": Decimal(1),
        "taker": Decimal("0.001"),
        "slippage_cap_bps": Decimal(30),
    }  # fmt: skip
    threshold = quotes.dex_quote_raw + given_raw
    budget = bound_budget(spec, "buy_dex_sell_cex", quotes, threshold, **limits)
    given_usd = Decimal(given_raw) / RAW_PER_USDC
    is_capped = given_raw > quotes.dex_quote_raw * 30 // 10_000
    if budget is None:
        direct = edge_budget(spec, "buy_dex_sell_cex", quotes, **limits)
        assert is_capped or direct is None or limits["success_usd"] < given_usd
        return
    assert not is_capped
    assert budget.dex_threshold_raw == threshold
    assert budget.min_pnl_usd >= 0
    assert budget.slack_dex_usd == given_usd
    spent = budget.slack_cex_usd + budget.slack_dex_usd
    assert budget.min_pnl_usd + spent == limits["success_usd"]
