"""Reads recordings and journals: one file, or all files of one run in order.

A torn tail ends the reading of a file and is said, not raised: a file may be read while it
is being written. Damage, a wrong checksum or a newer format raise FeedCorrupt. Called by
the verify and replay commands and by tests.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from arbsite.errors import UNREADABLE, FeedCorrupt, SetupError
from feeds.recording.format import (
    BLOCK,
    FOOTER,
    FORMAT_VERSION,
    HEADER,
    MAGIC,
    SUFFIX,
    BlockHead,
    Record,
    SegmentFooter,
    SegmentHeader,
    block_head,
    is_torn,
    read_chunk,
    unpack_block,
)
from feeds.recording.segments import segments_in

T = TypeVar("T")


class Segment:
    """One file. The index (block offsets, footer) is read at once, records on demand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._view = memoryview(_mapped(path))
        if bytes(self._view[: len(MAGIC)]) != MAGIC:
            raise FeedCorrupt(f"{path.name} is not a recording")
        self.footer: SegmentFooter | None = None
        self.blocks: list[tuple[int, BlockHead]] = []
        header: SegmentHeader | None = None
        at = len(MAGIC)
        while (found := read_chunk(self._view, at)) is not None:
            tag, payload, after = found
            if tag == HEADER:
                header = _decoded_header(payload, path)
            elif tag == BLOCK:
                self.blocks.append((at, block_head(payload)))
            elif tag == FOOTER:
                self.footer = _decoded(payload, SegmentFooter, path)
                self._footer_at = at
            at = after
        if not is_torn(self._view, at):
            raise FeedCorrupt(f"{path.name} is damaged at byte {at}")
        if header is None:
            raise FeedCorrupt(f"{path.name} ends before its header")
        self.header = header
        self.torn_bytes = len(self._view) - at
        if self.footer is not None and self.torn_bytes:
            raise FeedCorrupt(f"{path.name} has {self.torn_bytes} bytes after its footer")

    @property
    def is_whole(self) -> bool:
        """Whether the writer closed the file (or a later one repaired it)."""
        return self.footer is not None

    def verify(self) -> None:
        """Compare the file with its footer's checksum; FeedCorrupt when it differs."""
        if self.footer is None:
            return
        found = hashlib.sha256(self._view[: self._footer_at]).hexdigest()
        counted = sum(head.records for _, head in self.blocks)
        if found != self.footer.sha256 or counted != self.footer.records:
            raise FeedCorrupt(f"{self.path.name} is not what its footer says")

    def records(self) -> Iterator[Record]:
        """Yield every record of every whole block."""
        for at, _ in self.blocks:
            found = read_chunk(self._view, at)
            assert found is not None
            yield from unpack_block(found[1])


class Recording:
    """The files of one run, in order. `first_sequence` above 1: the oldest were deleted."""

    def __init__(self, segments: list[Segment]) -> None:
        self.segments = segments
        self.header = segments[0].header

    @property
    def first_sequence(self) -> int:
        """Sequence number of the oldest file that is still there."""
        return self.header.sequence

    @property
    def records_count(self) -> int:
        """Records in all files."""
        return sum(head.records for each in self.segments for _, head in each.blocks)

    def verify(self) -> None:
        """Check every file against its footer, and that none between two is missing."""
        for number, segment in enumerate(self.segments, start=self.first_sequence):
            if segment.header.sequence != number:
                raise FeedCorrupt(f"file {number} of run {self.header.run} is missing")
            if not segment.is_whole and segment is not self.segments[-1]:
                raise FeedCorrupt(f"{segment.path.name} has no end, though a later file follows")
            segment.verify()

    def records(self) -> Iterator[Record]:
        """Yield every record of every file."""
        for segment in self.segments:
            yield from segment.records()


def is_recording(path: Path) -> bool:
    """Whether a path is one of our files, or a folder with some."""
    return bool(segments_in(path)) if path.is_dir() else path.suffix == SUFFIX


def open_runs(path: Path, kind: str) -> list[Recording]:
    """Open the run a file belongs to as far as the file, or every run of a folder, in order.

    A file alone is read alone. Raises SetupError in one sentence when there is nothing of
    that kind, FeedCorrupt when a file is broken.
    """
    try:
        paths = segments_in(path) if path.is_dir() else [path]
        segments = [Segment(each) for each in paths]
    except FileNotFoundError:
        raise SetupError(f"There is no file {path}; give the path of a recording.") from None
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror}.") from error
    runs: dict[str, list[Segment]] = {}
    for segment in segments:
        if segment.header.kind == kind:
            runs.setdefault(_stem_and_run(segment), []).append(segment)
    if not runs:
        raise SetupError(f"{path} holds no {kind} recording; name one of its *{SUFFIX} files.")
    return [
        Recording(sorted(found, key=lambda each: each.header.sequence)) for found in runs.values()
    ]


def _stem_and_run(segment: Segment) -> str:
    return segment.path.name.rpartition("-")[0]


def _decoded_header(payload: memoryview, path: Path) -> SegmentHeader:
    header = _decoded(payload, SegmentHeader, path)
    if header.format > FORMAT_VERSION:
        raise FeedCorrupt(
            f"{path.name} has format {header.format}; this version reads up to {FORMAT_VERSION}"
        )
    return header


def _decoded(payload: memoryview, kind: type[T], path: Path) -> T:
    try:
        return msgspec.json.decode(payload, type=kind)
    except UNREADABLE as error:
        raise FeedCorrupt(f"{path.name} has a chunk we cannot read: {error}") from error


def _mapped(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
