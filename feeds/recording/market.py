"""Records both venues' raw market data as the feeds receive it.

`MarketRecorder` is what the feeds call (`kraken_frame`, and the Solana tap's four): each
call hands bytes to the spool and returns. `MarketContent` is what the spool's thread makes
of them. A later file begins with anchors (the books and subscriptions that stand), so
that it can be verified alone. Not here: the events of the engine (`trading.journal`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from arbsite.units import text_from_int
from feeds.market.events import BookUpdated
from feeds.market.spec import MarketSpec
from feeds.recording.format import GAP, Record
from feeds.recording.writer import Entry, Spool
from feeds.venues.base import MarketSink
from feeds.venues.kraken.framed import FrameInHand

KRAKEN_FRAME: Final = 1
"""A frame of Kraken's public socket, as received."""
BOOK_ANCHOR: Final = 2
"""A verified book as a Kraken snapshot frame of our own making."""
SOLANA_FRAME: Final = 3
"""A frame of a node's pub/sub socket, as received."""
SUBSCRIBED: Final = 4
"""`Subscribed` as JSON: which account a subscription number of a socket stands for."""
RPC_REPLY: Final = 5
"""A request of the feed and the node's answer, one line each."""
SOCKET_OPENED: Final = 6
"""A node's socket was opened: its subscription numbers start over."""
_BOOKS_STAND: Final = 255

KRAKEN_SOURCE: Final = 0


class RecordedSymbol(msgspec.Struct, frozen=True):
    """A Kraken book of the recording; precisions where a market row knows them."""

    symbol: str
    price_precision: int | None = None
    qty_precision: int | None = None
    price_increment_ticks: int | None = None
    qty_increment_lots: int | None = None


class RecordedPool(msgspec.Struct, frozen=True):
    """A pool of the recording."""

    address: str
    kind: str
    asset: str


class MarketDescription(msgspec.Struct, frozen=True):
    """What a market recording holds: `sources[0]` is Kraken, then one per Solana endpoint.

    `programs` are the ids that differ from mainnet's.
    """

    sources: tuple[str, ...]
    symbols: tuple[RecordedSymbol, ...]
    pools: tuple[RecordedPool, ...]
    depth: int = 10
    programs: dict[str, str] = {}


class Subscribed(msgspec.Struct, frozen=True):
    """A socket's subscription: `target` is an account's address, "" for slots."""

    subscription: int
    target: str


def describe(
    specs: Iterable[MarketSpec],
    symbols: Iterable[str],
    endpoints: Iterable[str],
    programs: Mapping[str, str] | None = None,
) -> MarketDescription:
    """Describe a recording of these markets and books."""
    specs = list(specs)
    known = {
        spec.cex_symbol: RecordedSymbol(
            spec.cex_symbol,
            spec.price_precision,
            spec.qty_precision,
            spec.price_increment_ticks,
            spec.qty_increment_lots,
        )
        for spec in specs
    }
    return MarketDescription(
        sources=("kraken", *endpoints),
        symbols=tuple(known.get(symbol, RecordedSymbol(symbol)) for symbol in symbols),
        pools=tuple(RecordedPool(spec.pool, spec.pool_kind, spec.asset) for spec in specs),
        programs=dict(programs or {}),
    )


class MarketContent:
    """Turns what the feeds handed over into records; follows the subscriptions that stand."""

    kind: Literal["market", "journal"] = "market"

    def __init__(self, description: MarketDescription, stem: str) -> None:
        self.stem = stem
        self._description = description
        self._subscriptions: dict[tuple[int, int], Record] = {}

    def description(self) -> bytes:
        """The JSON of `MarketDescription`."""
        return msgspec.json.encode(self._description)

    def is_boundary(self, entry: Entry) -> bool:
        """A reader can begin where all books are said."""
        return entry[0] == _BOOKS_STAND

    def anchors(self) -> Iterable[Record]:
        """The subscriptions that stand; the books follow with the boundary's own entry."""
        return list(self._subscriptions.values())

    def records_of(self, entry: Entry) -> Iterable[Record]:
        """Write frames as they are, and books as anchors."""
        kind, source, at_ns, payload, _ = entry
        if kind == _BOOKS_STAND:
            return [_anchor(book) for book in payload]
        if kind == GAP:
            return (Record(GAP, 0, at_ns, str(payload).encode()),)
        if kind == SOCKET_OPENED:
            for key in [key for key in self._subscriptions if key[0] == source]:
                del self._subscriptions[key]
        record = Record(kind, source, at_ns, _bytes_of(payload))
        if kind == SUBSCRIBED:
            self._subscriptions[source, payload.subscription] = record
        return (record,)


