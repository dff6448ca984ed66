"""One seed's story before it is told: what happens to the desk, and when.

Pure drawing from one random stream; the same seed gives the same script for ever. Not
here: doing any of it (`desk`).
"""

from __future__ import annotations

from random import Random
from typing import Any, Literal

import msgspec

from arbsite.clock import seeded_random

Kind = Literal[
    "edge", "fair", "book", "pool", "fault", "outage", "slow", "read_only", "lost_answers",
    "die_now", "die_at_act", "second_engine", "pause_process", "control", "config", "clock",
]  # fmt: skip

# After an opportunity: before anything left, between the legs, around landing, confirmation,
# finality (13 s), and expiry.
MOMENTS_S = (0.0, 0.005, 0.012, 0.03, 0.08, 0.2, 0.45, 0.6, 0.9, 1.5, 3.0, 8.0, 14.0)
LEG_ORDERS = ("auto", "concurrent", "dex_first", "cex_first")
# Knob, what it may be set to. Shots act once; the others fall back after some seconds.
VENUE_FAULTS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("kraken.stall", (True,)),
    ("kraken.heartbeat_only", (True,)),
    ("kraken.silent_after_ack", (True,)),
    ("kraken.drop_sockets", (True,)),
    ("kraken.executions_first_p", (1.0, 0.5)),
    ("kraken.duplicate_execution_p", (1.0, 0.5)),
    ("kraken.sequence_gap", (True,)),
    ("kraken.ack_lost_placed_p", (1.0, 0.5)),
    ("kraken.ack_lost_not_placed_p", (1.0, 0.5)),
    ("kraken.service_busy_p", (1.0, 0.5)),
    ("kraken.zero_fill_p", (1.0, 0.5)),
    ("kraken.partial_p", (1.0, 0.5)),
    ("kraken.html_502_p", (1.0, 0.4)),
    ("kraken.expire_tokens", (True,)),
    ("kraken.rate_limited_p", (0.5,)),
    ("kraken.invalid_nonce_p", (0.5,)),
    ("kraken.key_revoked", (True,)),
    ("kraken.visibility_lag_s", (1.0, 2.5, 6.0)),
    ("kraken.system_status", ("maintenance", "cancel_only", "post_only")),
    ("kraken.pair_status", ({"SOL/USD": "cancel_only"},)),
    ("solana.stall", (True,)),
    ("solana.drop_sockets", (True,)),
    ("solana.node_b_lag_slots", (3, 20)),
    ("solana.land_p", (0.0, 0.3)),
    ("solana.fail_next", (True,)),
    ("solana.drop_tx_p", (1.0, 0.5)),
    ("solana.rpc_429_p", (0.3,)),
    ("solana.rpc_timeout_p", (0.3,)),
    ("solana.notice_delay_ms", (800.0,)),
    ("solana.fork", (True,)),
)
DATABASE_FAULTS: tuple[Kind, ...] = ("outage", "slow", "read_only", "lost_answers")
CONTROLS = ("stop_new", "halt", "hedge_only", "observe", "live", "live")


class Act(msgspec.Struct, frozen=True):
    """One thing that happens, `at_s` after the start. `what` depends on the kind."""

    at_s: float
    kind: Kind
    what: str = ""
    value: Any = None
    seconds: float = 0.0


class Script(msgspec.Struct, frozen=True):
    """A whole story: settings of the desk, then acts in order of time."""

    seed: int
    leg_order: str
    max_notional_usd: int
    daily_cap_usd: int
    acts: tuple[Act, ...]

    @property
    def end_s(self) -> float:
        """When the last act is over and nothing but the ordinary happens any more."""
        return max(act.at_s + act.seconds for act in self.acts) + 1.0

    def count(self, *kinds: Kind) -> int:
        """How many acts of these kinds there are."""
        return sum(act.kind in kinds for act in self.acts)


