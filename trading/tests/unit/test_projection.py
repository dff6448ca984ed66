"""What is free of the balances follows every promise, release and reading at once."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from trading.engine.projection import Reservation, Reservations

from .desk import START_NS, holdings

KEY = UUID(int=1)


def test_free_money_follows_promises_and_readings() -> None:
    free = Reservations()
    assert free.kraken_free("USD") is None
    assert free.solana_free("SOL") is None
    free.take_holdings(holdings(START_NS))
    assert (free.kraken_free("USD"), free.solana_free("SOL")) == (Decimal(150_000), 10**12)
    free.hold(KEY, Reservation("USD", Decimal(1_000), "SOL", 10**9))
    assert (free.kraken_free("USD"), free.solana_free("SOL")) == (Decimal(149_000), 999 * 10**9)
    # Over, but balances read before that do not show it yet.
    free.release(KEY, START_NS + 5)
    free.take_holdings(holdings(START_NS + 4, kraken={"USD": Decimal(149_500)}))
    assert free.kraken_free("USD") == Decimal(148_500)
    free.take_holdings(holdings(START_NS + 6, kraken={"USD": Decimal(149_000)}))
    assert (free.kraken_free("USD"), free.kraken_free("EUR")) == (Decimal(149_000), Decimal(0))
    assert free.solana_free("SOL") == 10**12
