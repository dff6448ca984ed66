"""What is expected of a swap by how its gap came, shared over the desk; what is risked is not."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbsite.clock import seeded_random
from trading.bidding import TIP_TIERS, OddsTable, prior_of
from trading.landing import FILLING_PRIOR, Posterior
from trading.legs import OrderModel, choose_order, drift_risk_bps, unwind_if_failed_bps
from trading.openings import OPENINGS, Opening, SharedOdds, opening_named, opening_of
from trading.pricing import Costs, predicted_pnl

HOUR_NS = 3_600_000_000_000
MODEL = OrderModel()
TIP = 200_000
TIERS = st.sampled_from(TIP_TIERS)
TRIED = st.lists(st.tuples(TIERS, st.sampled_from(OPENINGS), st.booleans()), max_size=60)


def learn(table: OddsTable, opening: Opening, landed: bool, *, tip: int = TIP, at: int = 0) -> None:
    table.learn(tip, "usual", opening, landed=landed, memory=MODEL.memory, at_ns=at)


def expected(table: OddsTable, opening: Opening) -> float:
    return table.odds("usual", TIP)[-1].chances[opening]


def bound(table: OddsTable) -> float:
    return table.odds("usual", TIP)[-1].landing.lower()


@pytest.mark.parametrize(
    ("gross", "before", "word"),
    [
        (20.0, 9.9, "sudden"),
        (20.0, 10.0, "sudden"),
        (20.0, 10.1, "slow"),
        (20.0, -40.0, "sudden"),
        (20.0, 25.0, "slow"),
        (20.0, None, "slow"),
        (20.0, nan, "slow"),
    ],
)
def test_a_gap_is_sudden_if_half_of_it_is_new(
    gross: float, before: float | None, word: str
) -> None:
    assert opening_of(gross, before) == word


def test_a_word_nobody_knows_counts_as_slow() -> None:
    assert [opening_named(word) for word in ("sudden", "slow", "", "x")] == [
        "sudden", "slow", "slow", "slow",
    ]  # fmt: skip


@pytest.mark.parametrize("opening", OPENINGS)
def test_before_anything_was_tried_the_prior_speaks(opening: Opening) -> None:
    for one in OddsTable().odds("high", max(TIP_TIERS)):
        assert one.chances[opening] == pytest.approx(prior_of(one.tip_lamports).mean)


# ---- few trades, and failures where the money is not --------------------------------


def test_hours_of_few_trades_are_expected_about_right() -> None:
    """Gaps that grew fail often and pay little, sudden ones land and pay; thirty an hour over
    three assets are all there is. By count 79 of 100 land, by money 95: believing the count is
    11 % out on these draws, each asset believing its own few outcomes 5 %.
    """
    hoped = made = 0.0
    for seed in range(16):
        rng = seeded_random(f"openings/{seed}")
        shared = SharedOdds()
        tables = [OddsTable(shared) for _ in range(3)]
        for place in range(60):
            table, at = tables[rng.randrange(3)], place * 2 * HOUR_NS // 60
            opening: Opening = "sudden" if rng.random() < 0.5 else "slow"
            worth = 20.0 if opening == "sudden" else 1.0
            landed = rng.random() < (0.97 if opening == "sudden" else 0.6)
            table.fade(at)
            hoped += expected(table, opening) * worth
            made += landed * worth
            learn(table, opening, landed, at=at)
    assert abs(made / hoped - 1) <= 0.04


def test_one_assets_failures_are_news_to_the_others_but_not_their_bound() -> None:
    shared = SharedOdds()
    table, other = OddsTable(shared), OddsTable(shared)
    before, floor = expected(other, "slow"), bound(other)
    for _ in range(10):
        learn(table, "slow", landed=False)
    assert expected(table, "slow") < expected(other, "slow") < before - 0.2
    assert expected(other, "sudden") == pytest.approx(before)
    assert bound(other) == floor
    assert bound(table) < floor


# ---- the shared counts --------------------------------------------------------------


@given(st.lists(st.booleans(), max_size=60), TIERS)
def test_of_a_single_tip_the_shared_chance_is_its_beta_mean(tried: list[bool], tip: int) -> None:
    shared, alone = SharedOdds(), prior_of(tip)
    for landed in tried:
        shared.learn("slow", prior_of(tip), landed=landed, memory=1e9)
        alone = alone.after(landed, memory=1e9)
    assert shared.chance("slow", prior_of(tip)) == pytest.approx(alone.mean)


@given(TRIED)
def test_chances_never_fall_with_the_tip_and_stay_probabilities(
    tried: list[tuple[int, Opening, bool]],
) -> None:
    shared = SharedOdds()
    table, other = OddsTable(shared), OddsTable(shared)
    for tip, opening, landed in tried:
        learn(table, opening, landed, tip=tip)
    for seen in (table, other):
        for opening in OPENINGS:
            chances = [one.chances[opening] for one in seen.odds("usual", max(TIP_TIERS))]
            assert all(b >= a - 1e-12 for a, b in pairwise(chances))
            assert 0 < chances[0] <= chances[-1] < 1


def test_what_the_desk_saw_is_forgotten_by_the_hour_once_for_all_assets() -> None:
    shared = SharedOdds()
    table, other = OddsTable(shared), OddsTable(shared)
    for _ in range(30):
        learn(table, "sudden", landed=True)
    new, prior = expected(other, "sudden"), prior_of(TIP)
    for one in (table, other):
        one.fade(HOUR_NS)
    hour_on = SharedOdds()
    for _ in range(15):
        hour_on.learn("sudden", prior, landed=True, memory=MODEL.memory)
    assert expected(other, "sudden") == pytest.approx(hour_on.chance("sudden", prior))
    assert prior.mean < expected(other, "sudden") < new
    for one in (table, other):
        one.fade(20 * HOUR_NS)
    assert expected(table, "sudden") == pytest.approx(prior.mean, abs=1e-3)


# ---- what the gates read ------------------------------------------------------------


@given(TRIED)
def test_bids_and_gates_read_the_same_bound_whatever_the_openings(
    tried: list[tuple[int, Opening, bool]],
) -> None:
    shared = SharedOdds()
    table, plain, other = OddsTable(shared), OddsTable(), OddsTable(shared)
    for tip, opening, landed in tried:
        learn(table, opening, landed, tip=tip)
        learn(plain, "slow", landed, tip=tip)
        learn(other, opening, not landed, tip=tip)
    top = max(TIP_TIERS)
    assert [one.landing for one in table.odds("usual", top)] == [
        one.landing for one in plain.odds("usual", top)
    ]


def _value(landing: Posterior, expected_p: float | None, edge_bps: float) -> Decimal:
    verdict = choose_order(
        edge_bps=edge_bps,
        taker=0.001,
        fail_fee_bps=0.1,
        landing=landing,
        filling=FILLING_PRIOR,
        model=MODEL,
        configured="auto",
        expected_p=expected_p,
    )
    fee = Decimal("0.01")
    costs = Costs(
        taker=Decimal("0.001"),
        haircut=Decimal("0.0001"),
        basis=Decimal(0),
        inventory=Decimal(0),
        drift=Decimal(repr(drift_risk_bps(verdict, MODEL, landing.lower()))) / 10_000,
        unwind=Decimal(repr(unwind_if_failed_bps(verdict))) / 10_000,
        chain_fee_usd=fee,
        failed_fee_usd=fee,
        p=Decimal(repr(verdict.p_land)),
        p_lower=Decimal(repr(verdict.p_land_lower)),
    )
    assert costs.p_lower <= costs.p
    sold = Decimal(1000) * (1 + Decimal(repr(edge_bps + 10)) / 10_000)
    return predicted_pnl(
        "buy_dex_sell_cex",
        cex_value=sold,
        cex_mark_usd=Decimal(1),
        dex_value=Decimal(1000),
        dex_mark_usd=Decimal(1),
        costs=costs,
    ).decision_value


counts = st.floats(0.5, 60.0)


@given(counts, counts, st.floats(0.02, 0.999), st.floats(0.0, 40.0))
def test_expecting_more_never_passes_a_gate_that_refused(
    alpha: float, beta: float, p: float, edge_bps: float
) -> None:
    landing = Posterior(alpha, beta)
    value, before = _value(landing, p, edge_bps), _value(landing, None, edge_bps)
    assert value <= 0 or value <= before + Decimal("1e-9")
