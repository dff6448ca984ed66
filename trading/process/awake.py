"""Keeps the host's processors awake while an engine decides, and its decisions in their caches.

A processor that waits halts: it wakes late and with cold caches, which costs more than the
whole tick does (decision 0023). Linux keeps every processor out of its idle states for as
long as a process holds its PM QoS device open with a latency of zero (the kernel's
Documentation/power/pm_qos_interface.rst): idle ones poll instead, and give way at once to
whatever can run. It lets go when the file is closed, the process killed or not. Run by the
host unless `SPREADLINE_KEEP_AWAKE` is off.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import pack
from typing import Final

from arbsite import metrics
from arbsite.logs import event_logger

log = event_logger(__name__)
LATENCY_DEVICE: Final = Path("/dev/cpu_dma_latency")
# A rehearsal takes 20 to 50 us, which a frame that comes meanwhile waits for: one in sixty.
REHEARSE_EVERY_S: Final = 0.002


class MaySleep(Exception):
    """The processors cannot be kept awake; the text says why and what would help."""


@contextmanager
def processors_awake(device: Path = LATENCY_DEVICE) -> Iterator[None]:
    """Keep every processor of this host out of its idle states. MaySleep if it is not allowed."""
    try:
        # Never created: where there is no such device, a file of its name would be no request.
        request = os.open(device, os.O_WRONLY)
    except FileNotFoundError as error:
        raise MaySleep(f"no {device}: not Linux, or hidden from this container") from error
    except OSError as error:
        raise MaySleep(f"{error.strerror}: let this user write {device}") from error
    try:
        os.write(request, pack("i", 0))
        yield
    finally:
        os.close(request)


async def stay_awake(rehearse: Callable[[], None], device: Path = LATENCY_DEVICE) -> None:
    """Hold the processors awake and rehearse every 2 ms, for ever; at most say why not.

    A host that may sleep is not made to rehearse, which would only wake it.
    """
    try:
        with processors_awake(device):
            metrics.PROCESSORS_AWAKE.set(1)
            log.info("processors.awake")
            while True:
                await asyncio.sleep(REHEARSE_EVERY_S)
                rehearse()
    except MaySleep as reason:
        log.info("processors.may_sleep", reason=str(reason))
    finally:
        metrics.PROCESSORS_AWAKE.set(0)
