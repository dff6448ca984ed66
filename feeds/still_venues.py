"""Both simulated venues, still and quoted by hand, and the real adapters on them.

No noise, no competitors, steady slots: what happens is what a caller or a fault knob does.
Everything lives in memory on the running loop. Callers: the conformance suite, the stories
of trading, the seeded proof. Not the demo's world (feeds/sim/world.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from solders.keypair import Keypair

from arbsite.clock import Clock, LoopClock, seeded_random
from feeds.sim import seeding
from feeds.sim.competitors import opening_positions
from feeds.sim.faults import FaultBoard
from feeds.sim.hosting import PipeTransport, Route
from feeds.sim.kraken.exchange import KrakenExchange
from feeds.sim.kraken.latency import Latency
from feeds.sim.kraken.records import AccountSpec, PairSpec
from feeds.sim.kraken.server import KrakenServer
from feeds.sim.scenarios import scenario_of
from feeds.sim.schedule import Schedule
from feeds.sim.solana.accounts import State
from feeds.sim.solana.chain import SolanaChain
from feeds.sim.solana.landing import LandingSettings
from feeds.sim.solana.market import opening_accounts
from feeds.sim.solana.server import SolanaServer
from feeds.sim.solana.view import NodeView
from feeds.sim.truth import TruthStore
from feeds.venues.base import CexEvent, DexEvent
from feeds.venues.kraken.auth import Credentials
from feeds.venues.kraken.trading import KrakenTrading
from feeds.venues.solana.programs import PoolRef
from feeds.venues.solana.route_firewall import RoutePolicy
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.trading import SolanaTrading, TradingSettings
from feeds.venues.transport import Transport

SYMBOL = "SOL/USD"
LOTS_PER_SOL = 10**8
# Where the pool starts (150 USD) a desk buys there and sells here.
BID_TICKS = 15_150
STEADY = Latency(stall_p=0.0, executions_first_p=0.0)
ENDPOINTS = tuple(
    RpcEndpoint(label, provider, f"http://{label}.sim", f"ws://{label}.sim")
    for label, provider in (("sim-a", "alpha"), ("sim-b", "beta"))
)


@cache
def _opening(wallet: str) -> Mapping[str, State]:
    """The chain's first accounts; made once a process, for they never change."""
    params = scenario_of("normal").assets
    markets = seeding.simulated_markets()
    positions = [
        position
        for market in markets
        for position in opening_positions(market, params[market.spec.asset].providers)
    ]
    return opening_accounts(markets, positions, {wallet: seeding.WALLET_OPENING_LAMPORTS})


