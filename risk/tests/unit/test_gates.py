"""The gates: order, every refusal, unknown is refused, and monotone in every limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.anomaly import BasisDetector, BasisModel
from risk.gates import (
    GATES,
    INELIGIBLE_GATES,
    Approved,
    Candidate,
    DeskRoom,
    GateLimits,
    GateState,
    Refused,
    check,
)

D = Decimal

CANDIDATE = Candidate(
    asset="SOL",
    size_lots=100,
    min_lots=2,
    size_cost=D(150),
    min_cost=D("0.5"),
    limited_by="optimum",
    notional_usd=D(150),
    decision_value_usd=D("0.2"),
    landed_value_usd=D("0.2"),
    p_land=0.9,
    gross_bps=30.0,
    window_intents=0,
    fee_lamports=25_000,
)
STATE = GateState(
    mode="live",
    is_known_mode=True,
    is_enabled=True,
    is_kraken_ready=True,
    is_solana_ready=True,
    kraken_status="online",
    solana_status="online",
    pair_status="online",
    kraken_skew_ms=-4.0,
    solana_skew_ms=None,
    frame_age_ms=10.0,
    chain_age_ms=300.0,
    book_fault="",
    ticker_fault="",
    pool_fault="",
    slot_lag=0,
    mark_fault="",
    depegs=(("USD", 0.0), ("USDC", -3.0)),
    mark_age_ms=20.0,
    fees_age_ms=1_000.0,
    balances_age_ms=1000.0,
    cooldown_left_ms=0.0,
    busy_reason="",
    standing_basis="",
    used_notional_usd=D(0),
    used_loss_usd=D(0),
    used_trades=0,
)
LIMITS = GateLimits(
    max_kraken_skew_ms=500.0,
    max_solana_skew_ms=15_000.0,
    max_depeg_bps={"USD": 0.0, "USDC": 100.0},
    max_frame_age_ms=1500,
    max_slot_lag=2,
    max_balances_age_ms=60_000,
    max_fees_age_ms=900_000,
    max_gap_bps=500.0,
    intents_per_window=1,
    daily_notional_cap_usd=D(1000),
    daily_loss_cap_usd=D(50),
    daily_trades_cap=10,
    max_notional_usd=D(500),
    min_profit_usd=D("0.05"),
)

REFUSALS: list[tuple[str, str, dict[str, Any]]] = [
    ("mode", "state", {"mode": "hedge_only"}),
    ("mode", "state", {"mode": "stop_new"}),
    ("mode", "state", {"mode": "halt"}),
    ("mode", "state", {"is_known_mode": False}),
    ("enabled", "state", {"is_enabled": False}),
    ("venue_ready", "state", {"is_kraken_ready": False}),
    ("venue_ready", "state", {"is_solana_ready": False}),
    ("venue_status", "state", {"kraken_status": "post_only"}),
    ("venue_status", "state", {"solana_status": None}),
    ("venue_status", "state", {"pair_status": "cancel_only"}),
    ("clock", "state", {"kraken_skew_ms": 501.0}),
    ("clock", "state", {"kraken_skew_ms": -5_000.0}),
    ("clock", "state", {"kraken_skew_ms": None}),
    ("clock", "state", {"solana_skew_ms": 15_001.0}),
    ("frame_age", "state", {"frame_age_ms": 1500.5}),
    ("frame_age", "state", {"frame_age_ms": None}),
    ("chain_age", "state", {"chain_age_ms": None}),
    ("book", "state", {"book_fault": "crossed"}),
    ("ticker", "state", {"ticker_fault": "ticker 1.00/1.01"}),
    ("pool", "state", {"pool_fault": "nodes disagree"}),
    ("route", "state", {"route_age_ms": 1_500.0}),
    ("slot_lag", "state", {"slot_lag": 3}),
    ("slot_lag", "state", {"slot_lag": None}),
    ("marks", "state", {"mark_fault": "no USDT/USD"}),
    ("marks", "state", {"mark_age_ms": 1501.0}),
    ("depeg", "state", {"depegs": (("USD", 0.0), ("USDC", -101.0))}),
    ("depeg", "state", {"depegs": (("USDT", 0.0),)}),
    ("fees", "state", {"fees_age_ms": None}),
    ("fees", "state", {"fees_age_ms": 900_001.0}),
    ("balances", "state", {"balances_age_ms": None}),
    ("balances", "state", {"balances_age_ms": 60_001.0}),
    ("anomaly", "candidate", {"gross_bps": -501.0}),
    ("standing_basis", "state", {"standing_basis": "12 bps in 40 samples"}),
    ("cooldown", "state", {"cooldown_left_ms": 1.0}),
    ("busy", "state", {"busy_reason": "trade open"}),
    ("window_intents", "candidate", {"window_intents": 1}),
    ("edge_budget", "candidate", {"budget_refusal": "last level out of reach"}),
    ("min_size", "candidate", {"size_lots": 1}),
    ("min_size", "candidate", {"size_cost": D("0.4")}),
    ("max_notional", "candidate", {"notional_usd": D(501)}),
    ("daily_loss", "state", {"used_loss_usd": D(50)}),
    ("daily_notional", "state", {"used_notional_usd": D(851)}),
    ("daily_trades", "state", {"used_trades": 10}),
    ("desk_open", "state", {"desk": DeskRoom(D(851), D(0), D(1000), D(5000))}),
    ("desk_daily", "state", {"desk": DeskRoom(D(0), D(4851), D(1000), D(5000))}),
    ("fee_sol", "state", {"fee_lamports_free": 24_999}),
    (
        "landing",
        "candidate",
        {"decision_value_usd": D("0.0499"), "landed_value_usd": D("0.05"), "p_land": 0.2},
    ),
    (
        "min_profit",
        "candidate",
        {"decision_value_usd": D("0.0499"), "landed_value_usd": D("0.0499")},
    ),
]


def _changed(part: str, changes: dict[str, Any]) -> tuple[Candidate, GateState]:
    if part == "candidate":
        return msgspec.structs.replace(CANDIDATE, **changes), STATE
    return CANDIDATE, msgspec.structs.replace(STATE, **changes)


def test_a_clean_candidate_passes() -> None:
    assert check(CANDIDATE, STATE, LIMITS) == Approved()


@pytest.mark.parametrize("mode", ["paper", "observe"])
def test_paper_and_observe_need_no_trading_client(mode) -> None:
    state = msgspec.structs.replace(STATE, mode=mode, is_kraken_ready=False, is_solana_ready=False)
    assert check(CANDIDATE, state, LIMITS) == Approved()


@pytest.mark.parametrize(("gate", "part", "changes"), REFUSALS)
def test_each_gate_refuses_with_value_and_limit(gate: str, part: str, changes) -> None:
    verdict = check(*_changed(part, changes), LIMITS)
    assert isinstance(verdict, Refused)
    assert verdict.gate == gate
    assert verdict.value
    assert verdict.limit


def test_every_gate_has_a_row_and_the_first_one_is_reported() -> None:
    names = [name for name, _ in GATES]
    assert {gate for gate, _, _ in REFUSALS} == set(names)
    assert set(names) >= INELIGIBLE_GATES
    candidate, state = CANDIDATE, STATE
    for gate, part, changes in reversed(REFUSALS):
        if part == "candidate":
            candidate = msgspec.structs.replace(candidate, **changes)
        else:
            state = msgspec.structs.replace(state, **changes)
        verdict = check(candidate, state, LIMITS)
        assert isinstance(verdict, Refused)
        assert verdict.gate == gate


@settings(max_examples=300)
@given(st.data())
def test_tightening_a_limit_never_turns_refused_into_approved(data: st.DataObject) -> None:
    money = st.decimals("0", "2000", places=2)
    ages = st.none() | st.floats(0, 120_000)
    candidate = msgspec.structs.replace(
        CANDIDATE,
        notional_usd=data.draw(money),
        decision_value_usd=data.draw(st.decimals("-1", "1", places=3)),
        landed_value_usd=data.draw(st.decimals("-1", "1", places=3)),
        gross_bps=data.draw(st.floats(-900, 900)),
        window_intents=data.draw(st.integers(0, 4)),
    )
    state = msgspec.structs.replace(
        STATE,
        frame_age_ms=data.draw(ages),
        chain_age_ms=data.draw(ages),
        mark_age_ms=data.draw(ages),
        balances_age_ms=data.draw(ages),
        fees_age_ms=data.draw(ages),
        kraken_skew_ms=data.draw(st.none() | st.floats(-1_000, 1_000)),
        solana_skew_ms=data.draw(st.none() | st.floats(-20_000, 20_000)),
        depegs=(("USDC", data.draw(st.floats(-300, 300))),),
        slot_lag=data.draw(st.none() | st.integers(0, 9)),
        used_notional_usd=data.draw(money),
        used_loss_usd=data.draw(money),
        used_trades=data.draw(st.integers(0, 20)),
    )
    loose = GateLimits(
        max_kraken_skew_ms=data.draw(st.floats(0, 900)),
        max_solana_skew_ms=data.draw(st.floats(0, 20_000)),
        max_depeg_bps={"USDC": data.draw(st.floats(0, 200))},
        max_frame_age_ms=data.draw(st.integers(1, 120_000)),
        max_slot_lag=data.draw(st.integers(0, 9)),
        max_balances_age_ms=data.draw(st.integers(1, 120_000)),
        max_fees_age_ms=data.draw(st.integers(1, 120_000)),
        max_gap_bps=data.draw(st.floats(0, 900)),
        intents_per_window=data.draw(st.integers(1, 4)),
        daily_notional_cap_usd=data.draw(money),
        daily_loss_cap_usd=data.draw(money),
        daily_trades_cap=data.draw(st.integers(0, 20)),
        max_notional_usd=data.draw(money),
        min_profit_usd=data.draw(st.decimals("-1", "1", places=3)),
    )
    name = data.draw(st.sampled_from(loose.__struct_fields__))
    by = data.draw(st.integers(0, 500))
    now = getattr(loose, name)
    if name == "max_depeg_bps":
        less: Any = {asset: max(0.0, limit - by) for asset, limit in now.items()}
    else:
        less = now + by if name == "min_profit_usd" else max(type(now)(0), now - by)
    tight = msgspec.structs.replace(loose, **{name: less})
    if isinstance(check(candidate, state, loose), Refused):
        assert isinstance(check(candidate, state, tight), Refused)


def test_a_constant_one_signed_gap_is_a_standing_basis() -> None:
    detector = BasisDetector(BasisModel(sample_ns=10, samples=5))
    for i in range(5):
        assert not detector.flag
        detector.observe(20.0 + i % 2, i * 10)
        detector.observe(-500.0, i * 10 + 5)  # too near to count
    assert "bps in 5 samples" in detector.flag
    detector.observe(-3.0, 60)
    assert not detector.flag


@pytest.mark.parametrize("gaps", [[1, 2, 1, 2, 1], [20, 60, 20, 60, 20], [-20, 20, -20, 20, -20]])
def test_small_moving_or_two_signed_gaps_are_not(gaps: list[float]) -> None:
    detector = BasisDetector(BasisModel(sample_ns=10, samples=5))
    for i, gap in enumerate(gaps):
        detector.observe(gap, i * 10)
    assert not detector.flag
