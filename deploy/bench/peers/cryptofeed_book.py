"""Contestant: cryptofeed's Kraken feed (C order book, Decimal), checksum on, the default.

`Kraken.message_handler` as its connection would call it, to a book callback; only the
symbol list, which it would fetch, is set by hand. Needs Python 3.12 or later.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from cryptofeed.defines import L2_BOOK
from cryptofeed.exchanges import Kraken
from cryptofeed.symbols import Symbols
from stage import serve


def main() -> None:
    """Serve turns inside one event loop."""
    Symbols.set("KRAKEN", {"SOL-USD": "SOL/USD"}, {"instrument_type": {"SOL-USD": "spot"}})
    books = 0

    async def keep(book: object, receipt_timestamp: float) -> None:
        nonlocal books
        books += 1

    feed = Kraken(symbols=["SOL-USD"], channels=[L2_BOOK], callbacks={L2_BOOK: keep}, max_depth=10)
    if not feed.checksum_validation:
        raise SystemExit("this version of cryptofeed does not check checksums by default")
    loop = asyncio.new_event_loop()

    async def take(frames: list[bytes]) -> None:
        for frame in frames:
            await feed.message_handler(frame, None, 0.0)

    def turn(frames: list[bytes]) -> int:
        before = books
        loop.run_until_complete(take(frames))
        return len(frames) - (books - before)

    serve(turn, version("cryptofeed"))


if __name__ == "__main__":
    main()
