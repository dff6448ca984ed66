"""What verified trades teach of each leg's price, and the split of the next budget it gives."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.inputs import SlackKnown
from trading.intent import EVEN_SPLIT, Intent, SlackSplit
from trading.journal.format import decode_input, encode_input
from trading.slippage import ENOUGH, LegResult, Slips, slips_of, split_of
from trading.tests.intents import make_intent

from .desk import FAIR, START_NS, Market

D = Decimal
NONE = LegResult(D(0), D(0), has_broken=False)
BROKEN = LegResult(D(0), D(0), has_broken=True)


def sold(**changes: Any) -> Intent:
    """Buy 1 SOL for 150 USDC, sell it for 152 USD; limits 151 and 150.6, notional 150 USD."""
    fields = {
        "qty_lots": 10**8,
        "base_raw": 10**9,
        "cex_limit_ticks": 15_100,
        "dex_threshold_raw": 150_600_000,
        "notional_usd": D(150),
    }
    return make_intent(**fields | changes)


def filled(quote: str, base: str = "1", *, has_broken: bool = False) -> LegResult:
    return LegResult(D(base), D(quote), has_broken)


# ---- what a trade shows -------------------------------------------------------------


@pytest.mark.parametrize(
    ("cex", "dex", "cex_bps", "dex_bps"),
    [
        (filled("152"), filled("150"), 0.0, 0.0),
        # Better than quoted is a deviation too.
        (filled("151.7"), filled("149.85"), 20.0, 10.0),
        (filled("152.3"), filled("150.15"), 20.0, 10.0),
        # 95 % filled: the filled part at its own price.
        (filled("144.115", "0.95"), filled("150"), 20.0, 0.0),
        # A limit that broke moved by at least the slack it had: 1 USD and 0.6 USD of 150.
        (BROKEN, filled("150"), 66.6667, 0.0),
        (filled("75.5", "0.5", has_broken=True), filled("150"), 66.6667, 0.0),
        (NONE, BROKEN, None, 40.0),
        # Never sent, expired, or out of units: no word about prices.
        (NONE, NONE, None, None),
        (filled("76", "0.5"), NONE, None, None),
    ],
)
def test_each_leg_is_held_to_its_own_quote(
    cex: LegResult, dex: LegResult, cex_bps: float | None, dex_bps: float | None
) -> None:
    found = slips_of(sold(), cex, dex)
    assert found.cex_bps == pytest.approx(cex_bps, abs=1e-3)
    assert found.dex_bps == pytest.approx(dex_bps, abs=1e-3)


def test_a_purchase_on_kraken_is_held_to_what_it_was_to_cost() -> None:
    intent = sold(cex_side="buy", cex_limit_ticks=15_060, dex_threshold_raw=151_400_000)
    found = slips_of(intent, filled("150.3"), filled("151.85"))
    assert (found.cex_bps, found.dex_bps) == (pytest.approx(20.0), pytest.approx(10.0))
    broken = slips_of(intent, BROKEN, BROKEN)
    assert (broken.cex_bps, broken.dex_bps) == (pytest.approx(40.0), pytest.approx(40.0))


# ---- the split ----------------------------------------------------------------------


def trades(cex: float, dex: float, count: int) -> list[Slips]:
    return [Slips(cex * sign, dex * sign) for sign in (1, -1) * (count // 2)]


def test_the_split_is_even_until_both_legs_have_shown_enough() -> None:
    assert split_of([], START_NS).cex_share == EVEN_SPLIT.cex_share
    few = split_of([*trades(3, 1, ENOUGH - 2), Slips(3, None), Slips(3, None)], START_NS)
    assert (few.cex_share, few.trades) == (D("0.5"), ENOUGH - 2)
    enough = split_of(trades(3, 1, ENOUGH), START_NS)
    assert enough == SlackSplit(D("0.75"), ENOUGH, 3.0, 1.0, START_NS)
    assert split_of(trades(0, 0, ENOUGH), START_NS).cex_share == D("0.5")


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=ENOUGH, max_size=60),
    st.floats(0.1, 10),
)
def test_the_leg_that_moves_more_gets_more_and_none_less_than_a_fifth(
    seen: list[tuple[float, float]], scale: float
) -> None:
    found = split_of([Slips(*one) for one in seen], START_NS)
    assert D("0.2") <= found.cex_share <= D("0.8")
    if found.cex_bps > 1.1 * found.dex_bps:
        assert found.cex_share > D("0.5")
    swapped = split_of([Slips(dex, cex) for cex, dex in seen], START_NS)
    assert abs(found.cex_share + swapped.cex_share - 1) <= D("0.01")
    # Only the ratio counts: a market twice as wild shares in the same way.
    wilder = split_of([Slips(cex * scale, dex * scale) for cex, dex in seen], START_NS)
    if found.cex_bps + found.dex_bps > 1e-6:
        assert abs(wilder.cex_share - found.cex_share) <= D("0.01")


# ---- the decision -------------------------------------------------------------------


def decided(split: SlackSplit | None) -> Intent:
    market = Market()
    if split is not None:
        market.tell(SlackKnown("SOL", split, market.at_ns))
    market.book(FAIR + 45)
    (intent,) = market.intents
    return intent


def test_the_split_in_force_shapes_both_limits_of_one_budget_and_is_kept_with_them() -> None:
    even = decided(None)
    assert even.slack_split == EVEN_SPLIT
    found = {}
    for share in ("0.2", "0.5", "0.8"):
        split = SlackSplit(D(share), ENOUGH, 3.0, 1.0, START_NS)
        intent = found[share] = decided(split)
        assert intent.slack_split == split
        # Filled at both limits the trade still keeps what it promised.
        assert intent.min_pnl_usd >= 0
        assert (intent.qty_lots, intent.pnl) == (even.qty_lots, even.pnl)
    limits = [found[share].cex_limit_ticks for share in ("0.2", "0.5", "0.8")]
    thresholds = [found[share].dex_threshold_raw for share in ("0.2", "0.5", "0.8")]
    # It sells on Kraken and buys on the pool: a lower limit and a higher threshold give more.
    assert limits == sorted(limits, reverse=True)
    assert thresholds == sorted(thresholds, reverse=True)
    assert (limits[1], thresholds[1]) == (even.cex_limit_ticks, even.dex_threshold_raw)
    assert limits[0] > limits[2]
    assert thresholds[0] > thresholds[2]


def test_the_split_survives_the_journal() -> None:
    known = SlackKnown("SOL", SlackSplit(D("0.37"), 31, 1.2, 2.05, START_NS), START_NS)
    assert decode_input(encode_input(known)) == known
