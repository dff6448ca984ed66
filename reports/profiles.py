"""What a run comes to: counts, duplicates, and our ledger against the venues' truth.

Pure arithmetic over rows handed in; `manage.py audit_run` reads them. Every difference is
exact (`Decimal`), by venue and venue asset, and named by the venue's own reference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import msgspec


class Movement(msgspec.Struct, frozen=True):
    """One change of one balance, as either side wrote it down."""

    venue: str
    venue_asset: str
    reference: str
    delta: Decimal


class LedgerComparison(msgspec.Struct, frozen=True):
    """Ours minus the truth. Empty dicts and tuples mean equal to the last unit."""

    difference: dict[str, Decimal]
    wrong_references: tuple[str, ...]
    missing_references: tuple[str, ...]
    in_flight_references: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Whether every reference agrees exactly and none is missing."""
        return not (self.difference or self.wrong_references or self.missing_references)


def compare_ledgers(
    ours: Iterable[Movement], truth: Iterable[Movement], *, in_flight: frozenset[str]
) -> LedgerComparison:
    """Subtract the venues' truth from our ledger, reference by reference.

    `in_flight` are references of trades that are not booked yet: left out of the sums on
    both sides and listed.
    """
    mine, theirs = _sums(ours), _sums(truth)
    difference: dict[str, Decimal] = {}
    wrong: set[str] = set()
    missing: set[str] = set()
    waiting: set[str] = set()
    for key in mine.keys() | theirs.keys():
        venue, asset, reference = key
        delta = mine.get(key, Decimal(0)) - theirs.get(key, Decimal(0))
        if not delta:
            continue
        if reference in in_flight:
            waiting.add(reference)
            continue
        name = f"{venue}:{asset}"
        difference[name] = difference.get(name, Decimal(0)) + delta
        (wrong if key in mine else missing).add(reference)
    return LedgerComparison(
        difference={name: total for name, total in difference.items() if total},
        wrong_references=tuple(sorted(wrong)),
        missing_references=tuple(sorted(missing)),
        in_flight_references=tuple(sorted(waiting)),
    )


def _sums(movements: Iterable[Movement]) -> dict[tuple[str, str, str], Decimal]:
    totals: dict[tuple[str, str, str], Decimal] = {}
    for movement in movements:
        key = (movement.venue, movement.venue_asset, movement.reference)
        totals[key] = totals.get(key, Decimal(0)) + movement.delta
    return totals


def repeated(names: Iterable[str]) -> dict[str, int]:
    """Names that occur more than once, with how often."""
    return {name: count for name, count in Counter(names).items() if count > 1}
