"""Keeps the journal of a running engine: its inputs before it takes them, its decisions after.

`around` wraps `Engine.handle`; the tick path pays for a bounded append, encoding and hashing
happen in the spool's thread (`feeds.recording.writer`). A journal that could not keep up
has a marked gap and cannot be replayed beyond it. Called by `trading.process.host` and tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

from arbsite.clock import Clock
from feeds.market.events import BookInvalidated, BookUpdated, MarketEvent
from feeds.recording.format import GAP, Record
from feeds.recording.writer import Entry, Spool, SpoolLimits
from feeds.venues.kraken.framed import FrameInHand
from trading.effects import Effect, SignalSeen
from trading.engine.core import Engine
from trading.inputs import EngineInput
from trading.journal.format import (
    BOOK_FRAME,
    DECISION,
    INPUT,
    INPUTS,
    DecisionChain,
    EngineSetup,
    canonical,
    encode_input,
)

_MARKET_EVENTS: Final = frozenset(get_args(MarketEvent))
# What a queued event holds on to, roughly: bounds the memory of a writer that lags.
_ENTRY_BYTES: Final = 1_000


class JournalContent:
    """Turns inputs and decisions into records; owns the running hash."""

    kind: Literal["market", "journal"] = "journal"
    stem = "journal"

    def __init__(self, setup: EngineSetup) -> None:
        self.chain = DecisionChain()
        self._setup = setup

    def description(self) -> bytes:
        """The JSON of `EngineSetup`."""
        return msgspec.json.encode(self._setup)

    def is_boundary(self, entry: Entry) -> bool:
        """An input and its decisions stay in one file."""
        return entry[0] in INPUTS

    def anchors(self) -> Iterable[Record]:
        """Nothing: a replay begins at the first file."""
        return ()

    def records_of(self, entry: Entry) -> Iterable[Record]:
        """Encode one entry; a decision is preceded by the hash up to and with it."""
        kind, source, at_ns, payload, _ = entry
        if kind == BOOK_FRAME:
            return (Record(kind, source, at_ns, payload),)
        if kind == DECISION:
            text = canonical(payload)
            payload = self.chain.add(text) + text
        elif kind == GAP:
            payload = str(payload).encode()
        elif not isinstance(payload, bytes):
            payload = encode_input(payload)
        return (Record(kind, source, at_ns, payload),)


def start_journal(
    setup: EngineSetup,
    folder: Path,
    *,
    clock: Clock,
    software: str,
    profile: str,
    writer_id: int,
    limits: SpoolLimits | None = None,
) -> EngineJournal:
    """Begin the journal of an engine built from `setup`; SetupError when it cannot be kept."""
    content = JournalContent(setup)
    spool = Spool(
        folder,
        content,
        clock=clock,
        software=software,
        profile=profile,
        writer_id=writer_id,
        limits=limits,
    )
    spool.start()
    return EngineJournal(spool, content)


class EngineJournal:
    """The journal of one engine object, from its first input on."""

    def __init__(self, spool: Spool, content: JournalContent) -> None:
        self.spool = spool
        self._content = content

    def around(
        self, engine: Engine, in_hand: FrameInHand | None = None
    ) -> Callable[[EngineInput], list[Effect]]:
        """Return `engine.handle` that keeps every input and every decision.

        With the feed's frame `in_hand`, books are kept as frames wherever that is exact.
        """
        put, handle, state = self.spool.put, engine.handle, engine.state
        # Symbols of which a book is written out whole, for the frames to build on.
        begun: set[str] = set()

        def put_whole(event: MarketEvent) -> None:
            if type(event) is BookUpdated and in_hand is not None and event is in_hand.book:
                begun.add(event.symbol)
            elif type(event) is BookUpdated or type(event) is BookInvalidated:
                # Gone, or reshaped by paper trades: no frame leads on from here.
                begun.discard(event.symbol)
            # Immutable all through: encoded later, off the tick path.
            put(INPUT, 0, event.recv_ns, event, _ENTRY_BYTES)

        def kept(event: EngineInput) -> list[Effect]:
            if in_hand is not None and event is in_hand.book and in_hand.tells_all(begun):
                put(BOOK_FRAME, in_hand.depth, event.recv_ns, in_hand.frame, len(in_hand.frame))
            elif type(event) in _MARKET_EVENTS:
                put_whole(event)  # type: ignore[arg-type]
            else:
                put(INPUT, 0, event.at_ns, encode_input(event), _ENTRY_BYTES)  # type: ignore[union-attr]
            effects = handle(event)
            for effect in effects:
                if type(effect) is not SignalSeen:
                    put(DECISION, 0, state.now_ns, effect, _ENTRY_BYTES)
            return effects

        return kept

    def close(self) -> None:
        """Write what was taken and end; waits for the disk."""
        self.spool.close()

    @property
    def decisions_hash(self) -> str:
        """The hash of all decisions; final after `close`."""
        return self._content.chain.hex
