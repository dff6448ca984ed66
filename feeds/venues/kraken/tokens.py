"""Kraken's numbers and times as text, read and written exactly.

Numbers stay text or `Decimal`, never a float; anything a venue has no business sending
(NaN, an exponent of 309, a kilobyte of digits) is refused here once. Times are RFC 3339
in UTC on one side and ns since 1970 on the other. Called by `wire`, `requests`, `rest`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from arbsite.errors import FeedCorrupt

_NUMBER = re.compile(rb"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?")
_MAX_TOKEN_BYTES = 48
_MAX_MAGNITUDE = 30
_NS_DIGITS = 9
_NS = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_DIGIT: tuple[int, ...] = tuple(
    10 ** (_NS_DIGITS - count) for count in range(_NS_DIGITS + 1)
)


def decimal_from_token(token: bytes) -> Decimal:
    """Read a JSON number token (exponent allowed) exactly.

    Raises FeedCorrupt on anything else and beyond 10^±30, where no real amount lies.
    """
    if len(token) > _MAX_TOKEN_BYTES or not _NUMBER.fullmatch(token):
        raise FeedCorrupt(f"not a usable number: {token[:_MAX_TOKEN_BYTES]!r}")
    value = Decimal(token.decode("ascii"))
    if value and abs(value.adjusted()) > _MAX_MAGNITUDE:
        raise FeedCorrupt(f"a number out of all proportion: {token!r}")
    return value


def amount_from_token(token: bytes) -> Decimal:
    """As `decimal_from_token`, but a negative number is refused too."""
    value = decimal_from_token(token)
    if value < 0:
        raise FeedCorrupt(f"a negative amount: {token!r}")
    return value


def plain_text(value: Decimal) -> str:
    """Fixed-point text without an exponent: `str` would print 0.00000051 as 5.1E-7."""
    return format(value, "f")


def token_from_decimal(value: Decimal) -> bytes:
    """Write a bare JSON number. Raises ValueError on NaN, infinity or a negative number."""
    if not value.is_finite() or value < 0:
        raise ValueError(f"not an amount: {value}")
    return plain_text(value).encode("ascii")


@lru_cache(maxsize=256)
def _ns_of_second(text: str) -> int:
    # Frames of one second share this prefix, so parsing it is nearly always a lookup.
    try:
        at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise FeedCorrupt(f"not a time: {text!r}") from error
    return int(at.timestamp()) * _NS


def ns_from_rfc3339(text: str) -> int:
    """Read `2026-08-16T23:37:04.316445Z` (0–9 decimals, UTC only); FeedCorrupt otherwise."""
    digits = text[20:-1]
    is_fraction = text[19:20] == "." and digits.isdigit() and digits.isascii()
    is_usable = is_fraction or text[19:] == "Z"
    if not is_usable or text[-1] != "Z" or len(digits) > _NS_DIGITS:
        raise FeedCorrupt(f"not a UTC time: {text[:40]!r}")
    if not is_fraction:
        return _ns_of_second(text[:19])
    return _ns_of_second(text[:19]) + int(digits) * _NS_PER_DIGIT[len(digits)]


def ns_from_datetime(at: datetime) -> int:
    """Read an aware time exactly; cheaper than from text where a decoder made it already."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def rfc3339_from_ns(at_ns: int, *, places: int = 9) -> str:
    """Write a UTC time with `places` (1–9) decimals, rounded down.

    Down, because a deadline may be told earlier than it is but never later.
    """
    second, rest_ns = divmod(at_ns, _NS)
    text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest_ns:09d}"[: len(text) + 1 + places] + "Z"


def ns_from_unix_token(token: bytes) -> int:
    """Read unix seconds with a fraction (`1688667796.8802`) as ns, exact to the digit."""
    return int(amount_from_token(token).scaleb(_NS_DIGITS))
