"""What an aggregator used as a fallback must do, numbered, over a pipe and over a socket.

J1 quote   J2 build   J3 execute a leg   J4 stale refused   J5 a 429 quietens us
J6 down is a counted no-trade   J7 no answer in time   J8 pinning   J9 the firewall at work
J10 the sampler's comparison   J11 a leg in the other direction, through another pool kind
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from solders.keypair import Keypair

from arbsite.errors import NotSent
from feeds.market.pools import Swap
from feeds.sim import seeding
from feeds.sim.hosting import Host, PipeTransport, serve
from feeds.sim.jupiter.server import KEYLESS_PER_MINUTE, JupiterServer
from feeds.sim.kraken.latency import NO_LATENCY
from feeds.sim.solana.chain import SolanaChain
from feeds.tests.conformance.venues import ENDPOINTS, SimVenues, run_patient
from feeds.venues.base import DexReceipt, DexSwap
from feeds.venues.jupiter.client import JupiterClient, JupiterSettings
from feeds.venues.jupiter.fallback import Fallback, RouteSampler, SampleAsk, direct_quote
from feeds.venues.jupiter.quotes import RouteAsk, RouteQuote, RouteRefused, RouteSample
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.programs import PoolRef, associated_token_address
from feeds.venues.solana.route_firewall import RoutePolicy
from feeds.venues.solana.trading import SolanaTrading, TradingSettings
from feeds.venues.transport import Transport

LAMPORTS = 10**9
LABELS = frozenset({"Whirlpool", "Raydium CP"})


class Head:
    """The chain as our own nodes know it."""

    def __init__(self, chain: SolanaChain) -> None:
        self._chain = chain

    @property
    def slot(self) -> int:
        return self._chain.newest.slot

    @property
    def last_valid_height(self) -> int:
        return self._chain.newest.height + 150


class Rig:
    """The Jupiter and the Solana adapter on simulated venues; slow machines may be slow."""

    def __init__(self, shape: str, asset: str = "SOL") -> None:
        self.venues = SimVenues()
        self.server = JupiterServer(
            self.venues.chain, self.venues.faults, self.venues.clock,
            self.venues.stream("jupiter"), NO_LATENCY,
        )  # fmt: skip
        self.market = seeding.market_of(asset)
        self.spec = self.market.spec
        self.wallet = self.venues.credentials.wallet
        self._shape = shape
        self.jupiter: JupiterClient
        self.transport: Transport
        self._host: Host | None = None
        self.solana = self._solana_client()

    async def open(self, wire: str) -> None:
        """Put the server on the wire and the client in front of it."""
        if wire == "socket":
            self._host = await serve([("/", self.server)])
            self.transport = SocketTransport()
            url = f"http://127.0.0.1:{self._host.port}"
        else:
            self.transport = PipeTransport({"jupiter.sim": [("/", self.server)]})
            url = "http://jupiter.sim"
        self.jupiter = self.client(url=url)

    def client(self, **changes: Any) -> JupiterClient:
        """A client of that server."""
        spec = self.spec
        fields: dict[str, Any] = {
            "url": "",
            "taker": self.wallet,
            "labels": LABELS,
            "own_accounts": frozenset(
                associated_token_address(self.wallet, mint)
                for mint in (spec.base_mint, spec.quote_mint)
            ),
            "shape": self._shape,
            "timeout_s": 20.0,
            "max_age_ms": 30_000,
            "per_second": 10.0,
        }
        if hasattr(self, "jupiter"):
            fields["url"] = self.jupiter.settings.url
        return JupiterClient(
            self.transport, JupiterSettings(**fields | changes), clock=self.venues.clock,
            rng=self.venues.stream("jupiter client"), chain=Head(self.venues.chain),
        )  # fmt: skip

    def _solana_client(self) -> SolanaTrading:
        mints = (self.spec.base_mint, self.spec.quote_mint)
        policy = RoutePolicy(dexes=frozenset({"whirlpool", "cpmm"}), max_age_ms=30_000)
        return SolanaTrading(
            self.venues.transport(), ENDPOINTS,
            Keypair.from_bytes(self.venues.credentials.wallet_secret),
            {self.spec.pool: PoolRef.from_pool(self.market.pool)}.get,
            TradingSettings(mints=mints, tip_accounts=seeding.tip_accounts(), routes=policy),
            clock=self.venues.clock, rng=self.venues.stream("solana client"), sink=lambda _: None,
        )  # fmt: skip

    @property
    def pool(self) -> Any:
        """The pool as the chain has it."""
        return self.venues.chain.bank.pool(self.spec.pool)

    def ask(self, amount: int = 150 * 10**6, *, sells_base: bool = False) -> RouteAsk:
        """Buy base for an amount of the quote asset, or sell an amount of base."""
        mints = (self.spec.quote_mint, self.spec.base_mint)
        source, target = mints[::-1] if sells_base else mints
        return RouteAsk(self.spec.pool, source, target, amount)

    def swap(self, quote: RouteQuote, **changes: Any) -> DexSwap:
        """The leg that such a quote makes."""
        pool = self.pool
        a_to_b = quote.ask.mint_in == pool.mint_a
        arrays = getattr(pool, "tick_arrays", ())
        swap = DexSwap(
            pool=self.spec.pool,
            pool_kind=self.spec.pool_kind,
            a_to_b=a_to_b,
            exact_in=True,
            amount_raw=quote.ask.amount_in,
            threshold_raw=quote.min_out,
            tick_array_starts=tuple(array.start_index for array in arrays),
            cu_price_micro_lamports=100_000,
            tip_lamports=10_000,
            route=quote.route,
        )
        return msgspec.structs.replace(swap, **changes)

    async def executed(self, swap: DexSwap) -> DexReceipt:
        """Sign, send and wait for the chain's record."""
        signed = self.solana.sign(swap)
        self.solana.watch(signed.signature)
        await self.solana.broadcast(signed.raw)
        async with asyncio.timeout(60):
            while True:
                found = await self.solana.receipt(signed.signature, commitment="confirmed")
                if found is not None:
                    return found
                await asyncio.sleep(0.1)

    async def close(self) -> None:
        await self.transport.close()
        if self._host is not None:
            await self._host.stop()
        await self.venues.stop()