class MarketRecorder:
    """What feeds call for every frame, and the wrapper of their sink. Never raises, never waits."""

    def __init__(self, spool: Spool, description: MarketDescription) -> None:
        self.spool = spool
        self.in_hand = FrameInHand(description.depth)
        self._put = spool.put
        self._sources: Mapping[str, int] = {
            label: number for number, label in enumerate(description.sources)
        }

    def kraken_frame(self, frame: bytes, recv_ns: int) -> None:
        """Record a frame of Kraken's public socket."""
        if self.spool.wants_boundary:
            self._say_what_stands(recv_ns)
        self.in_hand.frame = frame
        self._put(KRAKEN_FRAME, KRAKEN_SOURCE, recv_ns, frame, len(frame))

    def opened(self, endpoint: str, recv_ns: int) -> None:
        """Record that a node's socket was opened."""
        self._put(SOCKET_OPENED, self._sources[endpoint], recv_ns, b"", 32)

    def frame(self, endpoint: str, text: bytes, recv_ns: int) -> None:
        """Record a frame of a node's socket."""
        if self.spool.wants_boundary:
            self._say_what_stands(recv_ns)
        self._put(SOLANA_FRAME, self._sources[endpoint], recv_ns, text, len(text))

    def subscribed(self, endpoint: str, subscription: int, target: str, recv_ns: int) -> None:
        """Record what a subscription number stands for."""
        entry = Subscribed(subscription, target)
        self._put(SUBSCRIBED, self._sources[endpoint], recv_ns, entry, 100)

    def reply(self, endpoint: str, request: bytes, body: bytes, recv_ns: int) -> None:
        """Record a node's answer to one of the feed's reads."""
        size = len(request) + len(body)
        self._put(RPC_REPLY, self._sources[endpoint], recv_ns, (request, body), size)

    def around(self, sink: MarketSink) -> MarketSink:
        """Return a sink that lets the recorder follow the books and passes everything on."""
        return self.in_hand.around(sink)

    def close(self) -> None:
        """Write what was taken and end; waits for the disk."""
        self.spool.close()

    def _say_what_stands(self, recv_ns: int) -> None:
        """Before a frame every book is what the earlier frames made it."""
        self.spool.wants_boundary = False
        self._put(_BOOKS_STAND, KRAKEN_SOURCE, recv_ns, tuple(self.in_hand.books.values()), 0)


def _bytes_of(payload: Any) -> bytes:
    if isinstance(payload, Subscribed):
        return msgspec.json.encode(payload)
    if isinstance(payload, tuple):
        request, body = payload
        return bytes(request) + b"\n" + bytes(body)
    return bytes(payload)


def _anchor(book: BookUpdated) -> Record:
    """The book as a snapshot frame: what the venue would say now, checksum included."""

    def levels(side: tuple[tuple[int, int], ...]) -> list[dict[str, msgspec.Raw]]:
        return [
            {
                "price": msgspec.Raw(text_from_int(ticks, book.price_precision).encode()),
                "qty": msgspec.Raw(text_from_int(lots, book.qty_precision).encode()),
            }
            for ticks, lots in side
        ]

    entry = {
        "symbol": book.symbol,
        "bids": levels(book.bids),
        "asks": levels(book.asks),
        "checksum": book.checksum,
        "price_precision": book.price_precision,
        "qty_precision": book.qty_precision,
    }
    frame = {"channel": "book", "type": "snapshot", "data": [entry]}
    return Record(BOOK_ANCHOR, KRAKEN_SOURCE, book.recv_ns, msgspec.json.encode(frame))
