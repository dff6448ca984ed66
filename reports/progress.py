"""A progress bar for long commands: drawn on a terminal, a line every tenth elsewhere."""

from __future__ import annotations

from typing import TextIO

_WIDTH = 30


class ProgressBar:
    """Draws a share (0..1) under a label; call it as often as you like."""

    def __init__(self, stream: TextIO, label: str) -> None:
        self._stream = stream
        self._label = label
        self._is_terminal = stream.isatty()
        self._shown = -1

    def __call__(self, share: float) -> None:
        """Show the share done; silent while nothing visible has changed."""
        steps = int(share * (100 if self._is_terminal else 10))
        if steps == self._shown:
            return
        self._shown = steps
        done = round(share * _WIDTH)
        line = f"{self._label} [{'#' * done}{'.' * (_WIDTH - done)}] {share:4.0%}"
        if self._is_terminal:
            end = "\n" if share >= 1 else ""
            self._stream.write(f"\r{line}{end}")
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()
