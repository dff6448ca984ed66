"""The product's promises (domain §8) held against what our own tables and metrics say.

One row per promise: target, seen, n, a 95 % interval, holds or fails; with too little data
it says so. Reads only. Called by `manage.py service_levels`. Not here: how a promise is
measured in the browser (console tests) or under faults (the proof).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.error import URLError
from urllib.request import urlopen

from arbsite.clock import SystemClock
from reports import capture, prediction, promise_errors, reactions
from reports.promises import Level, judged, part, quantile, unseen
from trading.models import Trade, Window
from trading.paper_selectors import of_live

# The population of the latency promises is the trades with both legs filled.
_SAMPLE = re.compile(r"^(\w+)_bucket\{(.*)\} (\S+)$")
_BOUND = re.compile(r'le="([^"]+)"')
CLOCK = SystemClock()


def levels(*, since_ns: int = 0, metrics: str = "") -> list[Level]:
    """Every promise that tables and the engine's metrics (their text) can answer."""
    trades = list(prediction.closed_trades(since_ns=since_ns))
    return [
        *_latencies(trades),
        *_from_metrics(metrics),
        *_shares(trades, since_ns),
        *capture.levels(CLOCK, since_ns=since_ns),
        *promise_errors.levels(prediction.predictions_of(prediction.finished(trades))),
        *reactions.levels(since_ns=since_ns),
    ]


# ---- latencies ----------------------------------------------------------------------


def _latencies(trades: Sequence[Trade]) -> list[Level]:
    spans = [
        (trade.both_filled_ns - trade.detect_ns) / 1e6
        for trade in trades
        if trade.outcome == "both" and trade.both_filled_ns is not None
    ]
    naked = [
        (trade.naked_until_ns - trade.naked_from_ns) / 1e9
        for trade in trades
        if trade.naked_from_ns is not None and trade.naked_until_ns is not None
    ]
    return [
        quantile("detect → both fills p50", spans, 0.5, 700, "ms"),
        quantile("detect → both fills p95", spans, 0.95, 1_500, "ms"),
        quantile("naked time p99", naked, 0.99, 30, "s"),
    ]


# ---- histograms of the running engine ------------------------------------------------


def read_metrics(port: int) -> str:
    """The engine's own series as text, empty when it does not answer."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            return str(answer.read().decode())
    except (URLError, TimeoutError, ConnectionError):
        return ""


def _from_metrics(text: str) -> list[Level]:
    rows = (
        ("tick → signal p50", "spreadline_tick_to_signal_us", 0.5, 200_000, "µs"),
        ("detect → wire p50", "spreadline_detect_to_wire_ms", 0.5, 2, "ms"),
        ("detect → wire p99", "spreadline_detect_to_wire_ms", 0.99, 5, "ms"),
        ("durable intent p50", "spreadline_intent_commit_ms", 0.5, 1, "ms"),
        ("durable intent p99", "spreadline_intent_commit_ms", 0.99, 3, "ms"),
    )
    return [
        _bucketed(name, buckets_of(text, series), level, limit, unit)
        for name, series, level, limit, unit in rows
    ]


def buckets_of(text: str, series: str) -> list[tuple[float, float]]:
    """(upper bound, cumulative count) of a histogram, its labels summed."""
    counts: dict[float, float] = {}
    for line in text.splitlines():
        found = _SAMPLE.match(line)
        bound = found and _BOUND.search(found[2])
        if found and bound and found[1] == series:
            upper = float(bound[1])
            counts[upper] = counts.get(upper, 0.0) + float(found[3])
    return sorted(counts.items())


def _bucketed(
    name: str, buckets: Sequence[tuple[float, float]], level: float, limit: float, unit: str
) -> Level:
    """A quantile of a histogram: known to lie inside one bucket, whose bounds are shown.

    It holds when the bucket's upper bound is within the limit.
    """
    n = int(buckets[-1][1]) if buckets else 0
    if not n:
        return unseen(name, f"≤ {limit:g} {unit}")
    place = next(i for i, (_, count) in enumerate(buckets) if count >= level * n)
    upper = buckets[place][0]
    lower = buckets[place - 1][0] if place else 0.0
    return Level(
        name,
        f"≤ {limit:g} {unit}",
        f"≤ {upper:g} {unit}",
        n,
        f"{lower:g} – {upper:g}",
        judged(upper <= limit, n),
    )


# ---- shares -------------------------------------------------------------------------


def _shares(trades: Sequence[Trade], since_ns: int) -> list[Level]:
    won = {trade.window_id for trade in trades if trade.outcome == "both"}
    ended = Window.objects.filter(
        is_eligible=True, closed_at_ns__isnull=False, opened_at_ns__gte=since_ns
    )
    closed = of_live(ended).values_list("window_id", flat=True)
    windows = [window in won for window in closed]
    split = [trade.outcome in ("partial", "hedged") for trade in trades]
    verified = [trade.is_verified for trade in trades]
    both = [trade.outcome == "both" for trade in trades]
    return [
        part("capture of eligible windows", windows, 0.60, is_floor=True),
        part("attempts with both legs filled", both, None, is_floor=True),
        part("partial or hedged", split, 0.10, is_floor=False),
        part("verified", verified, 0.99, is_floor=True),
    ]
