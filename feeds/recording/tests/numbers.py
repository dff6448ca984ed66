"""The simplest content there is: entries are numbered bytes and are written as they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from arbsite.clock import SystemClock
from feeds.recording.format import GAP, Record
from feeds.recording.writer import Entry, Spool, SpoolLimits

NUMBER = 7


class Numbers:
    """Counts; a later segment begins with the last number written before it."""

    kind: Literal["market", "journal"] = "market"
    stem = "numbers"

    def __init__(self) -> None:
        self.last = b""

    def description(self) -> bytes:
        return b'{"content":"numbers"}'

    def is_boundary(self, entry: Entry) -> bool:
        return True

    def anchors(self) -> Iterable[Record]:
        return [Record(NUMBER, 1, 1, self.last)] if self.last else []

    def records_of(self, entry: Entry) -> Iterable[Record]:
        kind, source, at_ns, payload, _ = entry
        if kind == GAP:
            return [Record(GAP, 0, at_ns, str(payload).encode())]
        self.last = payload
        return [Record(kind, source, at_ns, payload)]


def spool_in(folder: Path, **limits: Any) -> Spool:
    """A spool of numbers, not started."""
    return Spool(
        folder,
        Numbers(),
        clock=SystemClock(),
        software="test",
        profile="sim",
        writer_id=1,
        limits=SpoolLimits(**limits),
    )


def put_numbers(spool: Spool, numbers: Iterable[int], *, padding: int = 0) -> None:
    """Put each number as a record of its own, stamped with itself."""
    for number in numbers:
        payload = f"{number:012d}".encode() + bytes(padding)
        spool.put(NUMBER, 0, number, payload, len(payload))
