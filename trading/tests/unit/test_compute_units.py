"""The compute-unit limit: from samples, failures and age to the decision that pays for it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from arbsite.clock import ManualClock
from arbsite.errors import QueryFailed, Rejected
from feeds.venues.base import DexSwap, LandingFee
from trading.compute_units import (
    CROSSING_UNITS,
    CROSSINGS_AHEAD,
    FLOOR_UNITS,
    MARGIN_PCT,
    MOST_UNITS,
    PRIOR_LIMIT,
    PRIOR_UNITS,
    ROUTE,
    SAMPLES_KEPT,
    STALE_NS,
    ComputeLimit,
    ComputeLimits,
)
from trading.inputs import ChainFeesKnown, EngineInput, SlackKnown
from trading.intent import SlackSplit
from trading.journal.format import decode_input, encode_input
from trading.pricing import chain_fee_usd
from trading.process.chain_fees import ChainFees
from trading.process.compute_sampling import ComputeSampler, largest_swap
from trading.tests.intents import make_intent
from trading.tests.routing import make_route, without_pool

from .desk import FAIR, START_NS, Market, holdings

POOL, WAY = "POOL-SOL", "buy_dex_sell_cex"
HEADROOM = CROSSING_UNITS * CROSSINGS_AHEAD


def limits_after(*units: int, crosses: bool = True) -> ComputeLimits:
    limits = ComputeLimits()
    for used in units:
        limits.take(POOL, WAY, units=used, crosses=crosses, at_ns=START_NS)
    return limits


def limit_of(limits: ComputeLimits, now_ns: int = START_NS, way: str = WAY) -> ComputeLimit:
    return limits.in_force(now_ns)[POOL][way]


# ---- samples and failures -----------------------------------------------------------


@given(st.lists(st.integers(1, 2 * MOST_UNITS), min_size=1, max_size=50), st.booleans())
def test_a_limit_covers_every_kept_sample_with_its_margin_inside_the_chains_bounds(
    used: list[int], crosses: bool
) -> None:
    limit = limit_of(limits_after(*used, crosses=crosses))
    largest = max(used[-SAMPLES_KEPT:])
    wanted = -(-largest * MARGIN_PCT // 100) + (HEADROOM if crosses else 0)
    assert limit.units == min(MOST_UNITS, max(FLOOR_UNITS, wanted))
    assert (limit.source, limit.largest) == ("simulation", largest)
    assert limit.samples == min(len(used), SAMPLES_KEPT)


def test_a_swap_that_ran_out_raises_the_limit_at_once_and_for_a_window_of_samples() -> None:
    limits = limits_after(33_000, crosses=False)
    tight = limit_of(limits).units
    assert tight < 40_000
    assert limits.exceeded(POOL, WAY, limit=tight, at_ns=START_NS + 1)
    raised = limit_of(limits)
    assert (raised.units, raised.source, raised.at_ns) == (PRIOR_UNITS, "failure", START_NS + 1)
    # The same swap told twice, or an older and tighter one, raises nothing further.
    assert not limits.exceeded(POOL, WAY, limit=tight, at_ns=START_NS + 2)
    assert limits.exceeded(POOL, WAY, limit=PRIOR_UNITS, at_ns=START_NS + 3)
    assert limit_of(limits).units == 2 * PRIOR_UNITS
    for _ in range(SAMPLES_KEPT - 1):
        limits.take(POOL, WAY, units=33_000, crosses=False, at_ns=START_NS)
    assert limit_of(limits).source == "failure"
    limits.take(POOL, WAY, units=33_000, crosses=False, at_ns=START_NS)
    assert (limit_of(limits).units, limit_of(limits).source) == (tight, "simulation")


def test_a_failure_before_any_sample_doubles_the_prior_and_ends_at_the_chains_maximum() -> None:
    limits = ComputeLimits()
    asked = PRIOR_UNITS
    while limits.exceeded(POOL, WAY, limit=asked, at_ns=START_NS):
        asked = limit_of(limits).units
    assert asked == MOST_UNITS
    assert limit_of(limits).samples == 0


def test_old_samples_are_not_trusted_below_the_prior() -> None:
    limits = limits_after(33_000)
    assert limit_of(limits, START_NS + STALE_NS).units < PRIOR_UNITS
    assert limit_of(limits, START_NS + STALE_NS + 1).units == PRIOR_UNITS
    heavy = limits_after(500_000)
    assert limit_of(heavy, START_NS + STALE_NS + 1).units > 500_000


# ---- telling the engine -------------------------------------------------------------


class Chain:
    """What the nodes answer, and what the engine was told."""

    def __init__(self) -> None:
        self.told: list[ChainFeesKnown] = []
        self.limits = ComputeLimits()
        self.fees = ChainFees(
            self._read, ManualClock(START_NS), self.told.append, can_tip=True, compute=self.limits
        )
        self.is_away = False

    async def _read(self) -> dict[str, LandingFee]:
        if self.is_away:
            raise QueryFailed("nobody answers")
        return {POOL: LandingFee(50_000, 40_000)}


async def test_the_engine_hears_of_a_raised_limit_without_waiting_for_the_next_read() -> None:
    chain = Chain()
    await chain.fees.tell()
    assert chain.told[-1].compute == {}
    chain.is_away = True
    intent = make_intent()
    chain.fees.compute_exceeded(intent, "buy", intent.cu_limit)
    (_, news) = chain.told
    assert news.compute[intent.spec.pool][WAY].units == 2 * PRIOR_UNITS
    assert news.price == {POOL: 50_000}
    # A hedge goes the other way; what a route needs says nothing of a direct swap.
    chain.fees.compute_exceeded(intent, "sell", PRIOR_UNITS)
    routed = make_intent(quote_source="jupiter")
    chain.fees.compute_exceeded(routed, "buy", PRIOR_UNITS)
    assert set(chain.told[-1].compute[intent.spec.pool]) == {WAY, "buy_cex_sell_dex", ROUTE}
    chain.fees.compute_exceeded(intent, "buy", 1_000)
    assert len(chain.told) == 4


def test_what_is_known_of_units_survives_the_journal() -> None:
    known: EngineInput = told({WAY: ComputeLimit(67_000, "simulation", 3, 49_000, START_NS)})
    assert decode_input(encode_input(known)) == known
    old = encode_input(told({})).replace(b',"compute":{"POOL-SOL":{}}', b"")
    assert b"compute" not in old
    assert decode_input(old) == ChainFeesKnown({POOL: 50_000}, {POOL: 50_000}, False, START_NS)


def told(ways: dict[str, ComputeLimit], at_ns: int = START_NS) -> ChainFeesKnown:
    return ChainFeesKnown({POOL: 50_000}, {POOL: 50_000}, False, at_ns, {POOL: ways})


# ---- the decision -------------------------------------------------------------------


def test_a_decision_pays_for_the_units_its_swap_asks_for_and_carries_why() -> None:
    limit = ComputeLimit(67_000, "simulation", 3, 49_000, START_NS)
    found = {}
    for name, ways in (
        ("prior", {}),
        ("other way", {"buy_cex_sell_dex": limit}),
        ("own", {WAY: limit}),
    ):
        market = Market()
        market.tell(told(ways, market.at_ns))
        market.book(FAIR + 45)
        (found[name],) = market.intents
    assert found["prior"] == found["other way"]
    assert found["prior"].cu_limit == PRIOR_UNITS
    own = found["own"]
    assert own.compute_limit == limit
    for intent in found.values():
        fee = chain_fee_usd(
            base_fee_lamports=5_000,
            cu_limit=intent.cu_limit,
            cu_price_micro_lamports=50_000,
            tip_lamports=0,
            sol_usd=intent.marks_usd["SOL"],
        )
        assert intent.pnl.chain_fee == fee
    assert own.pnl.expected > found["prior"].pnl.expected


def test_a_route_asks_for_what_routes_were_seen_to_need_and_splits_no_slack() -> None:
    direct = ComputeLimit(67_000, "simulation", 3, 49_000, START_NS)
    raised = ComputeLimit(400_000, "failure", 0, 0, START_NS)
    for ways, expected in (({WAY: direct}, PRIOR_LIMIT), ({WAY: direct, ROUTE: raised}, raised)):
        market = without_pool(Market())
        market.tell(told(ways, market.at_ns))
        market.tell(SlackKnown("SOL", SlackSplit(Decimal("0.2"), 30, 1.0, 4.0), market.at_ns))
        market.book(FAIR + 120)
        market.tell(make_route(market.after(1)))
        (intent,) = market.intents
        assert intent.quote_source == "jupiter"
        assert intent.compute_limit == expected
        assert intent.slack is UNSET


# ---- sampling -----------------------------------------------------------------------


def test_the_swap_that_is_measured_is_the_largest_that_may_be_decided_on() -> None:
    market = Market(max_notional_usd=Decimal(4_000))
    state = market.engine.state
    asset = state.assets["SOL"]
    for direction, sells in (("buy_dex_sell_cex", False), ("buy_cex_sell_dex", True)):
        swap = largest_swap(state, asset, direction, 0)
        assert swap is not None
        assert swap.exact_in == sells
        assert swap.amount_raw / 1e9 == pytest.approx(4_000 / (FAIR / 100), rel=0.001)
        assert swap.cu_limit == MOST_UNITS
        assert swap.tick_array_starts
    market.tell(holdings(market.after(1), solana_raw={"SOL": 10**9, "USDC": 0}))
    sale = largest_swap(state, asset, "buy_cex_sell_dex", 0)
    assert sale is not None
    assert sale.amount_raw == 9 * 10**8
    assert largest_swap(state, asset, "buy_dex_sell_cex", 0) is None


async def test_sampling_takes_turns_and_keeps_what_it_has_when_a_node_refuses() -> None:
    market, limits = Market(), ComputeLimits()
    asked: list[DexSwap] = []
    answers: list[int | Exception] = [
        49_000, 58_000, Rejected("insufficient funds"), QueryFailed("throttled"), 40_000,
    ]  # fmt: skip

    async def units(swap: DexSwap) -> int:
        asked.append(swap)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    sampler = ComputeSampler(units, market.engine.state, limits, ManualClock(START_NS))
    for _ in range(5):
        await sampler.sample()
    assert [swap.exact_in for swap in asked] == [False, True, False, True, False]
    bought, sold = (limit_of(limits, way=way) for way in (WAY, "buy_cex_sell_dex"))
    assert (bought.samples, bought.largest) == (2, 49_000)
    assert (sold.samples, sold.largest) == (1, 58_000)
