"""Value of windows and naked exposure: exact on small cases, and read from rows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from arbsite.clock import ManualClock, uuid7
from reports import capture
from reports.capture import naked_base_s
from reports.tests.test_prediction import booked, desk  # noqa: F401 - a fixture
from trading.models import Trade, Window
from trading.tests.intents import NOW_NS

S = 10**9
D = Decimal


@pytest.mark.parametrize(
    ("steps", "until_s", "base_s"),
    [
        ([], 10, 0.0),
        ([(1, "2"), (4, "-2")], 10, 6.0),
        # Half of it hedged after two seconds, the rest kept until the end.
        ([(0, "-2"), (2, "1")], 5, 7.0),
        ([(3, "1"), (9, "-1")], 5, 2.0),
        ([(4, "-2"), (1, "2")], 10, 6.0),
    ],
)
def test_naked_is_the_area_under_what_is_held(
    steps: list[tuple[int, str]], until_s: int, base_s: float
) -> None:
    given = [(at_s * S, D(delta)) for at_s, delta in steps]
    assert naked_base_s(given, until_ns=until_s * S) == pytest.approx(base_s)


def window(window_id: object, best: str, **changes: object) -> None:
    fields: dict[str, object] = {
        "version": 1, "asset": "SOL", "direction": "buy_dex_sell_cex", "opened_at_ns": NOW_NS,
        "closed_at_ns": NOW_NS + S, "first_slot": 1, "last_slot": 2, "peak_value_usd": 1,
        "value_seconds_usd": 1, "best_size_usd": 100, "gross_bps": 1.0, "net_bps": 1.0,
        "is_eligible": True,
    }  # fmt: skip
    Window.objects.create(window_id=window_id, best_pnl_usd=D(best), **{**fields, **changes})


def test_value_capture_counts_what_was_left_on_the_table(desk: None) -> None:  # noqa: F811
    trade = booked(1)
    Trade.objects.update(realised_pnl_usd=D("1.5"), naked_from_ns=None)
    window(trade.window_id, "2")
    window(uuid7(), "4")
    window(uuid7(), "100", is_eligible=False)
    window(uuid7(), "100", closed_at_ns=None)
    value, naked = capture.levels(ManualClock(NOW_NS + 86_400 * S))
    assert (value.seen, value.n) == ("25.0%", 2)
    assert (naked.seen, naked.n) == ("0", 1)


def test_naked_dollars_are_told_for_a_day(desk: None) -> None:  # noqa: F811
    trade = booked(1)
    Trade.objects.update(
        detect_ns=NOW_NS, notional_usd=300, size_base=1, naked_from_ns=NOW_NS,
        naked_until_ns=NOW_NS + 10 * S,
    )  # fmt: skip
    trade.attempts.filter(leg="dex").update(filled_ns=NOW_NS)
    trade.attempts.filter(leg="cex").update(filled_ns=NOW_NS + 4 * S)
    *_, naked = capture.levels(ManualClock(NOW_NS + 2 * 86_400 * S))
    # One base unit of 300 USD for four seconds, in two days.
    assert naked.seen == "600"
    assert naked.verdict == "no data"


def test_a_long_history_is_resampled_in_blocks_of_neighbours() -> None:
    blocks = capture._blocks(range(1_000))
    assert len(blocks) <= capture.MOST_BLOCKS
    assert [item for block in blocks for item in block] == list(range(1_000))
    assert [list(block) for block in capture._blocks([1, 2])] == [[1], [2]]
    assert capture._blocks([]) == []
