"""Turns the word a person names a source by into market facts and what the desk starts with.

`sim:SCENARIO[:SEED[:MINUTES]]` is a seeded simulated market, a path is a journal of a run
(folder or file) or a tape. Called by the study commands; the database is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from arbsite.errors import FeedCorrupt, SetupError
from feeds.recording.reader import is_recording
from feeds.sim.scenarios import SCENARIOS
from trading.backtest.journal_source import JournalSource
from trading.backtest.simulated import SimulatedMarket, opening_balances
from trading.backtest.source import EventSource, Tape
from trading.intent import AssetSettings

SIMULATED = "sim:"
SOURCE_HELP = (
    "sim:SCENARIO[:SEED[:MINUTES]] for a seeded simulated market "
    f"({', '.join(SCENARIOS)}; default seed 7, 60 minutes), or the path of a journal "
    "(a run's folder or file) or of a tape"
)
_DEFAULT_SEED, _DEFAULT_MINUTES = 7, 60.0


class Opened(msgspec.Struct, frozen=True):
    """A source, the balances a desk opens with there, and the settings it had (if known)."""

    source: EventSource
    kraken: dict[str, Decimal]
    solana: dict[str, Decimal]
    settings: dict[str, AssetSettings]


def open_source(word: str, *, assets: Sequence[str] | None = None, strength: float = 1.0) -> Opened:
    """Open a source by its word; raises SetupError with the remedy."""
    kraken, solana = opening_balances()
    if word.startswith(SIMULATED):
        source = _simulated(word.removeprefix(SIMULATED), assets, strength)
        return Opened(source, kraken, solana, {})
    path = Path(word)
    if not path.exists():
        raise SetupError(f"There is no {word}: give {SOURCE_HELP}.")
    if path.is_file() and not is_recording(path):
        return Opened(Tape.load(path), kraken, solana, {})
    try:
        journal = JournalSource(path)
    except FeedCorrupt as error:
        raise SetupError(f"{word} cannot be read: {error}.") from error
    if journal.holdings is not None:
        kraken = dict(journal.holdings.kraken)
        solana = _whole_units(journal, journal.holdings.solana_raw)
    return Opened(journal, kraken, solana, journal.settings)


def _simulated(rest: str, assets: Sequence[str] | None, strength: float) -> SimulatedMarket:
    parts = rest.split(":")
    try:
        seed = int(parts[1]) if len(parts) > 1 else _DEFAULT_SEED
        minutes = float(parts[2]) if len(parts) > 2 else _DEFAULT_MINUTES
        if len(parts) > 3 or not 0 < minutes < 100_000:
            raise ValueError("sim:SCENARIO[:SEED[:MINUTES]]")
        return SimulatedMarket(parts[0], seed, minutes, assets=assets, strength=strength)
    except ValueError as error:
        raise SetupError(f"{SIMULATED}{rest} is not a simulated market: {error}.") from error


def _whole_units(journal: JournalSource, raws: dict[str, int]) -> dict[str, Decimal]:
    decimals = {spec.asset: spec.base_decimals for spec in journal.specs.values()}
    decimals |= {spec.pool_quote: spec.quote_decimals for spec in journal.specs.values()}
    return {
        asset: Decimal(raw).scaleb(-decimals[asset])
        for asset, raw in raws.items()
        if asset in decimals
    }
