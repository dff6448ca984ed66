"""The size walk against brute force, its caps, and the exact quotes behind it."""

from __future__ import annotations

from decimal import Decimal
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.market.curve import Pieces, fee_fraction, price, root_price, segments
from feeds.market.pools import CpmmPool, QuoteRefused, Swap, Whirlpool
from feeds.market.quote import quote
from feeds.market.quoter import quoter_for
from feeds.market.spec import Direction, MarketSpec
from trading.intent import AssetSettings
from trading.sizing import (
    Available,
    BestSize,
    Caps,
    Ladder,
    best_size,
    caps_from,
    has_edge,
    lot_raw,
    lots_floor,
    quote_exactly,
    size_limits,
    tick_value,
    walk_book,
)

from .builders import cpmms, ladders, make_cpmm, make_spec, price_of, whirlpools

DIRECTIONS: tuple[Direction, Direction] = ("buy_dex_sell_cex", "buy_cex_sell_dex")


def _ladder(spec: MarketSpec, levels: tuple[tuple[int, int], ...], take: float) -> Ladder:
    return Ladder(levels, tick_value(spec, 1.0, 1.0), lot_raw(spec), take)


def _solve(
    spec: MarketSpec,
    pool: Whirlpool | CpmmPool,
    ladder: Ladder,
    direction: Direction,
    caps: Caps = Caps(impact=1e9),  # noqa: B008 - an immutable struct
) -> BestSize:
    rising = direction == "buy_dex_sell_cex"
    pieces = Pieces(segments(pool, buys_base=rising, base_is_a=spec.base_is_a))
    return best_size(pieces, fee_fraction(pool), ladder, caps, rising=rising)


def _profit(found: BestSize, take: float, direction: Direction) -> float:
    if direction == "buy_dex_sell_cex":
        return found.cex_value * take - found.dex_quote
    return found.dex_quote - found.cex_value * take


def _exact_profit(
    spec: MarketSpec,
    pool: Whirlpool | CpmmPool,
    ladder: Ladder,
    direction: Direction,
    lots: int,
) -> float | None:
    if lots <= 0:
        return 0.0
    quoter = quoter_for(pool, a_to_b=spec.sells_a(direction))
    quotes = quote_exactly(spec, quoter, ladder.levels, direction, lots, 0)
    if isinstance(quotes, QuoteRefused):
        return None
    value = quotes.cex_value_ticklots * ladder.tick_value * ladder.lot_raw * ladder.take
    return (value - quotes.dex_quote_raw) * (1 if direction == "buy_dex_sell_cex" else -1)


def test_a_constant_product_pool_gives_the_published_optimum() -> None:
    # 10000 base against 1.5M quote, fee 4 bps, one deep bid at 150.2496 net of costs.
    spec = make_spec(price_precision=5)
    pool = make_cpmm(10_000 * 10**9, 1_500_000 * 10**6)
    ladder = _ladder(spec, ((15_024_960, 10**13),), 1.0)
    found = _solve(spec, pool, ladder, "buy_dex_sell_cex")
    assert found.limited_by == "optimum"
    assert found.dex_quote / 1e6 == pytest.approx(947.581, abs=5e-4)
    assert found.base_raw / 1e9 == pytest.approx(6.3107, abs=5e-5)
    assert _profit(found, 1.0, "buy_dex_sell_cex") / 1e6 == pytest.approx(0.5984, abs=5e-5)
    gamma, b, x, y = 1 - 0.0004, 150.24960, 10_000, 1_500_000
    assert found.dex_quote / 1e6 == pytest.approx((sqrt(gamma * b * x * y) - y) / gamma, rel=1e-9)


@st.composite
def _cases(draw: st.DrawFn):
    base_is_a = draw(st.booleans())
    if base_is_a and draw(st.booleans()):
        pool: Whirlpool | CpmmPool = draw(whirlpools())
    else:
        pool = draw(cpmms(base_is_a))
    spec = make_spec(base_is_a=base_is_a, pool_kind="whirlpool")
    direction = draw(st.sampled_from(DIRECTIONS))
    rising = direction == "buy_dex_sell_cex"
    mid_ticks = price_of(pool, base_is_a) * 1e3 * 100
    edge = draw(st.floats(-0.001, 0.02))
    best = round(mid_ticks * (1 + edge if rising else 1 - edge))
    levels = draw(ladders("bids" if rising else "asks", best))
    cost = draw(st.floats(0, 0.004))
    return spec, pool, _ladder(spec, levels, 1 - cost if rising else 1 + cost), direction


