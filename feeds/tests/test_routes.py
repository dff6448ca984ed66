"""The desk's use of Jupiter: what the settings allow, what it follows, what it counts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from arbsite.errors import SetupError
from feeds.market.clmm import arrays_for_swap
from feeds.market.events import PoolInvalidated, PoolUpdated, SlotAdvanced
from feeds.market.pools import Swap
from feeds.routes import RouteDesk, route_policy
from feeds.sim.hosting import PipeTransport
from feeds.sim.jupiter.server import JupiterServer
from feeds.sim.kraken.latency import NO_LATENCY
from feeds.tests.conformance.venues import SimVenues, run_patient
from feeds.venues.jupiter.quotes import RouteAsk, RouteRefused
from feeds.venues.solana.programs import MAINNET
from feeds.venues.solana.route_firewall import RoutePolicy


class Rig:
    """A desk in front of a simulated Jupiter; make it inside a running loop."""

    def __init__(self) -> None:
        self.venues = SimVenues()
        self.server = JupiterServer(
            self.venues.chain, self.venues.faults, self.venues.clock,
            self.venues.stream("jupiter"), NO_LATENCY,
        )  # fmt: skip
        transport = PipeTransport({"jupiter.sim": [("/", self.server)]})
        self.spec = self.venues.spec
        self.desk = RouteDesk(
            transport, [self.spec], wallet=self.venues.credentials.wallet,
            clock=self.venues.clock, ids=MAINNET,
            last_valid_height=lambda: self.venues.chain.newest.height + 150,
            tick_spacings={self.spec.pool: self.venues.market.pool.tick_spacing},
        )  # fmt: skip

    def tell(self, *events: Any) -> list[Any]:
        """Pass events by the desk to a sink; what the sink got."""
        seen: list[Any] = []
        sink = self.desk.around(seen.append)
        for event in events:
            sink(event)
        return seen

    def pool_told(self) -> PoolUpdated:
        slot = self.venues.chain.newest.slot
        return PoolUpdated(self.spec.pool, slot, self.venues.chain.bank.pool(self.spec.pool), 1)

    @property
    def ask(self) -> RouteAsk:
        return RouteAsk(self.spec.pool, self.spec.quote_mint, self.spec.base_mint, 10**8)


@pytest.fixture(autouse=True)
def at_the_simulator(settings: Any) -> None:
    settings.JUPITER_URL = "http://jupiter.sim"


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_no_route_may_be_signed_unless_the_fallback_is_turned_on(settings: Any) -> None:
    assert route_policy() == RoutePolicy()
    settings.JUPITER_FALLBACK = True
    assert route_policy().dexes == {"whirlpool", "cpmm"}
    assert route_policy().is_pinned
    settings.JUPITER_PINNED = False
    assert not route_policy().is_pinned


def test_an_exchange_the_firewall_cannot_read_is_refused_by_name(settings: Any) -> None:
    settings.JUPITER_FALLBACK = True
    settings.JUPITER_DEXES = ("Whirlpool", "Lifinity V2")
    with pytest.raises(SetupError, match="Lifinity V2; choose from Whirlpool"):
        route_policy()


def test_a_key_file_that_is_not_there_is_said_so(settings: Any, tmp_path: Path) -> None:
    settings.JUPITER_API_KEY_FILE = str(tmp_path / "missing")

    async def body() -> None:
        with pytest.raises(SetupError, match="JUPITER_API_KEY_FILE"):
            Rig()

    run_patient(body())


def test_events_pass_first_and_are_followed(settings: Any) -> None:
    async def body() -> None:
        rig = Rig()
        told = rig.pool_told()
        assert rig.tell(told, SlotAdvanced(77, 0, 1)) == [told, SlotAdvanced(77, 0, 1)]
        assert rig.desk.chain.slot == 77
        assert rig.desk.chain.pools == {rig.spec.pool: told.state}
        rig.tell(PoolInvalidated(rig.spec.pool, "doubt", 2))
        assert rig.desk.chain.pools == {}

    run_patient(body())


def test_samples_are_kept_and_exported(settings: Any) -> None:
    settings.JUPITER_SAMPLE_SECONDS = 1.0
    before = counted("spreadline_jupiter_samples_total", outcome="ok")

    async def body() -> None:
        rig = Rig()
        rig.tell(rig.pool_told())
        running = asyncio.create_task(rig.desk.run())
        await asyncio.sleep(3.5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        sample = rig.desk.latest["SOL", False]
        assert (sample.outcome, sample.delta_bps) == ("ok", 0.0)

    run_patient(body())
    assert counted("spreadline_jupiter_samples_total", outcome="ok") == before + 3
    assert counted("spreadline_jupiter_price_delta_bps", asset="SOL") == 0.0


def test_sampling_can_be_turned_off(settings: Any) -> None:
    settings.JUPITER_SAMPLE_SECONDS = 0.0

    async def body() -> None:
        rig = Rig()
        running = asyncio.create_task(rig.desk.run())
        await asyncio.sleep(600)
        assert not running.done()
        assert rig.server.requests == 0
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_patient(body())


def test_a_refused_fallback_is_a_counted_no_trade(settings: Any) -> None:
    """Fault 28: Jupiter down or stale means no trade, and a number that says so."""
    settings.JUPITER_FALLBACK = True
    before = counted("spreadline_jupiter_fallbacks_total", outcome="down")

    async def body() -> None:
        rig = Rig()
        rig.venues.faults.set("jupiter.down", True)
        assert isinstance(await rig.desk.quote(rig.ask, min_out=1), RouteRefused)
        rig.tell(rig.pool_told())
        assert isinstance(await rig.desk.quote(rig.ask, min_out=1), Swap)

    run_patient(body())
    assert counted("spreadline_jupiter_fallbacks_total", outcome="down") == before + 1


def test_a_bound_route_carries_the_arrays_it_may_touch_and_the_pools_last_word(
    settings: Any,
) -> None:
    settings.JUPITER_FALLBACK = True

    async def body() -> None:
        rig = Rig()
        pool = rig.venues.chain.bank.pool(rig.spec.pool)
        told = rig.pool_told()
        rig.tell(told, SlotAdvanced(told.slot, 0, 1), PoolInvalidated(rig.spec.pool, "doubt", 2))
        sale = RouteAsk(rig.spec.pool, rig.spec.base_mint, rig.spec.quote_mint, 10**9)
        for ask in (rig.ask, sale):
            found = await rig.desk.bound(ask)
            assert found is not None
            assert found.quote.route is not None
            assert found.delta_bps == 0.0
            assert found.slot == max(0, told.slot - 8)
            assert len(found.tick_array_starts) == 7
            assert set(found.tick_array_starts) >= set(
                arrays_for_swap(pool, ask.mint_in == pool.mint_a)
            )
        buy, sell = rig.desk.rows()
        assert {buy.side, sell.side} == {"buy", "sell"}
        assert {buy.outcome, sell.outcome} == {"ok"}
        assert buy.route_id

    run_patient(body())


def test_nothing_is_bound_while_the_pool_can_be_quoted_or_where_nobody_answers(
    settings: Any,
) -> None:
    settings.JUPITER_FALLBACK = True

    async def body() -> None:
        rig = Rig()
        rig.tell(rig.pool_told())
        assert await rig.desk.bound(rig.ask) is None
        assert (rig.server.requests, rig.desk.rows()) == (0, ())
        rig.tell(PoolInvalidated(rig.spec.pool, "doubt", 2))
        rig.venues.faults.set("jupiter.down", True)
        assert await rig.desk.bound(rig.ask) is None
        (row,) = rig.desk.rows()
        assert (row.outcome, row.route_id, row.delta_bps) == ("down", "", None)

    run_patient(body())


def test_asks_keep_within_the_accounts_rate_in_both_shapes(settings: Any) -> None:
    async def body() -> None:
        for shape, every_s in (("v1", 5.0), ("v2", 2.5)):
            settings.JUPITER_API = shape
            assert Rig().desk.every_s == every_s

    run_patient(body())
