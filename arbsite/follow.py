"""One readable log out of many: follows the processes' log files and prints their lines.

Called by the `up` command. Reads JSON records and plain output alike, survives rotation,
and lets no control character of a log through to the terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from arbsite.logs import readable

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PALETTE = ("36", "35", "34", "32", "33", "96", "95", "94", "92", "93")


class LogFollower:
    """The growing end of one log file."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._file: IO[bytes] | None = None
        self._partial = b""
        if path.exists():
            self._file = path.open("rb")
            self._file.seek(0, 2)

    def lines(self) -> Iterator[str]:
        """Complete lines written since the last call, across a rotation."""
        if self._file is None:
            if not self._path.exists():
                return
            self._file = self._path.open("rb")
        yield from self._drain(self._file)
        if self._was_rotated(self._file):
            self._file.close()
            self._file = self._path.open("rb")
            yield from self._drain(self._file)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _drain(self, file: IO[bytes]) -> Iterator[str]:
        *complete, self._partial = (self._partial + file.read()).split(b"\n")
        for line in complete:
            text = line.decode(errors="replace").rstrip()
            if text:
                yield text

    def _was_rotated(self, file: IO[bytes]) -> bool:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        return found.st_ino != Path(f"/proc/self/fd/{file.fileno()}").stat().st_ino


class Console:
    """Prints the lines of all processes with their names in front."""

    def __init__(self, logs: Path, names: list[str], output: IO[str], *, colour: bool) -> None:
        self._followers = [LogFollower(name, logs / f"{name}.log") for name in names]
        self._width = max((len(name) for name in names), default=0)
        self._output = output
        self._colour = colour

    def print_new(self) -> None:
        """Print what was written since the last call."""
        for index, follower in enumerate(self._followers):
            prefix = follower.name.ljust(self._width)
            if self._colour:
                prefix = f"\x1b[{_PALETTE[index % len(_PALETTE)]}m{prefix}\x1b[0m"
            for line in follower.lines():
                for shown in self._render(line).splitlines():
                    self._output.write(f"{prefix} | {shown}\n")
        self._output.flush()

    def close(self) -> None:
        """Let go of all files."""
        for follower in self._followers:
            follower.close()

    def _render(self, line: str) -> str:
        fields = _record(line)
        if fields is None:
            return _CONTROL.sub("?", line)
        clean = {
            key: _CONTROL.sub("?", value) if isinstance(value, str) else value
            for key, value in fields.items()
        }
        return readable(clean, colour=self._colour)


def _record(line: str) -> dict[str, object] | None:
    if not line.startswith("{"):
        return None
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) and "event" in fields else None
