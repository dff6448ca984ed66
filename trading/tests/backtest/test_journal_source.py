"""A journal of a live run as the source of a back-test."""

from __future__ import annotations

from arbsite.clock import seeded_random
from feeds.market.events import BookUpdated, PoolUpdated
from trading.backtest.desk import BacktestDesk
from trading.backtest.journal_source import JournalSource
from trading.backtest.parameters import setup_from
from trading.backtest.simulated import opening_balances
from trading.journal.day import record_day


def test_a_journal_gives_its_market_facts_and_what_was_in_force(tmp_path):
    record_day(tmp_path, minutes=0.5)
    source = JournalSource(tmp_path)
    events = list(source.events())
    assert {BookUpdated, PoolUpdated} <= {type(event) for event in events}
    assert list(source.events()) == events
    first, last = source.span_ns
    assert last - first > 25e9
    assert set(source.settings) == set(source.specs)
    assert source.fees is not None
    assert source.holdings is not None
    assert source.digest() == JournalSource(tmp_path).digest()
    kraken, solana = opening_balances()
    setup = setup_from({}, source.specs, kraken=kraken, solana=solana, base=source.settings)
    assert setup.settings == source.settings
    desk = BacktestDesk(source.specs, setup, seeded_random)
    for event in events:
        desk.handle(event)
    assert desk.engine.state.feeds.books
    assert desk.windows
