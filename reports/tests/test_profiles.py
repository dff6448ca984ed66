"""The audit's arithmetic: a cent, a missing fill and a fill in flight are told apart."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from reports.profiles import Movement, compare_ledgers, repeated


def moved(reference: str, delta: str, asset: str = "USD") -> Movement:
    return Movement("kraken", asset, reference, Decimal(delta))


def test_equal_ledgers_differ_by_exactly_nothing() -> None:
    both = [moved("T1", "-10.000000000000000001"), moved("T1", "2", "SOL")]
    compared = compare_ledgers(both, both, in_flight=frozenset())
    assert compared.is_equal
    assert compared.difference == {}


def test_the_smallest_wrong_amount_is_named_by_its_reference() -> None:
    compared = compare_ledgers(
        [moved("T1", "1.000000000000000001")], [moved("T1", "1")], in_flight=frozenset()
    )
    assert not compared.is_equal
    assert compared.difference == {"kraken:USD": Decimal("0.000000000000000001")}
    assert compared.wrong_references == ("T1",)


def test_a_fill_we_never_booked_is_missing_unless_its_trade_is_still_open() -> None:
    truth = [moved("T1", "5")]
    assert compare_ledgers([], truth, in_flight=frozenset()).missing_references == ("T1",)
    waiting = compare_ledgers([], truth, in_flight=frozenset({"T1"}))
    assert waiting.is_equal
    assert waiting.in_flight_references == ("T1",)


def test_two_errors_that_cancel_out_are_still_wrong() -> None:
    ours = [moved("T1", "6"), moved("T2", "4")]
    truth = [moved("T1", "5"), moved("T2", "5")]
    compared = compare_ledgers(ours, truth, in_flight=frozenset())
    assert compared.difference == {}
    assert not compared.is_equal


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.decimals(-9, 9, places=6)), max_size=20))
def test_the_order_and_grouping_of_movements_do_not_matter(rows: list[tuple[str, Decimal]]) -> None:
    ours = [Movement("solana", "mint", name, delta) for name, delta in rows]
    assert compare_ledgers(ours, ours[::-1], in_flight=frozenset()).is_equal


def test_repeated_counts_only_what_occurs_twice() -> None:
    assert repeated(["a", "b", "a"]) == {"a": 2}
