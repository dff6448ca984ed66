"""One Kraken order book: integer levels, truncation, and the checksum of every message.

Prices are ticks (10^-price_precision), quantities lots (10^-qty_precision), so nothing is
ever rounded. Fed by the Kraken feed and by `verify_book` with number tokens exactly as
they stood on the wire. Not here: JSON, subscriptions, what to do after a bad checksum.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import msgspec
from isal.isal_zlib import crc32

from arbsite.errors import FeedCorrupt

Level = tuple[int, int]

CHECKSUM_LEVELS = 10
"""The venue's checksum covers this many levels a side, whatever the subscribed depth."""

MAX_TOKEN_BYTES = 40
"""Longer number tokens are refused: no real quantity has them, and int() of a huge one is slow."""

_PRICES_REMEMBERED = 4096
_TOO_LARGE = 10**MAX_TOKEN_BYTES
_DOT = ord(".")


class RawLevel(msgspec.Struct, gc=False):
    """One level as the wire had it: bytes of a decimal token, or the int of a whole number.

    Untyped, because a decoder with `TOKEN_HOOK` hands over exactly that, and any other
    type is the sender's fault, which the book reports as FeedCorrupt.
    """

    price: Any
    qty: Any


TOKEN_HOOK = str.encode
"""`float_hook` of a JSON decoder that makes `RawLevel`s: keeps the digits, parses nothing."""


def digits_from_token(token: bytes | int, precision: int) -> bytes:
    """Return the digits of a decimal token at exactly `precision` decimals, dot removed.

    A short fraction is padded, surplus zeros are dropped. Raises FeedCorrupt on anything
    but an unsigned plain decimal that is a whole number of units.
    """
    text = token if type(token) is bytes else _text_of_whole(token)
    head, dot, tail = text.partition(b".")
    digits = head + tail
    is_decimal = digits.isdigit() and head and (tail or not dot)
    if not is_decimal or len(text) > MAX_TOKEN_BYTES:
        raise FeedCorrupt(f"not an unsigned decimal: {text[:MAX_TOKEN_BYTES]!r}")
    if len(tail) == precision:
        return digits
    if len(tail) < precision:
        return digits + b"0" * (precision - len(tail))
    surplus = precision - len(tail)
    if digits[surplus:].strip(b"0"):
        raise FeedCorrupt(f"{text!r} has more than {precision} decimals")
    return digits[:surplus]


def _text_of_whole(token: object) -> bytes:
    # `type` and not isinstance: JSON's true is an int to Python.
    if type(token) is not int or not 0 <= token < _TOO_LARGE:
        raise FeedCorrupt(f"not an unsigned decimal: {str(token)[:MAX_TOKEN_BYTES]!r}")
    return b"%d" % token


