"""The simulator's own pages beside the venues': fault knobs and the truth.

`GET /sim/truth/summary` and `GET /sim/truth/ledger?account=…` answer with what really
happened, for audits, chaos tests and the demo. Served on every simulator port, on
loopback only. Not part of any venue's protocol: the product never reads it to trade.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import msgspec

from feeds.sim.faults import FaultControl
from feeds.sim.hosting import Answer, HttpServer, Route
from feeds.sim.world import World

_JSON = "application/json"


class TruthPages:
    """Read-only HTTP over the truth store."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def http(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one GET; 404 lists the pages."""
        parts = urlsplit(path)
        if method != "GET":
            return 405, b"", "text/plain"
        if parts.path == "/sim/truth/summary":
            return 200, msgspec.json.encode(self._world.summary()), _JSON
        if parts.path == "/sim/truth/ledger":
            account = parse_qs(parts.query).get("account", [None])[0]
            entries = self._world.truth.ledger(account)
            return 200, msgspec.json.encode({"entries": entries}), _JSON
        pages = {"error": "there are /sim/truth/summary and /sim/truth/ledger?account="}
        return 404, msgspec.json.encode(pages), _JSON


def routes(world: World, venue: HttpServer) -> list[Route]:
    """The routes of one port: control pages first, the venue for all the rest."""
    return [
        ("/sim/faults", FaultControl(world.faults)),
        ("/sim/truth", TruthPages(world)),
        ("/", venue),
    ]
