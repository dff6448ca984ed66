"""What a seed showed: plain records that travel between processes."""

from __future__ import annotations

import msgspec


class Violation(msgspec.Struct, frozen=True):
    """A broken invariant (I1 … I15 of the protocol), or "raised", and what was seen."""

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


class SeedResult(msgspec.Struct, frozen=True):
    """The result of one seed. `lines` is the event log, only where it was asked for."""

    seed: int
    violations: tuple[Violation, ...]
    log_hash: str = ""
    trades: int = 0
    orders: int = 0
    swaps: int = 0
    deaths: int = 0
    faults: int = 0
    virtual_s: float = 0.0
    wall_ms: float = 0.0
    lines: tuple[str, ...] = ()
