"""What the engine asks to be done: execute, note a window, stop, resume, show a signal.

Pure data; the host carries them out in order. The journal keeps them as the decisions that a
replay must repeat, so a field's name and a record's tag are a format.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from trading.intent import Intent, WindowRow


class Execute(msgspec.Struct, frozen=True, tag="execute"):
    """Carry out (live), book on paper (paper) or only store (observe) this intent."""

    intent: Intent


class NoteWindow(msgspec.Struct, frozen=True, tag="note_window"):
    """A window opened, was decided on, or closed; buffered and bulk-written each second."""

    window: WindowRow
    decision: Literal["taken", "stored", "refused", "watched"]
    gate: str
    gate_value: str
    gate_limit: str


class RequestStop(msgspec.Struct, frozen=True, tag="request_stop"):
    """Ask the control service for HEDGE-ONLY on a scope: the engine's own trip."""

    scope: str
    rule: str
    text: str
    value: str
    limit: str
    at_ns: int


class RequestResume(msgspec.Struct, frozen=True, tag="request_resume"):
    """Staleness alone has been clean for the resume time: lift the engine's own stop."""

    scope: str
    rule: str
    at_ns: int


class SignalSeen(msgspec.Struct, frozen=True, tag="signal_seen"):
    """A tick was priced and sized; metrics only (not journaled, not stored)."""

    asset: str
    recv_ns: int
    is_opportunity: bool


Effect = Execute | NoteWindow | RequestStop | RequestResume | SignalSeen