@settings(max_examples=80)
@given(_cases())
def test_no_size_on_a_grid_beats_the_walk(case) -> None:
    spec, pool, ladder, direction = case
    found = _solve(spec, pool, ladder, direction)
    visible = sum(lots for _, lots in ladder.levels)
    assert 0 <= found.base_raw <= visible * ladder.lot_raw * (1 + 1e-9)
    ours = _exact_profit(spec, pool, ladder, direction, lots_floor(found.base_raw, spec))
    assert ours is not None, "the walk must stay inside what the chain can quote"
    best = 0.0
    top = min(visible, int(3 * found.base_raw / ladder.lot_raw) + 10**6)
    for i in range(1, 61):
        profit = _exact_profit(spec, pool, ladder, direction, top * i // 60)
        best = max(best, profit or 0.0)
    # Raw units of the quote asset (1e-6 USD): a lot of base and the chain's rounding.
    assert ours >= best * 0.9999 - 5
    assert has_edge(
        root_price(pool, spec.base_is_a),
        fee_fraction(pool),
        ladder,
        rising=direction == "buy_dex_sell_cex",
    ) == (found.base_raw > 0)


@settings(max_examples=80)
@given(
    _cases(),
    st.floats(0, 5000),
    st.floats(0, 10**12),
    st.floats(0, 20_000),
    st.integers(100, 5000),
    st.sampled_from(["0.1", "0.5", "0.9"]),
    st.sampled_from(["5", "50", "200"]),
)
def test_no_cap_is_ever_exceeded(
    case, cex_units: float, dex_raw: float, daily: float, notional: int, depth: str, impact: str
) -> None:
    spec, pool, ladder, direction = case
    config = AssetSettings(
        asset="SOL",
        version=1,
        max_notional_usd=Decimal(notional),
        cex_depth_cap=Decimal(depth),
        dex_impact_cap_bps=Decimal(impact),
    )
    rising = direction == "buy_dex_sell_cex"
    available = Available(cex_units, dex_raw, daily, 1.0)
    caps = caps_from(spec, size_limits(config), ladder, available, taker=0.001, rising=rising)
    found = _solve(spec, pool, ladder, direction, caps)
    free = _solve(spec, pool, ladder, direction)
    room = 1 + 1e-9
    assert found.base_raw <= free.base_raw * room
    visible = sum(lots for _, lots in ladder.levels) * ladder.lot_raw
    assert found.base_raw <= visible * float(depth) * room
    assert found.cex_value <= min(notional, daily) * 1e6 * room
    if rising:
        assert found.base_raw <= cex_units * 1e9 * room
        assert found.dex_quote <= dex_raw * room + 1  # a float's grain at dust sizes
    else:
        assert found.base_raw <= dex_raw * room
        assert found.cex_value * 1.001 <= cex_units * 1e6 * room
    if found.base_raw < free.base_raw * (1 - 1e-9):
        assert found.limited_by not in ("", "optimum")
    lots = lots_floor(found.base_raw, spec)
    if found.dex_quote > 10**6:
        swap = quote(
            pool,
            spec.raw_from_lots(lots),
            exact_in=not rising,
            a_to_b=spec.sells_a(direction),
        )
        assert isinstance(swap, Swap)
        moved = abs(price(swap.after, spec.base_is_a) / price(pool, spec.base_is_a) - 1)
        # The fee stays in a constant-product pool's reserves and moves its price a little.
        assert moved * 1e4 <= float(impact) * 1.01 + 0.05


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "optimum"),
        ({"depth": "0.00001"}, "cex_depth"),
        ({"impact": "0.5"}, "dex_impact"),
        ({"notional": 200}, "max_notional"),
        ({"daily": 150.0}, "daily_notional"),
        ({"daily": 150.0, "cause": "desk_open"}, "desk_open"),
        ({"cex": 1.0}, "inventory_kraken"),
        ({"dex": 10**8}, "inventory_solana"),
    ],
)
def test_the_binding_cap_is_named(changes: dict, expected: str) -> None:
    spec = make_spec()
    pool = make_cpmm(10_000 * 10**9, 1_500_000 * 10**6)
    ladder = _ladder(spec, ((15_050, 10**13),), 0.999)
    config = AssetSettings(
        asset="SOL",
        version=1,
        max_notional_usd=Decimal(changes.get("notional", 10**6)),
        cex_depth_cap=Decimal(changes.get("depth", "0.9")),
        dex_impact_cap_bps=Decimal(changes.get("impact", "100")),
    )
    available = Available(
        changes.get("cex", 1000.0),
        changes.get("dex", 10**12),
        changes.get("daily", 1e6),
        1.0,
        changes.get("cause", "daily_notional"),
    )
    caps = caps_from(spec, size_limits(config), ladder, available, taker=0.001, rising=True)
    assert _solve(spec, pool, ladder, "buy_dex_sell_cex", caps).limited_by == expected


def test_book_prices_in_another_dollar_are_converted() -> None:
    spec = make_spec(cex_quote="USDT")
    pool = make_cpmm(10_000 * 10**9, 1_500_000 * 10**6)
    levels = ((15_050, 10**13),)
    at_par = Ladder(levels, tick_value(spec, 1.0, 1.0), lot_raw(spec), 1.0)
    cheap_usdt = Ladder(levels, tick_value(spec, 0.997, 1.0), lot_raw(spec), 1.0)
    assert _solve(spec, pool, at_par, "buy_dex_sell_cex").base_raw > 0
    assert _solve(spec, pool, cheap_usdt, "buy_dex_sell_cex").base_raw == 0


def test_an_empty_pool_or_book_has_no_size() -> None:
    spec = make_spec()
    pool = make_cpmm(10**12, 15 * 10**10)
    ladder = _ladder(spec, ((15_050, 1),), 1.0)
    assert best_size(Pieces([]), 0.0004, ladder, Caps(), rising=True).base_raw == 0
    assert _solve(spec, pool, _ladder(spec, (), 1.0), "buy_dex_sell_cex").base_raw == 0


def test_the_book_walk_is_exact_and_refuses_a_thin_book() -> None:
    assert walk_book(((101, 5), (100, 5)), 7) == (101 * 5 + 100 * 2, 100)
    assert walk_book(((101, 5), (100, 5)), 5) == (505, 101)
    assert walk_book(((101, 5),), 6) is None


def test_sizes_are_whole_steps_of_both_venues() -> None:
    coarse = make_spec(base_decimals=5, qty_precision=8, qty_increment_lots=1)
    assert lots_floor(12.9, coarse) == 12_000
    assert coarse.raw_from_lots(12_000) == 12
