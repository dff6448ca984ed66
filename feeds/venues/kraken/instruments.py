"""One look at the exchange's list of pairs, for checks that need no running feed.

Opens a socket, takes the first `instrument` snapshot, and closes. The running feed keeps
its own subscription (`books`).
"""

from __future__ import annotations

import asyncio

from arbsite.errors import FeedCorrupt, QueryFailed
from feeds.venues.kraken import requests
from feeds.venues.kraken.messages import InstrumentFrame, Pair
from feeds.venues.kraken.wire import decode_frame
from feeds.venues.transport import Transport


async def read_instruments(
    transport: Transport, url: str, *, timeout_s: float = 10.0
) -> dict[str, Pair]:
    """Return every listed pair by its v2 symbol; QueryFailed when the venue does not tell."""
    try:
        async with asyncio.timeout(timeout_s):
            connection = await transport.connect(url, timeout_s=timeout_s)
            try:
                await connection.send(requests.instruments(1))
                while True:
                    message = decode_frame(await connection.recv())
                    if isinstance(message, InstrumentFrame):
                        return {pair.symbol: pair for pair in message.pairs}
            finally:
                await connection.close()
    except (ConnectionError, TimeoutError, FeedCorrupt) as error:
        raise QueryFailed(f"no list of pairs from Kraken: {error or 'no answer'}") from error
