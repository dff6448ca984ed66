"""Time, randomness and row ids: the only door to them (ruff TID251 bans the others).

A `Clock` is an argument everywhere. `SystemClock` is the real one; `LoopClock` reads
the running event loop, so a virtual-time loop gives virtual time to the same code.
Not here: formatting, time zones, timers of the engine (those are events).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Wall time in ns since 1970 UTC and a monotonic counter in ns for durations."""

    def now_ns(self) -> int: ...

    def monotonic_ns(self) -> int: ...


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


def process_began_ns() -> int:
    """When the kernel made this process, in ns since 1970 UTC, to 10 ms; now where it is not told.

    From /proc/self/stat, field 22: clock ticks since the machine started.
    """
    now_ns = time.time_ns()
    try:
        stat = Path("/proc/self/stat").read_text()
    except OSError:
        return now_ns
    ticks = int(stat.rpartition(")")[2].split()[19])
    age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - ticks * 10**9 // os.sysconf("SC_CLK_TCK")
    return now_ns - max(0, age_ns)


class LoopClock:
    """Both clocks derived from the running loop's `time()`, offset by `origin_ns`."""

    def __init__(self, origin_ns: int = 1_700_000_000_000_000_000) -> None:
        self._origin_ns = origin_ns

    def monotonic_ns(self) -> int:
        return round(asyncio.get_running_loop().time() * 1e9)

    def now_ns(self) -> int:
        return self._origin_ns + self.monotonic_ns()


class ManualClock:
    """A clock that moves only when told; wall and monotonic time advance together."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_ns(self) -> int:
        return self._now_ns

    def advance_ns(self, delta_ns: int) -> None:
        self._now_ns += delta_ns


def at_from_ns(ns: int) -> datetime:
    """Turn ns since 1970 UTC into an aware datetime (database `*_at`; µs, rounded down)."""
    seconds, rest_ns = divmod(ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1_000)


def ns_from_at(at: datetime) -> int:
    """Inverse of `at_from_ns`, exact to the microsecond."""
    whole = int(at.replace(microsecond=0).timestamp())
    return whole * 1_000_000_000 + at.microsecond * 1_000


def utc_now() -> datetime:
    """Aware wall-clock time for database columns written outside the engine."""
    return datetime.now(UTC)


def seeded_random(seed: int | str) -> random.Random:
    """A private random stream; the same seed gives the same stream."""
    return random.Random(seed)


def system_random() -> random.Random:
    """Unpredictable randomness for jitter in live processes."""
    return random.SystemRandom()


def uuid7() -> uuid.UUID:
    """A time-ordered row id (RFC 9562 §5.7): 48 bits of ms, 74 random bits."""
    ms = time.time_ns() // 1_000_000
    value = (ms & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= random.SystemRandom().getrandbits(12) << 64
    value |= 0b10 << 62
    value |= random.SystemRandom().getrandbits(62)
    return uuid.UUID(int=value)
