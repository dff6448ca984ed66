"""A pool leg by Jupiter's route: from the ask to the ledger, under every way it can go wrong.

The real engine decides on what the real poller was told by the simulated Jupiter; the real
executor and adapters carry it out, and the ledger is held against the venues' own truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings
from prometheus_client import REGISTRY

from feeds.market.events import (
    BookUpdated,
    InstrumentUpdated,
    PoolInvalidated,
    PoolUpdated,
    SlotAdvanced,
    VenueStatus,
)
from feeds.market.spec import Direction
from feeds.routes import RouteDesk, route_policy
from feeds.sim.hosting import PipeTransport
from feeds.sim.jupiter.server import JupiterServer
from feeds.sim.kraken.latency import NO_LATENCY
from feeds.tests.conformance.venues import run_patient
from feeds.venues.solana.programs import MAINNET
from trading.effects import Execute
from trading.engine.core import Engine
from trading.inputs import EngineInput, FeesKnown, IntentRefused, SettingsApplied, VenuesReady
from trading.intent import Intent
from trading.process.route_quotes import RouteQuotes, RouteSizes, wanted
from trading.route_quoted import RouteQuoted
from trading.tests.intents import make_settings
from trading.tests.stories.desk import EngineProcess, Scene, tell
from trading.tests.stories.test_deaths import Mortal
from trading.tests.unit.desk import holdings, mark, mode

SIZES = RouteSizes(max_usd=160.0)


class Routed:
    """An engine whose pool was lost, and the desk's Jupiter in front of the simulated one."""

    def __init__(self, scene: Scene) -> None:
        venues = scene.venues
        venues.routes = route_policy()
        self.scene = scene
        self.server = JupiterServer(
            venues.chain, venues.faults, venues.clock, venues.stream("jupiter"), NO_LATENCY
        )
        self.desk = RouteDesk(
            PipeTransport({"jupiter.sim": [("/", self.server)]}), [venues.spec],
            wallet=venues.credentials.wallet, clock=venues.clock, ids=MAINNET,
            last_valid_height=lambda: venues.chain.newest.height + 150,
            tick_spacings={venues.spec.pool: venues.market.pool.tick_spacing},  # type: ignore[union-attr]
        )  # fmt: skip
        self.engine = Engine({"SOL": venues.spec})
        self.quotes = RouteQuotes(self.desk, self.engine.state, venues.clock, self.apply, SIZES)
        self.heard: list[EngineInput] = []
        self.intents: list[Intent] = []
        self._sink = self.desk.around(self.apply)
        self._lose_the_pool()

    def apply(self, event: EngineInput) -> None:
        self.heard.append(event)
        effects = self.engine.handle(event)
        self.intents += [effect.intent for effect in effects if isinstance(effect, Execute)]

    @property
    def routes(self) -> list[RouteQuoted]:
        return [event for event in self.heard if isinstance(event, RouteQuoted)]

    def _lose_the_pool(self) -> None:
        venues, spec = self.scene.venues, self.scene.venues.spec
        now, slot = venues.clock.now_ns(), venues.chain.newest.slot
        for event in (
            mode(now, "live"),
            SettingsApplied(self.scene.settings, now),
            FeesKnown({spec.cex_symbol: Decimal("0.001")}, 5_000, now),
            VenuesReady(kraken=True, solana=True, at_ns=now),
            holdings(now),
            VenueStatus("kraken", "online", 20.0, now, clock_skew_ms=0.0),
            VenueStatus("solana", "online", None, now),
            InstrumentUpdated(
                symbol=spec.cex_symbol, status="online", price_precision=spec.price_precision,
                qty_precision=spec.qty_precision, price_increment="0.01",
                qty_increment="0.00000001", qty_min="0.02", cost_min="0.5", recv_ns=now,
            ),
            SlotAdvanced(slot, 0, now),
            mark(now),
            PoolUpdated(spec.pool, slot, venues.chain.bank.pool(spec.pool), now),
            PoolInvalidated(spec.pool, "nodes disagree", now),
        ):  # fmt: skip
            self._sink(event)  # type: ignore[arg-type]
        self.see_book()

    def see_book(self) -> None:
        """Tell the engine of the exchange's book of now."""
        venues, spec = self.scene.venues, self.scene.venues.spec
        bids, asks = venues.exchange.levels(spec.cex_symbol)
        now = venues.clock.now_ns()
        self.apply(
            BookUpdated(
                spec.cex_symbol, tuple(bids), tuple(asks), spec.price_precision,
                spec.qty_precision, checksum=1, venue_at_ns=now, recv_ns=now,
            )
        )  # fmt: skip

    async def ask(self, direction: Direction = "buy_dex_sell_cex") -> Intent | None:
        """Ask Jupiter for one direction; the intent that came of the answer."""
        (want,) = [one for one in wanted(self.engine.state, SIZES) if one.direction == direction]
        before = len(self.intents)
        await self.quotes.ask(want)
        return self.intents[-1] if len(self.intents) > before else None


