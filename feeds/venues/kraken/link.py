"""One open Kraken socket: request numbers, pings, and the decision that it has gone quiet.

Heartbeats come each second, so four seconds without any frame mean a dead connection,
whatever TCP believes. Shared by the feed and by trading; knows no channel and no order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from arbsite.clock import Clock
from feeds.venues.kraken import requests
from feeds.venues.kraken.messages import Reply
from feeds.venues.transport import WsConnection

_NS = 1_000_000_000
_MS = 1_000_000
_PINGS_REMEMBERED = 16
# The two clocks drift by microseconds between looks: more is a step of the wall clock.
_STEP_NS = 100 * _MS


class Link:
    """Wraps one connection for its life. `keep_alive` raises ConnectionError on silence."""

    def __init__(
        self, connection: WsConnection, clock: Clock, *, silence_s: float, ping_s: float
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._silence_s = silence_s
        self._ping_ns = round(ping_s * _NS)
        self._req_id = 0
        self._pings: dict[int, tuple[int, int]] = {}
        self._last_ping_ns = 0
        self.last_frame_ns = clock.monotonic_ns()
        self.rtt_ms: float | None = None
        self.clock_skew_ms: float | None = None
        self._wall_ahead_ns = self._wall_ahead()

    def next_req_id(self) -> int:
        """A request number not used on this connection before."""
        self._req_id += 1
        return self._req_id

    async def receive(self) -> bytes:
        """Wait for a frame and note the (monotonic) time; ConnectionError at the end."""
        frame = await self._connection.recv()
        self.last_frame_ns = self._clock.monotonic_ns()
        return frame

    async def send(self, frame: bytes) -> None:
        """Write one frame; ConnectionError when the socket is gone or does not drain."""
        try:
            async with asyncio.timeout(self._silence_s):
                await self._connection.send(frame)
        except TimeoutError as error:
            raise ConnectionError("the peer does not read what we send") from error

    async def close(self) -> None:
        """Close the connection, idempotent."""
        await self._connection.close()

    async def keep_alive(self) -> None:
        """Ping at once, then regularly and whenever half the allowed silence has passed.

        The extra ping is for sockets without heartbeats: it asks before it condemns. A wall
        clock that was stepped is measured against the venue's again at once.
        """
        half_ns = round(self._silence_s * _NS / 2)
        while True:
            now_ns = self._clock.monotonic_ns()
            quiet_ns = now_ns - self.last_frame_ns
            if quiet_ns > 2 * half_ns:
                raise ConnectionError(f"no frame for {quiet_ns / _NS:.1f} s")
            since_ping_ns = now_ns - self._last_ping_ns
            is_first = not self._last_ping_ns
            is_doubtful = quiet_ns >= half_ns and since_ping_ns >= half_ns
            if is_first or is_doubtful or self._is_stepped() or since_ping_ns >= self._ping_ns:
                await self._ping(now_ns)
            await asyncio.sleep(self._silence_s / 8)

    def _is_stepped(self) -> bool:
        """Whether the wall clock moved against the monotonic one since the last look."""
        before_ns, self._wall_ahead_ns = self._wall_ahead_ns, self._wall_ahead()
        return abs(self._wall_ahead_ns - before_ns) > _STEP_NS

    def _wall_ahead(self) -> int:
        return self._clock.now_ns() - self._clock.monotonic_ns()

    async def _ping(self, now_ns: int) -> None:
        req_id = self.next_req_id()
        self._pings[req_id] = (now_ns, self._clock.now_ns())
        self._last_ping_ns = now_ns
        if len(self._pings) > _PINGS_REMEMBERED:
            del self._pings[next(iter(self._pings))]
        await self.send(requests.ping(req_id))

    def note_pong(self, pong: Reply) -> bool:
        """Take the answer to a ping of ours; False when it answers none."""
        sent = self._pings.pop(pong.req_id, None)
        if sent is None:
            return False
        sent_ns, sent_wall_ns = sent
        rtt_ns = self.last_frame_ns - sent_ns
        self.rtt_ms = rtt_ns / _MS
        if pong.time_in_ns:
            self.clock_skew_ms = _skew_ns(pong.time_in_ns, sent_wall_ns, rtt_ns) / _MS
        return True


def _skew_ns(venue_ns: int, sent_ns: int, rtt_ns: int) -> int:
    """Return the venue's clock minus ours as far as the round trip does not explain it.

    A request or its answer may have waited anywhere on the way: a stamp between sending
    and receiving says nothing against either clock.
    """
    if venue_ns > sent_ns + rtt_ns:
        return venue_ns - sent_ns - rtt_ns
    return min(0, venue_ns - sent_ns)


async def until_first(*steps: Coroutine[Any, Any, None]) -> None:
    """Run the steps together until one ends, cancel the others, raise what the one raised."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    # In the order given, not the set's, so that seeded runs repeat.
    for task in tasks:
        if task in ended:
            task.result()
