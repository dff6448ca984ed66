"""How each mode is left, and what it lets the treasury do: two columns of the mode table.

Pure; the table itself is the domain's. Callers: `risk.services` (who may resume),
`risk.selectors` and the admin (what a person reads), whatever plans transfers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from arbsite.events import Mode

# Trips that lift themselves when the data is clean again (domain: ages and pauses).
SELF_CLEARING: Final = frozenset({"kraken_stale", "solana_stale"})
# After one of these, going on is a decision that nobody takes alone.
LOSS_RULES: Final = frozenset({"daily_loss"})

Leaves = Literal["", "by_itself", "operator", "second_person", "second_factor", "admin"]
Rebalances = Literal["planned_only", "by_mode", "no"]

WORDS: Final[dict[Leaves, str]] = {
    "": "nothing to leave",
    "by_itself": "by itself after 30 s of clean data",
    "operator": "an operator, with a reason",
    "second_person": "two people, each with a second factor and a reason",
    "second_factor": "an operator with a second factor, the preflight green",
    "admin": "an admin with a second factor, who types the incident's number",
}
# A paper desk moves nothing real; a stopped one may need its balances where they are.
REBALANCES: Final[dict[Mode, Rebalances]] = {
    "observe": "planned_only",
    "paper": "no",
    "live": "by_mode",
    "hedge_only": "no",
    "stop_new": "no",
    "halt": "no",
}


def leaves_by(set_mode: Mode, rules: Collection[str]) -> Leaves:
    """What ends the strictest thing that holds a scope: what people set, then its trips."""
    if set_mode == "halt":
        return "admin"
    standing = frozenset(rules)
    if standing & LOSS_RULES:
        return "second_person"
    if set_mode == "stop_new" or standing - SELF_CLEARING:
        return "operator"
    if standing:
        return "by_itself"
    return {"observe": "second_factor", "paper": "operator"}.get(set_mode, "")  # type: ignore[return-value]


def may_plan_transfer(mode: Mode) -> bool:
    """Whether a transfer between the venues may be planned and shown in this mode."""
    return REBALANCES[mode] != "no"


def may_start_transfer(mode: Mode, *, is_treasury_on: bool) -> bool:
    """Whether a planned transfer may leave; `is_treasury_on` is the treasury's own mode."""
    return REBALANCES[mode] == "by_mode" and is_treasury_on