Body = Callable[[Scene, Routed, EngineProcess], Coroutine[Any, Any, None]]


def story(body: Body, shapes: tuple[str, ...] = ("v2",)) -> Callable[..., None]:
    """Make a test of a story about a routed desk."""

    @pytest.mark.parametrize("shape", shapes)
    def test(desk_url: str, shape: str) -> None:
        async def told(scene: Scene) -> None:
            scene.settings = make_settings(leg_order="concurrent")
            await asyncio.sleep(1.0)
            routed = Routed(scene)
            await body(scene, routed, await scene.engine(Mortal))

        with override_settings(
            JUPITER_URL="http://jupiter.sim", JUPITER_FALLBACK=True, JUPITER_API=shape,
            JUPITER_RPS=10.0,
        ):  # fmt: skip
            run_patient(tell(desk_url, told))

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test


def in_both_shapes(body: Body) -> Callable[..., None]:
    """The same story with the older and the newer form of the API and its instruction."""
    return story(body, ("v1", "v2"))


async def traded(routed: Routed, process: EngineProcess, **ask: Any) -> Intent:
    """Ask, decide, trade, and wait for the end."""
    intent = await routed.ask(**ask)
    assert intent is not None
    await process.executor.execute(intent)
    await process.until_idle()
    return intent


@in_both_shapes
async def test_a_purchase_by_route_fills_and_books_to_the_unit(
    scene: Scene, routed: Routed, process: EngineProcess
) -> None:
    intent = await traded(routed, process)
    (route,) = routed.routes
    trade = await scene.trade()
    assert (trade["state"], trade["outcome"], trade["is_verified"]) == ("closed", "both", True)
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "done"}
    (fill,) = await scene.rows("SELECT * FROM trading_fill WHERE venue = 'solana'")
    base = Decimal(route.amount_out).scaleb(-9)
    assert (fill["base_delta"], fill["quote_delta"]) == (
        base, -Decimal(route.amount_in).scaleb(-6)
    )  # fmt: skip
    # The slippage that was not needed stays as base, below what the venue would trade.
    sold = Decimal(intent.qty_lots).scaleb(-8)
    assert trade["residual_base"] == base - sold < Decimal("0.002")
    assert trade["realised_pnl_usd"] >= intent.min_pnl_usd
    (stored,) = await scene.rows("SELECT intent FROM trading_opportunity")
    kept = stored["intent"]
    assert kept["quote_source"] == "jupiter"
    assert kept["route"]["route"]["route_id"] == route.route.route_id
    assert kept["route"]["route"]["asked_at_ns"] == route.route.asked_at_ns
    assert (kept["route"]["latency_ms"], kept["route"]["delta_bps"]) == (route.latency_ms, 0.0)
    (shown,) = routed.desk.rows()
    assert (shown.asset, shown.side, shown.outcome) == ("SOL", "buy", "ok")
    assert (shown.route_id, shown.delta_bps) == (route.route.route_id, 0.0)


@in_both_shapes
async def test_a_sale_by_route_fills_and_books_to_the_unit(
    scene: Scene, routed: Routed, process: EngineProcess
) -> None:
    scene.venues.quote(bid=14_800)
    routed.see_book()
    intent = await traded(routed, process, direction="buy_cex_sell_dex")
    trade = await scene.trade()
    assert (trade["outcome"], trade["residual_base"]) == ("both", 0)
    (fill,) = await scene.rows("SELECT * FROM trading_fill WHERE venue = 'solana'")
    assert fill["quote_delta"] == Decimal(routed.routes[0].amount_out).scaleb(-6)
    assert trade["realised_pnl_usd"] >= intent.min_pnl_usd


@story
async def test_a_route_that_promised_too_much_fails_and_its_book_leg_is_hedged(
    scene: Scene, routed: Routed, process: EngineProcess
) -> None:
    scene.faults.set("jupiter.price_bias_bps", 30.0)
    await traded(routed, process)
    trade = await scene.trade()
    assert (trade["state"], trade["outcome"], trade["residual_base"]) == ("closed", "hedged", 0)
    (evidence,) = await scene.rows("SELECT evidence FROM trading_attempt WHERE leg = 'dex'")
    assert "6001" in str(evidence)


