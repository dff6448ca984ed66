"""Reads one HTTP/1.1 reply out of bytes that arrive in pieces of any size. Pure, no I/O.

Knows the three ways a body may end (a length, chunks, the end of the connection) and is
strict about everything else: a reply that is not plain HTTP is a `BrokenReply`, never a
guess. No encodings: none are asked for. Called by `http_lines`.
"""

from __future__ import annotations

import re
from collections.abc import Generator

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_BODILESS = (204, 304)

MAX_HEAD_BYTES = 64 * 1024
"""Longer heads are a fault of the other side."""

MAX_LINE_BYTES = 8 * 1024


class BrokenReply(ConnectionError):
    """The bytes are not an HTTP/1.1 reply that could be read to its end."""


class HttpReplyReader:
    """One reply: `feed` what arrives until `is_complete`, then read its fields.

    `is_kept`: the connection may carry another request. `has_begun`: a byte was fed.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self.status = 0
        self.body = b""
        self.is_complete = False
        self.is_kept = False
        self.has_begun = False
        self._max = max_body_bytes
        self._buffer = bytearray()
        self._has_ended = False
        self._steps = self._read()
        next(self._steps)

    def feed(self, data: bytes) -> None:
        """Take bytes; BrokenReply when they make no sense, also after the end."""
        self.has_begun = True
        if self.is_complete:
            raise BrokenReply("bytes after the end of a reply")
        self._buffer += data
        self._go_on()

    def end(self) -> None:
        """The connection is over; BrokenReply when the reply is not."""
        self._has_ended = True
        if not self.is_complete:
            self._go_on()
        if not self.is_complete:
            raise BrokenReply("the connection ended within a reply")

    def _go_on(self) -> None:
        try:
            next(self._steps)
        except StopIteration:
            self.is_complete = True
            if self._buffer:
                # Nobody asked for more: what it belongs to cannot be known.
                self.is_kept = False

    # Each step yields when it needs more bytes.

    def _read(self) -> Generator[None]:
        yield
        fields: dict[bytes, bytes] = {}
        minor = b"1"
        while not self.status or self.status < 200:
            minor, fields = yield from self._read_head()
        tokens = [each.strip() for each in fields.get(b"connection", b"").lower().split(b",")]
        self.is_kept = b"close" not in tokens and (minor == b"1" or b"keep-alive" in tokens)
        if fields.get(b"content-encoding", b"identity").lower() != b"identity":
            raise BrokenReply("an encoding that was not asked for")
        if self.status in _BODILESS:
            return
        if b"transfer-encoding" in fields:
            if fields[b"transfer-encoding"].lower() != b"chunked":
                raise BrokenReply("a transfer encoding that was not asked for")
            yield from self._read_chunks()
        elif b"content-length" in fields:
            length = _length_of(fields[b"content-length"])
            self._refuse_beyond(length)
            self.body = yield from self._take(length)
        else:
            self.is_kept = False
            while not self._has_ended:
                self._refuse_beyond(len(self._buffer))
                yield
            self.body = yield from self._take(len(self._buffer))

    def _read_head(self) -> Generator[None, None, tuple[bytes, dict[bytes, bytes]]]:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BrokenReply("a head without an end")
            yield
        first, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        status = _STATUS.fullmatch(first)
        if status is None:
            raise BrokenReply("not an HTTP/1.1 status line")
        fields: dict[bytes, bytes] = {}
        for line in lines:
            field = _FIELD.fullmatch(line)
            if field is None:
                raise BrokenReply("not a header field")
            name, value = field[1].lower(), field[2].rstrip(b" \t")
            fields[name] = fields[name] + b"," + value if name in fields else value
        self.status = int(status[2])
        if self.status == 101:
            raise BrokenReply("another protocol that was not asked for")
        return status[1], fields

    def _read_chunks(self) -> Generator[None]:
        parts: list[bytes] = []
        total = 0
        while True:
            line = yield from self._take_line()
            chunk = _CHUNK.fullmatch(line)
            if chunk is None:
                raise BrokenReply("not the length of a chunk")
            length = int(chunk[1], 16)
            if not length:
                break
            total += length
            self._refuse_beyond(total)
            parts.append((yield from self._take(length)))
            if (yield from self._take(2)) != b"\r\n":
                raise BrokenReply("a chunk that is longer than it says")
        while (yield from self._take_line()):
            pass  # trailers: nothing we would use
        self.body = b"".join(parts)

    def _take_line(self) -> Generator[None, None, bytes]:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > MAX_LINE_BYTES:
                raise BrokenReply("a line without an end")
            yield
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self, length: int) -> Generator[None, None, bytes]:
        while len(self._buffer) < length:
            yield
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken

    def _refuse_beyond(self, length: int) -> None:
        if length > self._max:
            raise BrokenReply(f"a body of more than {self._max} bytes")


def _length_of(value: bytes) -> int:
    """The one length said; two that differ could be read as two different replies."""
    found = {each.strip() for each in value.split(b",")}
    (text,) = found if len(found) == 1 else (b"",)
    if _LENGTH.fullmatch(text) is None:
        raise BrokenReply("not a content length")
    return int(text)