Case = Callable[[Rig], Coroutine[Any, Any, None]]


async def _play(wire: str, shape: str, asset: str, body: Case) -> None:
    rig = Rig(shape, asset)
    await rig.open(wire)
    rig.venues.start()
    running = asyncio.create_task(rig.solana.run())
    try:
        async with asyncio.timeout(60):
            while not rig.solana.is_ready:
                await asyncio.sleep(0.01)
        await body(rig)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await rig.close()


def case(body: Case, asset: str = "SOL") -> Callable[..., None]:
    """Run one case on both wires and in both API shapes."""

    @pytest.mark.parametrize("shape", ["v1", "v2"])
    @pytest.mark.parametrize("wire", ["pipe", "socket"])
    def test(wire: str, shape: str) -> None:
        running = _play(wire, shape, asset, body)
        if wire == "pipe":
            run_patient(running)
        else:
            asyncio.run(running)

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test


def case_of(asset: str) -> Callable[[Case], Callable[..., None]]:
    return lambda body: case(body, asset)


async def quoted(rig: Rig, **changes: Any) -> RouteQuote:
    found = await rig.jupiter.quote(rig.ask(**changes))
    assert isinstance(found, RouteQuote), found
    return found


async def routed(rig: Rig, ask: RouteAsk | None = None) -> RouteQuote:
    found = await rig.jupiter.route(ask or rig.ask(), min_out=1)
    assert isinstance(found, RouteQuote), found
    return found


