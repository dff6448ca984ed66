"""The chooser of ways out of a residual: limits first, then the cheapest that is open."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.execution.residual import HedgeMarket, Naked, ResidualLimits, choose
from trading.intent import AssetSettings

from .builders import make_cpmm, make_spec

SPEC = make_spec()
CONFIG = AssetSettings(asset="SOL", version=1)
SOL = 10**8


def naked(lots: int = SOL, **changes: Any) -> Naked:
    return Naked(**{"lots": lots, "ticks": Decimal(15_000), "quote_usd": Decimal(1)} | changes)


def market(**changes: Any) -> HedgeMarket:
    """15,000/15,001 with plenty behind, 10 bps taker."""
    fields: dict[str, Any] = {
        "bid_ticks": 15_000,
        "ask_ticks": 15_001,
        "cex_quote_usd": Decimal(1),
        "bids": ((15_000, 10**12),),
        "asks": ((15_001, 10**12),),
        "taker": Decimal("0.001"),
    }
    return HedgeMarket(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "act"),
    [
        ({"lots": 0}, "flat"),
        ({"lots": 1_999_999}, "dust"),
        ({"lots": -50_000_000}, "hedge"),
        ({"attempts_left": 0}, "operator"),
        ({"naked_s": 121.0}, "operator"),
        ({"lots": 51 * SOL}, "operator"),
        ({"lots": 40 * SOL, "is_proven": False}, "wait"),
        ({"lots": 40 * SOL}, "hedge"),
        ({"filled_on": "kraken"}, "cross_back"),
    ],
)
def test_limits_come_before_costs(changes: dict[str, Any], act: str) -> None:
    assert choose(naked(**changes), SPEC, CONFIG, market()).act == act


def test_a_hedge_is_whole_increments_and_costs_at_least_the_minimum() -> None:
    spec = make_spec(qty_increment_lots=1000, cost_min="10")
    assert choose(naked(10_000_999), spec, CONFIG, market()).lots == 10_000_000
    assert choose(naked(6_000_000), spec, CONFIG, market()).act == "dust"


def test_the_cost_of_the_book_is_impact_and_fee_by_hand() -> None:
    thin = market(bids=((15_000, SOL // 2), (14_900, SOL // 2)))
    way = choose(naked(), SPEC, CONFIG, thin).ways[0]
    paid = Decimal("149.50")
    assert way.cost_usd == Decimal("150.005") - paid + paid * Decimal("0.001")


def test_a_wide_book_is_waited_for_and_not_longer_than_allowed() -> None:
    wide = market(bid_ticks=14_900, bids=((14_900, 10**12),))
    assert choose(naked(), SPEC, CONFIG, wide).act == "wait"
    assert choose(naked(waited_s=2.0), SPEC, CONFIG, wide).act == "hedge"
    assert choose(naked(waited_s=1.0, moved_bps=11.0), SPEC, CONFIG, wide).act == "hedge"


def test_a_second_swap_wins_when_the_pool_pays_more() -> None:
    pool = make_cpmm(10_000 * 10**9, 1_520_000 * 10**6)
    rich = market(pool=pool, pool_quote_usd=Decimal(1))
    verdict = choose(naked(swaps_left=1, filled_on="kraken"), SPEC, CONFIG, rich)
    assert (verdict.act, verdict.venue) == ("hedge", "solana")
    assert choose(naked(swaps_left=0), SPEC, CONFIG, rich).venue == "kraken"


def test_small_residuals_stay_as_inventory_inside_the_band_only() -> None:
    dear = {"taker": Decimal("0.004"), "kraken_base": Decimal(60), "solana_base": Decimal(40)}
    limits = ResidualLimits(max_keep_usd=Decimal(200), max_wait_s=0)
    kept = choose(naked(), SPEC, CONFIG, market(**dear), limits=limits)
    assert kept.act == "keep"
    skewed = market(**dear | {"kraken_base": Decimal(90), "solana_base": Decimal(10)})
    assert choose(naked(), SPEC, CONFIG, skewed, limits=limits).act == "hedge"
    small = msgspec.structs.replace(limits, max_keep_usd=Decimal(100))
    assert choose(naked(), SPEC, CONFIG, market(**dear), limits=small).act == "hedge"
    out_of_attempts = naked(attempts_left=0)
    assert choose(out_of_attempts, SPEC, CONFIG, market(**dear), limits=limits).act == "keep"


def test_without_a_market_it_waits_until_it_is_too_long() -> None:
    assert choose(naked(), SPEC, CONFIG, None).act == "wait"
    assert choose(naked(naked_s=121.0), SPEC, CONFIG, None).act == "operator"


lots = st.integers(-60 * SOL, 60 * SOL)
markets = st.builds(
    lambda bid, spread, depth, taker, base: market(
        bid_ticks=bid,
        ask_ticks=bid + spread,
        bids=((bid, depth), (bid - 7, depth)),
        asks=((bid + spread, depth), (bid + spread + 7, depth)),
        taker=Decimal(taker) / 10_000,
        kraken_base=Decimal(base),
        solana_base=Decimal(50),
        pool=make_cpmm(1_000 * 10**9, 150_000 * 10**6),
        pool_quote_usd=Decimal(1),
    ),
    st.integers(14_000, 16_000),
    st.integers(1, 400),
    st.integers(SOL // 10, 100 * SOL),
    st.integers(2, 40),
    st.integers(1, 200),
)
states = st.builds(
    naked,
    lots,
    attempts_left=st.integers(0, 3),
    swaps_left=st.integers(0, 1),
    is_proven=st.booleans(),
    naked_s=st.floats(0, 200),
    waited_s=st.floats(0, 4),
    moved_bps=st.floats(-30, 30),
    filled_on=st.sampled_from(["kraken", "solana"]),
)


@given(states, markets, st.integers(0, 9_000))
def test_the_verdict_is_the_cheapest_way_or_a_named_limit(
    state: Naked, seen: HedgeMarket, keep_usd: int
) -> None:
    limits = ResidualLimits(max_keep_usd=Decimal(keep_usd))
    verdict = choose(state, SPEC, CONFIG, seen, limits=limits)
    assert verdict.reason
    if verdict.act in ("flat", "dust", "operator"):
        return
    assert verdict.notional_usd <= CONFIG.max_naked_usd
    assert state.naked_s <= CONFIG.max_naked_s
    costs = [way.cost_usd for way in verdict.ways if way.cost_usd is not None]
    chosen = [w for w in verdict.ways if (w.act, w.venue) == (verdict.act, verdict.venue)]
    if not state.is_proven and verdict.notional_usd > limits.max_provisional_usd:
        assert verdict.act == "wait"
    elif costs:
        assert chosen[0].cost_usd == min(costs)
    if verdict.act in ("hedge", "cross_back"):
        assert state.attempts_left > 0
        assert 0 < verdict.lots <= abs(state.lots)
        assert verdict.side == ("sell" if state.lots > 0 else "buy")
    if verdict.act == "keep":
        assert verdict.notional_usd <= limits.max_keep_usd


@given(states, markets)
def test_less_room_never_sends_what_more_room_would_not(state: Naked, seen: HedgeMarket) -> None:
    """Tightening the asset's naked limits turns acts into an operator's, never the reverse."""
    wide = choose(state, SPEC, CONFIG, seen)
    tight = msgspec.structs.replace(CONFIG, max_naked_usd=Decimal(1_000), max_naked_s=30)
    narrow = choose(state, SPEC, tight, seen)
    if wide.act == "operator":
        assert narrow.act == "operator"
    elif narrow.act != "operator":
        assert narrow.act == wide.act
