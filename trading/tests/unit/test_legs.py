"""The order policy, the two state tables, the posteriors."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arbsite.errors import IllegalTransition
from trading.landing import FILLING_PRIOR, Posterior, beta_quantile
from trading.legs import (
    ATTEMPT_TABLE,
    TERMINAL_ATTEMPT_STATES,
    TRADE_TABLE,
    AttemptEvent,
    AttemptState,
    OrderModel,
    TradeEvent,
    TradeState,
    choose_order,
    leg_risk_bps,
    next_attempt_state,
    next_trade_state,
)

CERTAIN_FILL = Posterior(1e12, 1e-6)
LANDING_PRIOR = Posterior(8.5, 1.5)


@given(
    st.floats(0.5, 200),
    st.floats(1, 400),
    st.floats(0.1, 6),
    st.floats(0, 3),
    st.floats(0, 50),
    st.floats(0.0002, 0.004),
)
def test_with_a_certain_fill_the_published_inequality_decides(
    alpha: float, beta: float, drift: float, fee: float, edge: float, taker: float
) -> None:
    model = OrderModel(drift_bps=drift, pool_drift_bps=drift)
    verdict = choose_order(
        edge_bps=edge,
        taker=taker,
        fail_fee_bps=fee,
        landing=Posterior(alpha, beta),
        filling=CERTAIN_FILL,
        model=model,
        configured="auto",
    )
    p, unwind = verdict.p_land_lower, verdict.unwind_bps
    bound = (unwind - fee) / (unwind - fee + drift)
    assume(abs(p - bound) > 1e-6)
    assert (verdict.ev_concurrent_bps > verdict.ev_dex_first_bps) == (p > bound)
    assert verdict.order == ("concurrent" if p > bound else "dex_first")


def test_the_prior_alone_sends_the_less_reliable_leg_first() -> None:
    verdict = choose_order(
        edge_bps=8.0,
        taker=0.001,
        fail_fee_bps=0.01,
        landing=LANDING_PRIOR,
        filling=FILLING_PRIOR,
        model=OrderModel(),
        configured="auto",
    )
    assert verdict.order == "dex_first"
    assert 0.6 < verdict.p_land_lower < 0.75 < verdict.p_land == 0.85
    assert leg_risk_bps(verdict, OrderModel()) == pytest.approx(verdict.p_land_lower * 1.5)


def test_a_flaky_book_and_a_sure_chain_send_the_book_first() -> None:
    verdict = choose_order(
        edge_bps=8.0,
        taker=0.001,
        fail_fee_bps=0.01,
        landing=Posterior(5000, 5),
        filling=Posterior(40, 60),
        model=OrderModel(),
        configured="auto",
    )
    assert verdict.order == "cex_first"
    assert not verdict.forced_by_config


@pytest.mark.parametrize("order", ["concurrent", "dex_first", "cex_first"])
def test_a_configured_order_is_obeyed_and_said(order) -> None:
    verdict = choose_order(
        edge_bps=8.0,
        taker=0.001,
        fail_fee_bps=0.01,
        landing=LANDING_PRIOR,
        filling=FILLING_PRIOR,
        model=OrderModel(),
        configured=order,
    )
    assert verdict.order == order
    assert verdict.forced_by_config
    assert leg_risk_bps(verdict, OrderModel()) > 0


def test_quantiles_match_known_values() -> None:
    assert beta_quantile(1, 1, 0.1) == pytest.approx(0.1, abs=1e-6)
    assert beta_quantile(2, 1, 0.25) == pytest.approx(0.5, abs=1e-6)
    assert beta_quantile(1, 3, 0.5) == pytest.approx(1 - 0.5 ** (1 / 3), abs=1e-6)
    assert beta_quantile(0.5, 0.5, 0.5) == pytest.approx(0.5, abs=1e-6)
    with pytest.raises(ValueError, match="level"):
        beta_quantile(1, 1, 0)


def test_the_bound_rises_with_successes_and_old_ones_fade() -> None:
    posterior = LANDING_PRIOR
    for _ in range(500):
        posterior = posterior.after(True, memory=50)
    assert posterior.alpha + posterior.beta == pytest.approx(50)
    sure = posterior.lower()
    assert sure > 0.95
    for _ in range(25):
        posterior = posterior.after(False, memory=50)
    assert posterior.lower() < 0.6


def test_listed_pairs_move_and_all_others_raise() -> None:
    for state, event in product(get_args(AttemptState), get_args(AttemptEvent)):
        if (state, event) in ATTEMPT_TABLE:
            assert next_attempt_state(state, event) == ATTEMPT_TABLE[state, event]
        else:
            with pytest.raises(IllegalTransition, match=event):
                next_attempt_state(state, event)
    for state, event in product(get_args(TradeState), get_args(TradeEvent)):
        if (state, event) in TRADE_TABLE:
            assert next_trade_state(state, event) == TRADE_TABLE[state, event]
        else:
            with pytest.raises(IllegalTransition, match=event):
                next_trade_state(state, event)


def test_terminal_attempts_absorb_save_a_late_fill() -> None:
    leaving = {
        (state, event, target)
        for (state, event), target in ATTEMPT_TABLE.items()
        if state in TERMINAL_ATTEMPT_STATES and target != state
    }
    assert leaving == {("dead", "late_fill", "done")}
    assert not [pair for pair in ATTEMPT_TABLE if pair[0] == "stale"]


def test_nothing_is_ever_sent_from_an_uncertain_state() -> None:
    assert [pair for pair, target in ATTEMPT_TABLE.items() if target == "sending"] == [
        ("planned", "send_started")
    ]
    assert ("unknown", "send_failed_before_wire") not in ATTEMPT_TABLE


def test_a_closed_trade_reopens_only_by_a_late_fill() -> None:
    assert [pair for pair in TRADE_TABLE if pair[0] == "closed"] == [("closed", "late_fill")]
