"""Searches for orders by client id: those asked for together share one read of the venue.

After a crash every unfinished trade asks what became of its order, and the venue's counter
allows few calls: N searches that wait for their turn cost what one does. A read begins
after every search that shares it was asked for; if it fails, it fails for all of them.
Called by `account`, which reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from arbsite.errors import QueryFailed
from feeds.venues.base import CexOrderState

_TOGETHER_S = 0.05
"""What a crash left is taken up within this time; next to a call's own time it is nothing."""


class Search(msgspec.Struct, eq=False):
    """One client id searched for from `since_ns`, and its answer.

    `is_over`: only an order that has ended is of use, so open ones need not be read.
    """

    cl_ord_id: str
    since_ns: int
    is_over: bool
    found: list[CexOrderState] | None = None
    failure: str = ""


class SharedSearches:
    """One read at a time; `read` answers every search it is given, or raises QueryFailed."""

    def __init__(self, read: Callable[[list[Search]], Awaitable[None]]) -> None:
        self._read = read
        self._turn = asyncio.Lock()
        self._waiting: list[Search] = []

    async def find(self, search: Search) -> list[CexOrderState]:
        """The orders of one search. Raises QueryFailed."""
        self._waiting.append(search)
        try:
            await asyncio.sleep(_TOGETHER_S)
            async with self._turn:
                if search.found is None and not search.failure:
                    await self._lead(search)
        finally:
            self._waiting = [each for each in self._waiting if each is not search]
        if search.found is None:
            raise QueryFailed(search.failure)
        return search.found

    async def _lead(self, search: Search) -> None:
        # Its own may be missing: whoever took it along was cancelled before the answer.
        searches = [search, *(each for each in self._waiting if each is not search)]
        self._waiting = []
        try:
            await self._read(searches)
        except QueryFailed as error:
            for each in searches:
                each.failure = str(error) or "no answer"