class SimVenues:
    """A quiet exchange and a quiet chain over one truth; make it inside a running loop."""

    def __init__(self, *, seed: str = "venues", latency: Latency = STEADY) -> None:
        self.clock = LoopClock()
        self.truth = TruthStore()
        self.faults = FaultBoard()
        self.schedule = Schedule(self.clock.now_ns())
        self.credentials = seeding.simulated_credentials()
        self.market = seeding.market_of("SOL")
        self.spec = self.market.spec
        # Which aggregator routes a client may sign from now on; none by default.
        self.routes = RoutePolicy()
        self._seed = seed
        self.exchange = self._open_exchange()
        self.chain = self._open_chain()
        self.kraken = KrakenServer(
            self.exchange, self.faults, self.clock, self.stream("kraken"), latency
        )
        views = [
            NodeView(label, self.chain, self.schedule, self.faults, is_faulty=label == "sim-b")
            for label in ("sim-a", "sim-b")
        ]
        self.nodes = [SolanaServer(view, self.faults, self.stream(view.label)) for view in views]
        self._running: asyncio.Task[None] | None = None
        self._transports: list[PipeTransport] = []

    def stream(self, name: str) -> Random:
        """A random stream of this seed."""
        return seeded_random(f"{self._seed}/{name}")

    def _open_exchange(self) -> KrakenExchange:
        spec = self.spec
        pair = PairSpec(
            SYMBOL, "SOL", "USD", spec.price_precision, spec.qty_precision, "0.02", "0.5"
        )
        account = AccountSpec(
            secret=self.credentials.kraken_secret,
            balances=seeding.KRAKEN_OPENING,
            taker_fee="0.0010",
        )
        accounts = {self.credentials.kraken_key: account}
        return KrakenExchange([pair], accounts, self.truth, self.clock)

    def _open_chain(self) -> SolanaChain:
        wallet = self.credentials.wallet
        chain = SolanaChain(
            self.truth, self.schedule, self.faults, self.stream("landing"),
            LandingSettings(skipped_slot_p=0.0, slot_jitter_ms=0.0),
            lambda: _opening(wallet), [wallet],
        )  # fmt: skip
        self.faults.set("solana.land_p", 1.0)
        return chain

    def start(self) -> None:
        """Quote the first book and let the chain and the schedule run."""
        self.quote()
        self.chain.start()
        self._running = asyncio.create_task(self.schedule.run(self.clock))

    async def stop(self) -> None:
        """End every connection and the world's clock."""
        for transport in self._transports:
            await transport.close()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self.kraken.stop()
        self.faults.reset()
        self.truth.close()

    def quote(self, bid: int = BID_TICKS, sol: float = 100.0) -> None:
        """Five levels a side of `sol` SOL each, one tick apart."""
        lots = round(sol * LOTS_PER_SOL)
        bids = [(bid - step, lots) for step in range(5)]
        asks = [(bid + 1 + step, lots) for step in range(5)]
        self.exchange.quote_ladder(SYMBOL, bids, asks)

    def transport(self) -> PipeTransport:
        """A way to both venues for one process."""
        hosts: dict[str, list[Route]] = {"kraken.sim": [("/", self.kraken)]}
        hosts |= {f"sim-{x}.sim": [("/", node)] for x, node in zip("ab", self.nodes, strict=True)}
        transport = PipeTransport(hosts)
        self._transports.append(transport)
        return transport

    def kraken_client(
        self,
        sink: Callable[[CexEvent], None],
        *,
        transport: Transport | None = None,
        clock: Clock | None = None,
    ) -> KrakenTrading:
        """The real Kraken adapter of one process, on its transport and by its clock."""
        credentials = Credentials(self.credentials.kraken_key, self.credentials.kraken_secret)
        return KrakenTrading(
            transport or self.transport(),
            "ws://kraken.sim/private/v2", "http://kraken.sim", credentials,
            clock=clock or self.clock, rng=self.stream("kraken client"), sink=sink,
        )  # fmt: skip

    def solana_client(
        self,
        sink: Callable[[DexEvent], None],
        *,
        endpoints: tuple[RpcEndpoint, ...] = ENDPOINTS,
        transport: Transport | None = None,
        clock: Clock | None = None,
    ) -> SolanaTrading:
        """The real Solana adapter of one process, on its transport and by its clock."""
        mints = (self.spec.base_mint, self.spec.quote_mint)
        ref = PoolRef.from_pool(self.market.pool)
        return SolanaTrading(
            transport or self.transport(), endpoints,
            Keypair.from_bytes(self.credentials.wallet_secret),
            {self.spec.pool: ref}.get,
            TradingSettings(
                mints=mints, tip_accounts=seeding.tip_accounts(), routes=self.routes
            ),
            clock=clock or self.clock, rng=self.stream("solana client"), sink=sink,
        )  # fmt: skip

    def orders_of(self, cl_ord_id: str) -> list[Any]:
        """Orders that the exchange really has under a client id."""
        found = self.exchange.accounts.orders.values()
        return [order for order in found if order.cl_ord_id == cl_ord_id]

    def true_sums(self) -> dict[tuple[str, str], Decimal]:
        """Net change of each of our balances since the opening, by (venue, venue asset)."""
        sums: dict[tuple[str, str], Decimal] = {}
        for entry in self.truth.ledger():
            if entry.kind != "opening":
                key = (entry.venue, entry.asset)
                sums[key] = sums.get(key, Decimal(0)) + Decimal(entry.delta)
        return {key: total for key, total in sums.items() if total}
