"""The spool: takes records on the tick path without waiting, writes them in a thread.

`put` costs a bounded append; the thread drains, packs, compresses (zstd lets the
interpreter go), rotates by size and age, and keeps the folder below its limit. When the
thread cannot keep up, new records are dropped, counted, and the place is marked in the
file, so that no reader takes a gap for silence. Called by `market` and `trading.journal`,
which say what the records mean (`Content`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from arbsite import metrics
from arbsite.clock import Clock, at_from_ns
from arbsite.errors import SetupError
from arbsite.logs import event_logger
from feeds.recording.format import GAP, SUFFIX, Record, SegmentHeader
from feeds.recording.segments import SegmentWriter, delete_oldest, repair, segments_in

log = event_logger(__name__)

Entry = tuple[int, int, int, Any, int]
"""(kind, source, at ns, payload, size): what `put` takes; the content makes records of it."""

_NS = 1_000_000_000
_WIDTH = 5
# The thread holds the interpreter for so many entries, some 0.2 ms, and then lets the
# loop have it: on a busy desk a whole drain would keep a tick waiting for milliseconds.
_SLICE = 64
_BREATH_S = 0.000_2


class SpoolLimits(msgspec.Struct, frozen=True):
    """Bounds of one spool: on disk, per file, in memory, and how often the thread looks."""

    folder_bytes: int = 5_000_000_000
    segment_bytes: int = 64_000_000
    segment_s: float = 900.0
    pending_bytes: int = 64_000_000
    block_bytes: int = 262_144
    block_s: float = 1.0
    sync_s: float = 5.0
    drain_s: float = 0.05
    retry_s: float = 5.0


class Content(Protocol):
    """What is recorded. Used by the spool's thread only."""

    @property
    def kind(self) -> Literal["market", "journal"]: ...

    @property
    def stem(self) -> str:
        """First word of the file names."""

    def description(self) -> bytes:
        """The JSON of the header's `content`."""

    def records_of(self, entry: Entry) -> Iterable[Record]:
        """Turn one entry into what is written, nothing included."""

    def anchors(self) -> Iterable[Record]:
        """What a reader of the next segment must know that stood in an earlier one."""

    def is_boundary(self, entry: Entry) -> bool:
        """Whether a new segment may begin before this entry.

        `Spool.wants_boundary` asks the producer for one: the segment is full, or a gap was.
        """


