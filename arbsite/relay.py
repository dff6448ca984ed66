"""From the bus to every console: decodes, thins and encodes once, for the channel layer.

Pictures are sent at most 20 times a second and the newest wins (status goes at once); events
are batched but never dropped. The last picture of each kind is kept in the cache for whoever
connects next. Losing the layer for a moment loses pictures only: sockets ask again. Run by
`run_relay`. Not here: draining the outbox (trading), sockets (`consumers`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from asgiref.sync import sync_to_async
from redis.exceptions import RedisError

from arbsite import events
from arbsite.bus import Subscription, decode
from arbsite.errors import UNREADABLE
from arbsite.logs import event_logger
from arbsite.metrics import BUS_DROPPED, BUS_GAPS, BUS_LOST
from arbsite.streams import (
    GROUP,
    LayerMessage,
    Picture,
    Stream,
    encoded,
    keep_pictures,
    layer_message,
    rows_data,
)

log = event_logger(__name__)

FLUSH_S = 0.05
KEEP_S = 0.5
PATTERNS = (
    "console.*",
    f"{events.EXEC_RESULT}.*",
    events.INVENTORY_CHANGED,
    events.RISK_INCIDENT,
)


class Layer(Protocol):
    """The part of a channel layer the relay needs."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None: ...


class ConsoleRelay:
    """Collects what the bus brings and passes it on in beats."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._pictures: dict[Stream, Picture] = {}
        self._spreads: dict[str, str] = {}
        self._rows: dict[Stream, list[str]] = {}
        self._at_ns: dict[Stream, int] = {}
        # What a newcomer gets: all assets' rows, not only the changed ones.
        self._all_spreads: dict[str, str] = {}
        self._unkept: dict[Stream, Picture] = {}
        self._work = asyncio.Event()

    async def follow(self, subscription: Subscription) -> None:
        """Read a subscription to `PATTERNS` until cancelled."""
        dropped = gaps = 0
        async for subject, payload in subscription:
            BUS_DROPPED.labels("relay").inc(subscription.dropped - dropped)
            BUS_GAPS.labels("relay").inc(subscription.gaps - gaps)
            dropped, gaps = subscription.dropped, subscription.gaps
            try:
                message = decode(payload)
            except UNREADABLE as error:
                log.warning("relay.refused", subject=subject, reason=str(error))
                continue
            await self.take(message)

    async def take(self, message: events.BusMessage) -> None:
        """Accept one message; status is passed on at once, the rest with the next beat."""
        match message:
            case events.StatusFrame():
                picture = Picture(message.beat_ns, encoded(message))
                self._unkept["status"] = picture
                await self._send(layer_message("status", picture.at_ns, data=picture.data))
            case events.MetricsFrame():
                self._picture("metrics", message.at_ns, message)
            case events.InventoryFrame():
                self._picture("inventory", message.at_ns, message)
            case events.SpreadsFrame():
                self._spreads.update({row.asset: encoded(row) for row in message.rows})
                self._at_ns["spreads"] = message.at_ns
            case events.OpportunitiesFrame():
                self._event_rows("opportunities", message.at_ns, message.rows)
            case events.ExecResult() if message.trade.book == "paper":
                return  # a model's trade: asked for by name, never mixed with ours
            case events.ExecResult():
                self._event_rows("trades", message.at_ns, [message.trade])
            case events.Incident():
                at_ns = message.closed_at_ns or message.opened_at_ns
                self._event_rows("incidents", at_ns, [message])
            case _:
                return  # wake-ups between processes; no console shows them
        self._work.set()

    async def beat(self) -> None:
        """Send and keep what has collected, in beats, until cancelled."""
        loop = asyncio.get_running_loop()
        keep_at = 0.0
        while True:
            await self._work.wait()
            self._work.clear()
            await self.flush()
            if loop.time() >= keep_at:
                await self.keep()
                keep_at = loop.time() + KEEP_S
            elif self._unkept:
                # Nothing may follow for long; come back for it.
                loop.call_later(KEEP_S, self._work.set)
            await asyncio.sleep(FLUSH_S)

    async def flush(self) -> None:
        """Send everything that has collected since the last beat."""
        pictures, self._pictures = self._pictures, {}
        spreads, self._spreads = self._spreads, {}
        rows, self._rows = self._rows, {}
        for stream, picture in pictures.items():
            await self._send(layer_message(stream, picture.at_ns, data=picture.data))
        if spreads:
            at_ns = self._at_ns["spreads"]
            self._all_spreads.update(spreads)
            data = rows_data("spreads", self._all_spreads.values(), at_ns)
            self._unkept["spreads"] = Picture(at_ns, data)
            await self._send(layer_message("spreads", at_ns, rows=spreads.values(), keys=spreads))
        for stream, listed in rows.items():
            await self._send(layer_message(stream, self._at_ns[stream], rows=listed))

    async def keep(self) -> None:
        """Store the last pictures for whoever connects next."""
        unkept, self._unkept = self._unkept, {}
        try:
            await sync_to_async(keep_pictures)(unkept)
        except (RedisError, OSError) as error:
            log.warning("relay.not_kept", reason=type(error).__name__)

    def _picture(self, stream: Stream, at_ns: int, message: msgspec.Struct) -> None:
        picture = Picture(at_ns, encoded(message))
        self._pictures[stream] = self._unkept[stream] = picture

    def _event_rows(self, stream: Stream, at_ns: int, rows: Iterable[msgspec.Struct]) -> None:
        self._rows.setdefault(stream, []).extend(map(encoded, rows))
        self._at_ns[stream] = at_ns

    async def _send(self, message: LayerMessage) -> None:
        try:
            await self._layer.group_send(GROUP, dict(message))
        except (RedisError, OSError) as error:
            BUS_LOST.inc()
            log.warning("relay.lost", stream=message["stream"], reason=type(error).__name__)