@story
async def test_a_route_that_never_lands_expires_and_its_book_leg_is_hedged(
    scene: Scene, routed: Routed, process: EngineProcess
) -> None:
    scene.faults.set("solana.land_p", 0.0)
    await traded(routed, process)
    assert (await scene.attempts())["dex#1"] == "dead"
    trade = await scene.trade()
    assert (trade["state"], trade["outcome"], trade["residual_base"]) == ("closed", "hedged", 0)


@story
async def test_a_stored_route_is_broadcast_by_the_heir_byte_for_byte(
    scene: Scene, routed: Routed, process: EngineProcess
) -> None:
    """Killed after the commit and before any send; nothing is asked or signed again."""
    store = process.store
    assert isinstance(store, Mortal)
    store.deaths, store.acts_left, store.dies_after_commit = asyncio.Event(), 1, True
    intent = await routed.ask()
    assert intent is not None
    executing = asyncio.create_task(process.executor.execute(intent))
    await store.deaths.wait()
    executing.cancel()
    await process.kill()
    asked = routed.server.requests
    (before,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'dex'")
    assert scene.venues.exchange.accounts.orders == {}
    heir = await scene.engine()
    sent: list[bytes] = []
    broadcast = heir.solana.broadcast

    async def kept(raw: bytes) -> None:
        sent.append(raw)
        await broadcast(raw)

    heir.solana.broadcast = kept  # type: ignore[method-assign]
    await heir.until_idle()
    (after,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'dex' AND seq = 1")
    assert bytes(after["raw_tx"]) == bytes(before["raw_tx"])
    assert set(sent) <= {bytes(before["raw_tx"])}
    assert routed.server.requests == asked
    assert (await scene.trade())["state"] == "closed"


@story
async def test_bytes_that_got_lost_are_sent_again_as_they_were(
    scene: Scene, routed: Routed, process: EngineProcess
) -> None:
    sent: list[bytes] = []
    broadcast = process.solana.broadcast

    async def kept(raw: bytes) -> None:
        sent.append(raw)
        await broadcast(raw)

    process.solana.broadcast = kept  # type: ignore[method-assign]
    scene.faults.set("solana.land_p", 0.0, seconds=3.0)
    await traded(routed, process)
    assert len(sent) > 1
    assert len(set(sent)) == 1
    assert (await scene.trade())["outcome"] in ("both", "hedged")


@in_both_shapes
async def test_a_hostile_route_is_not_signed_and_nothing_is_sent(
    scene: Scene, routed: Routed, process: EngineProcess
) -> None:
    for word in ("other_target", "platform_fee", "low_minimum", "more_input", "unknown_program"):
        scene.faults.set("jupiter.hostile", word)
        routed = Routed(scene)
        intent = await routed.ask()
        assert intent is not None
        await process.executor.execute(intent)
        refused = process.heard[-1]
        assert isinstance(refused, IntentRefused)
        assert "firewall" in refused.reason, (word, refused.reason)
        routed.apply(refused)
        assert routed.engine.open_trades == 0
        await asyncio.sleep(1.0)
    assert await scene.rows("SELECT * FROM trading_trade") == []
    assert scene.venues.exchange.accounts.orders == {}


@story
async def test_no_answer_is_no_trade_and_a_number(
    scene: Scene, routed: Routed, process: EngineProcess
) -> None:
    def counted(cause: str) -> float:
        name = "spreadline_jupiter_fallbacks_total"
        return REGISTRY.get_sample_value(name, {"outcome": cause}) or 0.0

    for knob, value, cause in (
        ("jupiter.down", True, "down"),
        ("jupiter.error_p", 1.0, "down"),
        ("jupiter.timeout_p", 1.0, "timeout"),
        ("jupiter.hostile", "extra_transfer", "extra_instruction"),
        ("jupiter.rate_limited_p", 1.0, "rate_limited"),
    ):
        scene.faults.reset()
        scene.faults.set(knob, value)
        before = counted(cause)
        routed.see_book()
        assert await routed.ask() is None
        assert counted(cause) == before + 1
        assert [row.outcome for row in routed.desk.rows()] == [cause]
    scene.faults.reset()
    assert await routed.ask() is None
    assert [row.outcome for row in routed.desk.rows()] == ["throttled"]
    assert (routed.routes, await scene.rows("SELECT * FROM trading_opportunity")) == ([], [])
