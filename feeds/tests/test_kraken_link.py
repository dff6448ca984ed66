"""The clock of a connection: compared at the start, by turns, and after a step at once."""

from __future__ import annotations

import asyncio

import msgspec

from feeds.sim.virtual_loop import run_virtual
from feeds.venues.kraken.link import Link
from feeds.venues.kraken.messages import Reply
from feeds.venues.kraken.wire import decode_frame

NS = 1_000_000_000


class SteppedClock:
    """Loop time, with a wall clock that somebody sets."""

    def __init__(self) -> None:
        self.step_ns = 0

    def monotonic_ns(self) -> int:
        return 1_000 * NS + round(asyncio.get_running_loop().time() * NS)

    def now_ns(self) -> int:
        return 1_790_000_000 * NS + self.monotonic_ns() - 1_000 * NS + self.step_ns


class Venue:
    """Answers a ping a tenth of a second later, halfway by its own right clock.

    A slow one takes the request in `late_s` after it came.
    """

    def __init__(self, late_s: float = 0.0) -> None:
        self._late_s = late_s
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.pings_s: list[float] = []

    async def send(self, text: str | bytes) -> None:
        loop = asyncio.get_running_loop()
        number = msgspec.json.decode(text)["req_id"]
        self.pings_s.append(loop.time())
        at = loop.time() + 0.05 + self._late_s
        told = f"2026-09-21T14:13:{20 + at:09.6f}Z"
        pong = f'{{"method":"pong","req_id":{number},"time_in":"{told}","time_out":"{told}"}}'
        loop.call_later(0.1 + self._late_s, self.frames.put_nowait, pong.encode())

    async def recv(self) -> bytes:
        return await self.frames.get()

    async def close(self) -> None:
        return None


def test_a_stepped_wall_clock_is_compared_again_at_once() -> None:
    async def session() -> None:
        clock, venue = SteppedClock(), Venue()
        link = Link(venue, clock, silence_s=60.0, ping_s=3_000.0)
        skews: list[float] = []

        async def listen() -> None:
            while True:
                pong = decode_frame(await link.receive())
                assert isinstance(pong, Reply)
                assert link.note_pong(pong)
                assert link.clock_skew_ms is not None
                skews.append(link.clock_skew_ms)

        tasks = [asyncio.create_task(each) for each in (link.keep_alive(), listen())]
        await asyncio.sleep(8)
        assert len(skews) == 1
        clock.step_ns = -5 * NS
        await asyncio.sleep(8)
        assert len(skews) == 2
        await asyncio.sleep(8)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Two comparisons, five seconds apart: the step, seen at the next look.
        assert len(venue.pings_s) == len(skews) == 2
        # Up to the round trip, which may have waited on either way.
        assert skews[0] == 0
        assert 4_900 <= skews[1] <= 5_000

    run_virtual(session())


def test_a_slow_answer_says_nothing_against_a_clock() -> None:
    async def session() -> None:
        venue = Venue(late_s=3.0)
        link = Link(venue, SteppedClock(), silence_s=60.0, ping_s=3_000.0)
        alive = asyncio.create_task(link.keep_alive())
        pong = decode_frame(await link.receive())
        alive.cancel()
        await asyncio.gather(alive, return_exceptions=True)
        assert isinstance(pong, Reply)
        assert link.note_pong(pong)
        assert link.clock_skew_ms == 0

    run_virtual(session())
