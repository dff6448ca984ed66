"""One Kraken order book: integer levels, truncation, and the checksum of every message.

Prices are ticks (10^-price_precision), quantities lots (10^-qty_precision), so nothing is
ever rounded. Fed by the Kraken feed and by `verify_book` with number tokens exactly as
they stood on the wire. Not here: JSON, subscriptions, what to do after a bad checksum.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

from arbsite.errors import FeedCorrupt

Level = tuple[int, int]
RawLevel = tuple[bytes, bytes]

CHECKSUM_LEVELS = 10
"""The venue's checksum covers this many levels a side, whatever the subscribed depth."""

MAX_TOKEN_BYTES = 40
"""Longer number tokens are refused: no real quantity has them, and int() of a huge one is slow."""


def digits_from_token(token: bytes, precision: int) -> bytes:
    """Return the digits of a decimal token at exactly `precision` decimals, dot removed.

    A short fraction is padded, surplus zeros are dropped. Raises FeedCorrupt on anything
    but an unsigned plain decimal that is a whole number of units.
    """
    head, dot, tail = token.partition(b".")
    digits = head + tail
    is_decimal = digits.isdigit() and head and (tail or not dot)
    if not is_decimal or len(token) > MAX_TOKEN_BYTES:
        raise FeedCorrupt(f"not an unsigned decimal: {token[:MAX_TOKEN_BYTES]!r}")
    if len(tail) == precision:
        return digits
    if len(tail) < precision:
        return digits + b"0" * (precision - len(tail))
    surplus = precision - len(tail)
    if digits[surplus:].strip(b"0"):
        raise FeedCorrupt(f"{token!r} has more than {precision} decimals")
    return digits[:surplus]


@lru_cache(maxsize=8192)
def _price_from_token(token: bytes, precision: int) -> tuple[int, bytes]:
    """Ticks and checksum digits of a price; the same few prices come again and again."""
    digits = digits_from_token(token, precision)
    ticks = int(digits)
    if not ticks:
        raise FeedCorrupt("a level at price zero")
    return ticks, digits.lstrip(b"0")


class BookSide:
    """One side, best first. `sign` is 1 for asks, -1 for bids: keys are ascending on both."""

    __slots__ = ("_crc_text", "_keys", "_lots", "_sign", "_tokens")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[int] = []
        self._lots: list[int] = []
        self._tokens: list[bytes] = []
        self._crc_text = b""

    def clear(self) -> None:
        """Forget every level."""
        self._keys.clear()
        self._lots.clear()
        self._tokens.clear()
        self._crc_text = b""

    def apply(
        self,
        levels: Sequence[RawLevel],
        depth: int,
        price_precision: int,
        qty_precision: int,
    ) -> None:
        """Apply one message's levels in their order, then drop what is beyond `depth`.

        The same price may come twice; deleting a level we do not hold is ignored, as the
        venue's support advises. Raises FeedCorrupt, with the side half applied.
        """
        keys, lots, tokens, sign = self._keys, self._lots, self._tokens, self._sign
        for price_token, qty_token in levels:
            ticks, price_digits = _price_from_token(price_token, price_precision)
            qty_digits = digits_from_token(qty_token, qty_precision)
            key = sign * ticks
            quantity = int(qty_digits)
            at = bisect_left(keys, key)
            is_held = at < len(keys) and keys[at] == key
            if not quantity:
                if is_held:
                    del keys[at], lots[at], tokens[at]
                continue
            token = price_digits + qty_digits.lstrip(b"0")
            if is_held:
                lots[at] = quantity
                tokens[at] = token
            else:
                keys.insert(at, key)
                lots.insert(at, quantity)
                tokens.insert(at, token)
        if len(keys) > depth:
            del keys[depth:], lots[depth:], tokens[depth:]
        self._crc_text = b"".join(tokens[:CHECKSUM_LEVELS])

    @property
    def checksum_text(self) -> bytes:
        """The checksum input of this side: price and quantity digits of its best levels."""
        return self._crc_text

    @property
    def best(self) -> int | None:
        """Best price in ticks, None when the side is empty."""
        return abs(self._keys[0]) if self._keys else None

    def levels(self, count: int) -> tuple[Level, ...]:
        """Return the best `count` levels as (ticks, lots)."""
        lots = self._lots[:count]
        if self._sign > 0:
            return tuple(zip(self._keys, lots, strict=False))
        return tuple((-key, quantity) for key, quantity in zip(self._keys, lots, strict=False))


class Book:
    """The book of one symbol at the subscribed depth.

    Invalid until a snapshot passes its checksum, and again from the first bad message
    until the next good snapshot: a book is never patched.
    """

    __slots__ = (
        "_asks",
        "_bids",
        "_is_valid",
        "depth",
        "price_precision",
        "qty_precision",
    )

    def __init__(self, price_precision: int, qty_precision: int, depth: int) -> None:
        if price_precision < 0 or qty_precision < 0 or depth < 1:
            raise ValueError("precisions must be >= 0 and depth >= 1")
        self.price_precision = price_precision
        self.qty_precision = qty_precision
        self.depth = depth
        self._bids = BookSide(-1)
        self._asks = BookSide(1)
        self._is_valid = False

    @property
    def is_valid(self) -> bool:
        """Whether the last message, and all since the snapshot, matched their checksum."""
        return self._is_valid

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        bid, ask = self._bids.best, self._asks.best
        return bid is not None and ask is not None and bid >= ask

    def apply_snapshot(
        self, bids: Sequence[RawLevel], asks: Sequence[RawLevel], checksum: int
    ) -> bool:
        """Replace the book; return whether its checksum matches.

        Raises FeedCorrupt on a malformed number; the book is invalid afterwards.
        """
        self._bids.clear()
        self._asks.clear()
        return self._apply(bids, asks, checksum)

    def apply_update(
        self, bids: Sequence[RawLevel], asks: Sequence[RawLevel], checksum: int
    ) -> bool:
        """Apply one update in event order; return whether the checksum matches.

        An invalid book takes no update and answers False. Raises FeedCorrupt as above.
        """
        if not self._is_valid:
            return False
        return self._apply(bids, asks, checksum)

    def invalidate(self) -> None:
        """Refuse updates until the next snapshot (a lost connection, a changed precision)."""
        self._is_valid = False

    def checksum(self) -> int:
        """CRC32 over the best ten asks, then the best ten bids; the venue's `checksum`."""
        return crc32(self._bids.checksum_text, crc32(self._asks.checksum_text))

    def levels(self, count: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return (bids, asks), each the best `count` levels as (ticks, lots), best first."""
        return self._bids.levels(count), self._asks.levels(count)

    def _apply(self, bids: Sequence[RawLevel], asks: Sequence[RawLevel], checksum: int) -> bool:
        # Invalid first: an exception half way must not leave a usable book.
        self._is_valid = False
        if bids:
            self._bids.apply(bids, self.depth, self.price_precision, self.qty_precision)
        if asks:
            self._asks.apply(asks, self.depth, self.price_precision, self.qty_precision)
        self._is_valid = self.checksum() == checksum
        return self._is_valid
