"""The residual risk in one number: what one leg without the other can cost at worst.

Concurrent trades x their largest notional x how far the market may move against us while
the chain's outcome is being proven. Pure; every input travels with the answer, because the
number is a model's. Called by `trading.risk_selectors`. Not here: the cap that bounds it
(`risk.desk_limits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Final, Literal

import msgspec

from feeds.market.spec import DIRECTIONS

# The database takes one unsettled trade per asset and direction.
TRADES_PER_ASSET: Final = len(DIRECTIONS)
# A swap that never lands: its 40 blocks of life, then finality of what proves it.
MODEL_PROOF_S: Final = 30.0
# Domain: 80 % a year is 0.9 bps a slot. Three of them are passed in one of 700 such waits.
VOLATILITY_PCT_YEAR: Final = 80.0
SIGMAS: Final = 3.0
_YEAR_S: Final = 365.25 * 86_400


class AssetAtRisk(msgspec.Struct, frozen=True):
    """One enabled asset and the most that one trade of it may be, USD."""

    asset: str
    max_notional_usd: Decimal


class WorstCase(msgspec.Struct, frozen=True):
    """The number and what it was made from; money as text, in USD.

    `usd` is the most with everything the limits allow open at once, `now_usd` with what is
    open now. `bound_by` tells whether the assets' limits or the desk's end the notional.
    `proof_source` is "measured" where the longest wait of the last month was beyond the
    model's.
    """

    usd: str
    now_usd: str
    concurrent_trades: int
    notional_usd: str
    bound_by: Literal["assets", "desk_open"]
    adverse_bps: float
    proof_s: float
    proof_source: Literal["model", "measured"]
    volatility_pct_year: float
    sigmas: float


def worst_case(
    assets: Sequence[AssetAtRisk],
    *,
    max_open_usd: Decimal,
    open_usd: Decimal,
    longest_naked_s: float,
) -> WorstCase:
    """Work the number out; rounded up to a cent, so that it never reads too low."""
    by_assets = sum(
        (TRADES_PER_ASSET * asset.max_notional_usd for asset in assets), start=Decimal(0)
    )
    notional = min(by_assets, max_open_usd)
    is_measured = longest_naked_s > MODEL_PROOF_S
    proof_s = longest_naked_s if is_measured else MODEL_PROOF_S
    move_bps = adverse_bps(proof_s)
    return WorstCase(
        usd=_usd(notional, move_bps),
        now_usd=_usd(open_usd, move_bps),
        concurrent_trades=TRADES_PER_ASSET * len(assets),
        notional_usd=f"{notional:.2f}",
        bound_by="desk_open" if max_open_usd < by_assets else "assets",
        adverse_bps=move_bps,
        proof_s=proof_s,
        proof_source="measured" if is_measured else "model",
        volatility_pct_year=VOLATILITY_PCT_YEAR,
        sigmas=SIGMAS,
    )


def adverse_bps(seconds: float) -> float:
    """How far a price may move within `seconds`, bps: so many sigmas of a random walk."""
    return float(SIGMAS * VOLATILITY_PCT_YEAR * 100 * (seconds / _YEAR_S) ** 0.5)


def _usd(notional: Decimal, move_bps: float) -> str:
    exact = notional * Decimal(repr(move_bps)) / 10_000
    return str(exact.quantize(Decimal("0.01"), ROUND_CEILING))
