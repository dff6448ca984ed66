"""Segment files on disk: write one, repair one a dead process left, delete the oldest.

A file being written is locked (flock), so that neither repair nor deletion touches it,
whichever process asks. Synchronous; called by `writer`'s thread and by commands.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from feeds.recording.format import (
    BLOCK,
    FOOTER,
    HEADER,
    MAGIC,
    SUFFIX,
    BlockPacker,
    Record,
    SegmentFooter,
    SegmentHeader,
    block_head,
    chunk,
    is_torn,
    read_chunk,
)


class SegmentWriter:
    """One file from header to footer. OSError of the disk passes through."""

    def __init__(self, path: Path, header: SegmentHeader) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._fd = os.open(path, flags, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._hash = hashlib.sha256()
        self._packer = BlockPacker()
        self._blocks = self._records = 0
        self._first_ns: int | None = None
        self._last_ns = 0
        self.file_bytes = 0
        self._write(MAGIC + chunk(HEADER, msgspec.json.encode(header)))

    @property
    def pending_bytes(self) -> int:
        """Raw bytes taken and not yet in a block."""
        return self._packer.raw_bytes

    def add(self, record: Record) -> None:
        """Take one record; it is on disk after `flush`."""
        self._packer.add(record)

    def flush(self) -> None:
        """Hand what was taken to the kernel as one block: it survives this process now."""
        packer = self._packer
        if not packer.records:
            return
        self._first_ns = packer.first_ns if self._first_ns is None else self._first_ns
        self._last_ns = max(self._last_ns, packer.last_ns)
        self._blocks += 1
        self._records += packer.records
        self._write(packer.pack())

    def sync(self) -> None:
        """Make what was flushed survive a power cut."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Flush, write the footer, sync and unlock."""
        try:
            self.flush()
            self._write(
                _footer_chunk(
                    SegmentFooter(
                        blocks=self._blocks,
                        records=self._records,
                        first_ns=self._first_ns or 0,
                        last_ns=self._last_ns,
                        sha256=self._hash.hexdigest(),
                    )
                )
            )
            self.sync()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file as it is; its whole blocks stay readable."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._hash.update(data)
        self.file_bytes += len(data)


def _footer_chunk(footer: SegmentFooter) -> bytes:
    return chunk(FOOTER, msgspec.json.encode(footer))


def segments_in(folder: Path) -> list[Path]:
    """All segment files of a folder, oldest first (their names begin with their time)."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file())


def is_being_written(path: Path) -> bool:
    """Whether some process holds the file's lock."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def repair(path: Path) -> int | None:
    """Cut the torn tail of a file its writer left without a footer, and write the footer.

    Returns the bytes cut; None when there was nothing to repair (whole, still being
    written, damaged elsewhere, or not a segment at all). A file without even a header is removed.
    """
    if is_being_written(path):
        return None
    data = path.read_bytes()
    view = memoryview(data)
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        return None
    at, blocks, records, first_ns, last_ns, has_header = len(MAGIC), 0, 0, None, 0, False
    while (found := read_chunk(view, at)) is not None:
        tag, payload, after = found
        if tag == FOOTER:
            return None
        if tag == BLOCK:
            head = block_head(payload)
            blocks, records = blocks + 1, records + head.records
            first_ns = head.first_ns if first_ns is None else first_ns
            last_ns = max(last_ns, head.last_ns)
        has_header = has_header or tag == HEADER
        at = after
    if not is_torn(view, at):
        # Damage in the middle: cutting it off would take whole blocks along.
        return None
    if not has_header:
        path.unlink()
        return len(data)
    digest = hashlib.sha256(view[:at]).hexdigest()
    footer = SegmentFooter(blocks, records, first_ns or 0, last_ns, digest, was_recovered=True)
    with path.open("r+b") as file:
        file.truncate(at)
        file.seek(at)
        file.write(_footer_chunk(footer))
        file.flush()
        os.fsync(file.fileno())
    return len(data) - at


def delete_oldest(folder: Path, limit_bytes: int, deleted: Callable[[Path, int], None]) -> None:
    """Delete the oldest closed segments until the folder holds at most `limit_bytes`.

    A segment being written is never deleted, even when it alone is over the limit.
    """
    sizes: dict[Path, int] = {}
    for path in segments_in(folder):
        try:
            sizes[path] = path.stat().st_size
        except FileNotFoundError:
            continue
    total = sum(sizes.values())
    for path, size in sizes.items():
        if total <= limit_bytes:
            return
        try:
            if is_being_written(path):
                continue
            path.unlink()
        except FileNotFoundError:
            # Another process enforces the same limit; what it deleted is gone for us too.
            total -= size
            continue
        total -= size
        deleted(path, size)
