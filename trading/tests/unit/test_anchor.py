"""Ticks that are only counted change no decision, and of a window only how exactly it is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.effects import Execute, NoteWindow
from trading.engine import anchor
from trading.engine.core import Engine

from .builders import make_spec
from .desk import FAIR, MS, START_NS, Market, book, pool, setup_events

# Mids that open a window, move its worth by little or much, and close it; pools as well.
_TICKS = st.lists(
    st.tuples(
        st.sampled_from(["same", "deep", "wide", "wider", "fair", "pool", "timer"]),
        st.integers(10**8, 10**10),
    ),
    min_size=1,
    max_size=40,
)
_MIDS = {"same": FAIR + 40, "deep": FAIR + 40, "wide": FAIR + 41, "wider": FAIR + 46, "fair": FAIR}


def _play(ticks: list[tuple[str, int]], **changes: Any) -> list[Any]:
    """Effects of a market in which nothing of ours ever closes, a timer apart."""
    market = Market(**changes)
    for what, lots in ticks:
        if what == "timer":
            market.alive()
        elif what == "pool":
            market.pool(slot=1001)
        else:
            market.book(_MIDS[what], lots=10**9 if what == "same" else lots)
    return market.effects


def _decisions(effects: list[Any]) -> list[Any]:
    """What was decided, fired, refused and closed, in order, without the windows' figures."""
    told = []
    for effect in effects:
        if isinstance(effect, Execute):
            intent = effect.intent
            told.append((intent.intent_key, intent.qty_lots, intent.cex_limit_ticks, intent.pnl))
        elif isinstance(effect, NoteWindow):
            row = effect.window
            said = (row.window_id, effect.decision, effect.gate, row.closed_at_ns, row.close_cause)
            # A new peak is told by every exact pricing: only changes of the decision count.
            if said not in told:
                told.append(said)
    return told


@settings(max_examples=60)
@given(_TICKS, st.integers(1, 3), st.sampled_from(["live", "observe", "stop_new"]))
def test_counted_ticks_decide_what_priced_ticks_would(
    ticks: list[tuple[str, int]], intents: int, mode: str
) -> None:
    changes = {"intents_per_window": intents, "mode": mode}
    counted = _play(ticks, **changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchor.Anchor, "holds", lambda *_: False)
        priced = _play(ticks, **changes)
    assert _decisions(counted) == _decisions(priced)


def test_a_used_up_window_is_not_priced_again_while_its_worth_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = Market()
    market.book(FAIR + 40)
    assert len(market.intents) == 1
    calls = _count_pricing(monkeypatch)
    market.book(FAIR + 40, lots=10**9 + 1)
    assert calls == []
    sized = market.engine.state.assets["SOL"].sized
    assert sized is not None
    market.book(FAIR + 50)
    assert calls == ["priced"]


def test_the_time_of_counted_ticks_is_counted() -> None:
    market = Market()
    market.book(FAIR + 40)
    for step in range(10):
        market.book(FAIR + 40, lots=10**9 + step, after_ms=100)
    market.book(FAIR, after_ms=100)
    [row] = [row for row in market.last_rows().values() if row.closed_at_ns]
    assert float(row.value_seconds_usd) == pytest.approx(float(row.peak_value_usd) * 1.1, rel=0.02)


def test_no_tick_with_an_edge_leaves_early() -> None:
    engine = Engine({"SOL": make_spec()})
    for event in setup_events(START_NS):
        engine.handle(event)
    asset = engine.state.assets["SOL"]
    seen = set()
    for step, mid in enumerate(range(FAIR - 60, FAIR + 61)):
        engine.handle(book(START_NS + (step + 1) * MS, mid))
        curve, terms = engine.state.feeds.curves["POOL-SOL"], asset.terms
        assert terms is not None
        has_edge = any(look.has_edge for look in asset.looks)
        seen.add(has_edge)
        if has_edge:
            assert asset.can_have_edge(engine.state.feeds.books["SOL/USD"], curve, terms)
    assert seen == {True, False}


def test_a_pool_update_moves_the_limits_of_the_early_exit() -> None:
    market = Market()
    assert not market.engine.state.assets["SOL"].has_edge
    market.tell(pool(market.after(10), tick=-18_900, slot=1001))
    assert market.engine.state.assets["SOL"].has_edge


def _count_pricing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from trading.engine import decision

    calls: list[str] = []
    real = decision.price_size

    def counted(*given: Any) -> Any:
        calls.append("priced")
        return real(*given)

    monkeypatch.setattr(decision, "price_size", counted)
    return calls