class Spool:
    """One writer of one folder. `put` belongs to one thread (the loop's), the rest to ours."""

    def __init__(
        self,
        folder: Path,
        content: Content,
        *,
        clock: Clock,
        software: str,
        profile: str,
        writer_id: int,
        limits: SpoolLimits | None = None,
    ) -> None:
        self.folder = folder
        self.lost = 0
        """Records dropped on the tick path because too much waited."""
        self.discarded = 0
        """Records dropped by the thread because the disk did not take them."""
        self.written = 0
        self.failures = 0
        self.wants_boundary = False
        """The producer should put what a reader can begin at, and take this back."""
        self._content = content
        self._clock = clock
        self._software = software
        self._profile = profile
        self._limits = limits or SpoolLimits()
        # What waits is the difference of two counters, each written by one thread only.
        # Entries lie flat, field after field: a queue of tuples would wake the collector.
        self._fields: deque[Any] = deque()
        self._bound = self._limits.pending_bytes
        self._given = self._taken = 0
        self._lost_told = self._lost_counted = 0
        # Records, and records already known lost, of the block that is not on disk yet.
        self._unflushed = self._unflushed_gap = 0
        self._segment: SegmentWriter | None = None
        self._is_full = False
        self._sequence = 0
        self._opened_ns = self._flushed_ns = self._synced_ns = 0
        self._retry_ns = 0
        started = at_from_ns(clock.now_ns())
        self.run = f"{started:%Y%m%dT%H%M%S}{started.microsecond:06d}-{writer_id}"
        self._stopping = threading.Event()
        # A daemon: a process that dies of an error must not wait for its recording.
        self._thread = threading.Thread(
            target=self._work, name=f"{content.stem}-spool", daemon=True
        )
        self._counted = metrics.RECORDED_BYTES.labels(content.stem)
        self._counted_lost = metrics.RECORDS_LOST.labels(content.stem)

    def start(self) -> None:
        """Make the folder, repair what dead writers left, start the thread.

        Raises SetupError when the folder cannot be written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in segments_in(self.folder):
                cut = repair(path)
                if cut is not None:
                    log.info("recording.repaired", file=path.name, cut_bytes=cut)
        except OSError as error:
            raise SetupError(
                f"{self.folder} cannot hold recordings ({error.strerror}); make it writable "
                "or set SPREADLINE_RECORDING=off."
            ) from error
        self._enforce_limit()
        self._thread.start()

    # ---- the tick path --------------------------------------------------------------

    def put(self, kind: int, source: int, at_ns: int, payload: Any, size: int) -> None:
        """Take one record of about `size` bytes; never waits, drops it when too much waits."""
        if self._given - self._taken > self._bound:
            self.lost += 1
            return
        if self.lost != self._lost_told:
            missing, self._lost_told = self.lost - self._lost_told, self.lost
            self._fields.extend((GAP, 0, at_ns, missing, 0))
            self.wants_boundary = True
        self._given += size
        self._fields.extend((kind, source, at_ns, payload, size))

    def close(self) -> None:
        """Write everything taken, the footer included, and end the thread."""
        if not self._thread.is_alive():
            return
        self._stopping.set()
        self._thread.join()

    # ---- the thread -----------------------------------------------------------------

    def _work(self) -> None:
        while not self._stopping.wait(self._limits.drain_s):
            self._round()
        self._round()
        if self._segment is not None:
            self._guard(self._close_segment)

    def _round(self) -> None:
        """Write what waits; a disk that fails costs records, never the engine."""
        if self._fields and not self._guard(self._drain):
            self._discard()
        if self._segment is not None:
            self._guard(self._keep_durable)
        missing = self.lost + self.discarded - self._lost_counted
        if missing:
            self._lost_counted += missing
            self._counted_lost.inc(missing)
            log.warning("recording.lost", stem=self._content.stem, records=missing)

    def _guard(self, step: Callable[[], None]) -> bool:
        """Do what touches the disk; on its failure give the file up and mark what is lost."""
        try:
            step()
        except OSError as error:
            self.failures += 1
            log.error("recording.failed", folder=str(self.folder), error=str(error))
            self._retry_ns = self._clock.monotonic_ns() + round(self._limits.retry_s * _NS)
            segment, self._segment = self._segment, None
            self._is_full = False
            if segment is not None:
                segment.abandon()
            self.discarded += self._unflushed
            self._mark_gap(self._unflushed + self._unflushed_gap)
            self._unflushed = self._unflushed_gap = 0
            return False
        return True

    def _drain(self) -> None:
        if self._segment is None and self._clock.monotonic_ns() < self._retry_ns:
            self._discard()
            return
        for number in range(1, len(self._fields) // _WIDTH + 1):
            self._write(self._next())
            if not number % _SLICE:
                self._stopping.wait(_BREATH_S)

    def _next(self) -> Entry:
        take = self._fields.popleft
        entry = (take(), take(), take(), take(), take())
        self._taken += entry[4]
        return entry

    def _discard(self) -> None:
        """Forget what waits while the disk cannot take it; the next file shows the gap."""
        fresh = known = 0
        for _ in range(len(self._fields) // _WIDTH):
            entry = self._next()
            if entry[0] == GAP:
                known += entry[3]
            else:
                fresh += 1
        self.discarded += fresh
        self._mark_gap(fresh + known)

    def _mark_gap(self, records: int) -> None:
        if records:
            self._fields.extendleft((0, records, self._clock.now_ns(), 0, GAP))
            self.wants_boundary = True

    def _write(self, entry: Entry) -> None:
        if self._is_full:
            if self._content.is_boundary(entry):
                self._close_segment()
            else:
                self.wants_boundary = True
        segment = self._segment or self._open_segment()
        if entry[0] == GAP:
            self._unflushed_gap += entry[3]
        for record in self._content.records_of(entry):
            self._unflushed += entry[0] != GAP
            segment.add(record)
        if segment.pending_bytes >= self._limits.block_bytes:
            self._flush(segment)

    def _open_segment(self) -> SegmentWriter:
        now_ns = self._clock.monotonic_ns()
        self._sequence += 1
        header = SegmentHeader(
            kind=self._content.kind,
            run=self.run,
            sequence=self._sequence,
            started_ns=self._clock.now_ns(),
            software=self._software,
            profile=self._profile,
            content=msgspec.Raw(self._content.description()),
        )
        name = f"{self.run}-{self._content.stem}-{self._sequence:05d}{SUFFIX}"
        self._segment = SegmentWriter(self.folder / name, header)
        self._opened_ns = self._flushed_ns = self._synced_ns = now_ns
        for record in self._content.anchors():
            self._segment.add(record)
        return self._segment

    def _flush(self, segment: SegmentWriter) -> None:
        before = segment.file_bytes
        segment.flush()
        self._note_written(segment.file_bytes - before)
        self._flushed_ns = now_ns = self._clock.monotonic_ns()
        is_old = now_ns - self._opened_ns >= self._limits.segment_s * _NS
        self._is_full = is_old or segment.file_bytes >= self._limits.segment_bytes

    def _keep_durable(self) -> None:
        segment, now_ns = self._segment, self._clock.monotonic_ns()
        assert segment is not None
        if now_ns - self._flushed_ns >= self._limits.block_s * _NS:
            self._flush(segment)
        if now_ns - self._synced_ns >= self._limits.sync_s * _NS:
            segment.sync()
            self._synced_ns = now_ns

    def _close_segment(self) -> None:
        segment, self._segment = self._segment, None
        self._is_full = False
        assert segment is not None
        before = segment.file_bytes
        segment.close()
        self._note_written(segment.file_bytes - before)
        self._enforce_limit()

    def _note_written(self, file_bytes: int) -> None:
        self._counted.inc(file_bytes)
        self.written += self._unflushed
        self._unflushed = self._unflushed_gap = 0

    def _enforce_limit(self) -> None:
        delete_oldest(self.folder, self._limits.folder_bytes, self._note_deleted)

    def _note_deleted(self, path: Path, size: int) -> None:
        metrics.RECORDINGS_DELETED.labels(self._content.stem).inc()
        log.info("recording.deleted", file=path.name, bytes=size)
