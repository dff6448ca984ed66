"""The console's streams: their names, their frames, and what a slow reader may miss.

The relay turns bus messages into layer messages (`layer_message`); each socket keeps a
`Backlog` of them and writes frames from it at its own pace. Pictures (status, spreads,
metrics, inventory) are latest-wins, spreads per asset; events (opportunities, trades,
incidents) are all kept or the socket is closed. Rows travel as JSON text that is encoded
once. A first picture comes from a provider that an app registers at start, or is the last
one the relay kept in the cache. Not here: sockets (`consumers`), the bus (`relay`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypedDict

import msgspec
from django.core.cache import cache

Stream = Literal[
    "status", "spreads", "opportunities", "trades", "metrics", "inventory", "incidents"
]
STREAMS: tuple[Stream, ...] = (
    "status",
    "spreads",
    "opportunities",
    "trades",
    "metrics",
    "inventory",
    "incidents",
)
EVENT_STREAMS: frozenset[Stream] = frozenset({"opportunities", "trades", "incidents"})
GROUP = "console"
MESSAGE_TYPE = "console.frame"


class LayerMessage(TypedDict):
    """What travels through the channel layer. `rows` are JSON texts, spreads by asset."""

    type: str
    stream: Stream
    at_ns: int
    data: str
    rows: list[str]
    keys: list[str]


class Picture(msgspec.Struct, frozen=True):
    """A stream's content at a moment: `data` is JSON text, ready for a frame."""

    at_ns: int
    data: str


Provider = Callable[[], Picture | None]
_providers: dict[Stream, Provider] = {}


def register_snapshot(stream: Stream, provider: Provider) -> None:
    """Let `provider` (synchronous, may use the database) give the stream's first picture."""
    _providers[stream] = provider


def snapshot(stream: Stream) -> Picture | None:
    """The stream's picture now: the provider's, else the last one kept; None for nothing."""
    provider = _providers.get(stream)
    return kept_picture(stream) if provider is None else provider()


def layer_message(
    stream: Stream,
    at_ns: int,
    *,
    data: str = "",
    rows: Iterable[str] = (),
    keys: Iterable[str] = (),
) -> LayerMessage:
    """A message for every socket: a whole picture (`data`) or rows (spreads with keys)."""
    return LayerMessage(
        type=MESSAGE_TYPE,
        stream=stream,
        at_ns=at_ns,
        data=data,
        rows=list(rows),
        keys=list(keys),
    )


def rows_data(stream: Stream, rows: Iterable[str], at_ns: int) -> str:
    """The `data` of a frame made of rows, in the form of `arbsite.events`."""
    listed = ",".join(rows)
    if stream in ("spreads", "opportunities"):
        return f'{{"type":"{stream}","rows":[{listed}],"at_ns":{at_ns}}}'
    return f'{{"rows":[{listed}]}}'


class Backlog:
    """What one socket has not been sent yet, bounded.

    `limit` rows of events may wait; one more and `is_over` is true for good: the reader is
    too slow to be told the truth and must connect again.
    """

    def __init__(self, limit: int) -> None:
        self.is_over = False
        self._limit = limit
        self._seq: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        self._pictures: dict[Stream, Picture] = {}
        self._spreads: dict[str, str] = {}
        self._events: dict[Stream, list[str]] = {}
        self._at_ns: dict[Stream, int] = {}

    def offer(self, message: Mapping[str, Any]) -> None:
        """Take a layer message; replaces what it makes obsolete."""
        stream: Stream = message["stream"]
        if stream in EVENT_STREAMS:
            self._events.setdefault(stream, []).extend(message["rows"])
            self._at_ns[stream] = message["at_ns"]
            self.is_over |= self.waiting() > self._limit
        elif stream == "spreads":
            self._spreads.update(zip(message["keys"], message["rows"], strict=True))
            self._at_ns[stream] = message["at_ns"]
        else:
            self._pictures[stream] = Picture(message["at_ns"], message["data"])

    def waiting(self) -> int:
        """Rows of events that wait."""
        return sum(map(len, self._events.values()))

    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self._pictures or self._spreads or self._events)

    def take(self) -> list[str]:
        """Every waiting frame as text, status first; the backlog is empty afterwards."""
        frames = [
            self.frame(stream, "delta", self._pictures[stream])
            for stream in STREAMS
            if stream in self._pictures
        ]
        rows: dict[Stream, list[str]] = dict(self._events)
        if self._spreads:
            rows["spreads"] = list(self._spreads.values())
        for stream, listed in rows.items():
            at_ns = self._at_ns[stream]
            picture = Picture(at_ns, rows_data(stream, listed, at_ns))
            frames.append(self.frame(stream, "delta", picture))
        self._pictures, self._spreads, self._events = {}, {}, {}
        return frames

    def frame(self, stream: Stream, kind: Literal["snapshot", "delta"], picture: Picture) -> str:
        """One frame with the stream's next number."""
        self._seq[stream] += 1
        return (
            f'{{"stream":"{stream}","seq":{self._seq[stream]},"kind":"{kind}",'
            f'"published_at_ns":{picture.at_ns},"data":{picture.data}}}'
        )


def encoded(value: object) -> str:
    """JSON text of a struct or plain value."""
    return msgspec.json.encode(value).decode()


def keep_pictures(pictures: Mapping[Stream, Picture]) -> None:
    """Store the last pictures of latest-wins streams where every process finds them."""
    cache.set_many(
        {_cache_key(stream): f"{kept.at_ns} {kept.data}" for stream, kept in pictures.items()},
        timeout=None,
    )


def kept_picture(stream: Stream) -> Picture | None:
    """The last picture the relay stored; None when there never was one."""
    stored = cache.get(_cache_key(stream))
    if stored is None:
        return None
    at_ns, _, data = str(stored).partition(" ")
    return Picture(int(at_ns), data)


def _cache_key(stream: Stream) -> str:
    return f"console:last:{stream}"
