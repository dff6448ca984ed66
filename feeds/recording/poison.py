"""Poisons market data on purpose: drops, duplicates, reorders and corrupts frames by seed.

A `Poisoner` decides, frame by frame of one stream, what the reader gets instead, and keeps
the list of what it did. `PoisonedTransport` puts one between a feed and every socket it
opens. For tests and `manage.py poison`; answers to requests are left alone, so that a feed
can get its books back. Not here: whether the desk notices (its tests).
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Literal, Protocol, get_args
from urllib.parse import urlsplit

import msgspec

from arbsite.clock import Clock, seeded_random
from feeds.recording.format import Record
from feeds.recording.market import BOOK_ANCHOR, KRAKEN_FRAME, SOLANA_FRAME, MarketDescription
from feeds.recording.reader import Recording
from feeds.recording.segments import SegmentWriter
from feeds.venues.transport import HttpReply, Transport, WsConnection

PoisonKind = Literal["drop", "duplicate", "reorder", "corrupt"]
KINDS: tuple[PoisonKind, ...] = get_args(PoisonKind)
_DATA_MARKS = (b'"channel":"book"', b'"channel":"ticker"', b"accountNotification", b'"parent"')
_DIGITS = frozenset(b"0123456789")


class RandomSource(Protocol):
    """The draws made here; a stream of arbsite.clock has them."""

    def random(self) -> float:
        """Uniform in [0, 1)."""

    def randrange(self, stop: int, /) -> int:
        """A whole number below `stop`."""


class Poison(msgspec.Struct, frozen=True):
    """One thing done to one frame: the `number`th of data of its stream, as it was sent."""

    stream: str
    number: int
    kind: PoisonKind
    at_ns: int
    frame: bytes


class Poisoner:
    """Poisons a `share` of the data frames of one stream, all four ways equally often."""

    def __init__(self, stream: str, rng: RandomSource, share: float) -> None:
        self.stream = stream
        self.frames = 0
        self.done: list[Poison] = []
        self._rng = rng
        self._share = share
        self._late: bytes | None = None

    def take(self, frame: bytes, at_ns: int) -> list[bytes]:
        """Return what is delivered in place of a frame, in order."""
        if not is_data(frame):
            return [frame]
        self.frames += 1
        late, self._late = self._late, None
        after = [] if late is None else [late]
        if self._rng.random() >= self._share:
            return [frame, *after]
        kind = KINDS[self._rng.randrange(len(KINDS))]
        self.done.append(Poison(self.stream, self.frames, kind, at_ns, frame))
        if kind == "drop":
            return after
        if kind == "duplicate":
            return [frame, frame, *after]
        if kind == "reorder":
            self._late = frame
            return after
        return [self._corrupted(frame), *after]

    def _corrupted(self, frame: bytes) -> bytes:
        """Change one digit (still readable) or one byte (perhaps not)."""
        at = self._rng.randrange(len(frame))
        if self._rng.random() < 0.5:
            at = next((n for n in range(at, len(frame)) if frame[n] in _DIGITS), at)
            new = 48 + (frame[at] - 48 + 1 + self._rng.randrange(9)) % 10
        else:
            new = (frame[at] + 1 + self._rng.randrange(255)) % 256
        return frame[:at] + bytes([new]) + frame[at + 1 :]


def poison_recording(recording: Recording, path: Path, *, seed: int, share: float) -> list[Poison]:
    """Copy a run into one file with its frames poisoned; return what was done, in order.

    Anchors inside the run are left out: they would repair what an earlier frame broke. A
    late frame has the receive time of its place. Raises OSError when it cannot be written.
    """
    description = msgspec.json.decode(recording.header.content, type=MarketDescription)
    poisoners = [
        Poisoner(name, seeded_random(f"poison {name} {seed}"), share)
        for name in description.sources
    ]
    writer = SegmentWriter(path, msgspec.structs.replace(recording.header, sequence=1))
    done: list[Poison] = []
    for record in recording.records():
        if record.kind not in (KRAKEN_FRAME, SOLANA_FRAME):
            if record.kind != BOOK_ANCHOR:
                writer.add(record)
            continue
        poisoner = poisoners[record.source]
        before = len(poisoner.done)
        for frame in poisoner.take(record.payload, record.at_ns):
            writer.add(Record(record.kind, record.source, record.at_ns, frame))
        done += poisoner.done[before:]
    writer.close()
    return done


def is_data(frame: bytes) -> bool:
    """Whether a frame carries market data: books, tickers, accounts, slots."""
    return any(mark in frame for mark in _DATA_MARKS)


class PoisonedTransport:
    """A transport whose sockets are poisoned by the poisoner of their host's name."""

    def __init__(self, transport: Transport, poisoners: dict[str, Poisoner], clock: Clock) -> None:
        self._transport = transport
        self._poisoners = poisoners
        self._clock = clock

    async def connect(self, url: str, *, timeout_s: float = 5.0) -> WsConnection:
        """Open a WebSocket; raises ConnectionError or TimeoutError."""
        connection = await self._transport.connect(url, timeout_s=timeout_s)
        return _Poisoned(connection, self._poisoners[urlsplit(url).hostname or ""], self._clock)

    async def http(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = 5.0,
    ) -> HttpReply:
        """Perform one request, unpoisoned."""
        return await self._transport.http(
            method, url, headers=headers, body=body, timeout_s=timeout_s
        )

    async def close(self) -> None:
        """Close what lies below."""
        await self._transport.close()


class _Poisoned:
    """A connection whose frames pass a poisoner."""

    def __init__(self, connection: WsConnection, poisoner: Poisoner, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._poisoner = poisoner
        self._ready: deque[bytes] = deque()

    async def send(self, text: str | bytes) -> None:
        await self._connection.send(text)

    async def recv(self) -> bytes:
        while not self._ready:
            frame = await self._connection.recv()
            self._ready.extend(self._poisoner.take(frame, self._clock.now_ns()))
        return self._ready.popleft()

    async def close(self) -> None:
        await self._connection.close()
