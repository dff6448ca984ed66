"""Predicted PnL term by term, the edge budget, and realised PnL."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.market.spec import Direction
from trading.pricing import (
    Costs,
    LegQuotes,
    Mark,
    basis_fraction,
    chain_fee_usd,
    edge_budget,
    inventory_fraction,
    predicted_pnl,
    realised_pnl,
    remaining_cex_limit,
    success_usd,
)
from trading.sizing import walk_book

from .builders import ladders, make_spec

D = Decimal
COSTS = Costs(
    taker=D("0.001"),
    haircut=D("0.0001"),
    basis=D("0.00005"),
    inventory=D("0"),
    drift=D("0.0002"),
    unwind=D("0.002"),
    chain_fee_usd=D("0.004"),
    failed_fee_usd=D("0.001"),
    p=D("0.9"),
    p_lower=D("0.8"),
)


def test_every_term_is_priced_by_hand() -> None:
    terms = predicted_pnl(
        "buy_dex_sell_cex",
        cex_value=D(1510),
        cex_mark_usd=D(1),
        dex_value=D(1500),
        dex_mark_usd=D("0.9998"),
        costs=COSTS,
    )
    assert terms.sell_proceeds == 1510
    assert terms.buy_cost == D("1499.7")
    assert terms.cex_fee == D("1.51")
    assert terms.chain_fee == D("0.004")
    # In one of ten tries the profit of 8.786 is forgone, the fee and an unwind of 20 bps paid.
    assert terms.failure_cost == D("0.1") * (D("8.786") + D("0.001") + D("3.02"))
    assert terms.expected == D("0.9") * D("8.786") - D("0.1") * D("3.021")
    assert terms.haircut == D("0.151")
    assert terms.basis_cost == D("0.0755")
    # The drift, and what the lower bound of p takes off beyond its mean.
    assert terms.leg_risk == D("0.302") + D("0.1") * D("11.807")
    assert terms.decision_value == terms.expected - D("0.2265") - terms.leg_risk


money = st.decimals("1", "9000", places=4)
chance = st.decimals("0", "1", places=4)


@given(money, money, chance, chance, st.decimals("0", "0.01", places=5))
def test_expected_is_the_mean_over_outcomes_and_the_terms_sum_to_it(
    cex_value: Decimal, dex_value: Decimal, p: Decimal, doubt: Decimal, unwind: Decimal
) -> None:
    costs = msgspec.structs.replace(COSTS, p=p, p_lower=p * doubt, unwind=unwind)
    terms = predicted_pnl(
        "buy_dex_sell_cex",
        cex_value=cex_value,
        cex_mark_usd=D(1),
        dex_value=dex_value,
        dex_mark_usd=D(1),
        costs=costs,
    )
    success = success_usd(terms.sell_proceeds, terms.buy_cost, terms.cex_fee, terms.chain_fee)
    assert success - terms.failure_cost == terms.expected
    mean = p * success - (1 - p) * (costs.failed_fee_usd + cex_value * unwind)
    assert mean - D("1e-11") <= terms.expected <= mean
    assert terms.leg_risk >= cex_value * costs.drift
    risk = terms.haircut + terms.basis_cost + terms.inventory_cost + terms.leg_risk
    assert terms.decision_value == terms.expected - risk


def test_buying_on_the_book_swaps_proceeds_and_cost() -> None:
    terms = predicted_pnl(
        "buy_cex_sell_dex",
        cex_value=D(1500),
        cex_mark_usd=D(1),
        dex_value=D(1510),
        dex_mark_usd=D(1),
        costs=COSTS,
    )
    assert (terms.sell_proceeds, terms.buy_cost) == (D(1510), D(1500))
    assert terms.cex_fee == D("1.5")


def test_basis_is_half_of_each_spread_that_must_be_crossed() -> None:
    marks = {"USD": Mark(D(1)), "USDC": Mark(D(1), D("0.00005")), "USDT": Mark(D(1), D("0.0001"))}
    assert basis_fraction("USDC", "USDC", marks) == 0
    assert basis_fraction("USD", "USDC", marks) == D("0.00005")
    assert basis_fraction("USDT", "USDC", marks) == D("0.00015")
    with pytest.raises(KeyError):
        basis_fraction("EUR", "USDC", marks)


def test_a_trade_that_restores_balance_is_credited_and_one_that_worsens_it_pays() -> None:
    def rate(direction: Direction, kraken: int, solana: int) -> Decimal:
        return inventory_fraction(
            direction,
            kraken_base=D(kraken),
            solana_base=D(solana),
            band_pct=D(40),
            rebalance_bps=D(2),
        )

    assert rate("buy_dex_sell_cex", 60, 40) == 0
    assert rate("buy_dex_sell_cex", 80, 20) == D("-0.0002")
    assert rate("buy_cex_sell_dex", 80, 20) == D("0.0002")
    assert rate("buy_cex_sell_dex", 0, 100) == D("-0.0002")
    assert rate("buy_cex_sell_dex", 0, 0) == 0


def test_priority_fee_rounds_up_like_the_chain() -> None:
    fee = chain_fee_usd(
        base_fee_lamports=5000,
        cu_limit=200_001,
        cu_price_micro_lamports=100_000,
        tip_lamports=10,
        sol_usd=D(150),
    )
    assert fee == D(5000 + 20_001 + 10) / 10**9 * 150


def test_realised_pnl_refuses_an_asset_without_a_mark() -> None:
    marks = {"USD": D(1), "USDC": D("0.9999"), "SOL": D(150)}
    deltas = {"USD": D("1508.49"), "USDC": D("-1500"), "SOL": D("-0.00001"), "BONK": D(0)}
    assert realised_pnl(deltas, marks) == D("1508.49") - D("1499.85") - D("0.0015")
    with pytest.raises(KeyError):
        realised_pnl({"BONK": D(1)}, marks)


def _pnl_at(direction, spec, lots, cex_ticks, dex_raw, mark, taker, fixed):
    cex = D(lots * cex_ticks).scaleb(-(spec.price_precision + spec.qty_precision))
    dex = D(dex_raw).scaleb(-spec.quote_decimals) * mark
    if direction == "buy_dex_sell_cex":
        return cex * (1 - taker) - dex - fixed
    return dex - cex * (1 + taker) - fixed


@settings(max_examples=300)
@given(st.data())
def test_any_pair_of_fills_inside_both_limits_keeps_the_minimum(data: st.DataObject) -> None:
    direction: Direction = data.draw(st.sampled_from(["buy_dex_sell_cex", "buy_cex_sell_dex"]))
    sells = direction == "buy_dex_sell_cex"
    step = data.draw(st.sampled_from([1, 5]))
    spec = make_spec(price_increment_ticks=step)
    taker = data.draw(st.sampled_from([D("0.001"), D("0.004"), D(0)]))
    mark = data.draw(st.sampled_from([D(1), D("0.99937")]))
    theta = data.draw(st.sampled_from([D(0), D("0.07")]))
    fixed = D("0.0046")
    levels = tuple(
        (ticks // step * step, lots)
        for ticks, lots in data.draw(ladders("bids" if sells else "asks", 15_000))
    )
    total = sum(lots for _, lots in levels)
    lots = data.draw(st.integers(1, total))
    value, worst = walk_book(levels, lots)
    edge = data.draw(st.floats(-0.0005, 0.01))
    value_usd = D(value).scaleb(-10)
    dex_raw = int(value_usd / mark * 10**6 * D(1 - edge if sells else 1 + edge))
    quotes = LegQuotes(lots, lots * 10, value, worst, dex_raw)
    costs = Costs(taker, D(0), D(0), D(0), D(0), D(0), fixed, D(0), D(1), D(1))
    terms = predicted_pnl(
        direction,
        cex_value=value_usd,
        cex_mark_usd=D(1),
        dex_value=D(dex_raw).scaleb(-6),
        dex_mark_usd=mark,
        costs=costs,
    )
    budget = edge_budget(
        spec,
        direction,
        quotes,
        success_usd=terms.expected,
        theta_min_usd=theta,
        cex_mark_usd=D(1),
        dex_mark_usd=mark,
        taker=taker,
        slippage_cap_bps=data.draw(st.sampled_from([D(3), D(30), D(1000)])),
        cex_share=data.draw(st.decimals(0, 1, places=2)),
    )
    if budget is None:
        at_worst = _pnl_at(direction, spec, lots, worst, dex_raw, mark, taker, fixed)
        assert at_worst < theta + value_usd * taker
        return
    worst_pnl = _pnl_at(
        direction, spec, lots, budget.cex_limit_ticks, budget.dex_threshold_raw, mark, taker, fixed
    )
    tiny = D("1e-9")
    assert worst_pnl >= budget.min_pnl_usd - tiny
    assert budget.min_pnl_usd >= theta - tiny
    assert budget.slack_cex_usd + budget.slack_dex_usd <= terms.expected - theta + tiny
    assert budget.cex_limit_ticks % step == 0
    # Any better pair is at least as good: both legs' PnL is monotone in their price.
    better = data.draw(st.integers(0, 50))
    sign = 1 if sells else -1
    assert (
        _pnl_at(
            direction,
            spec,
            lots,
            budget.cex_limit_ticks + sign * better,
            budget.dex_threshold_raw - sign * better,
            mark,
            taker,
            fixed,
        )
        >= worst_pnl
    )


def test_a_generous_edge_lets_the_last_level_fill_and_the_cap_only_tightens() -> None:
    spec = make_spec()
    quotes = LegQuotes(2 * 10**8, 2 * 10**9, 15_100 * 10**8 + 15_090 * 10**8, 15_090, 300_000_000)
    common = {
        "success_usd": D("1.5"),
        "theta_min_usd": D(0),
        "cex_mark_usd": D(1),
        "dex_mark_usd": D(1),
        "taker": D("0.001"),
    }
    wide = edge_budget(spec, "buy_dex_sell_cex", quotes, slippage_cap_bps=D(1000), **common)
    tight = edge_budget(spec, "buy_dex_sell_cex", quotes, slippage_cap_bps=D(1), **common)
    assert wide is not None
    assert tight is not None
    assert wide.cex_limit_ticks <= 15_090
    assert wide.dex_threshold_raw > quotes.dex_quote_raw
    assert tight.cex_limit_ticks > wide.cex_limit_ticks
    assert tight.dex_threshold_raw < wide.dex_threshold_raw
    assert tight.dex_threshold_raw <= quotes.dex_quote_raw * 10_001 // 10_000


@given(
    st.integers(10**6, 10**11),
    st.decimals("0.5", "20000", places=6),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from([D(0), D("0.001"), D("0.0026")]),
)
def test_the_limit_after_the_swap_filled_spends_the_rest_and_no_more(
    lots: int, dex_usd: Decimal, side, taker: Decimal
) -> None:
    spec = make_spec(price_increment_ticks=5)
    fixed, theta = D("0.004"), D("0.01")
    limit = remaining_cex_limit(
        spec,
        side,
        qty_lots=lots,
        dex_quote_usd=dex_usd,
        fixed_costs_usd=fixed,
        theta_min_usd=theta,
        cex_mark_usd=D(1),
        taker=taker,
    )
    direction: Direction = "buy_dex_sell_cex" if side == "sell" else "buy_cex_sell_dex"

    def pnl(ticks: int) -> Decimal:
        raw = int(dex_usd * 10**6)
        return _pnl_at(direction, spec, lots, ticks, raw, D(1), taker, fixed)

    worse = limit - 5 if side == "sell" else limit + 5
    if limit > 1:
        assert pnl(limit) >= theta - D("1e-12")
    assert pnl(worse) < theta
