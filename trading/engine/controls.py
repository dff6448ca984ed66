"""The modes in force: one global Control, one per asset, and each asset's own setting.

A stop counts only when the database's row has come back (`ModeApplied`); until the
global row has been read once, nothing may be decided. Pure; called by the engine.
"""

from __future__ import annotations

from typing import Final

from arbsite.events import Mode, strictest
from trading.inputs import ModeApplied

GLOBAL: Final = "*"
_APPLIED_KEPT = 20


class Controls:
    """The last ModeApplied per scope, and the commands applied most recently."""

    def __init__(self) -> None:
        self._rows: dict[str, ModeApplied] = {}
        # Grows with every row taken: what was concluded from them holds as long as it stands.
        self.revision = 0
        self.applied_commands: tuple[str, ...] = ()

    def apply(self, event: ModeApplied) -> bool:
        """Take a row; False when it is older than the one in force."""
        known = self._rows.get(event.scope)
        if known is not None and event.version < known.version:
            return False
        self._rows[event.scope] = event
        self.revision += 1
        if event.command_id and event.command_id not in self.applied_commands:
            self.applied_commands = (*self.applied_commands, event.command_id)[-_APPLIED_KEPT:]
        return True

    @property
    def is_known(self) -> bool:
        """Whether the global row has been read."""
        return GLOBAL in self._rows

    @property
    def rows(self) -> tuple[ModeApplied, ...]:
        """Rows in force, the global one first, then by asset."""
        return tuple(self._rows[scope] for scope in sorted(self._rows))

    def row(self, scope: str) -> ModeApplied | None:
        """The row of a scope, None when it has none."""
        return self._rows.get(scope)

    def mode_of(self, scope: str) -> Mode:
        """A scope's own mode: live (no restriction) without a row, but never for the globe."""
        row = self._rows.get(scope)
        if row is not None:
            return row.mode
        return "stop_new" if scope == GLOBAL else "live"

    def effective(self, asset: str | None = None, setting: Mode = "live") -> Mode:
        """The strictest of the global row, the asset's row and its setting."""
        if asset is None:
            return self.mode_of(GLOBAL)
        return strictest(setting, self.mode_of(GLOBAL), self.mode_of(asset))

    def version_of(self, asset: str) -> int:
        """The highest control version that went into an asset's effective mode."""
        rows = (self._rows.get(GLOBAL), self._rows.get(asset))
        return max((row.version for row in rows if row is not None), default=0)
