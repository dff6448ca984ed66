"""Stops an asset whose data says what cannot be for longer than a glitch.

Clocks that differ, dollars off their peg, a gap between the venues that never closes.

The gates refuse the single decision at once; what lasts becomes HEDGE-ONLY with an
incident, which a person lifts. One watch per asset, driven by the timer; pure. Called by
the engine. Not here: silence (`staleness`), data the feeds themselves refuse.
"""

from __future__ import annotations

from typing import Final

from risk.gates import GateLimits, GateState
from trading.effects import RequestStop
from trading.inputs import ModeApplied

CLOCK_RULE: Final = "clock_skew"
DEPEG_RULE: Final = "depeg"
BASIS_RULE: Final = "standing_basis"
_RULES: Final = (CLOCK_RULE, DEPEG_RULE, BASIS_RULE)
# A single delayed answer or a lone order far from the market is over by then.
LASTS_NS: Final = 3_000_000_000


class IntegrityWatch:
    """Watches what the gates compare, for one asset."""

    __slots__ = ("_asked", "_asset", "_since")

    def __init__(self, asset: str) -> None:
        self._asset = asset
        self._since: dict[str, int] = {}
        # Rules asked for or seen in force.
        self._asked: set[str] = set()

    def apply(self, row: ModeApplied) -> None:
        """Learn what is in force: lifted while the data is still bad, it is asked for again."""
        if row.rule in _RULES:
            self._asked.add(row.rule)
        else:
            self._asked.clear()

    def check(self, state: GateState, limits: GateLimits, at_ns: int) -> list[RequestStop]:
        """Judge at a timer beat; each stop is asked for once until it is answered."""
        faults = (_clock_fault(state, limits), _depeg(state, limits), _basis(state))
        stops = []
        for rule, fault in zip(_RULES, faults, strict=True):
            if fault is None:
                self._since.pop(rule, None)
                continue
            since_ns = self._since.setdefault(rule, at_ns)
            if at_ns - since_ns >= LASTS_NS and rule not in self._asked:
                self._asked.add(rule)
                text, value, limit = fault
                stops.append(RequestStop(self._asset, rule, text, value, limit, at_ns))
        return stops


def _clock_fault(state: GateState, limits: GateLimits) -> tuple[str, str, str] | None:
    for name, skew_ms, limit_ms in (
        ("Kraken", state.kraken_skew_ms, limits.max_kraken_skew_ms),
        ("Solana", state.solana_skew_ms, limits.max_solana_skew_ms),
    ):
        if skew_ms is not None and abs(skew_ms) > limit_ms:
            text = f"This machine's clock differs from {name}'s"
            return text, f"{skew_ms:+.0f} ms", f"{limit_ms:g} ms"
    return None


def _depeg(state: GateState, limits: GateLimits) -> tuple[str, str, str] | None:
    for asset, bps in state.depegs:
        limit = limits.max_depeg_bps.get(asset, 0.0)
        # Without a mark it is the book's fault, and the feed says so.
        if limit < abs(bps) < float("inf"):
            return f"{asset} is off its dollar", f"{bps:+.0f} bps", f"{limit:g} bps"
    return None


def _basis(state: GateState) -> tuple[str, str, str] | None:
    if not state.standing_basis:
        return None
    # A bridged token, suspended withdrawals, a wrong market: a person has to look.
    return "A one-signed gap between the venues does not close", state.standing_basis, "none"
