"""Each canary green on a clean venue and red by the fault it exists for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from feeds.market.events import BookUpdated, PoolUpdated
from feeds.sim.faults import FaultValue
from feeds.tests.conformance.venues import SimVenues, run_patient
from risk.inspection import Check, is_green
from trading.engine.feed_state import FeedState
from trading.process import canaries
from trading.process.canaries import EVERY_S, Canaries

NAMES = [
    "clock offset",
    "deadline honoured",
    "nonce",
    "quote against simulation",
    "page delivery",
]


class Cage:
    """Real adapters on quiet venues, and the engine's view of the market."""

    def __init__(self) -> None:
        self.venues = SimVenues()
        self.feeds = FeedState()
        self.kraken = self.venues.kraken_client(lambda _: None)
        self.solana = self.venues.solana_client(lambda _: None)
        self.birds = Canaries(
            self.kraken,
            self.solana,
            {"SOL": self.venues.spec},
            self.feeds,
            self.venues.clock,
        )
        self.tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        self.venues.start()
        await asyncio.sleep(2)
        self.tasks = [asyncio.create_task(one.run()) for one in (self.kraken, self.solana)]
        while not (self.kraken.is_ready and self.solana.is_ready):
            await asyncio.sleep(0.05)
        self.see_market()

    def see_market(self) -> None:
        spec, now = self.venues.spec, self.venues.clock.now_ns()
        bids, asks = self.venues.exchange.levels(spec.cex_symbol)
        book = BookUpdated(
            spec.cex_symbol, tuple(bids), tuple(asks),
            spec.price_precision, spec.qty_precision, 1, now, now,
        )  # fmt: skip
        self.feeds.take_book(book)
        state = self.venues.chain.bank.pool(spec.pool)
        self.feeds.take_pool(PoolUpdated(spec.pool, state.slot + 1, state, now), spec.base_is_a)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.venues.stop()


def caged(body: Callable[[Cage], Coroutine[Any, Any, None]]) -> None:
    async def live() -> None:
        cage = Cage()
        try:
            await cage.open()
            await body(cage)
        finally:
            await cage.close()

    run_patient(live())


def red(checks: Sequence[Check]) -> list[str]:
    return [check.name for check in checks if not check.is_green]


def test_all_are_green_on_clean_venues_and_nothing_is_traded() -> None:
    async def story(cage: Cage) -> None:
        before = cage.venues.true_sums()
        checks = await cage.birds.look()
        assert [check.name for check in checks] == NAMES
        assert red(checks) == [], checks
        assert cage.venues.exchange.accounts.orders == {}
        assert cage.venues.true_sums() == before

    caged(story)


@pytest.mark.parametrize(
    ("knob", "value", "expected"),
    [
        ("kraken.clock_off_s", 5.0, "clock offset"),
        ("kraken.deadline_ignored", True, "deadline honoured"),
        ("solana.simulation_off_raw", 1, "quote against simulation"),
    ],
)
def test_each_is_red_by_its_fault_alone(knob: str, value: FaultValue, expected: str) -> None:
    async def story(cage: Cage) -> None:
        cage.venues.faults.set(knob, value)
        checks = await cage.birds.look()
        assert red(checks) == [expected]
        assert all(check.remedy for check in checks if not check.is_green)

    caged(story)


def test_a_nonce_that_is_refused_is_red_and_so_is_all_that_hangs_on_the_key() -> None:
    async def story(cage: Cage) -> None:
        cage.venues.faults.set("kraken.invalid_nonce_p", 1.0)
        reds = red(await cage.birds.look())
        assert "nonce" in reds
        assert "quote against simulation" not in reds

    caged(story)


def test_a_key_that_is_refused_takes_no_two_calls_either() -> None:
    async def story(cage: Cage) -> None:
        cage.venues.faults.set("kraken.key_revoked", True)
        assert "nonce" in red(await cage.birds.look())

    caged(story)


def test_an_order_with_an_ignored_deadline_could_not_have_filled() -> None:
    async def story(cage: Cage) -> None:
        cage.venues.faults.set("kraken.deadline_ignored", True)
        await cage.birds.look()
        (order,) = cage.venues.exchange.accounts.orders.values()
        assert (order.filled_qty, order.is_open) == (0, False)

    caged(story)


def test_a_page_that_nobody_writes_down_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(cage: Cage) -> None:
        logger = logging.getLogger(canaries.__name__)
        monkeypatch.setattr(logger, "propagate", False)
        assert red(await cage.birds.look()) == ["page delivery"]

    caged(story)


def test_they_are_tried_at_the_start_and_daily_and_a_red_one_is_obeyed() -> None:
    async def story(cage: Cage) -> None:
        stored: list[bool] = []
        obeyed: list[str] = []

        async def record(checks: Sequence[Check]) -> None:
            stored.append(is_green(checks))

        async def obey(words: str) -> None:
            obeyed.append(words)

        cage.tasks.append(asyncio.create_task(cage.birds.keep(record, obey)))
        await asyncio.sleep(10)
        assert (stored, obeyed) == ([True], [])
        cage.venues.faults.set("kraken.clock_off_s", 60.0)
        # Not a day of slots: the second round is asked for by hand.
        assert EVERY_S == 86_400
        cage.tasks.append(asyncio.create_task(cage.birds.keep(record, obey)))
        await asyncio.sleep(10)
        assert stored == [True, False]
        assert obeyed[0].startswith("clock offset: ")

    caged(story)
