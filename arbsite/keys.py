"""Names that are pure functions of content: replaying the same input gives the same keys.

Window, intent and leg ids come from venue facts (checksum, venue timestamp, slot),
never from a counter of ours, so a restart inside a window cannot name it anew.
"""

from __future__ import annotations

import uuid

import msgspec

try:
    # Two keys stand between a book and its order: OpenSSL's digest costs more than the rest
    # of a key, mostly in caches it has to fill.
    from _sha1 import sha1  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha1

NAMESPACE = uuid.UUID("6d1f3c5e-4f0b-5d43-9a52-0f8e6f3b7a11")
_NAMESPACE_BYTES = NAMESPACE.bytes


def _key(*parts: object) -> uuid.UUID:
    """Return `uuid.uuid5(NAMESPACE, ...)` of the parts."""
    name = "\x1f".join(map(str, parts)).encode()
    key = bytearray(sha1(_NAMESPACE_BYTES + name, usedforsecurity=False).digest()[:16])
    # RFC 4122: version and variant stand in for six bits of the digest.
    key[6] = key[6] & 0x0F | 0x50
    key[8] = key[8] & 0x3F | 0x80
    return msgspec.convert(bytes(key), uuid.UUID)


def window_id(
    symbol: str, pool: str, direction: str, checksum: int, venue_at_ns: int, slot: int
) -> uuid.UUID:
    """Name a window by the frame and slot that opened it."""
    return _key("window", symbol, pool, direction, checksum, venue_at_ns, slot)


def intent_key(window: uuid.UUID, ordinal: int) -> uuid.UUID:
    """Name the n-th intent of a window (n counts from 0)."""
    return _key("intent", window, ordinal)


def leg_id(intent: uuid.UUID, leg: str, seq: int) -> uuid.UUID:
    """Name one attempt of a leg; also the Kraken `cl_ord_id` of that attempt."""
    return _key("leg", intent, leg, seq)