class BookSide:
    """One side, best first. `sign` is 1 for asks, -1 for bids: keys are ascending on both.

    Three parallel lists, edited in place, and what is derived from them once a message:
    the levels for the reader and `checksum_text` for the checksum.
    """

    __slots__ = ("_behind_all", "_hot", "_price_precision", "_sign", "checksum_text")

    def __init__(self, sign: int, price_precision: int, qty_precision: int, depth: int) -> None:
        self._sign = sign
        self._price_precision = price_precision
        # Behind the last key stands one no token can name, so a search always ends at a key.
        self._behind_all = 10 ** (MAX_TOKEN_BYTES + price_precision)
        keys: list[int] = [self._behind_all]
        rows: list[Level] = []
        texts: list[bytes] = []
        prices: dict[bytes, tuple[int, int, bytes]] = {}
        # Where a padded quantity has its dot; without decimals it has none anywhere.
        dot_at = ~qty_precision if qty_precision else MAX_TOKEN_BYTES
        # Whether a padded quantity may have so many digits; more than that are an IndexError.
        fits = (False,) * (qty_precision + 1) + (True,) * (MAX_TOKEN_BYTES - qty_precision - 1)
        # One tuple, since a message has to fetch all of it.
        self._hot = (keys, rows, texts, prices, qty_precision, dot_at, depth, fits)
        self.checksum_text = b""

    def clear(self) -> None:
        """Forget every level."""
        keys, rows, texts, *_ = self._hot
        keys[:] = [self._behind_all]
        rows.clear()
        texts.clear()
        self.checksum_text = b""

    def apply(self, levels: Sequence[RawLevel]) -> tuple[Level, ...]:
        """Apply one message's levels in their order; return the side, cut at the depth.

        The same price may come twice; deleting a level we do not hold is ignored, as the
        venue's support advises. Raises FeedCorrupt, with the side half applied.
        """
        keys, rows, texts, prices, places, dot_at, depth, fits = self._hot
        for level in levels:
            qty = level.qty
            # The common case costs no test: a price seen before, a quantity padded to the
            # precision. All else, and all that is no token, takes the long way.
            try:
                key, ticks, price_digits = prices[level.price]
            except (KeyError, TypeError):
                key, ticks, price_digits = self._price(level.price)
            try:
                digits = qty.replace(b".", b"", 1)
                if qty[dot_at] != _DOT or not fits[len(digits)] or not digits.isdigit():
                    digits = digits_from_token(qty, places)
            except (AttributeError, IndexError, TypeError):
                digits = digits_from_token(qty, places)
            lots = int(digits)
            at = bisect_left(keys, key)
            if keys[at] == key:
                if lots:
                    rows[at] = (ticks, lots)
                    texts[at] = price_digits + digits.lstrip(b"0")
                else:
                    del keys[at], rows[at], texts[at]
            elif lots:
                keys.insert(at, key)
                rows.insert(at, (ticks, lots))
                texts.insert(at, price_digits + digits.lstrip(b"0"))
        while len(rows) > depth:
            del keys[-2], rows[-1], texts[-1]
        if depth > CHECKSUM_LEVELS:
            texts = texts[:CHECKSUM_LEVELS]
        self.checksum_text = b"".join(texts)
        return tuple(rows)

    def _price(self, token: Any) -> tuple[int, int, bytes]:
        """Sort key, ticks and checksum digits of a price; remembered."""
        prices = self._hot[3]
        text = token if type(token) is bytes else _text_of_whole(token)
        if (known := prices.get(text)) is not None:
            return known
        digits = digits_from_token(text, self._price_precision)
        ticks = int(digits)
        if not ticks:
            raise FeedCorrupt("a level at price zero")
        if len(prices) >= _PRICES_REMEMBERED:
            prices.clear()
        found = prices[text] = (self._sign * ticks, ticks, digits.lstrip(b"0"))
        return found


class Book:
    """The book of one symbol at the subscribed depth.

    Invalid until a snapshot passes its checksum, and again from the first bad message
    until the next good snapshot: a book is never patched. `bids` and `asks` are whole,
    best first, (ticks, lots); they mean nothing while the book is invalid.
    """

    __slots__ = (
        "_ask_side",
        "_asks_crc",
        "_bid_side",
        "_is_valid",
        "asks",
        "bids",
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
        self._bid_side = BookSide(-1, price_precision, qty_precision, depth)
        self._ask_side = BookSide(1, price_precision, qty_precision, depth)
        self._asks_crc = 0
        self._is_valid = False
        self.bids: tuple[Level, ...] = ()
        self.asks: tuple[Level, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether the last message, and all since the snapshot, matched their checksum."""
        return self._is_valid

    def apply_snapshot(
        self, bids: Sequence[RawLevel], asks: Sequence[RawLevel], checksum: int
    ) -> bool:
        """Replace the book; return whether its checksum matches.

        Raises FeedCorrupt on a malformed number; the book is invalid afterwards.
        """
        self._bid_side.clear()
        self._ask_side.clear()
        self.bids = self.asks = ()
        self._asks_crc = 0
        # Nothing is a valid book to start from.
        self._is_valid = True
        return self.apply_update(bids, asks, checksum)

    def apply_update(
        self, bids: Sequence[RawLevel], asks: Sequence[RawLevel], checksum: int
    ) -> bool:
        """Apply one update in event order; return whether the checksum matches.

        An invalid book takes no update and answers False. Raises FeedCorrupt as above.
        """
        if not self._is_valid:
            return False
        # Invalid first: an exception half way must not leave a usable book.
        self._is_valid = False
        bid_side = self._bid_side
        if bids:
            self.bids = bid_side.apply(bids)
        if asks:
            ask_side = self._ask_side
            self.asks = ask_side.apply(asks)
            self._asks_crc = crc32(ask_side.checksum_text)
        self._is_valid = is_valid = crc32(bid_side.checksum_text, self._asks_crc) == checksum
        return is_valid

    def invalidate(self) -> None:
        """Refuse updates until the next snapshot (a lost connection, a changed precision)."""
        self._is_valid = False

    def checksum(self) -> int:
        """CRC32 over the best ten asks, then the best ten bids; the venue's `checksum`."""
        return crc32(self._bid_side.checksum_text, self._asks_crc)

    def levels(self, count: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return (bids, asks), each the best `count` levels as (ticks, lots), best first."""
        return self.bids[:count], self.asks[:count]
