"""What a chaos run does, drawn from its seed alone: faults of the venues and kills. Pure.

The knobs and values are those of the seeded proof; whatever ends or blinds the desk for
minutes by design is left out, because a run of minutes would show nothing else.
"""

from __future__ import annotations

from typing import Any

import msgspec

from arbsite.clock import seeded_random
from trading.proof.script import VENUE_FAULTS

# A revoked key is not tried again for minutes.
TOO_LONG = frozenset({"kraken.key_revoked"})
KILLED = ("engine", "simulator", "relay", "web", "valkey", "worker", "beat", "postgres")
# These end the engine, and too many of its starts within ten minutes put it in OBSERVE.
ENDS_ENGINE = frozenset({"engine", "postgres"})
KILL_SHARE = 0.25
PAUSE_S = (2.0, 6.0)
LASTS_S = (1.0, 8.0)


class Act(msgspec.Struct, frozen=True):
    """A fault of `seconds`, or the kill of a program (`seconds` 0), `at_s` after the start."""

    at_s: float
    name: str
    value: Any = None
    seconds: float = 0.0

    @property
    def is_kill(self) -> bool:
        """Whether this is SIGKILL on a program."""
        return self.seconds == 0.0


def plan_of(seed: int, run_s: float, *, engine_ends: int) -> list[Act]:
    """Acts in order of time, all within `run_s`; at most `engine_ends` of them end the engine."""
    rng = seeded_random(f"chaos/{seed}")
    faults = [fault for fault in VENUE_FAULTS if fault[0] not in TOO_LONG]
    acts: list[Act] = []
    at_s = rng.uniform(*PAUSE_S)
    while at_s < run_s:
        if rng.random() < KILL_SHARE:
            name = rng.choice(KILLED)
            if name not in ENDS_ENGINE or engine_ends > 0:
                engine_ends -= name in ENDS_ENGINE
                acts.append(Act(at_s, name))
        else:
            name, values = rng.choice(faults)
            acts.append(Act(at_s, name, rng.choice(values), rng.uniform(*LASTS_S)))
        at_s += rng.uniform(*PAUSE_S)
    return acts
