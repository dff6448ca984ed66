"""The JSON parser of every endpoint: what two readers could read differently is refused.

Duplicate keys, NaN and infinities, deep nesting, NUL and lone surrogates, numbers no field
can hold: all 400 with the reason, never a 500 further down. Not here: what a body must
contain (`arbsite.inputs`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32
# u128 has 39 digits; nothing in the API is longer.
MAX_DIGITS = 40
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


class BodyTooLarge(APIException):
    """More bytes than any request of this API needs."""

    status_code = 413
    default_detail = f"The body is larger than {MAX_BYTES} bytes."
    default_code = "too_large"


class StrictJSONParser(BaseParser):
    """Reads application/json into plain values, or refuses with the reason."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Read the whole body; raises ParseError (400) or BodyTooLarge (413)."""
        raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise BodyTooLarge
        return read_json(raw)


def read_json(raw: bytes) -> Any:
    """Plain values of one JSON document; raises ParseError saying what is wrong."""
    if _depth(raw) > MAX_DEPTH:
        raise ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_int=_whole_number,
            parse_float=_fraction,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise ParseError("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise ParseError(f"The body is not JSON: {error.msg} at byte {error.pos}.") from error
    _refuse_unstorable(value)
    return value


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can store the text: no NUL, no lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _depth(raw: bytes) -> int:
    """Deepest nesting of brackets outside strings; cheap, so it can come before parsing."""
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(raw):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in (b"]", b"}"):
            depth -= 1
    return deepest


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ParseError("A key appears twice in one object.")
    return found


def _whole_number(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ParseError(f"A number has more than {MAX_DIGITS} digits.")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ParseError(f"{text[:20]} is outside the range of numbers.")
    return value


def _refuse_constant(name: str) -> None:
    raise ParseError(f"{name} is not a JSON number.")


def _refuse_unstorable(value: Any) -> None:
    if isinstance(value, str):
        if not is_storable(value):
            raise ParseError("A text contains NUL or half of a surrogate pair.")
    elif isinstance(value, dict):
        for key, entry in value.items():
            _refuse_unstorable(key)
            _refuse_unstorable(entry)
    elif isinstance(value, list):
        for entry in value:
            _refuse_unstorable(entry)
