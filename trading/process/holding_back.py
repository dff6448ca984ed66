"""The engine's door to OBSERVE: what canaries and samples found is stored, and obeyed.

Through `risk.services` like people's commands; waits for the database as long as it takes.
On the `sim` profile reds are stored and not obeyed: there faults are thrown in on purpose.
Called by the host. Not here: looking (`canaries`, `sampling`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections

from arbsite.logs import event_logger
from risk import services as risk
from risk.inspection import Check, is_green

log = event_logger(__name__)
CANARY_RED: Final = "canary_red"
SAMPLES_REFUSED: Final = "samples_refused"
RETRY_S: Final = 1.0


class HoldingBack:
    """Stores what was found; puts the desk into OBSERVE where `is_obeyed`."""

    def __init__(self, *, is_obeyed: bool) -> None:
        self._is_obeyed = is_obeyed

    async def record(self, checks: Sequence[Check]) -> None:
        """Store a round of canaries; a green one closes the incident of a red one."""

        def write() -> None:
            risk.record_inspection("canary", checks, actor="engine")
            if is_green(checks):
                risk.settle(CANARY_RED)

        await written(write)

    async def obey(self, words: str) -> None:
        """A red canary: OBSERVE, and an incident."""
        if self._is_obeyed:
            await written(lambda: risk.hold_back(CANARY_RED, text=words))

    async def report(self, text: str, value: str, limit: str) -> None:
        """Sampled decisions would have been refused: OBSERVE stays, and an incident."""
        await written(lambda: risk.hold_back(SAMPLES_REFUSED, text=text, value=value, limit=limit))


async def written(write: Callable[[], object]) -> None:
    """Carry a write out in Django's thread; waits for the database as long as it takes."""

    def act() -> None:
        close_old_connections()
        write()

    while True:
        try:
            await sync_to_async(act)()
        except (OperationalError, InterfaceError) as error:
            log.warning("holding_back.not_stored", error=str(error)[:200])
            await asyncio.sleep(RETRY_S)
        else:
            return
