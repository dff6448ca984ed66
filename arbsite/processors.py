"""Which processor the engine has to itself, and which ones everything else shares.

An order waits for the engine and then for PostgreSQL. Where both run on one processor, each
is put behind the other and finds its caches overwritten (decision 0026). `up` moves itself,
and with itself all it starts, off one processor, and starts the engine on that one. Needs
Linux and its `taskset`; without them, and on a machine of one processor, nothing is moved.
"""

from __future__ import annotations

import os
import shutil

from arbsite.errors import SetupError

AUTO = "auto"
OFF = "off"


def engine_processor(choice: str) -> int | None:
    """The processor meant by SPREADLINE_ENGINE_CPU, None for none; SetupError if unusable.

    `auto` is the last one this process may use, if there is another for the rest.
    """
    if choice == OFF or shutil.which("taskset") is None:
        return None
    usable = os.sched_getaffinity(0)
    if choice == AUTO:
        return max(usable) if len(usable) > 1 else None
    if choice not in map(str, usable) or len(usable) < 2:
        raise SetupError(
            f"SPREADLINE_ENGINE_CPU={choice} cannot be used here: `{AUTO}`, `{OFF}`, or the number"
            " of one of at least two processors that this process may run on."
        )
    return int(choice)


def leave_to_engine(processor: int) -> None:
    """Keep this thread, and what it starts from now on, off the engine's processor."""
    os.sched_setaffinity(0, os.sched_getaffinity(0) - {processor})
