"""Where a back-test's market facts come from, and what they are named by.

A source yields market events in the order they were received. `Tape` holds them in memory
or in one file; recordings and journals are adapted beside it. Pure but for reading a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from arbsite.errors import SetupError
from feeds.market.events import MarketEvent
from feeds.market.spec import MarketSpec

_MAGIC = "spreadline tape 1"


class EventSource(Protocol):
    """Market facts of some markets over some time."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def specs(self) -> Mapping[str, MarketSpec]:
        """The markets, by asset."""

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last receive time, for progress; the end may be an estimate."""

    def events(self) -> Iterator[MarketEvent]:
        """The facts in order; each call begins anew."""

    def digest(self) -> str:
        """A hash that names the content, known after `events` has been read once."""


class _Head(msgspec.Struct):
    magic: str
    name: str
    specs: dict[str, MarketSpec]
    count: int


class Tape:
    """Market facts held in memory."""

    def __init__(
        self, name: str, specs: Mapping[str, MarketSpec], events: Iterable[MarketEvent]
    ) -> None:
        self.name = name
        self.specs = dict(specs)
        self._events = list(events)
        self._digest = ""

    def __len__(self) -> int:
        return len(self._events)

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last receive time; (0, 0) when empty."""
        if not self._events:
            return 0, 0
        return self._events[0].recv_ns, self._events[-1].recv_ns

    def events(self) -> Iterator[MarketEvent]:
        """The facts in order."""
        return iter(self._events)

    def digest(self) -> str:
        """SHA-256 over the encoded facts."""
        if not self._digest:
            hashed = hashlib.sha256()
            encoder = msgspec.msgpack.Encoder(decimal_format="string")
            for event in self._events:
                hashed.update(encoder.encode(event))
            self._digest = hashed.hexdigest()
        return self._digest

    def save(self, path: Path) -> None:
        """Write head and facts as MessagePack."""
        head = _Head(_MAGIC, self.name, self.specs, len(self._events))
        path.write_bytes(msgspec.msgpack.encode([msgspec.msgpack.encode(head), self._events]))

    @classmethod
    def load(cls, path: Path) -> Tape:
        """Read a tape written by `save`; raises SetupError for anything else."""
        try:
            head_bytes, events = msgspec.msgpack.decode(
                path.read_bytes(), type=tuple[bytes, list[MarketEvent]]
            )
            head = msgspec.msgpack.decode(head_bytes, type=_Head)
        except (OSError, msgspec.MsgspecError) as error:
            raise SetupError(f"{path} is not a tape: {error}") from error
        if head.magic != _MAGIC:
            raise SetupError(f"{path} is not a tape of this version.")
        return cls(head.name, head.specs, events)


def clipped(
    events: Iterator[MarketEvent], from_ns: int | None, to_ns: int | None
) -> Iterator[MarketEvent]:
    """Keep what was received in [from, to); what stands at `from` is not carried over."""
    for event in events:
        if to_ns is not None and event.recv_ns >= to_ns:
            return
        if from_ns is None or event.recv_ns >= from_ns:
            yield event
