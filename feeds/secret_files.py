"""A secret in a file that may be replaced while the process runs.

`look` is called every few seconds; it reads only when the file has changed, gives the new
value once, and says once why a changed file is not usable: the value in use stays. Called
by `assembly` and, through it, by the engine. Not here: what a secret is good for.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from arbsite.errors import SetupError

T = TypeVar("T")
Stamp = tuple[int, int, int, int]


class SecretFile(Generic[T]):
    """One file and the value last read from it. `read` raises SetupError for a bad one."""

    def __init__(self, path: Path, read: Callable[[], T]) -> None:
        self._path = path
        self._read = read
        self._seen = self._stamp()
        self.value = read()

    def look(self) -> T | None:
        """The new value where there is one, else None. Blocking.

        Raises SetupError, once per change, for a file that is gone, unreadable, not whole,
        or open to every account of the machine.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        if stamp is None:
            self._seen = stamp
            raise SetupError(f"{self._path.name} is gone; what was read before stays in use.")
        try:
            value = self._read()
        except SetupError:
            self._seen = stamp
            raise
        if self._stamp() != stamp:
            # Somebody is still writing: the next look reads it whole.
            return None
        self._seen = stamp
        if stamp[3] & (stat.S_IRWXO):
            raise SetupError(
                f"{self._path.name} may be read or written by every account: chmod 600 it; "
                "what was read before stays in use."
            )
        self.value = value
        return value

    def _stamp(self) -> Stamp | None:
        """What changes with the file, through symbolic links; None without one."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode)
