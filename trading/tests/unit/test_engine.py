"""The engine as a whole: one edge one trade, modes, refusals, reservations, views."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.market.events import (
    BookInvalidated,
    FeedProof,
    InstrumentUpdated,
    PoolInvalidated,
    VenueStatus,
)
from feeds.market.spec import MarketSpec
from trading.effects import Execute, NoteWindow, RequestStop, SignalSeen
from trading.engine.core import Engine
from trading.inputs import (
    DayUsage,
    FeesKnown,
    IntentRefused,
    SettingsApplied,
    TradeProgressed,
    VenuesReady,
)

from .builders import make_spec
from .desk import (
    FAIR,
    MS,
    START_NS,
    Market,
    book,
    holdings,
    mark,
    mode,
    pool,
    settings_of,
    setup_events,
)

WIDE = FAIR + 45
LOW = FAIR - 45


def test_an_edge_becomes_one_intent_with_everything_it_needs() -> None:
    market = Market()
    market.book(WIDE)
    (intent,) = market.intents
    assert intent.direction == "buy_dex_sell_cex"
    assert (intent.mode, intent.ordinal, intent.cex_side) == ("live", 0, "sell")
    assert intent.base_raw == intent.spec.raw_from_lots(intent.qty_lots)
    assert not intent.dex_exact_in
    assert not intent.dex_a_to_b
    assert len(intent.tick_array_starts) == 3
    assert intent.dex_threshold_raw > intent.dex_expected_quote_raw
    assert intent.cex_limit_ticks <= intent.cex_expected_ticks
    assert intent.min_pnl_usd >= 0
    assert intent.pnl.decision_value >= settings_of().min_profit_usd
    assert intent.detect_ns == intent.decided_ns == market.at_ns
    assert set(intent.marks_usd) == {"USD", "USDC", "SOL"}
    assert intent.config_version == 1


def test_the_other_direction_fixes_the_input() -> None:
    market = Market()
    market.book(LOW)
    (intent,) = market.intents
    assert intent.direction == "buy_cex_sell_dex"
    assert intent.dex_exact_in
    assert intent.dex_a_to_b
    assert intent.dex_threshold_raw < intent.dex_expected_quote_raw
    assert intent.cex_limit_ticks >= intent.cex_expected_ticks


def test_slow_feeds_and_one_edge_make_one_trade() -> None:
    market = Market(intents_per_window=5)
    market.book(WIDE)
    (intent,) = market.intents
    for i in range(20):
        market.book(WIDE + i % 3)
        market.alive(50)
    filled_ns = market.after(1)
    market.tell(
        TradeProgressed(
            intent_key=intent.intent_key,
            asset="SOL",
            cex_state="done",
            dex_state="done",
            cex_fill_ns=filled_ns,
            landed_slot=1002,
            at_ns=filled_ns,
        )
    )
    market.close_trade(intent, cex_fill_ns=filled_ns, landed_slot=1002)
    # The pool has not shown the landing slot yet, however often the book changes.
    market.book(WIDE + 4)
    market.alive()
    assert len(market.intents) == 1
    market.tell(pool(market.after(5), slot=1002))
    market.alive()
    assert [one.ordinal for one in market.intents] == [0, 1]
    assert len({one.intent_key for one in market.intents}) == 2


def test_by_default_a_window_is_fired_once_even_when_everything_is_seen() -> None:
    market = Market()
    market.book(WIDE)
    market.close_trade(market.intents[0])
    market.tell(pool(market.after(5), slot=1003))
    for _ in range(5):
        market.book(WIDE + 1)
        market.book(WIDE + 2)
        market.alive()
    assert len(market.intents) == 1


def test_the_next_window_is_fired_after_the_last_one_ended() -> None:
    market = Market()
    market.book(WIDE)
    market.close_trade(market.intents[0])
    market.book(FAIR)
    market.alive(500)
    market.tell(pool(market.after(5), slot=1003))
    market.book(WIDE)
    assert len(market.intents) == 2
    assert market.intents[0].window_id != market.intents[1].window_id


@pytest.mark.parametrize(
    ("desk", "control", "setting", "enabled", "expected"),
    [
        ("live", "live", "live", True, "live"),
        ("live", "live", "paper", True, "paper"),
        ("live", "live", "observe", True, "observe"),
        ("observe", "live", "live", True, "observe"),
        ("paper", "observe", "live", True, "observe"),
        ("hedge_only", "live", "live", True, None),
        ("live", "hedge_only", "live", True, None),
        ("stop_new", "live", "live", True, None),
        ("live", "stop_new", "observe", True, None),
        ("halt", "live", "live", True, None),
        ("live", "halt", "live", True, None),
        ("live", "live", "live", False, None),
    ],
)
def test_the_strictest_mode_decides(desk, control, setting, enabled, expected) -> None:
    market = Market(mode=setting, enabled=enabled)
    market.tell(holdings(market.after(1), book="paper"))
    market.tell(mode(market.after(1), desk, version=2))
    market.tell(mode(market.after(1), control, scope="SOL", version=2))
    market.book(WIDE)
    assert [one.mode for one in market.intents] == ([expected] if expected else [])
    if expected is None:
        note = market.notes[-1]
        assert note.decision == "refused"
        assert note.gate == ("mode" if enabled else "enabled")


def test_nothing_is_decided_before_the_control_has_been_read() -> None:
    fresh = Engine({"SOL": make_spec()})
    for event in setup_events(START_NS)[1:]:
        fresh.handle(event)
    effects = fresh.handle(book(START_NS + MS, WIDE))
    assert not [one for one in effects if isinstance(one, Execute)]
    assert [one.gate for one in effects if isinstance(one, NoteWindow)] == ["mode"]
    assert fresh.effective_mode() == "stop_new"
    assert fresh.stop_reasons(START_NS)[0].rule == "starting"
    assert Market().engine.stop_reasons(START_NS) == ()


def test_a_stop_counts_from_the_answer_not_from_the_request() -> None:
    market = Market()
    market.tell(
        DayUsage(
            asset="SOL",
            notional_usd=Decimal(0),
            loss_usd=Decimal(0),
            trades=0,
            at_ns=market.after(1),
        )
    )
    asked = market.tell(
        DayUsage(
            asset="SOL",
            notional_usd=Decimal(0),
            loss_usd=Decimal(500),
            trades=3,
            at_ns=market.after(1),
        )
    )
    assert [(one.scope, one.rule) for one in asked if isinstance(one, RequestStop)] == [
        ("SOL", "daily_loss")
    ]
    assert market.engine.effective_mode("SOL") == "live"
    market.book(WIDE)
    assert market.intents == []
    assert market.notes[-1].gate == "daily_loss"


def test_observe_stores_once_per_window_and_never_blocks_itself() -> None:
    market = Market(mode="observe")
    for i in range(5):
        market.book(WIDE + i)
    assert [one.mode for one in market.intents] == ["observe"]
    assert {note.decision for note in market.notes} == {"stored"}
    market.book(FAIR)
    market.alive(500)
    market.book(WIDE)
    assert len(market.intents) == 2
    assert market.engine.open_trades == 0


def test_a_refusal_that_time_cures_is_asked_again_at_the_timer() -> None:
    market = Market(cooldown_ms=1000, intents_per_window=2)
    market.book(WIDE)
    market.close_trade(market.intents[0], outcome="missed", cex_fill_ns=None, landed_slot=None)
    market.book(WIDE + 1)
    assert market.notes[-1].gate == "cooldown"
    for _ in range(12):
        market.alive(100)
    assert len(market.intents) == 2


def test_promised_money_is_not_spent_twice_and_freed_by_later_balances_only() -> None:
    market = Market(intents_per_window=9)
    market.tell(holdings(market.after(1), kraken={"SOL": Decimal(10), "USD": Decimal(0)}))
    market.book(WIDE)
    (intent,) = market.intents
    assert intent.limited_by == "inventory_kraken"
    assert intent.qty_lots == 10 * 10**8
    free = market.engine.state.reservations
    assert free.kraken_free("SOL") == 0
    assert free.solana_free("USDC") == 150_000 * 10**6 - intent.dex_threshold_raw
    market.tell(holdings(market.after(1), kraken={"SOL": Decimal(10)}))
    assert free.kraken_free("SOL") == 0, "the trade is not over"
    market.tell(
        IntentRefused(
            intent_key=intent.intent_key, asset="SOL", reason="no blockhash", at_ns=market.after(1)
        )
    )
    assert free.kraken_free("SOL") == 0, "the balances are older than the end"
    market.tell(holdings(market.after(1), kraken={"SOL": Decimal(10)}))
    assert free.kraken_free("SOL") == 10


def test_a_window_that_only_our_empty_pocket_prevents_is_still_a_window() -> None:
    market = Market()
    market.tell(holdings(market.after(1), kraken={"SOL": Decimal("0.001")}))
    market.book(WIDE)
    assert market.intents == []
    note = market.notes[-1]
    assert note.gate == "min_size"
    assert "inventory_kraken" in note.gate_value
    assert note.window.blocked_by == "min_size"
    assert note.window.best_size_usd > 100


@pytest.mark.parametrize(
    ("event", "gate"),
    [
        (lambda ns: VenuesReady(kraken=False, solana=True, at_ns=ns), "venue_ready"),
        (
            lambda ns: VenueStatus(venue="kraken", status="post_only", rtt_ms=None, recv_ns=ns),
            "venue_status",
        ),
    ],
)
def test_other_blocks_are_named(event, gate: str) -> None:
    market = Market()
    market.tell(event(market.after(1)))
    market.book(WIDE)
    assert market.intents == []
    assert market.notes[-1].gate == gate


def test_balances_that_nobody_refreshed_are_not_spent() -> None:
    market = Market()
    for _ in range(3):
        market.alive(20_500)
        market.tell(pool(market.at_ns, slot=1000))
    market.book(WIDE)
    assert market.intents == []
    assert market.notes[-1].gate == "balances"
    market.tell(holdings(market.after(1)))
    market.alive()
    assert len(market.intents) == 1


def test_an_invalid_book_closes_the_window_as_feed_loss_and_blocks_the_row() -> None:
    market = Market()
    market.book(WIDE)
    market.after(600)
    market.tell(BookInvalidated(symbol="SOL/USD", reason="checksum", recv_ns=market.at_ns))
    assert market.notes[-1].window.close_cause == "feed"
    (row,) = market.engine.spread_rows(market.at_ns)
    assert row.state == "blocked"
    assert "checksum" in row.reason
    assert row.gross_bps is None
    market.book(FAIR)
    assert market.engine.spread_rows(market.at_ns)[0].gross_bps is not None


@pytest.mark.parametrize("bad", ["crossed", "empty", "mark", "pool"])
def test_integrity_faults_refuse_until_the_next_valid_state(bad: str) -> None:
    market = Market()
    if bad == "crossed":
        good = book(market.after(1), WIDE)
        market.tell(msgspec.structs.replace(good, bids=((WIDE + 9, 10**9),)))
    elif bad == "empty":
        market.tell(msgspec.structs.replace(book(market.after(1), WIDE), asks=()))
    elif bad == "mark":
        market.tell(BookInvalidated(symbol="USDC/USD", reason="gap", recv_ns=market.after(1)))
        market.book(WIDE)
    else:
        market.tell(PoolInvalidated(pool="POOL-SOL", reason="fork", recv_ns=market.after(1)))
        market.book(WIDE)
    assert market.intents == []
    assert market.engine.spread_rows(market.at_ns)[0].state == "blocked"
    if bad == "mark":
        market.tell(mark(market.after(1)))
    elif bad == "pool":
        market.tell(pool(market.after(1), slot=990))
    else:
        market.book(WIDE)
    assert len(market.intents) == 1


def test_a_precision_change_invalidates_the_book_until_a_new_one() -> None:
    market = Market()
    change = InstrumentUpdated(
        symbol="SOL/USD",
        status="online",
        price_precision=3,
        qty_precision=8,
        price_increment="0.001",
        qty_increment="0.00000001",
        qty_min="0.02",
        cost_min="0.5",
        recv_ns=market.after(1),
    )
    market.tell(change)
    market.book(WIDE)
    assert market.intents == []
    assert "precision" in market.engine.spread_rows(market.at_ns)[0].reason
    fine = msgspec.structs.replace(
        book(market.after(1), WIDE),
        price_precision=3,
        bids=tuple((ticks * 10, lots) for ticks, lots in book(0, WIDE).bids),
        asks=tuple((ticks * 10, lots) for ticks, lots in book(0, WIDE).asks),
    )
    market.tell(fine)
    assert len(market.intents) == 1
    assert market.intents[0].spec.price_precision == 3


def test_an_unreadable_instrument_stops_the_pair() -> None:
    market = Market()
    market.tell(
        InstrumentUpdated(
            symbol="SOL/USD",
            status="online",
            price_precision=2,
            qty_precision=8,
            price_increment="0.001",
            qty_increment="1e-8",
            qty_min="x",
            cost_min="0.5",
            recv_ns=market.after(1),
        )
    )
    market.book(WIDE)
    assert market.intents == []
    assert market.notes[-1].gate == "venue_status"


def test_an_older_slot_never_replaces_a_newer_pool() -> None:
    market = Market()
    market.pool(slot=1005)
    market.pool(tick=-18_900, slot=1004)
    assert market.engine.state.feeds.curves["POOL-SOL"].updated.slot == 1005


def test_an_unchanged_book_or_pool_is_not_priced_again() -> None:
    market = Market()
    assert [type(one) for one in market.book(FAIR + 1)] == [SignalSeen]
    assert market.book(FAIR + 1) == []
    assert market.pool(slot=1007) == []
    assert market.engine.venue_ages(market.at_ns)["solana"].data_age_ms == 0


def test_time_never_runs_backwards() -> None:
    market = Market()
    market.book(WIDE)
    before = market.engine.state.now_ns
    market.tell(FeedProof(venue="kraken", scope="*", recv_ns=before - 10**9))
    market.tell(book(before - 10**9, FAIR))
    assert market.engine.state.now_ns == before
    closed = market.notes[-1].window
    assert closed.closed_at_ns == before


def test_a_flip_closes_the_other_side() -> None:
    market = Market(mode="observe")
    market.book(WIDE)
    market.book(LOW)
    rows = market.last_rows().values()
    assert {(row.direction, row.close_cause) for row in rows} == {
        ("buy_dex_sell_cex", "book_moved"),
        ("buy_cex_sell_dex", ""),
    }
    market.book(WIDE)
    assert [row.direction for row in market.last_rows().values() if row.closed_at_ns is None] == [
        "buy_dex_sell_cex"
    ]


def test_the_stream_that_ended_a_window_is_named() -> None:
    for move, cause in (
        (lambda m: m.pool(tick=-18_938, slot=1001), "pool_moved"),
        (lambda m: m.book(FAIR), "book_moved"),
        (
            lambda m: m.tell(
                SettingsApplied(
                    settings=settings_of(version=2, mode="observe", min_profit_usd=Decimal(900)),
                    at_ns=m.after(1),
                )
            ),
            "config",
        ),
    ):
        market = Market(mode="observe")
        market.book(WIDE)
        move(market)
        (row,) = market.last_rows().values()
        assert row.close_cause == cause
    market = Market()
    market.book(WIDE)
    market.pool(tick=-18_938, slot=1001)
    (row,) = market.last_rows().values()
    assert row.close_cause == "own_trade"
    market.close_trade(
        market.intents[0], outcome="missed", dex_landed=False, cex_fill_ns=None, landed_slot=None
    )
    (row,) = market.last_rows().values()
    assert row.close_cause == "pool_moved"


def test_a_pair_in_another_dollar_is_converted_and_charged_its_basis() -> None:
    spec = make_spec(cex_symbol="SOL/USDT", cex_quote="USDT")
    market = Market(Engine({"SOL": spec}))
    market.tell(mark(market.after(1), "SOL/USD", 150_000))
    market.tell(
        FeesKnown(
            taker={"SOL/USDT": Decimal("0.001")}, base_fee_lamports=5000, at_ns=market.after(1)
        )
    )
    market.tell(
        InstrumentUpdated(
            symbol="SOL/USDT",
            status="online",
            price_precision=2,
            qty_precision=8,
            price_increment="0.01",
            qty_increment="0.00000001",
            qty_min="0.02",
            cost_min="0.5",
            recv_ns=market.after(1),
        )
    )
    market.tell(holdings(market.after(1), kraken={"SOL": Decimal(100), "USDT": Decimal(10**5)}))
    market.book(WIDE, symbol="SOL/USDT")
    (row,) = market.engine.spread_rows(market.at_ns)
    assert row.state == "blocked"
    assert "USDT/USD" in row.reason
    # Worth 30 bps less than a dollar, the wide gap is none.
    market.tell(mark(market.after(1), "USDT/USD", 9_970))
    assert market.intents == []
    market.tell(mark(market.after(1), "USDT/USD", 10_000))
    (intent,) = market.intents
    assert intent.pnl.basis_cost == pytest.approx(
        intent.notional_usd * Decimal("0.0002"), rel=Decimal("1e-9")
    )


def test_a_changed_configuration_is_in_force_at_once_and_an_older_one_is_ignored() -> None:
    market = Market(max_notional_usd=Decimal(300))
    market.book(WIDE)
    assert market.intents[0].notional_usd <= 300
    assert market.intents[0].limited_by == "max_notional"
    market.tell(SettingsApplied(settings=settings_of(version=0), at_ns=market.after(1)))
    assert market.engine.state.assets["SOL"].settings.max_notional_usd == 300


def test_used_day_caps_shape_the_size_and_then_refuse() -> None:
    market = Market(daily_notional_cap_usd=Decimal(1000))
    usage = DayUsage(
        asset="SOL",
        notional_usd=Decimal(700),
        loss_usd=Decimal(0),
        trades=1,
        at_ns=market.after(1),
    )
    market.tell(usage)
    market.book(WIDE)
    assert market.intents[0].limited_by == "daily_notional"
    assert Decimal(299) < market.intents[0].notional_usd <= 300
    assert market.engine.state.assets["SOL"].usage.notional_usd > 999


def test_the_odds_are_learnt_from_closed_trades() -> None:
    market = Market()
    market.book(WIDE)
    before = market.intents[0].verdict.p_land_lower
    for _ in range(30):
        market.close_trade(market.intents[0], after_ms=1)
    (learnt,) = market.engine.state.assets["SOL"].landing.odds("usual", 0)
    assert learnt.landing.lower() > before
    market.close_trade(market.intents[0], dex_landed=None, cex_filled_ratio=None)
    assert learnt.landing.alpha + learnt.landing.beta == pytest.approx(40)
    assert market.engine.state.assets["SOL"].landing.odds("usual", 0) == (learnt,)


@settings(max_examples=60)
@given(st.integers(FAIR - 200, FAIR + 200))
def test_the_shown_direction_has_the_sign_of_the_gap(mid: int) -> None:
    market = Market(mode="observe")
    market.book(mid)
    (row,) = market.engine.spread_rows(market.at_ns)
    assert row.cex_price is not None
    assert row.dex_price is not None
    assert row.gross_bps is not None
    assert row.net_bps is not None
    assert row.cost_bps == pytest.approx(row.gross_bps - row.net_bps)
    cex, dex = Decimal(row.cex_price), Decimal(row.dex_price)
    gap = cex - dex if row.direction == "buy_dex_sell_cex" else dex - cex
    assert abs(gap) < Decimal("1e-5") or (gap > 0) == (row.gross_bps > 0)
    if row.gross_bps > 0:
        assert (cex > dex) == (row.direction == "buy_dex_sell_cex")
    if row.size_usd is None:
        assert row.limited_by == ""


def test_views_name_stops_and_ages() -> None:
    market = Market()
    market.tell(mode(market.after(1), "hedge_only", scope="SOL", version=3, rule="kraken_stale"))
    market.tell(mode(market.after(1), "observe", version=4))
    now = market.after(12_000)
    reasons = {one.asset: one for one in market.engine.stop_reasons(now)}
    assert reasons["SOL"].rule == "kraken_stale"
    assert reasons["SOL"].limit == "10 s"
    assert reasons["SOL"].value == "12.0 s"
    assert reasons["*"].mode == "observe"
    assert market.engine.effective_mode() == "observe"
    assert market.engine.effective_mode("SOL") == "hedge_only"
    (row,) = market.engine.spread_rows(now)
    assert (row.state, row.reason) == ("auto_paused", "hedge_only by kraken_stale")
    ages = market.engine.venue_ages(now)
    assert ages["kraken"].proof_age_ms == pytest.approx(12_002)
    assert ages["solana"].slot == 1000
    assert market.engine.state.controls.applied_commands[-1] == "command-*-4"


def test_one_pools_events_leave_other_assets_alone() -> None:
    specs: dict[str, MarketSpec] = {
        "SOL": make_spec(),
        "JUP": make_spec(asset="JUP", cex_symbol="JUP/USD", pool="POOL-JUP"),
    }
    market = Market(Engine(specs))
    signals = [one.asset for one in market.book(WIDE) if isinstance(one, SignalSeen)]
    assert signals == ["SOL"]
    assert market.engine.spread_rows(market.at_ns)[0].asset == "JUP"
    assert market.engine.spread_rows(market.at_ns)[0].reason == "no configuration in force"


def test_an_input_that_was_missing_is_noticed_at_the_timer() -> None:
    market = Market(Engine({"JUP": make_spec(asset="JUP", pool="POOL-SOL")}))
    market.tell(SettingsApplied(settings=settings_of(asset="JUP"), at_ns=market.after(1)))
    market.tell(BookInvalidated(symbol="USDC/USD", reason="gap", recv_ns=market.after(1)))
    assert market.engine.spread_rows(market.at_ns)[0].state == "blocked"
    market.tell(mark(market.after(1)))
    market.alive()
    assert market.engine.spread_rows(market.at_ns)[0].state == "below_cost"
