"""One real engine process of the kill tests: `python -m trading.tests.kills.engine ORDER`.

Lease, store, adapters, executor and recovery are the product's own, over real sockets; the
decision comes from the test (the feeds have proofs of their own). ORDER is an `Order` as
JSON. It prints `waiting`, `taken`, `recovered` and `idle`, and lives until it is killed; a
fence ends it with exit code 1 and the reason, as `run_engine` does.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from decimal import Decimal
from typing import Any

import msgspec
from solders.keypair import Keypair

from arbsite.clock import LoopClock, seeded_random
from arbsite.errors import Fenced
from feeds.sim import seeding
from feeds.still_venues import BID_TICKS, LOTS_PER_SOL
from feeds.venues.base import CexEvent, CexFill, CexLinkState, CexOrderState, DexEvent, TxSighting
from feeds.venues.kraken.auth import Credentials
from feeds.venues.kraken.trading import KrakenTrading
from feeds.venues.solana.programs import PoolRef
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.trading import SolanaTrading, TradingSettings
from trading.execution.executor import Executor
from trading.execution.ports import Desk, HedgeMarket, Protocolled
from trading.execution.recovery import keep_reconciling, recover
from trading.intent import Intent
from trading.storage.lease import Lease
from trading.tests.intents import make_settings
from trading.tests.kills.brisk import run_brisk
from trading.tests.kills.mortal import MortalStore, MortalTransport, Trigger

BEAT_S = 1.0


class Order(msgspec.Struct, frozen=True):
    """What a process is started for. Ports are those of the simulated venues."""

    dsn: str
    kraken_port: int
    solana_ports: tuple[int, int]
    place: str = ""
    signal: int = 9
    max_intent_age_s: float = 60.0
    lease_silent_s: float = 60.0
    open_files: int = 0
    intent: Intent | None = None


class EngineProcess:
    """What `run_engine` hosts, less feeds and console."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._clock = LoopClock()
        trigger = Trigger(order.place, order.signal)
        self._transport = MortalTransport(trigger)
        self._gap = asyncio.Event()
        self._lease = Lease(
            order.dsn, shard="main", holder="kills", silent_after_s=order.lease_silent_s
        )
        self._store = MortalStore(order.dsn, shard="main", clock=self._clock, trigger=trigger)
        self._kraken = self._kraken_client()
        self._solana = self._solana_client()
        self.executor = Executor(self._make_desk())

    def _make_desk(self) -> Desk:
        return Desk(
            kraken=self._kraken,
            solana=self._solana,
            store=self._store,
            clock=self._clock,
            emit=lambda _: None,
            mode=lambda _: "live",
            settings=lambda _: make_settings(),
            hedge_market=lambda _: _still_market(),
            raise_stop=_say_stop,
            protocol=Protocolled(max_intent_age_s=self._order.max_intent_age_s),
        )

    def _kraken_client(self) -> KrakenTrading:
        keys, port = seeding.simulated_credentials(), self._order.kraken_port
        return KrakenTrading(
            self._transport,
            f"ws://127.0.0.1:{port}/private/v2",
            f"http://127.0.0.1:{port}",
            Credentials(keys.kraken_key, keys.kraken_secret),
            clock=self._clock,
            rng=seeded_random("kills/kraken"),
            sink=self._hear,
        )

    def _solana_client(self) -> SolanaTrading:
        market = seeding.market_of("SOL")
        spec, ref = market.spec, PoolRef.from_pool(market.pool)
        endpoints = tuple(
            RpcEndpoint(f"sim-{x}", provider, f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")
            for x, provider, port in zip(
                "ab", ("alpha", "beta"), self._order.solana_ports, strict=True
            )
        )
        return SolanaTrading(
            self._transport,
            endpoints,
            Keypair.from_bytes(seeding.simulated_credentials().wallet_secret),
            {spec.pool: ref}.get,
            TradingSettings(
                mints=(spec.base_mint, spec.quote_mint), tip_accounts=seeding.tip_accounts()
            ),
            clock=self._clock,
            rng=seeded_random("kills/solana"),
            sink=self._hear,
        )

    def _hear(self, event: CexEvent | DexEvent) -> None:
        if isinstance(event, CexFill | CexOrderState | TxSighting):
            self.executor.deliver(event)
        elif isinstance(event, CexLinkState) and event.gap:
            self._gap.set()

    async def live(self) -> None:
        """Take over, recover, carry the order's intent out; ends only by failing."""
        await self._store.open()
        print("waiting", flush=True)
        self._store.epoch = await self._lease.acquire()
        print("taken", flush=True)
        work = [
            asyncio.create_task(each)
            for each in (self._work(), self._kraken.run(), self._solana.run())
        ]
        done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def _work(self) -> None:
        beating = asyncio.create_task(self._beat())
        await self._until_ready()
        await recover(self._store, self.executor, self._kraken, self._clock)
        print("recovered", flush=True)
        keeping = asyncio.create_task(
            keep_reconciling(self._store, self.executor, self._kraken, self._clock, self._gap)
        )
        if self._order.intent is not None:
            await self._until_ready()
            await self.executor.execute(self._order.intent)
        while self.executor.failure is None and not beating.done():
            if not self.executor.open_trades:
                print("idle", flush=True)
                break
            await asyncio.sleep(0.1)
        await asyncio.wait(
            [beating, keeping, asyncio.create_task(self.executor.failed.wait())],
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self.executor.failure is not None:
            raise self.executor.failure
        for task in (beating, keeping):
            if task.done():
                task.result()

    async def _until_ready(self) -> None:
        while not (self._kraken.is_ready and self._solana.is_ready):
            await asyncio.sleep(0.05)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await self._lease.beat()


def _still_market() -> HedgeMarket:
    """The book as the still venues quote it."""
    lots = 100 * LOTS_PER_SOL
    bids = tuple((BID_TICKS - step, lots) for step in range(5))
    asks = tuple((BID_TICKS + 1 + step, lots) for step in range(5))
    return HedgeMarket(bids[0][0], asks[0][0], Decimal(1), bids, asks)


async def _say_stop(scope: str, rule: str, text: str, value: str, limit: str) -> None:
    print(f"stop {scope} {rule}: {text}", flush=True)


async def _main(order: Order) -> None:
    try:
        await EngineProcess(order).live()
    finally:
        # The runner would cancel once, and Python 3.11 may lose that: as the host, ask again.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)


def main(arguments: list[str]) -> Any:
    """Run until killed; a fence is told in one line, as the command tells it."""
    order = msgspec.json.decode(arguments[0], type=Order)
    if order.open_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (order.open_files, order.open_files))
    try:
        run_brisk(_main(order))
    except Fenced as error:
        return f"Fenced: {error}. Another engine owns the shard."
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
