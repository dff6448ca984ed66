"""What a start and a running engine ask of Kraken's private REST, whose counter allows little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from arbsite.errors import QueryFailed
from feeds.tests.conformance.venues import SimVenues, run_patient
from feeds.venues.base import CexBalance, CexOrder, CexTrading, TokenBalance
from feeds.venues.kraken.rest import KrakenRest
from trading.execution.recovery import LOOK_BACK_NS, reconcile_fills
from trading.inputs import FeesKnown
from trading.process.holdings import Holdings
from trading.process.venue_reads import VenueReads
from trading.tests.stories.desk import Scene, tell


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The private endpoints asked, in order."""
    asked: list[str] = []
    ask = KrakenRest.private

    async def private(rest: KrakenRest, endpoint: str, *args: Any, **options: Any) -> bytes:
        asked.append(endpoint)
        return await ask(rest, endpoint, *args, **options)

    monkeypatch.setattr(KrakenRest, "private", private)
    return asked


def test_a_start_compares_fills_by_its_snapshot_where_that_reaches_back(
    desk_url: str, calls: list[str]
) -> None:
    async def body(scene: Scene) -> None:
        engine = await scene.engine()
        assert calls == ["GetWebSocketsToken", "TradesHistory"]
        await engine.executor.execute(scene.intent())
        await engine.until_idle()
        # A fill from before the look-back proves that none since can be missing.
        await asyncio.sleep(130)
        await engine.kill()
        calls.clear()
        await scene.engine()
        assert calls == ["GetWebSocketsToken"]

    run_patient(tell(desk_url, body))


def test_the_fills_of_a_snapshot_are_compared_as_records_are(
    desk_url: str, calls: list[str]
) -> None:
    async def body(scene: Scene) -> None:
        engine = await scene.engine()
        await engine.executor.execute(scene.intent())
        await engine.until_idle()
        await engine.kill()
        await asyncio.sleep(130)
        (by_hand,) = await place_by_hand(scene)
        heir = await scene.engine()
        # Its stream's first word asks for the records, once.
        await asyncio.sleep(1)
        calls.clear()
        since_ns = scene.venues.clock.now_ns() - LOOK_BACK_NS
        for is_start in (True, False):
            strays = await reconcile_fills(
                heir.store, heir.executor, heir.kraken, since_ns=since_ns, is_start=is_start
            )
            assert strays == {by_hand}
        assert calls == ["TradesHistory"]
        # The ledger lacks what a hand did, as it should.
        scene.is_audited = False

    run_patient(tell(desk_url, body))


async def place_by_hand(scene: Scene) -> list[str]:
    """Trade on the account beside the engine; the venue's ids of the orders."""
    client = scene.venues.kraken_client(lambda _: None)
    running = asyncio.create_task(client.run())
    while not client.is_ready:
        await asyncio.sleep(0.05)
    deadline_ns = scene.venues.clock.now_ns() + 10**9
    order = CexOrder("by hand", "SOL/USD", "sell", Decimal("0.5"), Decimal("151.50"), deadline_ns)
    scene.venues.quote()
    ack = await client.submit(order)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return [ack.order_id]


class Held:
    """Holdings over real adapters on quiet venues."""

    def __init__(self) -> None:
        self.venues = SimVenues()
        self.kraken: CexTrading = self.venues.kraken_client(self._hear)
        self.solana = self.venues.solana_client(self._hear)
        self.told: list[Any] = []
        self.holdings = Holdings(
            [self.venues.spec], self.kraken, self.solana, self.venues.clock, self.told.append
        )

    def _hear(self, event: Any) -> None:
        if isinstance(event, CexBalance | TokenBalance):
            self.holdings.see(event)

    @property
    def true(self) -> dict[str, Decimal]:
        return self.venues.exchange.balances(self.venues.credentials.kraken_key)

    async def sell(self) -> None:
        now_ns = self.venues.clock.now_ns()
        order = CexOrder(
            str(UUID(int=now_ns)),
            "SOL/USD",
            "sell",
            Decimal("0.5"),
            Decimal("151.50"),
            now_ns + 10**9,
        )
        await self.kraken.submit(order)
        await asyncio.sleep(1.0)


def held(body: Callable[[Held], Coroutine[Any, Any, None]]) -> None:
    async def play() -> None:
        desk = Held()
        desk.venues.start()
        tasks = [asyncio.create_task(each.run()) for each in (desk.kraken, desk.solana)]
        try:
            while not (desk.kraken.shows_balances and desk.solana.is_ready):
                await asyncio.sleep(0.05)
            await body(desk)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await desk.venues.stop()

    run_patient(play())


def test_balances_that_the_stream_shows_are_not_asked_for(calls: list[str]) -> None:
    async def body(desk: Held) -> None:
        await desk.holdings.refresh()
        assert desk.holdings.kraken == desk.true
        known = desk.holdings.funds(0)
        assert known is not None
        await desk.sell()
        await desk.holdings.refresh()
        assert desk.holdings.kraken == desk.true
        # What other shards released counts until a read of the venue itself.
        assert desk.holdings.funds(0).known_ns == known.known_ns  # type: ignore[union-attr]
        assert calls == ["GetWebSocketsToken"]
        desk.venues.faults.set("kraken.sequence_gap", True)
        await desk.sell()
        assert not desk.kraken.shows_balances
        await desk.holdings.refresh()
        assert calls[1:] == ["BalanceEx"]
        assert desk.holdings.kraken == desk.true

    held(body)


def test_what_is_streamed_during_a_read_is_newer_than_its_answer() -> None:
    async def body(desk: Held) -> None:
        async def balances() -> dict[str, Decimal]:
            desk.holdings.see(CexBalance("USD", Decimal(5), desk.venues.clock.now_ns()))
            return {"USD": Decimal(7), "SOL": Decimal(1)}

        desk.kraken.balances = balances  # type: ignore[method-assign]
        await desk.holdings.read()
        assert desk.holdings.kraken == {"USD": 5, "SOL": 1}

    held(body)


def test_fees_are_asked_for_again_at_once_until_they_are_known() -> None:
    async def body(desk: Held) -> None:
        told: list[Any] = []
        known: list[int] = []
        clock = desk.venues.clock
        reads = VenueReads(
            SimpleNamespace(kraken=desk.kraken),  # type: ignore[arg-type]
            desk.holdings, {"SOL": desk.venues.spec}, None, clock, told.append,  # type: ignore[arg-type]
        )  # fmt: skip
        desk.venues.faults.set("kraken.html_502_p", 1.0, seconds=3.0)
        with pytest.raises(QueryFailed):
            await desk.kraken.taker_fees(["SOL/USD"])
        following = asyncio.create_task(reads.follow_fees(lambda: known.append(clock.now_ns())))
        await asyncio.sleep(130)
        following.cancel()
        assert {type(event) for event in told} == {FeesKnown}
        assert known == [told[0].at_ns]
        assert len(told) == 3

    held(body)