@case
async def test_j1_a_quote_is_the_pools_own_and_names_its_route(rig: Rig) -> None:
    before_ns = rig.venues.clock.now_ns()
    first, second = await quoted(rig), await quoted(rig, amount=75 * 10**6)
    direct = direct_quote(rig.pool, rig.ask(), before_ns // 10**9)
    assert isinstance(direct, Swap)
    assert first.amount_out == direct.amount_out
    assert first.min_out == first.amount_out * 9_980 // 10_000
    assert (first.dexes, first.pools) == (("Whirlpool",), (rig.spec.pool,))
    assert first.route_id == second.route_id
    assert before_ns <= first.asked_at_ns <= rig.venues.clock.now_ns()
    assert (first.context_slot is None) == (rig.jupiter.settings.shape == "v2")
    assert first.route is None
    assert rig.jupiter.counts == {"ok": 2}


@case
async def test_j2_a_route_comes_with_the_instruction_to_sign(rig: Rig) -> None:
    found = await routed(rig)
    assert found.route is not None
    assert found.route.program == seeding.JUPITER_PROGRAM
    assert found.route.route_id == found.route_id
    assert found.route.asked_at_ns == found.asked_at_ns
    too_much = await rig.jupiter.route(rig.ask(), min_out=found.min_out + 10**6)
    assert isinstance(too_much, RouteRefused)
    assert too_much.cause == "below_minimum"


@case
async def test_j3_a_leg_is_signed_sent_once_and_filled_as_promised(rig: Rig) -> None:
    found = await routed(rig)
    receipt = await rig.executed(rig.swap(found))
    assert receipt.error is None
    assert receipt.deltas_raw == {
        rig.spec.quote_mint: -found.ask.amount_in,
        rig.spec.base_mint: found.amount_out,
    }
    assert receipt.tip_lamports == 10_000


@case_of("JUP")
async def test_j11_another_pool_kind_and_the_other_direction(rig: Rig) -> None:
    found = await routed(rig, rig.ask(10**9, sells_base=True))
    assert found.dexes == ("Raydium CP",)
    receipt = await rig.executed(rig.swap(found))
    assert receipt.deltas_raw == {
        rig.spec.base_mint: -(10**9),
        rig.spec.quote_mint: found.amount_out,
    }


@case
async def test_a_promise_the_pool_cannot_keep_fails_on_chain_with_jupiters_code(rig: Rig) -> None:
    rig.venues.faults.set("jupiter.price_bias_bps", 100.0)
    found = await routed(rig)
    receipt = await rig.executed(rig.swap(found))
    assert receipt.error_code == 6001
    assert receipt.deltas_raw == {}


@case
async def test_j4_a_quote_of_a_chain_left_behind_is_refused(rig: Rig) -> None:
    rig.venues.faults.set("jupiter.stale_slots", 2)
    jupiter = rig.client(max_lag_slots=1, max_lag_blocks=1)
    chain = rig.venues.chain
    async with asyncio.timeout(60):
        while chain.newest.slot < chain.block_at(0).slot + 2:
            await asyncio.sleep(0.05)
    found = await jupiter.route(rig.ask(), min_out=1)
    assert isinstance(found, RouteRefused)
    assert found.cause == "stale"
    assert jupiter.counts == {"stale": 1}


@case
async def test_j4_an_old_route_is_not_signed(rig: Rig) -> None:
    found = await routed(rig)
    assert found.route is not None
    old = msgspec.structs.replace(
        found.route, asked_at_ns=rig.venues.clock.now_ns() - 31_000_000_000
    )
    with pytest.raises(NotSent, match="ms old"):
        rig.solana.sign(rig.swap(found, route=old))


@case
async def test_j5_a_429_quietens_us_and_passes(rig: Rig) -> None:
    rig.venues.faults.set("jupiter.rate_limited_p", 1.0)
    assert await rig.jupiter.quote(rig.ask()) == RouteRefused("rate_limited")
    seen = rig.server.requests
    refused = await rig.jupiter.quote(rig.ask())
    assert isinstance(refused, RouteRefused)
    assert refused.cause == "throttled"
    assert rig.server.requests == seen
    rig.venues.faults.reset("jupiter.rate_limited_p")
    async with asyncio.timeout(60):
        while (wait_s := rig.jupiter.budget.wait_s()) > 0:
            await asyncio.sleep(wait_s)
    await quoted(rig)


@case
async def test_j5_our_own_limit_keeps_below_the_accounts(rig: Rig) -> None:
    jupiter = rig.client(per_second=KEYLESS_PER_MINUTE / 60)
    for _ in range(KEYLESS_PER_MINUTE):
        assert isinstance(await jupiter.quote(rig.ask()), RouteQuote)
    refused = await jupiter.quote(rig.ask())
    assert isinstance(refused, RouteRefused)
    assert refused.cause == "throttled"
    assert await rig.client().quote(rig.ask()) == RouteRefused("rate_limited")


@case
async def test_j6_down_is_a_counted_no_trade(rig: Rig) -> None:
    rig.venues.faults.set("jupiter.down", True)
    fallback = Fallback(rig.jupiter, lambda _: None, is_allowed=True)
    found = await fallback.quote(rig.ask(), min_out=1, now_s=0)
    assert isinstance(found, RouteRefused)
    assert found.cause == "down"
    assert fallback.counts.refused == {"down": 1}
    assert rig.jupiter.counts == {"down": 1}
    rig.venues.faults.reset("jupiter.down")
    rig.venues.faults.set("jupiter.error_p", 1.0)
    assert await rig.jupiter.quote(rig.ask()) == RouteRefused("down", "HTTP 500")


@case
async def test_j6_the_fallback_asks_only_when_the_pool_has_no_quote_and_it_may(rig: Rig) -> None:
    now_s = rig.venues.clock.now_ns() // 10**9
    fallback = Fallback(rig.jupiter, lambda _: rig.pool, is_allowed=True)
    assert isinstance(await fallback.quote(rig.ask(), min_out=1, now_s=now_s), Swap)
    of_the_amount = await fallback.quote(rig.ask(0), min_out=1, now_s=now_s)
    assert not isinstance(of_the_amount, RouteQuote)
    assert rig.server.requests == 0
    forbidden = Fallback(rig.jupiter, lambda _: None, is_allowed=False)
    refused = await forbidden.quote(rig.ask(), min_out=1, now_s=now_s)
    assert refused == RouteRefused("not_allowed")
    assert rig.server.requests == 0
    blind = Fallback(rig.jupiter, lambda _: None, is_allowed=True)
    found = await blind.quote(rig.ask(), min_out=1, now_s=now_s)
    assert isinstance(found, RouteQuote)
    assert found.route is not None
    assert (fallback.counts.direct, blind.counts.routed) == (1, 1)


@case
async def test_j7_no_answer_in_time_is_a_refusal(rig: Rig) -> None:
    rig.venues.faults.set("jupiter.timeout_p", 1.0)
    found = await rig.client(timeout_s=0.2).quote(rig.ask())
    assert isinstance(found, RouteRefused)
    assert found.cause == "timeout"


@case
async def test_j8_only_pinned_pools_and_named_exchanges_are_taken(rig: Rig) -> None:
    other = msgspec.structs.replace(rig.ask(), pool=seeding.address_of("another pool"))
    found = await rig.jupiter.quote(other)
    assert isinstance(found, RouteRefused)
    assert (found.cause, found.detail) == ("pool_not_pinned", rig.spec.pool)
    assert isinstance(await rig.client(is_pinned=False).quote(other), RouteQuote)
    none = await rig.client(labels=frozenset({"Raydium"})).quote(rig.ask())
    assert isinstance(none, RouteRefused)
    assert none.cause == "no_route"


TRICKS = {
    "other_target": "target is",
    "platform_fee": "platform fee 50",
    "low_minimum": "least output",
    "more_input": "amount",
    "unknown_program": "not allowed",
}


@case
async def test_j9_hostile_instructions_are_refused_before_the_signature(rig: Rig) -> None:
    for word, reason in TRICKS.items():
        rig.venues.faults.set("jupiter.hostile", word)
        found = await routed(rig)
        with pytest.raises(NotSent, match=f"firewall: .*{reason}"):
            rig.solana.sign(rig.swap(found))
    rig.venues.faults.set("jupiter.hostile", "extra_transfer")
    refused = await rig.jupiter.route(rig.ask(), min_out=1)
    assert refused == RouteRefused("extra_instruction", seeding.SYSTEM_PROGRAM)
    assert rig.solana.counters.refused_by_firewall == len(TRICKS)
    assert rig.solana.counters.signed == 0


@case
async def test_j10_the_sampler_compares_with_the_direct_pool(rig: Rig) -> None:
    seen: list[RouteSample] = []
    asks = [SampleAsk("SOL", rig.ask(), a_to_b=False)]
    sampler = RouteSampler(
        rig.jupiter, lambda _: rig.pool, asks, seen.append,
        clock=rig.venues.clock, chain=Head(rig.venues.chain), every_s=0.01,
    )  # fmt: skip
    running = asyncio.create_task(sampler.run())
    async with asyncio.timeout(60):
        while not seen:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    found = sampler.latest["SOL", False]
    assert found.outcome == "ok"
    assert found.delta_bps == 0.0
    assert found.jupiter_out == found.direct_out
    assert found.latency_ms is not None
    assert found.latency_delta_ms is not None
    rig.venues.faults.set("jupiter.price_bias_bps", 10.0)
    better = await sampler.sample(asks[0])
    assert better.delta_bps == pytest.approx(10.0, abs=0.01)
    rig.venues.faults.set("jupiter.down", True)
    lost = await sampler.sample(asks[0])
    assert (lost.outcome, lost.jupiter_out) == ("down", None)
    assert lost.direct_out == found.direct_out
