"""New keys while the engine runs: read when their file changes, used for what comes next.

Every two seconds, at once on SIGHUP. A new Kraken key signs every call from then on; the
session that is up keeps what it was opened with and ends with it. A file that is not usable
changes nothing and raises an alarm; neither audit row nor alarm carries a secret. A new
wallet is another inventory: that takes a restart, and the alarm says so. Called by the host.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from django.db import transaction

from arbsite import audit
from arbsite.errors import SetupError
from arbsite.logs import event_logger
from feeds.assembly import Venues
from feeds.venues.kraken.auth import Credentials
from risk import services as risk
from trading.process.holding_back import written
from trading.storage.lease import Lease

log = event_logger(__name__)
LOOK_EVERY_S: Final = 2.0
REFUSED: Final = "secret_refused"
Alarm = Callable[[str, str, str, str, str], Awaitable[None]]


class KeyRotation:
    """Watches the key files of one engine process; `raise_alarm` tells people."""

    def __init__(self, venues: Venues, lease: Lease, *, raise_alarm: Alarm) -> None:
        self._venues = venues
        self._lease = lease
        self.raise_alarm = raise_alarm
        self.asked = asyncio.Event()

    async def follow(self) -> None:
        """Look when asked and every two seconds."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self.asked.wait()
            self.asked.clear()
            await self.look()

    async def look(self) -> None:
        """Take what has changed into use, or say why not."""
        before = self._venues.key_file.value
        try:
            key = await asyncio.to_thread(self._venues.key_file.look)
            if key is not None:
                await self._use(key, before)
            wallet = await asyncio.to_thread(self._venues.wallet_file.look)
            if wallet is not None and wallet.pubkey() != self._venues.wallet:
                await self._refuse("The wallet file holds another wallet: restart the engine.")
        except SetupError as error:
            await self._refuse(str(error))

    async def _use(self, key: Credentials, before: Credentials) -> None:
        if not await self._lease.use_key(key.fingerprint):
            await self._refuse("The new Kraken key serves another shard; the old one stays.")
            return
        self._venues.kraken.use_credentials(key)
        log.warning("secret.rotated", secret="kraken_key", now=key.fingerprint)  # noqa: S106

        @transaction.atomic
        def write() -> None:
            audit.record(
                actor="engine",
                action="secret.rotated",
                target="kraken_key",
                before={"fingerprint": before.fingerprint},
                after={"fingerprint": key.fingerprint},
            )
            risk.settle(REFUSED)

        await written(write)

    async def _refuse(self, text: str) -> None:
        await self.raise_alarm(risk.WHOLE_ENGINE, REFUSED, text, "", "")
