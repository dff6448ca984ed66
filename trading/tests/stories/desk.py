"""A desk for stories: the simulated venues, PostgreSQL, and engines that may die.

An `EngineProcess` is what `run_engine` hosts, without feeds: lease, store, adapters,
executor, recovery. Killing it cancels everything where it stands. `story` runs a test on a
patient virtual loop and then holds the database against the venues' own truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from arbsite.events import Mode
from feeds.market.clmm import arrays_for_swap
from feeds.market.quote import quote
from feeds.tests.conformance.venues import SimVenues, run_patient
from feeds.venues.base import CexEvent, CexFill, CexLinkState, CexOrderState, DexEvent, TxSighting
from feeds.venues.kraken.trading import KrakenTrading
from trading.execution.executor import Executor
from trading.execution.ports import Desk, HedgeMarket, Protocolled
from trading.execution.recovery import keep_reconciling, recover
from trading.execution.residual import ResidualLimits
from trading.inputs import EngineInput, TradeClosed
from trading.intent import Intent, LegOrder
from trading.process.restored import RestoredDatabase
from trading.storage.lease import Lease
from trading.storage.store import TradeStore
from trading.tests.intents import make_intent, make_settings

SLACK_PPM = 2_000


class EngineProcess:
    """One life of the engine."""

    def __init__(
        self, scene: Scene, store: TradeStore, protocol: Protocolled, mark_file: Path | None
    ) -> None:
        venues = scene.venues
        self.store = store
        self.restored = RestoredDatabase(store, mark_file, venues.clock, shard="main")
        self.heard: list[EngineInput] = []
        self.gap = asyncio.Event()
        self.kraken: KrakenTrading = venues.kraken_client(self._hear)
        self.solana = venues.solana_client(self._hear)
        self.desk = Desk(
            kraken=self.kraken,
            solana=self.solana,
            store=store,
            clock=venues.clock,
            emit=self.heard.append,
            mode=lambda _: self.restored.mode(scene.mode),
            settings=lambda _: scene.settings,
            hedge_market=lambda _: scene.hedge_market(),
            raise_stop=scene.raise_stop,
            protocol=protocol,
            limits=scene.limits,
        )
        self.executor = Executor(self.desk)
        self.tasks: list[asyncio.Task[Any]] = []

    def _hear(self, event: CexEvent | DexEvent) -> None:
        if isinstance(event, CexFill | CexOrderState | TxSighting):
            self.executor.deliver(event)
        elif isinstance(event, CexLinkState) and event.gap:
            self.gap.set()

    async def start(self) -> tuple[str, ...]:
        """Connect, recover, and keep reconciling; returns the busy assets."""
        self.tasks = [asyncio.create_task(each.run()) for each in (self.kraken, self.solana)]
        while not (self.kraken.is_ready and self.solana.is_ready):
            await asyncio.sleep(0.05)
        busy = await recover(self.store, self.executor, self.kraken, self.desk.clock)
        work = keep_reconciling(
            self.store, self.executor, self.kraken, self.desk.clock, self.gap, self.restored
        )
        self.tasks.append(asyncio.create_task(work))
        return busy

    async def kill(self) -> None:
        """Stop everything where it stands; the database and the venues keep what they have."""
        for task in self.tasks:
            task.cancel()
        await self.executor.close()
        tasks = set(self.tasks)
        while tasks:
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.01)
        await self.store.close()

    @property
    def closed(self) -> list[TradeClosed]:
        return [event for event in self.heard if isinstance(event, TradeClosed)]

    async def until_idle(self, longest_s: float = 300.0) -> None:
        """Wait until no trade is being worked on; an executor that failed says why."""
        async with asyncio.timeout(longest_s):
            await asyncio.sleep(0.3)
            while self.executor.open_trades:
                if self.executor.failure is not None:
                    raise self.executor.failure
                await asyncio.sleep(0.1)
        if self.executor.failure is not None:
            raise self.executor.failure


class Scene:
    """The venues, the database, and what the desk is told."""

    def __init__(self, dsn: str, **venue_options: Any) -> None:
        self.dsn = dsn
        self.venues = SimVenues(**venue_options)
        self.faults = self.venues.faults
        self.mode: Mode = "live"
        self.settings = make_settings()
        self.limits = ResidualLimits()
        # What a hedge knows beside the book: taker, pool, balances (see HedgeMarket).
        self.market: dict[str, Any] = {}
        self.stops: list[tuple[str, str]] = []
        self.engines: list[EngineProcess] = []
        self.is_audited = True
        self._intents = 0

    async def raise_stop(self, scope: str, rule: str, text: str, value: str, limit: str) -> None:
        self.stops.append((scope, rule))

    def hedge_market(self) -> HedgeMarket | None:
        bids, asks = self.venues.exchange.levels("SOL/USD")
        if not bids or not asks:
            return None
        return HedgeMarket(
            bids[0][0], asks[0][0], Decimal(1), tuple(bids), tuple(asks), **self.market
        )

    async def engine(
        self,
        make_store: Callable[..., TradeStore] = TradeStore,
        protocol: Protocolled = Protocolled(),  # noqa: B008 - immutable
        mark_file: Path | None = None,
    ) -> EngineProcess:
        """Start an engine under the next epoch (its predecessor's lock is gone)."""
        lease = Lease(self.dsn, shard="main", holder=f"engine {len(self.engines)}")
        store = make_store(self.dsn, shard="main", clock=self.venues.clock)
        engine = EngineProcess(self, store, protocol, mark_file)
        store.epoch = await lease.acquire(beyond=engine.restored.least_epoch)
        await lease.release()
        await store.open()
        self.engines.append(engine)
        await engine.restored.compare(lease.found)
        await engine.start()
        return engine

    def intent(
        self,
        order: LegOrder = "concurrent",
        *,
        sol: str = "1",
        is_buying_dex: bool = True,
        **changes: Any,
    ) -> Intent:
        """A fresh decision on what the venues show now, with 20 bps of slack on each leg."""
        venues, spec = self.venues, self.venues.spec
        direction = "buy_dex_sell_cex" if is_buying_dex else "buy_cex_sell_dex"
        a_to_b = spec.sells_a(direction)
        pool = venues.chain.bank.pool(spec.pool)
        lots = int(Decimal(sol).scaleb(spec.qty_precision))
        base_raw = spec.raw_from_lots(lots)
        swap = quote(pool, base_raw, exact_in=not is_buying_dex, a_to_b=a_to_b)
        market = self.hedge_market()
        assert market is not None
        if is_buying_dex:
            expected, touch = swap.amount_in, market.bid_ticks
            threshold = expected + expected * SLACK_PPM // 10**6
            limit = touch - touch * SLACK_PPM // 10**6
        else:
            expected, touch = swap.amount_out, market.ask_ticks
            threshold = expected - expected * SLACK_PPM // 10**6
            limit = touch + touch * SLACK_PPM // 10**6
        self._intents += 1
        fields: dict[str, Any] = {
            "direction": direction,
            "qty_lots": lots,
            "base_raw": base_raw,
            "cex_side": "sell" if is_buying_dex else "buy",
            "cex_limit_ticks": limit,
            "cex_expected_ticks": touch,
            "dex_a_to_b": a_to_b,
            "dex_exact_in": not is_buying_dex,
            "dex_expected_quote_raw": expected,
            "dex_threshold_raw": threshold,
            "tick_array_starts": arrays_for_swap(pool, a_to_b),
            "notional_usd": Decimal(sol) * 150,
            "decided_ns": venues.clock.now_ns(),
        }
        return make_intent(
            self._intents,
            order=order,
            spec=spec,
            **fields | changes,
        )

    async def rows(self, query: str, *params: Any) -> list[dict[str, Any]]:
        """Read the database past every engine."""
        async with await psycopg.AsyncConnection.connect(self.dsn, row_factory=dict_row) as conn:
            return await (await conn.execute(query, params)).fetchall()

    async def attempts(self) -> dict[str, str]:
        """State by "leg#seq" of all attempts."""
        found = await self.rows("SELECT leg, seq, state FROM trading_attempt ORDER BY leg, seq")
        return {f"{row['leg']}#{row['seq']}": row["state"] for row in found}

    async def trade(self) -> dict[str, Any]:
        """The only trade."""
        (row,) = await self.rows("SELECT * FROM trading_trade")
        return row

    # ---- what must hold at the end of every story ------------------------------------

    async def verify(self) -> None:
        """No order twice, every fill booked once, our ledger equal to the venues' truth."""
        await self._verify_orders()
        await self._verify_fills()
        ours = await self.rows(
            "SELECT venue, venue_asset, sum(delta) AS total FROM trading_ledgerentry"
            " GROUP BY venue, venue_asset HAVING sum(delta) <> 0"
        )
        assert {(r["venue"], r["venue_asset"]): r["total"] for r in ours} == (
            self.venues.true_sums()
        )
        live = "state NOT IN ('done', 'dead', 'stale') OR NOT is_booked"
        assert await self.rows(f"SELECT * FROM trading_attempt WHERE {live}") == []
        parked = (
            "SELECT coalesce(sum(notional_usd), 0) AS usd FROM trading_trade"
            " WHERE state <> 'closed'"
        )
        days = "SELECT coalesce(sum(notional_reserved), 0) AS usd FROM risk_riskday"
        assert await self.rows(parked) == await self.rows(days)

    async def _verify_orders(self) -> None:
        orders = list(self.venues.exchange.accounts.orders.values())
        names = [order.cl_ord_id for order in orders]
        assert len(set(names)) == len(names), "an order was executed twice"
        durable = await self.rows("SELECT cl_ord_id FROM trading_attempt WHERE venue = 'kraken'")
        assert set(names) <= {row["cl_ord_id"] for row in durable}

    async def _verify_fills(self) -> None:
        booked = await self.rows(
            "SELECT venue_fill_id FROM trading_fill WHERE venue = 'kraken' AND status = 'booked'"
        )
        assert sorted(row["venue_fill_id"] for row in booked) == sorted(
            self.venues.exchange.accounts.trades
        )
        swaps = await self.rows(
            "SELECT venue_fill_id FROM trading_fill WHERE venue = 'solana' AND status = 'booked'"
        )
        moved: dict[tuple[str, str], Decimal] = {}
        for entry in self.venues.truth.ledger():
            if (entry.venue, entry.kind) == ("solana", "trade"):
                key = (entry.reference, entry.asset)
                moved[key] = moved.get(key, Decimal(0)) + Decimal(entry.delta)
        # What a fork took back stands twice in the truth and sums to nothing.
        landed = {reference for (reference, _), total in moved.items() if total}
        assert {row["venue_fill_id"] for row in swaps} == landed


async def tell(dsn: str, body: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    """Run one story and verify its end."""
    scene = Scene(dsn)
    try:
        scene.venues.start()
        await body(scene)
        if scene.is_audited:
            await scene.verify()
    finally:
        for engine in scene.engines:
            await engine.kill()
        await scene.venues.stop()


def story(body: Callable[[Scene], Coroutine[Any, Any, None]]) -> Callable[[str], None]:
    """Make a test of a story about a `Scene`."""

    def test(desk_url: str) -> None:
        run_patient(tell(desk_url, body))

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test


def replace(intent: Intent, **changes: Any) -> Intent:
    return msgspec.structs.replace(intent, **changes)
