"""Contestant: hummingbot's Kraken parser and its Cython order book, without a checksum.

It reads the older v1 dialect, so the frames are translated before the clock starts: the
same levels in shorter text. json.loads, the connector's own diff parser, `apply_diffs`;
no queue, no tracker task. The connector reads only the first side of a two-sided message,
as shipped.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Any

from hummingbot.connector.exchange.kraken.kraken_api_order_book_data_source import (
    KrakenAPIOrderBookDataSource,
)
from hummingbot.core.data_type.order_book import OrderBook
from hummingbot.core.data_type.order_book_message import OrderBookMessage, OrderBookMessageType
from stage import serve


def v1_frame(frame: bytes) -> bytes:
    """The same message in the v1 dialect: quoted numbers, one object per side."""
    message = json.loads(frame, parse_float=str)
    (entry,) = message["data"]
    suffix = "s" if message["type"] == "snapshot" else ""
    sides: list[dict[str, Any]] = []
    for name, key in (("asks", "a"), ("bids", "b")):
        levels = [[f"{lv['price']}000", lv["qty"], "1690730998.343415"] for lv in entry[name]]
        if levels:
            sides.append({key + suffix: levels})
    if suffix:
        sides = [{name: levels for side in sides for name, levels in side.items()}]
    elif sides:
        sides[-1]["c"] = str(entry["checksum"])
    else:
        sides = [{"a": [], "c": str(entry["checksum"])}]
    return json.dumps([336, *sides, "book-10", "SOL/USD"], separators=(",", ":")).encode()


class Book:
    """Applies each parsed message at once, in place of the tracker's queue."""

    def __init__(self) -> None:
        self.book = OrderBook()
        self.parse = KrakenAPIOrderBookDataSource.__new__(
            KrakenAPIOrderBookDataSource
        )._parse_order_book_diff_message

    def put_nowait(self, message: OrderBookMessage) -> None:
        """Take what the parser would queue."""
        if message.type is OrderBookMessageType.SNAPSHOT:
            self.book.apply_snapshot(message.bids, message.asks, message.update_id)
        else:
            self.book.apply_diffs(message.bids, message.asks, message.update_id)

    def turn(self, frames: list[bytes]) -> int:
        """Parse and apply each frame; it has no notion of a bad one."""
        for frame in frames:
            finish(self.parse(json.loads(frame), self))
        return 0


def finish(step: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that awaits nothing."""
    try:
        step.send(None)
    except StopIteration:
        return
    raise SystemExit("the parser has begun to wait for something: drive it by a loop")


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    serve(Book().turn, version("hummingbot"), prepare=v1_frame)
