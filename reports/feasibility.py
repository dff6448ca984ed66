"""Does a pair clear its costs at a fee tier? Observed gaps against what a trade costs.

Gaps are sampled every two seconds; such observations are strongly autocorrelated, so every
interval stands on the effective sample size. Too little data is answered with `abstain`,
never with a guess. Pure arithmetic over market facts; called by `manage.py feasibility`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from feeds.market.curve import fee_fraction, price
from feeds.market.events import BookUpdated, MarketEvent, PoolUpdated
from feeds.market.spec import MARK_SYMBOLS, MarketSpec
from trading.backtest.intervals import effective_size, percentile, wilson
from trading.sizing import tick_value

SAMPLE_NS = 2_000_000_000
DAY_S = 86_400.0
# Fewer independent observations, or a shorter look, than these say nothing about a day.
MIN_EFFECTIVE = 30.0
MIN_HOURS = 1.0
# "Clears" means at least this many windows a day, at the lower end of the interval.
MIN_WINDOWS_PER_DAY = 1.0

Verdict = Literal["clears", "fails", "abstain"]


class Costs(msgspec.Struct, frozen=True):
    """What a trade pays beside the taker fee, in bps of its notional, and the taker's fee."""

    taker_bps: Decimal
    haircut_bps: Decimal
    min_edge_bps: Decimal
    chain_fee_usd: Decimal
    notional_usd: Decimal

    @property
    def break_even_bps(self) -> float:
        """The gross gap, pool fee paid, at which a trade of this size earns nothing."""
        chain = self.chain_fee_usd / self.notional_usd * 10_000
        return float(self.taker_bps + self.haircut_bps + chain)

    @property
    def needed_bps(self) -> float:
        """The gap that is asked for: break even plus the wanted edge."""
        return self.break_even_bps + float(self.min_edge_bps)


class Feasibility(msgspec.Struct, frozen=True):
    """The answer. Gaps are gross, after the pool's fee, in bps of the notional.

    `windows_per_day` counts runs of samples above what is needed; its interval is that of
    the share of time above it (Wilson on `n_effective`), divided by a run's mean length.
    `largest_taker_bps` is the dearest tier at which a window a day is still expected, None
    when none is.
    """

    asset: str
    verdict: Verdict
    why: str
    taker_bps: str
    break_even_bps: float
    needed_bps: float
    hours: float
    n: int
    n_effective: float
    share_above: float | None
    windows: int
    windows_per_day: float | None
    windows_per_day_low: float | None
    windows_per_day_high: float | None
    largest_taker_bps: float | None
    gap_p50_bps: float | None
    gap_p95_bps: float | None
    gap_p99_bps: float | None
    gap_largest_bps: float | None
    histogram_edges_bps: list[float]
    histogram_counts: list[int]


def sample_gaps(spec: MarketSpec, events: Iterable[MarketEvent]) -> list[tuple[int, float]]:
    """The better direction's gap every two seconds: (time ns, bps after the pool's fee).

    Negative while no direction pays even for the pool. A sample is taken only while book,
    pool and both marks are known.
    """
    books: dict[str, BookUpdated] = {}
    pool: PoolUpdated | None = None
    found: list[tuple[int, float]] = []
    next_ns = 0
    wanted = {spec.cex_symbol, *MARK_SYMBOLS.values()}
    for event in events:
        if event.recv_ns >= next_ns:
            gap = _gap_bps(spec, books, pool)
            if gap is not None:
                found.append((event.recv_ns, gap))
                next_ns = event.recv_ns + SAMPLE_NS
        if isinstance(event, BookUpdated) and event.symbol in wanted:
            books[event.symbol] = event
        elif isinstance(event, PoolUpdated) and event.pool == spec.pool:
            pool = event
    return found


def assess(asset: str, samples: Sequence[tuple[int, float]], costs: Costs) -> Feasibility:
    """Judge an asset from its sampled gaps."""
    gaps = [gap for _, gap in samples]
    hours = (samples[-1][0] - samples[0][0]) / 3.6e12 if len(samples) > 1 else 0.0
    n_effective = effective_size(gaps)
    low, middle, high = windows_per_day(gaps, n_effective, costs.needed_bps)
    verdict, why = _judge(hours, n_effective, low, high, costs)
    is_told = verdict != "abstain"
    above = [gap > costs.needed_bps for gap in gaps]
    edges, counts = _histogram(gaps)
    return Feasibility(
        asset=asset,
        verdict=verdict,
        why=why,
        taker_bps=format(costs.taker_bps, "f"),
        break_even_bps=costs.break_even_bps,
        needed_bps=costs.needed_bps,
        hours=hours,
        n=len(gaps),
        n_effective=n_effective,
        share_above=sum(above) / len(above) if above else None,
        windows=_runs(above),
        windows_per_day=middle if is_told else None,
        windows_per_day_low=low if is_told else None,
        windows_per_day_high=high if is_told else None,
        largest_taker_bps=largest_taker_bps(gaps, costs) if is_told else None,
        gap_p50_bps=percentile(gaps, 0.5),
        gap_p95_bps=percentile(gaps, 0.95),
        gap_p99_bps=percentile(gaps, 0.99),
        gap_largest_bps=max(gaps, default=None),
        histogram_edges_bps=edges,
        histogram_counts=counts,
    )


