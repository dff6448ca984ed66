"""Structured logs: one event name (`noun.past_verb`) and its facts as keys, secrets removed.

Every process logs through `event_logger(__name__)`. The intent being worked on is bound
once with `bound_intent` and then appears on every record of that task, across asyncio
tasks and Celery workers. `settings` builds the configuration; `up` renders the JSON lines
for people with `readable`. Not here: metrics, the audit log.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

intent_key: ContextVar[str | None] = ContextVar("intent_key", default=None)

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(
    r"secret|token|passw|api[-_]?key|private[-_]?key|authorization|cookie|mnemonic|seed_phrase"
    r"|signature_key|api[-_]?sign",
    re.IGNORECASE,
)
_SECRET_TEXT = (
    # name=value, name: value and "name": "value" inside free text
    re.compile(
        r"""(?ix) ((?:[\w-]*(?:secret|token|passw(?:or)?d|api[-_]?key|private[-_]?key|api[-_]?sign
        )[\w-]*) ["']? \s* [=:] \s* ["']? ) ([^\s"',;&}]+)"""
    ),
    re.compile(r"(?i)(bearer\s+)([A-Za-z0-9._~+/=-]{8,})"),
    # scheme://user:password@host
    re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@]*:)([^\s@/]+)(?=@)"),
)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_known_secrets: set[str] = set()

_COLOURS = {"DEBUG": "2", "INFO": "0", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


def register_secret(value: str) -> None:
    """Remove this exact text from every later record, wherever it turns up.

    Called where a secret file is read. Values under 8 characters are ignored: they would
    blank out ordinary words.
    """
    if len(value) >= 8:
        _known_secrets.add(value)


def redact_text(text: str) -> str:
    """Remove known secrets and everything that is written like one."""
    for secret in _known_secrets:
        if secret in text:
            text = text.replace(secret, REDACTED)
    text = _JWT.sub(REDACTED, text)
    for pattern in _SECRET_TEXT:
        text = pattern.sub(lambda match: match.group(1) + REDACTED, text)
    return text


def redact(name: str, value: object) -> object:
    """Make a fact safe to print: secret by its name, by its content, or as is."""
    if _SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(key): redact(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact("", item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(value if isinstance(value, str) else str(value))


class EventLogger:
    """A standard logger whose calls take an event name and facts."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def _emit(self, level: int, event: str, facts: dict[str, object], trace: bool) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"facts": facts}, exc_info=trace, stacklevel=3)

    def debug(self, event: str, **facts: object) -> None:
        """Record a detail that is off in production."""
        self._emit(logging.DEBUG, event, facts, False)

    def info(self, event: str, **facts: object) -> None:
        """Record something that happened as it should."""
        self._emit(logging.INFO, event, facts, False)

    def warning(self, event: str, **facts: object) -> None:
        """Record something degraded that the process handles itself."""
        self._emit(logging.WARNING, event, facts, False)

    def error(self, event: str, **facts: object) -> None:
        """Record a failure that a person should look at."""
        self._emit(logging.ERROR, event, facts, False)

    def critical(self, event: str, **facts: object) -> None:
        """Record what a person must act on now: it pages."""
        self._emit(logging.CRITICAL, event, facts, False)

    def exception(self, event: str, **facts: object) -> None:
        """Record a failure together with the traceback of the current exception."""
        self._emit(logging.ERROR, event, facts, True)


def event_logger(name: str) -> EventLogger:
    """The logger of a module: `log = event_logger(__name__)`."""
    return EventLogger(logging.getLogger(name))


@contextmanager
def bound_intent(key: object) -> Iterator[None]:
    """Put `intent_key` on every record inside the block and in tasks started inside it."""
    token = intent_key.set(None if key is None else str(key))
    try:
        yield
    finally:
        intent_key.reset(token)


class JsonFormatter(logging.Formatter):
    """One JSON object per line; line breaks are escaped, so a record cannot forge another."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.fields(record), ensure_ascii=False, default=str)

    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        """The record as keys in printing order, redacted."""
        at = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, object] = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "event": redact_text(record.getMessage()),
        }
        key = intent_key.get()
        if key is not None:
            fields["intent_key"] = key
        facts = getattr(record, "facts", None)
        if isinstance(facts, Mapping):
            for name, value in facts.items():
                fields.setdefault(str(name), redact(str(name), value))
        if record.exc_info and record.exc_info[0] is not None:
            text = "".join(traceback.format_exception(*record.exc_info))
            fields["exception"] = redact_text(text)
        return fields


class ReadableFormatter(JsonFormatter):
    """The same record as one line for a person (traceback on the lines below)."""

    def format(self, record: logging.LogRecord) -> str:
        return readable(self.fields(record))


def readable(fields: Mapping[str, object], *, colour: bool = False) -> str:
    """Render the fields of a JSON record for a terminal; `process` is left to the caller."""
    level = str(fields.get("level", "INFO"))
    clock = str(fields.get("at", ""))[11:23]
    shown = {"at", "level", "process", "logger", "event", "exception"}
    event = str(fields.get("event", "")).replace("\r", "\\r").replace("\n", "\\n")
    facts = " ".join(f"{key}={value}" for key, value in fields.items() if key not in shown)
    mark = "" if level == "INFO" else f"{level} "
    line = f"{clock} {mark}{event} {facts}".rstrip()
    if colour and level != "INFO":
        line = f"\x1b[{_COLOURS.get(level, '0')}m{line}\x1b[0m"
    exception = fields.get("exception")
    return f"{line}\n{exception}".rstrip() if exception else line


def logging_config(*, level: str, process: str, as_json: bool) -> dict[str, Any]:
    """The dictConfig of a process: one handler on stderr, libraries at WARNING."""
    formatter = JsonFormatter if as_json else ReadableFormatter
    quiet = ("asyncio", "websockets", "aiohttp.access", "daphne", "kombu", "amqp")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"event": {"()": formatter, "process": process}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "event"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            **{name: {"level": "WARNING"} for name in quiet},
            "django": {"level": "INFO", "handlers": [], "propagate": True},
            "django.server": {"level": "WARNING", "handlers": [], "propagate": True},
            "django.request": {"level": "ERROR"},
            "django.channels.server": {"level": "WARNING"},
        },
    }