def script_of(seed: int) -> Script:
    """Draw the story of a seed: 1-3 opportunities, 0-3 deaths, faults, people."""
    rng = seeded_random(f"proof/{seed}")
    times: list[float] = []
    at_s = rng.uniform(0.2, 0.6)
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        times.append(at_s)
        at_s += rng.choice((2.5, 5.0, 16.0)) + rng.random()
    acts: list[Act] = []
    for opens_s in times:
        acts += _opportunity(rng, opens_s)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        acts.append(_venue_fault(rng, rng.choice(times)))
    if rng.random() < 0.3:
        acts.append(_database_fault(rng, rng.choice(times)))
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        acts.append(_death(rng, rng.choice(times)))
    acts += _rarities(rng, times)
    return Script(
        seed=seed,
        leg_order=rng.choice(LEG_ORDERS),
        max_notional_usd=rng.choice((150, 400, 1500)),
        # Small enough that a second or third trade may meet it.
        daily_cap_usd=rng.choice((1_000_000, 1_000_000, 1_000_000, 700)),
        acts=tuple(sorted(acts, key=lambda act: act.at_s)),
    )


def _opportunity(rng: Random, at_s: float) -> list[Act]:
    """A book that runs away from the pool, in either direction, and comes back."""
    # 150 USD is fair; a percent beyond pays all costs well.
    bid = rng.choice((15_150, 15_180, 14_860, 14_830))
    depth_sol = rng.choice((100.0, 3.0, 0.7))
    lasts_s = rng.choice((0.6, 1.4, 2.2))
    acts = [
        Act(at_s, "edge", value=bid, seconds=depth_sol / 1e3),
        Act(at_s + lasts_s, "fair"),
    ]
    if rng.random() < 0.25:
        # The price moves while the orders are on their way: the limits of a leg are out of
        # reach, or a hedge costs more.
        moved = bid + rng.choice((-120, -60, 60, 120))
        acts.append(Act(at_s + rng.choice((0.005, 0.02, 0.3)), "book", value=moved))
    if rng.random() < 0.15:
        shift_bps = rng.choice((-80, -30, 30, 80))
        acts.append(Act(at_s + rng.choice((0.01, 0.2)), "pool", value=shift_bps))
    return acts


def _venue_fault(rng: Random, opens_s: float) -> Act:
    name, values = rng.choice(VENUE_FAULTS)
    at_s = max(0.0, opens_s + rng.choice((-0.4, -0.05, 0.0, 0.02, 0.3, 1.0)))
    return Act(at_s, "fault", name, rng.choice(values), rng.choice((0.4, 2.0, 6.0, 12.0)))


def _database_fault(rng: Random, opens_s: float) -> Act:
    kind = rng.choice(DATABASE_FAULTS)
    at_s = max(0.0, opens_s + rng.choice((-0.1, 0.0, 0.015, 0.1, 1.0)))
    if kind == "lost_answers":
        return Act(at_s, kind, value=rng.choice((1, 2, 3)))
    delay_s = rng.choice((0.05, 0.3, 1.5))
    return Act(at_s, kind, value=delay_s, seconds=rng.choice((0.5, 3.0, 8.0)))


def _death(rng: Random, opens_s: float) -> Act:
    """At a moment, or at a durable act (just before or after it), recovery's included."""
    if rng.random() < 0.5:
        return Act(opens_s + rng.choice(MOMENTS_S), "die_now")
    is_after = rng.random() < 0.5
    place = "after" if is_after else "before"
    at_s = max(0.0, opens_s + rng.choice((-0.02, 0.0, 0.5, 13.0)))
    return Act(at_s, "die_at_act", place, rng.randint(1, 8))


def _rarities(rng: Random, times: list[float]) -> list[Act]:
    """What happens to few desks: each with its own chance."""
    acts: list[Act] = []

    def soon() -> float:
        return rng.choice(times) + rng.choice(MOMENTS_S)

    if rng.random() < 0.12:
        acts.append(Act(soon(), "second_engine"))
    if rng.random() < 0.10:
        still_s = rng.choice((0.3, 5.0))
        acts.append(Act(soon(), "pause_process", value=rng.randint(1, 6), seconds=still_s))
    if rng.random() < 0.20:
        modes = rng.sample(CONTROLS, rng.choice((1, 2)))
        acts += [Act(soon(), "control", mode, rng.choice((0.0, 0.05, 0.9))) for mode in modes]
    if rng.random() < 0.10:
        acts.append(Act(soon(), "config", rng.choice(LEG_ORDERS), rng.choice((0.0, 0.9))))
    if rng.random() < 0.08:
        acts.append(Act(soon(), "clock", value=rng.choice((-6.0, -0.4, 0.4, 6.0)), seconds=4.0))
    return acts
