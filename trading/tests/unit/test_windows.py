"""Windows: hysteresis, merged gaps, causes, eligibility, and names that survive a restart."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbsite.keys import window_id
from trading.intent import WindowRow
from trading.windows import MERGE_GAP_NS, Priced, Snapshot, Source, WindowTracker

from .builders import make_spec
from .desk import MS, START_NS

D = Decimal
OPEN = D("0.10")


def tracker() -> WindowTracker:
    return WindowTracker(make_spec(), "buy_dex_sell_cex")


def at(ms: float, *, slot: int = 7, checksum: int = 1) -> Snapshot:
    return Snapshot(START_NS + round(ms * MS), checksum, 5, slot)


def worth(value: str) -> Priced:
    return Priced(D(value), D(value) + D("0.05"), D(1000), 20.0, 3.0, "optimum")


def see(
    one: WindowTracker,
    ms: float,
    value: str | None,
    source: Source = "book",
    **more,
) -> WindowRow | None:
    own = more.pop("own_trade", False)
    priced = worth(value) if value is not None else None
    return one.observe(at(ms, **more), priced, OPEN, source, own_trade=own)


def test_it_opens_at_the_threshold_and_is_named_by_its_opening_frame_and_slot() -> None:
    one = tracker()
    assert see(one, 0, "0.0999") is None
    row = see(one, 1, "0.10", checksum=42, slot=9)
    assert row is not None
    assert row.window_id == window_id("SOL/USD", "POOL-SOL", "buy_dex_sell_cex", 42, 5, 9)
    assert (row.version, row.opened_at_ns, row.first_slot) == (1, START_NS + MS, 9)


def test_it_holds_down_to_half_and_then_ends() -> None:
    one = tracker()
    see(one, 0, "0.2")
    assert see(one, 10, "0.05") is None
    assert one.is_open
    row = see(one, 600, "0.049", "pool")
    assert row is not None
    assert not one.is_open
    assert (row.closed_at_ns, row.close_cause) == (START_NS + 600 * MS, "pool_moved")
    assert row.is_eligible


def test_a_gap_shorter_than_a_slot_is_merged_and_a_longer_one_is_not() -> None:
    one = tracker()
    first = see(one, 0, "0.2")
    see(one, 100, None)
    assert see(one, 300, "0.07") is None, "in a gap the opening threshold counts"
    merged = see(one, 499, "0.2", checksum=99)
    assert first is not None
    assert merged is not None
    assert merged.window_id == first.window_id
    assert merged.closed_at_ns is None
    assert merged.close_cause == ""
    see(one, 600, None)
    fresh = see(one, 1000, "0.2", checksum=98)
    assert fresh is not None
    assert fresh.window_id != first.window_id


def test_value_over_time_and_the_best_moment_are_kept() -> None:
    one = tracker()
    see(one, 0, "0.2")
    see(one, 500, "0.4")
    see(one, 1000, "0.1")
    row = see(one, 2000, None)
    assert row is not None
    assert row.value_seconds_usd == D("0.2") * D("0.5") + D("0.4") * D("0.5") + D("0.1")
    assert row.peak_value_usd == D("0.4")
    assert row.best_pnl_usd == D("0.45")


def test_time_inside_a_gap_earns_nothing() -> None:
    one = tracker()
    see(one, 0, "0.2")
    see(one, 100, None)
    see(one, 300, "0.2")
    row = see(one, 400, None)
    assert row is not None
    assert row.value_seconds_usd == D("0.04")


@pytest.mark.parametrize("cause", ["feed", "flip"])
def test_feed_loss_and_a_flip_close_at_once(cause: str) -> None:
    one = tracker()
    see(one, 0, "0.2")
    row = one.close(START_NS + 50 * MS, cause)
    assert row is not None
    assert (row.close_cause, row.closed_at_ns) == (cause, START_NS + 50 * MS)
    assert one.row is None
    assert not row.is_eligible, "it lived for less than a slot"
    assert one.close(START_NS + 60 * MS, cause) is None


def test_a_configuration_that_ends_it_is_named() -> None:
    one = tracker()
    see(one, 0, "0.2")
    row = see(one, 500, None, "config")
    assert row is not None
    assert row.close_cause == "config"
    assert one.row is None


def test_the_first_blocking_gate_is_kept_and_decides_about_eligibility() -> None:
    one = tracker()
    see(one, 0, "0.2")
    assert one.note_block("cooldown") is not None
    assert one.note_block("busy") is None
    row = see(one, 900, None)
    assert row is not None
    assert row.blocked_by == "cooldown"
    assert not row.is_eligible
    other = tracker()
    see(other, 0, "0.2")
    other.note_block("busy")
    row = see(other, 900, None)
    assert row is not None
    assert row.is_eligible, "being busy was our own choice"


def test_our_own_trade_is_the_cause_unless_it_did_not_happen() -> None:
    one = tracker()
    opened = see(one, 0, "0.2")
    one.count_intent()
    row = see(one, 100, None, "pool", own_trade=True)
    assert opened is not None
    assert row is not None
    assert (row.close_cause, row.is_eligible, row.intents) == ("own_trade", True, 1)
    one.expire(START_NS + 900 * MS)
    revised = one.disown(opened.window_id)
    assert revised is not None
    assert (revised.close_cause, revised.is_eligible) == ("pool_moved", False)
    assert revised.version == row.version + 1
    assert one.disown(opened.window_id) is None


def test_the_same_opening_frame_reopens_the_same_window_with_its_intents() -> None:
    one = tracker()
    see(one, 0, "0.2")
    one.count_intent()
    one.close(START_NS + 10 * MS, "feed")
    row = see(one, 20, "0.2")
    assert row is not None
    assert row.intents == 1
    assert row.closed_at_ns is None


def test_a_restored_window_keeps_its_name_and_count() -> None:
    old = tracker()
    see(old, 0, "0.2")
    row = old.count_intent()
    new = tracker()
    new.restore(row, START_NS + 5000 * MS)
    assert new.is_open
    assert see(new, 5001, "0.15", checksum=77) is None
    assert new.row is not None
    assert new.row.window_id == row.window_id
    assert new.row.intents == 1


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(1, 300), st.sampled_from([None, "0.04", "0.06", "0.1", "0.3"])),
        min_size=1,
        max_size=40,
    )
)
def test_rows_only_grow_windows_never_overlap_and_gaps_are_long(samples) -> None:
    one = tracker()
    rows: dict = {}
    now = 0
    for i, (step, value) in enumerate(samples):
        now += step
        row = see(one, now, value, checksum=i)
        if row is None:
            continue
        known = rows.get(row.window_id)
        assert known is None or row.version > known.version
        rows[row.window_id] = row
    ordered = sorted(rows.values(), key=lambda row: row.opened_at_ns)
    for earlier, later in pairwise(ordered):
        assert earlier.closed_at_ns is not None
        assert later.opened_at_ns - earlier.closed_at_ns >= MERGE_GAP_NS
    for row in ordered:
        if row.closed_at_ns is not None:
            assert row.closed_at_ns >= row.opened_at_ns
            assert row.close_cause == "book_moved"


@given(
    st.lists(
        st.tuples(
            st.integers(1, 300),
            st.sampled_from([None, None, None, "0.04", "0.06", "0.1", "0.3"]),
            st.sampled_from(["book", "pool", "config"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_samples_that_are_not_needed_change_no_row(samples) -> None:
    """A desk that leaves them out notes the same windows as one that gives them all."""
    whole, sparing = tracker(), tracker()
    now = 0
    for i, (step, value, source) in enumerate(samples):
        now += step
        expected = see(whole, now, value, source, checksum=i)
        if value is not None or sparing.needs_sample(START_NS + now * MS, source):
            assert see(sparing, now, value, source, checksum=i) == expected
        else:
            assert expected is None
        assert sparing.is_open == whole.is_open
        assert sparing.row == whole.row
