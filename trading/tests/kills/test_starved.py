"""An engine process without file descriptors: it fails at once and leaves nothing behind."""

from __future__ import annotations

import pytest

from trading.tests.kills.house import House, in_house

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
# Enough for the interpreter and its loop, too few for a database and two venues.
FEW_FILES = 7


def test_without_descriptors_it_fails_fast_and_the_next_one_trades(desk_url: str) -> None:
    """Fault 58."""

    async def body(house: House) -> None:
        intent = house.scene.intent(order_deadline_ms=8_000)
        starved = await house.engine(intent=intent, open_files=FEW_FILES)
        assert await starved.until_over() not in (0, None)
        assert house.orders == 0
        fed = await house.engine(intent=intent)
        await fed.until("idle")
        assert house.orders == 1
        await house.judge()

    in_house(desk_url, "starved", body)
