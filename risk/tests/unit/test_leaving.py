"""How modes are left and what they let the treasury do, held to the domain's table."""

from __future__ import annotations

from itertools import chain, combinations
from typing import get_args

import pytest

from arbsite.events import MODES_BY_STRICTNESS, Mode, strictest
from risk.leaving import (
    LOSS_RULES,
    REBALANCES,
    SELF_CLEARING,
    WORDS,
    leaves_by,
    may_plan_transfer,
    may_start_transfer,
)

# The column of the domain's table; "–" of PAPER is a real desk's "no".
COLUMN: dict[Mode, str] = {
    "observe": "planned only",
    "paper": "–",
    "live": "by mode",
    "hedge_only": "no",
    "stop_new": "no",
    "halt": "no",
}
CELLS = [(mode, is_on) for mode in get_args(Mode) for is_on in (False, True)]
RULES = ("kraken_stale", "solana_stale", "order_rate", "daily_loss")
SUBSETS = list(chain.from_iterable(combinations(RULES, n) for n in range(len(RULES) + 1)))


def test_the_table_has_every_mode() -> None:
    assert set(COLUMN) == set(REBALANCES) == set(get_args(Mode))


@pytest.mark.parametrize(("mode", "is_treasury_on"), CELLS)
def test_what_the_treasury_may_do(mode: Mode, is_treasury_on: bool) -> None:
    word = COLUMN[mode]
    assert may_plan_transfer(mode) == (word in ("planned only", "by mode"))
    starts = may_start_transfer(mode, is_treasury_on=is_treasury_on)
    assert starts == (word == "by mode" and is_treasury_on)


@pytest.mark.parametrize("one", get_args(Mode))
@pytest.mark.parametrize("other", get_args(Mode))
def test_a_stricter_scope_never_lets_the_treasury_do_more(one: Mode, other: Mode) -> None:
    both = strictest(one, other)
    assert may_start_transfer(both, is_treasury_on=True) <= min(
        may_start_transfer(mode, is_treasury_on=True) for mode in (one, other)
    )


@pytest.mark.parametrize("set_mode", [m for m in MODES_BY_STRICTNESS if m != "hedge_only"])
@pytest.mark.parametrize("rules", SUBSETS)
def test_who_ends_what_holds_a_scope(set_mode: Mode, rules: tuple[str, ...]) -> None:
    answer = leaves_by(set_mode, rules)
    assert answer in WORDS
    if set_mode == "halt":
        assert answer == "admin"
    elif LOSS_RULES & set(rules):
        assert answer == "second_person"
    elif set_mode == "stop_new" or set(rules) - SELF_CLEARING:
        assert answer == "operator"
    elif rules:
        assert answer == "by_itself"
    else:
        assert answer == {"live": "", "paper": "operator", "observe": "second_factor"}[set_mode]
