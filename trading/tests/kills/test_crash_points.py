"""SIGKILL on a real engine process at every point of the crash matrix (execution §7).

Each row: where the processes die one after the other, what the venues do meanwhile, and
what is left when the next engine has finished. The judge then compares every order, fill,
swap, ledger line and residual with the venues' truth. `SPREADLINE_KILL_SEEDS=N` repeats
the matrix over N seeds of the venues (default 1).
"""

from __future__ import annotations

import os
import signal
from typing import Any

import msgspec
import pytest

from trading.intent import LegOrder
from trading.tests.kills.house import House, in_house

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
SEEDS = range(int(os.environ.get("SPREADLINE_KILL_SEEDS", "1")))
DEADLINE_MS = 8_000


class Crash(msgspec.Struct, frozen=True):
    """One row: `places` of the successive deaths, a venue fault, the attempts at the end."""

    name: str
    places: tuple[str, ...]
    attempts: dict[str, str]
    order: LegOrder = "concurrent"
    fault: tuple[str, Any] | None = None
    orders: int = 1


BOTH = {"cex#1": "done", "dex#1": "done"}
HEDGED = {**BOTH, "hedge#1": "done"}
FAILS = ("solana.fail_next", True)
# A swap that the restarted engine may still send lands; the order never does.
UNSENT = {"cex#1": "dead", "dex#1": "done", "hedge#1": "done"}
# Never sent an old signal: the swap that did leave is hedged.
STALE = {"cex#1": "stale", "dex#1": "done", "hedge#1": "done"}
CRASHES = [
    Crash("1 before the intent", ("intent:before",), {}, orders=0),
    Crash("1 intent begun", ("intent:begun",), {}, orders=0),
    Crash("1 intent not committed", ("intent:uncommitted",), {}, orders=0),
    Crash("2 planned, not sending", ("commit:sending:before",), STALE, order="dex_first"),
    Crash("3 sending, nothing written", ("intent:after",), UNSENT),
    Crash("4 half a frame written", ("order:1:torn",), UNSENT),
    Crash("4 written, no reply", ("order:1:after",), BOTH),
    Crash("5 reply received, not stored", ("reply:1",), BOTH),
    Crash("6 one leg sent, the other not", ("swap:1:before",), BOTH, order="cex_first"),
    Crash("7 before the fills are stored", ("commit:fills:before",), BOTH),
    Crash("7 after the fills are stored", ("commit:fills:after",), BOTH),
    Crash("8 swap sent, no status", ("swap:1:after",), STALE, order="dex_first"),
    Crash(
        "9 expired, not yet dead", ("commit:dead:before",),
        {"cex#1": "stale", "dex#1": "dead"}, order="dex_first",
        fault=("solana.land_p", 0.0), orders=0,
    ),
    Crash("10 before the hedge", ("commit:hedge:before",), HEDGED, fault=FAILS, orders=2),
    Crash(
        "10 after the hedge", ("commit:hedge:after",),
        {**BOTH, "hedge#1": "dead", "hedge#2": "done"}, fault=FAILS, orders=2,
    ),
    Crash("11 hedge sent, no reply", ("order:2:after",), HEDGED, fault=FAILS, orders=2),
    Crash("12 before the close", ("commit:closed:before",), BOTH),
    Crash("12 closed, message not marked", ("commit:closed:after",), BOTH),
    Crash("13 during recovery", ("reply:1", "commit:any:before", "commit:any:after"), BOTH),
]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: crash.name)
def test_killed_at(desk_url: str, crash: Crash, seed: int) -> None:
    async def body(house: House) -> None:
        if crash.fault is not None:
            house.venues.faults.set(*crash.fault)
        intent = house.scene.intent(crash.order, order_deadline_ms=DEADLINE_MS)
        for number, place in enumerate(crash.places):
            engine = await house.engine(place, intent=None if number else intent)
            assert await engine.until_over() == -signal.SIGKILL, engine.said
        await house.finish()
        assert await house.scene.attempts() == crash.attempts
        assert house.orders == crash.orders

    in_house(desk_url, f"kills/{seed}", body)
