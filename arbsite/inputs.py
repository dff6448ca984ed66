"""Typed requests: bodies, query parameters and headers become structs or a 400.

Every endpoint names a msgspec Struct with `forbid_unknown_fields`; an unknown name, a wrong
type or a value outside its pattern is refused with the field that is wrong. Numbers that
are money are text in plain ASCII digits, because Decimal() alone also reads `1_0` and
digits of other scripts. Called by each app's `api`.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from arbsite.parsers import is_storable

Struct = TypeVar("Struct", bound=msgspec.Struct)

# Non-negative, plain ASCII, what Numeric(38,18) holds. `$(?!\n)`: Python's `$` alone also
# matches before a last line break.
DecimalText = Annotated[str, Meta(pattern=r"^[0-9]{1,20}(\.[0-9]{1,18})?$(?!\n)", max_length=39)]
Asset = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,16}$(?!\n)", max_length=16)]
Scope = Annotated[str, Meta(pattern=r"^(\*|[A-Z0-9]{1,16})$(?!\n)", max_length=16)]
Reason = Annotated[str, Meta(max_length=500)]
PageSize = Annotated[int, Meta(ge=1, le=200)]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FIELD = re.compile(r" - at `\$\.?([^`]*)`")


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """An empty object: requests that say everything by their address."""


class Query(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """No parameters at all: the query of an endpoint that takes none."""


class Page(Query, kw_only=True):
    """A page of a list, newest first: `cursor` is the `next` of the page before."""

    cursor: Annotated[str, Meta(max_length=120)] | None = None
    limit: PageSize = 50


def read_body(request: Request, kind: type[Struct]) -> Struct:
    """The request's JSON body as `kind`; raises ValidationError naming the field."""
    try:
        return msgspec.convert(request.data, kind, strict=True)
    except msgspec.ValidationError as error:
        raise _named(error) from error


def read_query(request: Request, kind: type[Struct]) -> Struct:
    """The query parameters as `kind`; unknown, repeated or unreadable ones are refused."""
    values: dict[str, str] = {}
    for name, entries in request.query_params.lists():
        if len(entries) != 1:
            raise ValidationError({name: "Give this parameter once."})
        if not is_storable(entries[0]):
            raise ValidationError({"query": "A parameter contains what no text may contain."})
        values[name] = entries[0]
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _named(error) from error


def idempotency_key(request: Request) -> str:
    """The Idempotency-Key header, a UUID in lower case; raises ValidationError without one."""
    key = request.headers.get("Idempotency-Key", "")
    if not _UUID.fullmatch(key):
        raise ValidationError({"Idempotency-Key": "Send this header with a new UUID."})
    return key.lower()


def cursor_of(at_ns: int, key: object) -> str:
    """The opaque name of a place in a list ordered by time and key, newest first."""
    return base64.urlsafe_b64encode(f"{at_ns}.{key}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[int, UUID]:
    """Inverse of `cursor_of` for UUID keys; raises ValidationError for anything else."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        at, _, key = text.partition(".")
        if not re.fullmatch(r"[0-9]{1,18}|[1-8][0-9]{18}", at) or not _UUID.fullmatch(key):
            raise ValidationError({"cursor": "This cursor is not one of ours."})
        return int(at), UUID(key)
    except (binascii.Error, UnicodeError) as error:
        raise ValidationError({"cursor": "This cursor is not one of ours."}) from error


def _named(error: msgspec.ValidationError) -> ValidationError:
    """Split msgspec's sentence into the field and what is wrong with it."""
    text = str(error)
    match = _FIELD.search(text)
    field = match.group(1) if match and match.group(1) else "body"
    return ValidationError({field: _FIELD.sub("", text)})
