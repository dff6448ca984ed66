"""A loop on which a second passes in an eighth of one, over real sockets and processes.

Every process on it reads the same time (the machine's monotonic clock, stretched), so that
engines and venues in different processes agree on it as hosts with one clock would. Not a
virtual clock: work takes the time it takes.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

FACTOR = 8.0

T = TypeVar("T")


class _BriskSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / FACTOR)


class BriskLoop(asyncio.SelectorEventLoop):
    """The system's selector loop with a faster clock."""

    def __init__(self) -> None:
        super().__init__(_BriskSelector())

    def time(self) -> float:
        return time.monotonic() * FACTOR


def run_brisk(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a fresh brisk loop."""
    with asyncio.Runner(loop_factory=BriskLoop) as runner:
        return runner.run(main)
