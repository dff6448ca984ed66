"""The engine and the limits of the whole desk: they shape the size, then refuse by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from risk.candidate import DeskRoom
from trading.engine.projection import fee_bound_lamports
from trading.inputs import DeskUsage

from .desk import FAIR, Market, holdings, mode

WIDE = FAIR + 45
# One signature, 200,000 units at 100,000 micro-lamports; a swap and three hedges.
FEES = 4 * (5_000 + 20_000)


def desk(market: Market, *, floor: int = 0, **changes: Any) -> DeskUsage:
    fields = {
        "open_usd": Decimal(0),
        "day_usd": Decimal(0),
        "max_open_usd": Decimal(10**6),
        "daily_cap_usd": Decimal(10**7),
    }
    room = DeskRoom(**{**fields, **changes})
    return DeskUsage(room, fee_floor_lamports=floor, at_ns=market.after(1))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"open_usd": Decimal(10**6 - 300)}, "desk_open"),
        ({"day_usd": Decimal(10**7 - 300)}, "desk_daily"),
    ],
)
def test_what_is_left_of_the_desk_shapes_the_size_and_then_refuses(
    changes: dict[str, Decimal], name: str
) -> None:
    market = Market(intents_per_window=2, daily_notional_cap_usd=Decimal(10**9))
    market.tell(desk(market, **changes))
    market.book(WIDE)
    (intent,) = market.intents
    assert intent.limited_by == name
    assert Decimal(299) < intent.notional_usd <= 300
    # Counted before the database's own sum is read again.
    market.close_trade(intent)
    market.pool(slot=1002)
    market.book(WIDE + 1)
    assert len(market.intents) == 1
    assert market.engine.state.desk is not None
    assert market.engine.state.desk.room.tightest[0] < 1


def test_a_full_desk_stops_every_asset_until_it_has_room_again() -> None:
    market = Market()
    market.tell(desk(market, open_usd=Decimal(10**6)))
    market.book(WIDE)
    note = market.notes[-1]
    assert (note.decision, note.gate) == ("refused", "min_size")
    assert "desk_open" in note.gate_value
    assert not market.intents
    market.tell(desk(market))
    market.book(WIDE + 1)
    assert len(market.intents) == 1


def test_a_rehearsal_uses_nothing_of_the_desk() -> None:
    market = Market()
    market.tell(desk(market, open_usd=Decimal(10**6)))
    market.tell(mode(market.after(1), "paper", version=2))
    state = market.engine.state
    assert state.desk_room_of("SOL") is None
    assert state.fee_lamports_free("SOL") is None


@pytest.mark.parametrize(("above", "is_enough"), [(FEES, True), (FEES - 1, False)])
def test_a_wallet_must_hold_the_fees_of_every_swap_above_its_floor(
    above: int, is_enough: bool
) -> None:
    market = Market()
    floor = 50_000_000
    market.tell(holdings(market.after(1), lamports=floor + above))
    market.tell(desk(market, floor=floor))
    market.book(WIDE)
    assert len(market.intents) == is_enough
    if is_enough:
        assert market.engine.state.reservations.lamports_free == floor
    else:
        note = market.notes[-1]
        assert note.gate == "fee_sol"
        assert (note.gate_value, note.gate_limit) == (
            "0.000100000 SOL needed",
            "0.000099999 SOL above the floor",
        )


def test_the_bound_counts_priority_up_and_no_swap_below_the_prior_limit() -> None:
    assert fee_bound_lamports(0, 100_000, 7, swaps=1) == 5_000 + 20_000 + 7
    assert fee_bound_lamports(300_001, 100_000, 0, swaps=2) == 2 * (5_000 + 30_001)
