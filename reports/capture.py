"""What was made of the windows in money, and what was naked meanwhile (domain §1).

Reads windows and trades. Called by `service_levels`. Not here: capture by count.

Value capture is realised PnL over the most that was expected of each window (π* at its best
moment), which counts the odds of landing as the decision did. An oracle that always lands
would have made about 8 % more than that; back-tests know its PnL and show the share of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from django.db.models import Sum

from arbsite.clock import Clock, seeded_random
from reports.promises import Level, estimated
from trading.backtest.intervals import bootstrap, ratio_of
from trading.models import Attempt, Trade, Window
from trading.paper_selectors import of_live

DAY_S = 86_400
MOST_BLOCKS = 400
Step = tuple[int, Decimal]
T = TypeVar("T")


def levels(clock: Clock, *, since_ns: int = 0) -> list[Level]:
    """Value capture, and naked USD·s a day."""
    rng = seeded_random("service levels")
    worths = _worths(since_ns)
    blocks = [
        (sum(made for made, _ in block), sum(best for _, best in block))
        for block in _blocks(worths)
    ]
    worth = bootstrap(blocks, ratio_of, rng)
    now_ns = clock.now_ns()
    naked, days = _naked(since_ns, now_ns)
    sums = [sum(block) for block in _blocks(naked)]
    a_day = bootstrap(sums, lambda some: sum(some) / days if days else None, rng)
    return [
        estimated("value captured, of the best expectation", worth, len(worths), ".1%"),
        estimated("naked USD·s a day", a_day, len(naked), ",.0f"),
    ]


def _blocks(items: Sequence[T]) -> list[Sequence[T]]:
    """Neighbours in time together, so that a year is resampled as fast as an hour."""
    size = -(-len(items) // MOST_BLOCKS) or 1
    return [items[start : start + size] for start in range(0, len(items), size)]


def _worths(since_ns: int) -> list[tuple[float, float]]:
    """(realised, best expectation) of each eligible window, USD; not traded realised nothing."""
    made: dict[UUID, Decimal] = dict(
        Trade.objects.filter(state="closed", detect_ns__gte=since_ns)
        .values_list("window_id")
        .annotate(Sum("realised_pnl_usd"))
    )
    closed = Window.objects.filter(
        is_eligible=True, closed_at_ns__isnull=False, opened_at_ns__gte=since_ns
    )
    return [
        (float(made.get(window_id) or 0), float(best))
        for window_id, best in of_live(closed)
        .order_by("opened_at_ns")
        .values_list("window_id", "best_pnl_usd")
    ]


def _naked(since_ns: int, now_ns: int) -> tuple[list[float], float]:
    """Naked USD·s of each trade since then, and how many days that is."""
    trades = Trade.objects.filter(detect_ns__gte=since_ns).order_by("detect_ns")
    rows = list(
        trades.values_list(
            "id", "detect_ns", "naked_from_ns", "naked_until_ns", "notional_usd", "size_base"
        )
    )
    steps: dict[UUID, list[Step]] = {}
    filled = Attempt.objects.filter(trade__in=trades, filled_ns__isnull=False)
    for attempt in filled:
        assert attempt.filled_ns is not None
        delta = abs(attempt.filled_base) * (1 if attempt.side == "buy" else -1)
        steps.setdefault(attempt.trade_id, []).append((attempt.filled_ns, delta))
    found = [
        naked_base_s(steps.get(trade_id, []), until_ns=until_ns or now_ns) * float(notional / size)
        if from_ns is not None and size
        else 0.0
        for trade_id, _, from_ns, until_ns, notional, size in rows
    ]
    first_ns = since_ns or (rows[0][1] if rows else now_ns)
    return found, (now_ns - first_ns) / 1e9 / DAY_S


def naked_base_s(steps: Sequence[Step], *, until_ns: int) -> float:
    """∫ |base held| dt over fills (when, signed base) up to a moment, in base units · s."""
    area, held, before_ns = 0.0, Decimal(0), 0
    for at_ns, delta in sorted(steps):
        area += float(abs(held)) * max(0, min(at_ns, until_ns) - before_ns) / 1e9
        held, before_ns = held + delta, min(at_ns, until_ns)
    return area + float(abs(held)) * max(0, until_ns - before_ns) / 1e9
