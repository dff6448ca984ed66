"""Both simulated venues, still and quoted by hand, and the real adapters on them.

No noise, no competitors, steady slots: what happens is what a test or a fault knob does.
Everything lives in memory on the running loop, virtual or patient (`run_patient`).
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, TypeVar

from solders.keypair import Keypair

from arbsite.clock import LoopClock, seeded_random
from feeds.sim import seeding
from feeds.sim.competitors import opening_positions
from feeds.sim.faults import FaultBoard
from feeds.sim.hosting import PipeTransport
from feeds.sim.kraken.exchange import KrakenExchange
from feeds.sim.kraken.latency import Latency
from feeds.sim.kraken.records import AccountSpec, PairSpec
from feeds.sim.kraken.server import KrakenServer
from feeds.sim.scenarios import scenario_of
from feeds.sim.schedule import Schedule
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
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.trading import SolanaTrading, TradingSettings

T = TypeVar("T")
SYMBOL = "SOL/USD"
LOTS_PER_SOL = 10**8
# Where the pool starts (150 USD) a desk buys there and sells here.
BID_TICKS = 15_150
STEADY = Latency(stall_p=0.0, executions_first_p=0.0)
ENDPOINTS = tuple(
    RpcEndpoint(label, provider, f"http://{label}.sim", f"ws://{label}.sim")
    for label, provider in (("sim-a", "alpha"), ("sim-b", "beta"))
)


class PatientSelector(selectors.SelectSelector):
    """Never sleeps, but waits for real sockets: a database answers in no virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # One descriptor is the loop's own wake-up pipe; psycopg registers its socket only
        # while it waits for an answer.
        is_waiting = len(self.get_map()) > 1
        if is_waiting and timeout != 0:
            ready = super().select(20.0)
            if not ready:
                raise RuntimeError("a real socket has not answered for 20 s")
            return ready
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing is ready and no timer is armed")
        if not ready:
            self.now_s += max(timeout or 0.0, 0.0)
        return ready


class PatientLoop(asyncio.SelectorEventLoop):
    """A virtual loop on which real sockets may be awaited too."""

    def __init__(self) -> None:
        self._patient = PatientSelector()
        super().__init__(self._patient)

    def time(self) -> float:
        return self._patient.now_s

    def call_later(self, delay: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
        # Real time always moves on; a nap lost in the clock's rounding would repeat for ever.
        return super().call_later(max(delay, 1e-6) if delay else delay, *args, **options)


def run_patient(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a fresh patient loop."""
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(main)


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

    def stream(self, name: str):
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
        params = scenario_of("normal").assets
        markets = seeding.simulated_markets()
        wallet = self.credentials.wallet

        def opening():
            positions = [
                position
                for market in markets
                for position in opening_positions(market, params[market.spec.asset].providers)
            ]
            return opening_accounts(markets, positions, {wallet: seeding.WALLET_OPENING_LAMPORTS})

        chain = SolanaChain(
            self.truth, self.schedule, self.faults, self.stream("landing"),
            LandingSettings(skipped_slot_p=0.0, slot_jitter_ms=0.0), opening, [wallet],
        )  # fmt: skip
        self.faults.set("solana.land_p", 1.0)
        return chain

    def start(self) -> None:
        self.quote()
        self.chain.start()
        self._running = asyncio.create_task(self.schedule.run(self.clock))

    async def stop(self) -> None:
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
        hosts = {"kraken.sim": [("/", self.kraken)]}
        hosts |= {f"sim-{x}.sim": [("/", node)] for x, node in zip("ab", self.nodes, strict=True)}
        transport = PipeTransport(hosts)
        self._transports.append(transport)
        return transport

    def kraken_client(self, sink: Callable[[CexEvent], None]) -> KrakenTrading:
        """The real Kraken adapter of one process."""
        credentials = Credentials(self.credentials.kraken_key, self.credentials.kraken_secret)
        return KrakenTrading(
            self.transport(), "ws://kraken.sim/private/v2", "http://kraken.sim", credentials,
            clock=self.clock, rng=self.stream("kraken client"), sink=sink,
        )  # fmt: skip

    def solana_client(
        self,
        sink: Callable[[DexEvent], None],
        *,
        endpoints: tuple[RpcEndpoint, ...] = ENDPOINTS,
    ) -> SolanaTrading:
        """The real Solana adapter of one process."""
        mints = (self.spec.base_mint, self.spec.quote_mint)
        ref = PoolRef.from_pool(self.market.pool)
        return SolanaTrading(
            self.transport(), endpoints, Keypair.from_bytes(self.credentials.wallet_secret),
            {self.spec.pool: ref}.get,
            TradingSettings(mints=mints, tip_accounts=seeding.tip_accounts()),
            clock=self.clock, rng=self.stream("solana client"), sink=sink,
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
