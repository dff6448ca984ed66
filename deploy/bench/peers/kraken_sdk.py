"""Contestant: python-kraken-sdk's order book client, as its socket would drive it.

json.loads, then `SpotOrderBookClient.on_message`, which verifies the checksum of updates.
Only the REST call for the pair's decimals is replaced.
"""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import version

from kraken.spot import SpotOrderBookClient
from stage import serve


class Market:
    """Stands in for the REST client: the decimals of any pair."""

    def get_asset_pairs(self, pair: str) -> dict[str, dict[str, int]]:
        return {pair: {"pair_decimals": 2, "lot_decimals": 8}}


class Client(SpotOrderBookClient):
    """Counts what it is told instead of printing it."""

    def __init__(self) -> None:
        super().__init__(depth=10)
        self._SpotOrderBookClient__market = Market()
        self.bad = 0

    async def on_book_update(self, pair: str, message: dict[str, object]) -> None:
        self.bad += "error" in message


def main() -> None:
    """Serve turns inside one event loop, which the client wants to find running."""
    loop = asyncio.new_event_loop()

    async def make() -> Client:
        return Client()

    client = loop.run_until_complete(make())

    async def take(frames: list[bytes]) -> int:
        before = client.bad
        for frame in frames:
            await client.on_message(json.loads(frame))
        return client.bad - before

    serve(lambda frames: loop.run_until_complete(take(frames)), version("python-kraken-sdk"))
    loop.run_until_complete(client.close())


if __name__ == "__main__":
    main()
