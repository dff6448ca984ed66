"""What an intent may take from balances that other shards spend too. Pure.

The engine keeps its own trades apart in memory (`trading.engine.projection`); across processes
only rows that all shards lock can, so the executor hands these to the intent's transaction.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trading.engine.projection import reservation_of
from trading.intent import Intent

# No taker fee is above this; it only has to be enough.
TAKER_BOUND = Decimal("0.01")
# The wallet's native SOL, which pays for landing; not the SOL that is traded.
FEE_SOL = "fee SOL"


class Funds(msgspec.Struct, frozen=True):
    """Balances of both venues, complete as of `known_ns`; chain amounts raw.

    `fee_lamports` is native SOL above the floor that the desk keeps; negative below it.
    """

    kraken: dict[str, Decimal]
    solana_raw: dict[str, int]
    fee_lamports: int
    known_ns: int


class Need(msgspec.Struct, frozen=True):
    """What one intent may take of one balance, and what that balance was (same unit)."""

    venue: str
    asset: str
    amount: Decimal
    free: Decimal
    known_ns: int


def needs_of(intent: Intent, funds: Funds, swaps: int) -> tuple[Need, ...]:
    """One need per venue: the most the intent can spend there; and the fees of its `swaps`."""
    most = reservation_of(intent, TAKER_BOUND, swaps)
    return (
        Need(
            "kraken",
            most.kraken_asset,
            most.kraken_amount,
            funds.kraken.get(most.kraken_asset, Decimal(0)),
            funds.known_ns,
        ),
        Need(
            "solana",
            most.solana_asset,
            Decimal(most.solana_raw),
            Decimal(funds.solana_raw.get(most.solana_asset, 0)),
            funds.known_ns,
        ),
        Need(
            "solana",
            FEE_SOL,
            Decimal(most.fee_lamports),
            Decimal(funds.fee_lamports),
            funds.known_ns,
        ),
    )
