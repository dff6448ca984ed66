"""How old a picture is when the console's sockets receive it, engine clock to ours.

Joins the console's group of the channel layer like a socket does, on the same machine, in a
thread of its own. Called by `manage.py figures`. Not here: what the browser adds (console
tests).
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from channels.layers import BaseChannelLayer, get_channel_layer

from arbsite.clock import Clock
from arbsite.streams import GROUP

STREAM = "spreads"
LOOK_EVERY_S = 0.5
END_WAIT_S = 10.0


class StalenessWatch:
    """Collects ages (`ages_ms`) of the batches of spreads while its `with` block runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="staleness", daemon=True)
        self.ages_ms: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        self._thread.join(END_WAIT_S)

    def end(self) -> None:
        """Let `collect` return at its next look."""
        self._over.set()

    def _run(self) -> None:
        layer = get_channel_layer()
        assert layer is not None
        asyncio.run(self.collect(layer))

    async def collect(self, layer: BaseChannelLayer) -> None:
        """Receive until the block ends."""
        name = await layer.new_channel()
        await layer.group_add(GROUP, name)
        try:
            while not self._over.is_set():
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        message = await layer.receive(name)
                except TimeoutError:
                    continue
                if message.get("stream") == STREAM:
                    self.ages_ms.append((self._clock.now_ns() - message["at_ns"]) / 1e6)
        finally:
            await layer.group_discard(GROUP, name)
