"""The policies an ablation compares: the full desk, and desks that lack one part of it.

Only the ablation uses these; the desk that trades has no such switches. Pure; called by
`ablation` (all of them) and `grid` (the reference configuration).

What a fixed size is. Domain, "optimal size", compares sizes on the same opportunities: at a
snapshot the full desk earns π(x*), a desk that knows one size earns π(N) if N clears, else
nothing. So `fixed N USD` meets the decisions of the full system, one a window, and changes
only the size; N clears when π(N) reaches max(min_profit, min_edge_bps · N), which is the
page's definition of an opportunity where N is the only feasible size (the full desk pays the
same minimum edge, inside its walk). `waits for N USD` differs in a second thing: a size that
does not clear yet looks again at every tick of the window, so that it also picks its moment,
which the full desk, firing at the first moment that pays, does not. What is won by picking
moments shows in `three looks a window`, the full desk that may decide again once its own
fills are seen. The best fixed size is the best in hindsight on the very markets reported,
which favours it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from feeds.market.spec import MarketSpec
from trading.backtest.desk import DeskSetup, Reshape
from trading.backtest.parameters import setup_from
from trading.backtest.reshaping import FixedSize, PercentSlippage
from trading.backtest.simulated import opening_balances
from trading.engine.engine_state import EngineModel

FULL = "full system"
FIXED, WAITING = "fixed", "waits for"
FIXED_SIZES_USD = (5_000, 10_000, 15_000, 17_500, 20_000, 25_000)
WAITING_SIZES_USD = (15_000, 20_000, 25_000, 30_000)
# The reference configuration of these studies: depth and inventory bound the size, not a cap
# on a trade or a day (which would stop the best policy first); a swap may tip. One decision
# a window, whatever a desk is configured with: a second one would follow from the first size.
REFERENCE = {
    "fee_tier": "10",
    "max_notional_usd": "100000",
    "tip_lamports": "200000",
    "daily_notional_cap_usd": "1000000000",
    "daily_trades_cap": "1000000",
    "intents_per_window": "1",
}
# Opening inventory in multiples of the demonstration desk's $50k an asset and venue: so much
# that sizing is what is compared. What rebalancing is worth is asked of the small desk.
_INVENTORY = 10
# As often as a window has ticks.
_ALWAYS = "10000"
# Limits so loose that no gate that reads one ever refuses.
_NO_GATES = {
    "min_edge_bps": "0",
    "min_profit_usd": "0.000001",
    "haircut_bps": "0",
    "max_frame_age_ms": "1000000000",
    "max_slot_lag": "30000",
    "daily_loss_cap_usd": "1000000000000",
}
_OPEN_MODEL = EngineModel(max_balances_age_ms=10**12, max_fees_age_ms=10**12, max_gap_bps=1e9)


def policies(specs: dict[str, MarketSpec]) -> list[tuple[DeskSetup, Reshape | None]]:
    """Every policy with the change it makes to an intent."""
    taker = Decimal(REFERENCE["fee_tier"]) / 10_000

    def setup(label: str, times: int = _INVENTORY, **changes: Any) -> DeskSetup:
        kraken, solana = inventory(times)
        return setup_from(
            {**REFERENCE, **changes}, specs, kraken=kraken, solana=solana, label=label
        )

    ungated: dict[str, Any] = dict(_NO_GATES)
    loose = msgspec.structs.replace(setup("no gates", **ungated), engine_model=_OPEN_MODEL)
    return [
        (setup(FULL), None),
        *(
            (setup(f"{FIXED} {size} USD"), FixedSize(Decimal(size), taker))
            for size in FIXED_SIZES_USD
        ),
        *(
            (
                setup(f"{WAITING} {size} USD", intents_per_window=_ALWAYS),
                FixedSize(Decimal(size), taker),
            )
            for size in WAITING_SIZES_USD
        ),
        (setup("three looks a window", intents_per_window="3"), None),
        (setup("always concurrent", leg_order="concurrent"), None),
        (setup("1 % slippage", slippage_cap_bps="100"), PercentSlippage(100)),
        (loose, None),
        (setup("small inventory", 1), None),
        (setup("small, no rebalancing", 1, rebalancing="off"), None),
    ]


def inventory(times: int = _INVENTORY) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Opening balances (Kraken, chain): the simulated desk's, `times` over."""
    kraken, solana = opening_balances()
    return (
        {asset: amount * times for asset, amount in kraken.items()},
        {asset: amount * times for asset, amount in solana.items()},
    )
