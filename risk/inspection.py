"""Checks before money moves: what is looked at, what was seen, and the remedy when it is red.

The vocabulary of preflight and canaries: a `Check` is one look; an inspection is a list of
them, green when none is red. Pure; stored by `risk.services`, run by `risk.preflight` and by
the engine's canaries.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Check(msgspec.Struct, frozen=True):
    """One look: `seen` in words with its number; `remedy` is said when it is red."""

    name: str
    is_green: bool
    seen: str
    remedy: str = ""


def is_green(checks: Iterable[Check]) -> bool:
    """Whether something was looked at and nothing is red."""
    found = list(checks)
    return bool(found) and all(check.is_green for check in found)


def reds(checks: Iterable[Check]) -> str:
    """Name what is red, with the remedies, in one line."""
    return "; ".join(f"{c.name}: {c.seen} - {c.remedy}" for c in checks if not c.is_green)
