"""The file format of recordings and journals: chunks that survive a crash, records inside.

A segment file is a magic word and then chunks; a chunk is a tag, a length, a CRC32 and a
payload. First a header (JSON: what this is), then blocks (zstd, many records each), last a
footer (JSON: counts and the SHA-256 of everything before it). A process that dies leaves a
file without a footer and perhaps half a chunk: every whole block before it stays readable.
Not here: files, threads and rotation (`writer`), reading and repair (`reader`), what the
records mean (`market`, `trading.journal`).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

import msgspec
import zstandard

from arbsite.errors import FeedCorrupt

MAGIC: Final = b"SPRDLN\x01\n"
SUFFIX: Final = ".rec"
FORMAT_VERSION: Final = 1

HEADER: Final = b"HEAD"
BLOCK: Final = b"BLCK"
FOOTER: Final = b"END\n"

GAP: Final = 0
"""Record kind of every content: the writer was overloaded; the payload is how many are missing."""

_CHUNK = struct.Struct("<4sII")
_BLOCK_HEAD = struct.Struct("<IIQQ")
_RECORD = struct.Struct("<BBQI")
_MAX_CHUNK: Final = 256 * 1024 * 1024
_LEVEL: Final = 3
_ZEROS: Final = 16


class Record(NamedTuple):
    """One thing that happened: its kind, the source it came from, when (ns, UTC), the bytes."""

    kind: int
    source: int
    at_ns: int
    payload: bytes


class SegmentHeader(msgspec.Struct, frozen=True):
    """What a file says of itself. `run` names one life of one writer, `sequence` its files."""

    kind: Literal["market", "journal"]
    run: str
    sequence: int
    started_ns: int
    software: str
    profile: str
    content: msgspec.Raw
    format: int = FORMAT_VERSION


class SegmentFooter(msgspec.Struct, frozen=True):
    """What a whole file must hold. `sha256` covers every byte before the footer."""

    blocks: int
    records: int
    first_ns: int
    last_ns: int
    sha256: str
    was_recovered: bool = False


class BlockHead(NamedTuple):
    """The unpacked front of a block."""

    records: int
    raw_bytes: int
    first_ns: int
    last_ns: int


def chunk(tag: bytes, payload: bytes) -> bytes:
    """Frame a payload; the CRC covers tag and length too."""
    crc = zlib.crc32(payload, zlib.crc32(tag + len(payload).to_bytes(4, "little")))
    return _CHUNK.pack(tag, len(payload), crc) + payload


def read_chunk(view: memoryview, at: int) -> tuple[bytes, memoryview, int] | None:
    """Read the chunk at an offset: (tag, payload, next offset); None when it is torn."""
    start = at + _CHUNK.size
    if start > len(view):
        return None
    tag, length, crc = _CHUNK.unpack_from(view, at)
    if length > _MAX_CHUNK or start + length > len(view):
        return None
    payload = view[start : start + length]
    if zlib.crc32(payload, zlib.crc32(tag + length.to_bytes(4, "little"))) != crc:
        return None
    return tag, payload, start + length


def is_torn(view: memoryview, at: int) -> bool:
    """Whether the bytes from an offset on are a write that was cut short.

    True for a chunk that would reach beyond the end, and where nothing but the zeros a
    power cut leaves follows from within the chunk. False for a whole chunk whose CRC is
    wrong: that is damage, not a crash.
    """
    rest = view[at:]
    if len(rest) < _CHUNK.size or not any(rest):
        return True
    tag, length, _ = _CHUNK.unpack_from(rest, 0)
    end = _CHUNK.size + length
    is_cut = end > len(rest) or not any(rest[max(end - _ZEROS, 0) :])
    return tag in (HEADER, BLOCK, FOOTER) and is_cut


class BlockPacker:
    """Collects records and packs them into one block."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdCompressor(level=_LEVEL)
        self._parts: list[bytes] = []
        self.raw_bytes = 0
        self.records = 0
        self.first_ns = 0
        self.last_ns = 0

    def add(self, record: Record) -> None:
        """Take one record, in order."""
        kind, source, at_ns, payload = record
        if not self.records:
            self.first_ns = self.last_ns = at_ns
        elif at_ns > self.last_ns:
            self.last_ns = at_ns
        elif at_ns < self.first_ns:
            self.first_ns = at_ns
        self._parts.append(_RECORD.pack(kind, source, at_ns, len(payload)))
        self._parts.append(payload)
        self.raw_bytes += _RECORD.size + len(payload)
        self.records += 1

    def pack(self) -> bytes:
        """Return the block chunk of what was collected and start anew."""
        head = _BLOCK_HEAD.pack(self.records, self.raw_bytes, self.first_ns, self.last_ns)
        payload = head + self._zstd.compress(b"".join(self._parts))
        self._parts.clear()
        self.raw_bytes = self.records = 0
        return chunk(BLOCK, payload)


def block_head(payload: memoryview) -> BlockHead:
    """Read the front of a block; FeedCorrupt when it is too short."""
    if len(payload) < _BLOCK_HEAD.size:
        raise FeedCorrupt("a block without its front")
    return BlockHead(*_BLOCK_HEAD.unpack_from(payload, 0))


def unpack_block(payload: memoryview) -> Iterator[Record]:
    """Yield the records of a block; FeedCorrupt when it is not one."""
    head = block_head(payload)
    if head.raw_bytes > _MAX_CHUNK:
        raise FeedCorrupt(f"a block of {head.raw_bytes} bytes")
    try:
        raw = zstandard.ZstdDecompressor().decompress(
            bytes(payload[_BLOCK_HEAD.size :]), max_output_size=head.raw_bytes
        )
    except zstandard.ZstdError as error:
        raise FeedCorrupt(f"a block that does not unpack: {error}") from error
    at = 0
    for _ in range(head.records):
        if at + _RECORD.size > len(raw):
            raise FeedCorrupt("a block shorter than its records")
        kind, source, at_ns, length = _RECORD.unpack_from(raw, at)
        at += _RECORD.size
        if at + length > len(raw):
            raise FeedCorrupt("a record longer than its block")
        yield Record(kind, source, at_ns, raw[at : at + length])
        at += length


def pack_all(records: Iterable[Record]) -> bytes:
    """Return one block chunk of some records; for short files and tests."""
    packer = BlockPacker()
    for record in records:
        packer.add(record)
    return packer.pack()
