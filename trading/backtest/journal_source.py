"""A journal of a live run as a source: its market facts, without what the desk did then.

What that desk traded is in the facts (its swaps moved the pool): the best journals to test
on are those of a desk in OBSERVE. Called by reports' commands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

from feeds.market.events import MarketEvent
from feeds.market.spec import MarketSpec
from trading.inputs import FeesKnown, HoldingsKnown, SettingsApplied
from trading.intent import AssetSettings
from trading.journal.replaying import inputs_of, open_journal, setup_of

_FACTS = get_args(MarketEvent)


class JournalSource:
    """One run's journal, by a folder (its newest run) or one of its files."""

    def __init__(self, path: Path) -> None:
        self._journal = open_journal(path)
        setup = setup_of(self._journal)
        self.name = f"journal {self._journal.header.run}"
        self.specs: Mapping[str, MarketSpec] = setup.specs
        # What was in force when the run began: the base that `--set` changes.
        self.settings: dict[str, AssetSettings] = {}
        self.fees: FeesKnown | None = None
        self.holdings: HoldingsKnown | None = None
        self._learn_start()

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last stamp of the journal's blocks."""
        blocks = [head for segment in self._journal.segments for _, head in segment.blocks]
        return (blocks[0].first_ns, blocks[-1].last_ns) if blocks else (0, 0)

    def events(self) -> Iterator[MarketEvent]:
        """The market facts in the order the engine was given them."""
        for event in inputs_of(self._journal):
            if isinstance(event, _FACTS):
                yield event

    def digest(self) -> str:
        """A hash over the files' own checksums; of an open file, over its bytes so far."""
        hashed = hashlib.sha256()
        for segment in self._journal.segments:
            if segment.footer is not None:
                hashed.update(segment.footer.sha256.encode())
            else:
                hashed.update(segment.path.read_bytes())
        return hashed.hexdigest()

    def _learn_start(self) -> None:
        for event in inputs_of(self._journal):
            if isinstance(event, SettingsApplied):
                self.settings.setdefault(event.settings.asset, event.settings)
            elif isinstance(event, FeesKnown):
                self.fees = self.fees or event
            elif isinstance(event, HoldingsKnown):
                self.holdings = self.holdings or event
            if self.fees and self.holdings and len(self.settings) == len(self.specs):
                return