def windows_per_day(
    gaps: Sequence[float], n_effective: float, needed_bps: float
) -> tuple[float, float, float]:
    """Expected windows a day: (low, point, high) of the central 95 %."""
    above = [gap > needed_bps for gap in gaps]
    n, hits, runs = len(above), sum(above), _runs(above)
    if not n:
        return 0.0, 0.0, DAY_S * 1e9 / SAMPLE_NS
    # A run that was seen once may be as short as a sample; so is one that never was.
    length_s = (hits / runs if runs else 1.0) * SAMPLE_NS / 1e9
    low, high = wilson(hits / n * n_effective, n_effective)
    return low * DAY_S / length_s, hits / n * DAY_S / length_s, high * DAY_S / length_s


def largest_taker_bps(gaps: Sequence[float], costs: Costs) -> float | None:
    """The dearest taker fee at which a window a day is still expected, to 0.1 bps."""
    other = costs.needed_bps - float(costs.taker_bps)

    def clears(taker_bps: float) -> bool:
        needed = taker_bps + other
        return windows_per_day(gaps, len(gaps), needed)[1] >= MIN_WINDOWS_PER_DAY

    if not clears(0.0):
        return None
    low, high = 0.0, 200.0
    while high - low > 0.05:
        middle = (low + high) / 2
        low, high = (middle, high) if clears(middle) else (low, middle)
    return round(low, 1)


def _judge(
    hours: float, n_effective: float, low: float, high: float, costs: Costs
) -> tuple[Verdict, str]:
    if hours < MIN_HOURS:
        return "abstain", f"{hours:.2f} h of data; at least {MIN_HOURS:g} h is needed"
    if n_effective < MIN_EFFECTIVE:
        return (
            "abstain",
            f"worth {n_effective:.0f} independent observations; {MIN_EFFECTIVE:g} are needed",
        )
    at = f"at {costs.taker_bps} bps a gap of {costs.needed_bps:.1f} bps is needed"
    if low >= MIN_WINDOWS_PER_DAY:
        return "clears", f"{at}; {low:.0f} to {high:.0f} windows a day"
    if high < MIN_WINDOWS_PER_DAY:
        return "fails", f"{at}; fewer than {MIN_WINDOWS_PER_DAY:g} window a day"
    return "abstain", f"{at}; {low:.1f} to {high:.1f} windows a day do not tell"


def _runs(above: Sequence[bool]) -> int:
    return sum(here and not before for before, here in zip([False, *above], above, strict=False))


def _gap_bps(
    spec: MarketSpec, books: dict[str, BookUpdated], pool: PoolUpdated | None
) -> float | None:
    book = books.get(spec.cex_symbol)
    cex_usd, pool_usd = _mark(spec.cex_quote, books), _mark(spec.pool_quote, books)
    if book is None or pool is None or cex_usd is None or pool_usd is None:
        return None
    if not book.bids or not book.asks:
        return None
    middle = price(pool.state, spec.base_is_a)
    if middle <= 0:
        return None
    unit = tick_value(spec, cex_usd, pool_usd)
    kept = 1 - fee_fraction(pool.state, pool.recv_ns // 1_000_000_000)
    sell = book.bids[0][0] * unit * kept / middle
    buy = middle * kept / (book.asks[0][0] * unit)
    return (max(sell, buy) - 1) * 1e4


def _mark(asset: str, books: dict[str, BookUpdated]) -> float | None:
    if asset == "USD":
        return 1.0
    book = books.get(MARK_SYMBOLS.get(asset, ""))
    if book is None or not book.bids or not book.asks:
        return None
    return float((book.bids[0][0] + book.asks[0][0]) / 2 * 10.0**-book.price_precision)


def _histogram(gaps: Sequence[float]) -> tuple[list[float], list[int]]:
    """Counts below, between and above edges from -20 to 60 bps in steps of 4."""
    edges = [float(edge) for edge in range(-20, 61, 4)]
    counts = [0] * (len(edges) + 1)
    for gap in gaps:
        counts[sum(gap >= edge for edge in edges)] += 1
    return edges, counts
