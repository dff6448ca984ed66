"""The ablation's policies, their pairing, and the grid's promises."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from arbsite.clock import seeded_random
from trading.backtest.ablation import (
    Job,
    PolicyRun,
    run_job,
    summarise,
)
from trading.backtest.desk import BacktestDesk
from trading.backtest.errors import Prediction, error_figures
from trading.backtest.figures import figures_of
from trading.backtest.grid import failing, run_grid
from trading.backtest.parameters import setup_from
from trading.backtest.policies import FULL, REFERENCE, inventory, policies
from trading.backtest.reshaping import FixedSize, PercentSlippage
from trading.backtest.run import run_desks
from trading.backtest.simulated import SimulatedMarket
from trading.tests.paper.test_paper_trades import intent_of

JOB = Job("busy", 7, 1.5)


@pytest.fixture(scope="module")
def runs() -> list[PolicyRun]:
    return run_job(JOB)


def test_every_policy_runs_on_the_same_market(runs):
    names = [run.policy for run in runs]
    assert names[0] == FULL
    assert len(set(names)) == len(names) == len(policies(dict(SimulatedMarket("busy", 7, 1).specs)))
    assert all(len(run.pnl_by_block) == 2 for run in runs)
    by_name = {run.policy: run for run in runs}
    assert by_name[FULL].trade_pnl
    assert by_name["fixed 5000 USD"].trade_pnl
    assert by_name["fixed 25000 USD"].trade_pnl != by_name["fixed 5000 USD"].trade_pnl


def test_the_same_job_gives_the_same_runs():
    short = Job("busy", 8, 0.3)
    assert run_job(short) == run_job(short)


def test_rows_compare_with_the_full_system(runs):
    later = [msgspec.structs.replace(run, seed=8) for run in runs]
    rows, leads = summarise([*runs, *later], seeded_random(1))
    by_name = {row.policy: row for row in rows}
    assert by_name[FULL].of_full.value == 1.0
    assert by_name[FULL].value_capture.value > 0.4
    alone, waiting = leads
    assert (alone.kind, waiting.kind) == ("fixed", "waits for")
    best = max(
        (n for n in by_name if n.startswith("fixed")), key=lambda n: by_name[n].of_full.value
    )
    assert alone.policy == best
    assert alone.gain.value == pytest.approx(1 / by_name[best].of_full.value - 1)
    assert alone.gain.n == 4
    assert alone.trades == by_name[FULL].trades
    fixed = by_name["fixed 5000 USD"]
    mine = sum(next(run for run in runs if run.policy == "fixed 5000 USD").pnl_by_block)
    full = sum(next(run for run in runs if run.policy == FULL).pnl_by_block)
    cost = {run.policy: run.rebalance_cost for run in runs}
    expected = (mine - cost["fixed 5000 USD"]) / (full - cost[FULL])
    assert fixed.of_full.value == pytest.approx(expected)
    assert fixed.trades == 2 * len(next(r for r in runs if r.policy == fixed.policy).trade_pnl)


def test_a_fixed_size_is_that_size_or_nothing():
    market = SimulatedMarket("busy", 7, 1.5)
    setup, reshape = policies(dict(market.specs))[1]
    assert setup.label == "fixed 5000 USD"
    desk = BacktestDesk(market.specs, setup, lambda name: seeded_random(f"1/{name}"), reshape)
    for event in market.events():
        desk.handle(event)
    desk.finish()
    assert desk.trades
    for trade in desk.trades:
        assert Decimal(4_950) < trade.notional_usd < Decimal(5_050)
        assert trade.limited_by == "fixed"
    windows = [trade.window_id for trade in desk.trades]
    assert len(set(windows)) == len(windows)


def test_a_fixed_size_must_be_worth_its_minimum_edge():
    market = SimulatedMarket("busy", 7, 1.5)
    taker = Decimal("0.001")
    found = []
    for edge_bps in ("0", "10"):
        kraken, solana = inventory()
        values = {**REFERENCE, "min_edge_bps": "0"}
        setup = setup_from(values, market.specs, kraken=kraken, solana=solana)
        size = FixedSize(Decimal(20_000), taker)
        desk = BacktestDesk(
            market.specs, setup, lambda name: seeded_random(f"1/{name}"), demanding(size, edge_bps)
        )
        run_desks(market, [desk])
        found.append([trade.pnl.decision_value / trade.notional_usd for trade in desk.trades])
    free, demanded = found
    assert len(demanded) < len(free)
    assert min(free) < Decimal("0.001") <= min(demanded)


def demanding(size, edge_bps):
    """The same size where only it, not the engine's own walk, has a minimum edge."""

    def shape(intent, engine, paper):
        asset = engine.state.assets[intent.asset]
        own = asset.settings
        asset.settings = msgspec.structs.replace(own, min_edge_bps=Decimal(edge_bps))
        try:
            return size(intent, engine, paper)
        finally:
            asset.settings = own

    return shape


@pytest.mark.parametrize("mid", [14_958, 15_048])
def test_percentage_limits_are_that_far_away(mid):
    intent = intent_of(mid=mid)
    wide = PercentSlippage(100)(intent, None, None)  # type: ignore[arg-type]
    sign = -1 if intent.cex_side == "sell" else 1
    assert wide.cex_limit_ticks / intent.cex_expected_ticks == pytest.approx(1 + sign * 0.01, 1e-4)
    assert wide.dex_threshold_raw / intent.dex_expected_quote_raw == pytest.approx(
        1 - sign * 0.01, 1e-6
    )


def test_stronger_rivals_leave_less_and_broken_promises_are_named():
    (weak,), (strong,) = (run_grid(JOB, strength, [0.7], [10]) for strength in (0.2, 4.0))
    assert float(weak.pnl_usd) > float(strong.pnl_usd)
    assert (strong.strength, strong.land_p, strong.fee_bps) == (4.0, 0.7, 10)
    (hard,) = run_grid(JOB, 4.0, [0.05], [10])
    assert "capture >= 60 %" in hard.fails


def test_a_promise_without_data_is_not_judged():
    market = SimulatedMarket("busy", 7, 0.05)
    setup, _ = policies(dict(market.specs))[0]
    idle = BacktestDesk(market.specs, setup, seeded_random)
    idle.handle(next(market.events()))
    figures = figures_of(idle, seeded_random(1))
    assert figures.attempts == 0
    assert failing(figures) == []


def test_error_metrics_are_the_domains():
    exact = [Prediction(1.0, 1.0, 100.0), Prediction(2.0, 2.0, 100.0)]
    found = error_figures(exact)
    assert (found.bias, found.wape, found.median, found.slope) == (0.0, 0.0, 0.0, 1.0)
    mixed = [Prediction(1.0, 0.5, 100.0), Prediction(1.0, 1.5, 100.0), Prediction(0.01, -0.04, 100)]
    found = error_figures(mixed)
    assert found.bias == pytest.approx(-0.05 / 2.01)
    assert found.wape == pytest.approx(1.05 / 2.01)
    # The tiny prediction is related to five cents: an error of exactly one.
    assert found.median == pytest.approx(0.5)
    assert found.bps_p50 == pytest.approx(-5.0)
    assert found.coverage80.n == 0


def test_coverage_looks_only_at_earlier_errors():
    rng = seeded_random("errors")
    many = [Prediction(1.0, 1.0 + rng.gauss(0, 0.1), 100.0) for _ in range(400)]
    covered = error_figures(many).coverage80
    assert covered.n == 380
    assert 0.7 < covered.value < 0.9
