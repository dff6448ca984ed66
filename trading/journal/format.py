"""What a journal holds: the engine's construction, every input in order, every decision.

Inputs are written whole, but for books, which are mostly kept as the frames that completed
them (decision 0017). Decisions are the effects that act: `Execute`, `NoteWindow`, `RequestStop`,
`RequestResume`. Their canonical bytes are chained: one hash names all decisions of a run so
far. Files, crash safety and rotation are `feeds.recording`'s. Called by `keeper` (writes),
`replaying` (reads).
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from arbsite.errors import UNREADABLE, FeedCorrupt
from feeds.market.events import BookUpdated
from feeds.market.spec import MarketSpec
from feeds.recording.format import Record
from feeds.venues.kraken.framed import FramedBooks
from trading.effects import Effect, Execute, NoteWindow, RequestResume, RequestStop
from trading.engine.core import RESUME_AFTER_NS, STALE_PAUSE_NS, Engine
from trading.engine.engine_state import EngineModel
from trading.inputs import EngineInput

JOURNAL_VERSION: Final = 2
"""Grows when an older reader would misread; a new kind of input does not need it."""

INPUT: Final = 1
DECISION: Final = 2
BOOK_FRAME: Final = 3
"""An input too: a book, as the frame that completed it; `source` is the book's depth."""
INPUTS: Final = frozenset({INPUT, BOOK_FRAME})

Decision = Execute | NoteWindow | RequestStop | RequestResume

DIGEST_BYTES: Final = 32
_START: Final = hashlib.sha256(b"spreadline decisions 1").digest()

_input_decoder: msgspec.json.Decoder[EngineInput] = msgspec.json.Decoder(EngineInput)
_decision_decoder: msgspec.json.Decoder[Decision] = msgspec.json.Decoder(Decision)
_encoder = msgspec.json.Encoder()
# Sorted keys and shortest round-trip floats: equal decisions have equal bytes everywhere.
_canonical_encoder = msgspec.json.Encoder(order="deterministic")


class EngineSetup(msgspec.Struct, frozen=True):
    """Everything an engine is constructed from."""

    specs: dict[str, MarketSpec]
    resume_after_ns: int = RESUME_AFTER_NS
    stale_pause_ns: int = STALE_PAUSE_NS
    model: EngineModel = EngineModel()
    version: int = JOURNAL_VERSION

    def build(self) -> Engine:
        """Construct the engine; two of one setup are alike."""
        return Engine(
            self.specs,
            resume_after_ns=self.resume_after_ns,
            stale_pause_ns=self.stale_pause_ns,
            model=self.model,
        )


class DecisionChain:
    """The running hash: sha256(previous hash + canonical bytes of the decision)."""

    def __init__(self) -> None:
        self.digest = _START
        self.count = 0

    def add(self, decision: bytes) -> bytes:
        """Take the next decision and return the hash so far."""
        self.digest = hashlib.sha256(self.digest + decision).digest()
        self.count += 1
        return self.digest

    @property
    def hex(self) -> str:
        """The hash so far, as text."""
        return self.digest.hex()


def encode_input(event: EngineInput) -> bytes:
    """JSON with the input's tag: integers keep every digit, decimals their text."""
    return _encoder.encode(event)


def decode_input(payload: bytes) -> EngineInput:
    """Read one input back; raises one of `UNREADABLE`."""
    return _input_decoder.decode(payload)


class InputReader:
    """Reads the inputs of one journal back, in their order; books need those before them."""

    def __init__(self) -> None:
        self._books = FramedBooks()

    def read(self, record: Record) -> EngineInput:
        """The input of a record of one of the kinds `INPUTS`. FeedCorrupt when it cannot be."""
        if record.kind == BOOK_FRAME:
            return self._books.after(record.payload, record.source, record.at_ns)
        try:
            event = decode_input(record.payload)
        except UNREADABLE as error:
            raise FeedCorrupt(f"an input of the journal cannot be read: {error}") from error
        if type(event) is BookUpdated:
            self._books.begin(event)
        return event


def decode_decision(payload: bytes) -> Decision:
    """Read one decision back; raises one of `UNREADABLE`."""
    return _decision_decoder.decode(payload)


def canonical(decision: Effect) -> bytes:
    """The bytes that enter the hash."""
    return _canonical_encoder.encode(decision)
