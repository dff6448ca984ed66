"""When a moment needs no exact pricing: what was decided on an open window still stands.

Pricing in decimals costs more than everything else on a tick, and most ticks of an open
window move its worth by a hair after its intents are used up, or while the same gate
refuses. Such a tick is only counted. Pure; called by `decision` and `board`. Not here: the
walk that gives the worth (`evaluation.find_size`), the window (`windows`), the gates.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from risk.gates import GATES, Candidate
from trading.engine.evaluation import Sized
from trading.engine.terms import Terms

# How far the worth may move, as a part of the value, before it is priced again: so much
# may a window's peak, its size and its value over time be off.
_BAND: Final = 0.02

# A trade that nothing but the desk's state could refuse: asks the gates about the state.
PROBE: Final = Candidate(
    asset="",
    size_lots=1,
    min_lots=1,
    size_cost=Decimal(1),
    min_cost=Decimal(0),
    limited_by="",
    notional_usd=Decimal(0),
    decision_value_usd=Decimal(10**12),
    landed_value_usd=Decimal(10**12),
    p_land=1.0,
    gross_bps=0.0,
    window_intents=-1,
)
_NAMES: Final = tuple(name for name, _ in GATES)
# Asked before anything that depends on the size: their refusal needs no price.
STATE_GATES: Final = frozenset(_NAMES[: _NAMES.index("window_intents")])
# Their refusal stands until the value has grown.
VALUE_GATES: Final = frozenset({"landing", "min_profit"})


class Anchor(msgspec.Struct, frozen=True):
    """The last exact pricing of an open window, the walk's worth and the refusal then."""

    window_id: UUID
    terms: Terms
    worth_usd: float
    sized: Sized
    refusal: tuple[str, str, str] | None

    def holds(self, window_id: UUID, terms: Terms, worth_usd: float, close_usd: float) -> bool:
        """Whether pricing again could neither end the window nor move its row by much.

        A value moves at most as far as the worth it is a part of; twice that is kept from
        `close_usd`, below which the window ends.
        """
        if window_id != self.window_id or terms is not self.terms:
            return False
        moved = abs(worth_usd - self.worth_usd)
        value = float(self.sized.landed_value_usd)
        return moved <= _BAND * value and value - 2 * moved > close_usd

    def is_too_poor(self, worth_usd: float, least_usd: float) -> bool:
        """Whether the value that decides stays below `least_usd`, at our odds, for sure."""
        gain = max(0.0, worth_usd - self.worth_usd)
        return float(self.sized.pnl.decision_value) + 2 * gain < least_usd
