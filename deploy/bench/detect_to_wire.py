"""Times a firing book from the engine to both venues, stage by stage, with the intent durable.

The engine's own parts in one process, as `run_engine` wires them: `Engine.handle` of the book
that opens a window, the executor, signing behind the firewall, the one SQL function in a
PostgreSQL with fsync on, Kraken's socket and the node's HTTP. Both venues are stubs behind
loopback sockets in a process of their own, which refuse every order. Floors, taken between two
trades at the same pace: a signature, an append with fdatasync, a prepared one-row insert. The
last columns are counted in such inserts, so that runs on different machines can be compared;
"target" is what the row's target in ms came to on the machine it was set on. "cpu" is this
thread's processor time of a stage: what remains where others share the cores. Two paces: one
trade after the other (some 20 ms apart, for each is seen to its end), and a pause of 20 ms more
before each, in which all processes sleep and their caches cool. As on a desk, the bench has
a processor to itself and the processors are kept awake, where this user may ask for that;
with `--plain` neither. Run from the repository's root:
python deploy/bench/detect_to_wire.py [--count 500] [--plain]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import logging
import multiprocessing
import sys
import time
from decimal import Decimal
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec
import uvloop
from solders.keypair import Keypair

from arbsite.clock import SystemClock, system_random
from deploy.bench.database import own_database
from deploy.bench.desk import pool_of_52_ticks
from deploy.bench.floors import Floors
from deploy.bench.host import kept_awake, leave_a_processor, may_stay_awake, take
from deploy.bench.tables import percentile, print_table
from deploy.bench.wire_stubs import run_stubs
from feeds.market.events import BookUpdated, PoolUpdated
from feeds.sim import seeding
from feeds.venues.base import CexEvent, DexEvent, DexSwap, SignedSwap
from feeds.venues.kraken.auth import Credentials
from feeds.venues.kraken.limits import Tier
from feeds.venues.sockets import SocketConnection, SocketTransport
from feeds.venues.solana.programs import PoolRef
from feeds.venues.solana.rpc_channel import RpcEndpoint

WARM_UP = 50
PACES = {"one after the other": 0.0, "every 20 ms": 0.02}
CLOCK = SystemClock()
UNLIMITED = Tier("bench", 1e9, 1.0, 1e9, 1.0)
DURABLE = "durable intent: one round trip, fsync"
ON_THE_WIRE = "detect → handed over to both"
TARGETS_MS = {DURABLE: (1.0, 3.0), ON_THE_WIRE: (2.0, 5.0)}
# Such an insert, awaited through the same driver, where the targets were set: a two-core Xeon
# at 2.6 GHz on which an append with fdatasync took 0.17 / 0.30 ms.
INSERT_THERE_MS = (0.494, 1.061)
STAGES = (
    ("decide: book in, intent out", "start", "decided"),
    ("hop to the executor", "decided", "executing"),
    ("the decision's JSON, its transaction begun", "executing", "begun"),
    ("plan both legs: build, firewall, sign", "begun", "signed"),
    ("the trade's JSON", "signed", "asked"),
    (DURABLE, "asked", "durable"),
    ("hand-over to Kraken's socket", "durable", "kraken"),
    ("hand-over to the node's HTTP", "durable", "solana"),
    ("Kraken received, after hand-over", "kraken", "kraken_got"),
    ("node received, after hand-over", "solana", "solana_got"),
    (ON_THE_WIRE, "start", "sent"),
    ("detect → received by both", "start", "got"),
)


class Marks:
    """When each stage of the present sample was reached, ns: on the wall, and worked by us."""

    def __init__(self) -> None:
        self.wall: dict[str, int] = {}
        self.cpu: dict[str, int] = {}

    def begin(self) -> None:
        """Start a sample."""
        self.wall, self.cpu = {}, {}
        self.note("start")

    def note(self, name: str) -> None:
        """Note a stage the first time it is reached."""
        if name not in self.wall:
            self.cpu[name], self.wall[name] = time.thread_time_ns(), time.perf_counter_ns()


class MarkedConnection:
    """A socket that notes when an order is written."""

    def __init__(self, inner: SocketConnection, marks: Marks) -> None:
        self._inner, self._marks = inner, marks
        self.recv, self.close = inner.recv, inner.close

    async def send(self, text: str | bytes) -> None:
        """Note an order, then write."""
        if b"add_order" in bytes(text):  # type: ignore[arg-type]
            self._marks.note("kraken")
        await self._inner.send(text)


class MarkedTransport(SocketTransport):
    """Real sockets that note when an order or a swap is handed to them."""

    marks: Marks

    async def connect(self, url: str, *, timeout_s: float = 5.0) -> Any:
        """Open a socket whose orders are noted."""
        return MarkedConnection(await super().connect(url, timeout_s=timeout_s), self.marks)

    async def http(self, method: str, url: str, **more: Any) -> Any:
        """Perform the request, noted when it carries a swap."""
        if b"sendTransaction" in more.get("body", b""):
            self.marks.note("solana")
        return await super().http(method, url, **more)


def firing_engine(at_ns: int, number: int) -> tuple[Any, BookUpdated]:
    """An engine that may trade SOL, and the book that makes it fire.

    `number` tells the pools apart: the same swap would have the same signature.
    """
    from trading.engine.core import Engine
    from trading.inputs import SettingsApplied
    from trading.tests.unit.desk import FAIR, book, settings_of, setup_events

    spec = seeding.market_of("SOL").spec
    state, _ = pool_of_52_ticks(-18_970)
    liquidity = state.liquidity + number * 10**9
    state = msgspec.structs.replace(state, address=spec.pool, slot=1000, liquidity=liquidity)
    engine = Engine({"SOL": spec})
    for event in setup_events(at_ns):
        match event:
            case PoolUpdated():
                engine.handle(PoolUpdated(spec.pool, 1000, state, at_ns))
            case SettingsApplied():
                settings = settings_of(leg_order="concurrent")
                engine.handle(SettingsApplied(settings=settings, at_ns=at_ns))
            case _:
                engine.handle(event)
    return engine, book(at_ns, FAIR + 60)


class Process:
    """The parts of an engine process between the tick path and the venues."""

    def __init__(self, url: str, port: int) -> None:
        from feeds.venues.kraken.trading import KrakenTrading
        from feeds.venues.solana.trading import SolanaTrading, TradingSettings
        from trading.execution.executor import Executor
        from trading.execution.ports import Desk, OrdersPerMinute
        from trading.storage.store import TradeStore

        self.marks = marks = Marks()
        market, keys = seeding.market_of("SOL"), seeding.simulated_credentials()
        spec = market.spec
        transport = MarkedTransport()
        transport.marks = marks

        class MarkedStore(TradeStore):
            def begin_intent(self, *args: Any) -> None:
                super().begin_intent(*args)
                marks.note("begun")

            async def _call_record_intent(self, *args: Any) -> str:
                marks.note("asked")
                verdict = await super()._call_record_intent(*args)
                marks.note("durable")
                return verdict

        class MarkedSolana(SolanaTrading):
            def sign(self, swap: DexSwap) -> SignedSwap:
                signed = super().sign(swap)
                marks.note("signed")
                return signed

        base = f"//127.0.0.1:{port}"
        wires = {"clock": CLOCK, "rng": system_random(), "sink": self._hear}
        self.kraken = KrakenTrading(
            transport, f"ws:{base}/kraken", f"http:{base}",
            Credentials(keys.kraken_key, keys.kraken_secret), tier=UNLIMITED, **wires,  # type: ignore[arg-type]
        )  # fmt: skip
        ref = PoolRef(
            spec.pool, "whirlpool", spec.base_mint, spec.quote_mint, *market.vaults, tick_spacing=4
        )
        node = RpcEndpoint("bench", "bench", f"http:{base}/rpc", f"ws:{base}/solana")
        self.solana = MarkedSolana(
            transport, (node,), Keypair.from_bytes(keys.wallet_secret), {spec.pool: ref}.get,
            TradingSettings(mints=(spec.base_mint, spec.quote_mint)), **wires,  # type: ignore[arg-type]
        )  # fmt: skip
        self.transport = transport
        self.store = MarkedStore(url, shard="main", clock=CLOCK)
        self.executor = Executor(
            Desk(
                kraken=self.kraken,
                solana=self.solana,
                store=self.store,
                clock=CLOCK,
                emit=self._said,
                mode=lambda _: "live",
                settings=self._settings,
                hedge_market=lambda _: None,
                raise_stop=self._stopped,
                funds=self._funds,
                orders_per_minute=OrdersPerMinute(10**9, 10**9),
            )
        )
        self.refused = ""

    def _hear(self, event: CexEvent | DexEvent) -> None:
        """Nothing but refusals is ever said."""

    def _said(self, event: Any) -> None:
        self.refused = getattr(event, "reason", "")

    def _settings(self, _asset: str) -> Any:
        from trading.tests.intents import make_settings

        self.marks.note("executing")
        return make_settings(daily_notional_cap_usd=Decimal(10**9), daily_trades_cap=10**6)

    def _funds(self) -> Any:
        """Balances to be reserved in the same transaction, as every shard does."""
        from trading.needs import Funds

        names, plenty = ("SOL", "USD", "USDC", "USDT"), 10**15
        return Funds(
            kraken=dict.fromkeys(names, Decimal(plenty)),
            solana_raw=dict.fromkeys(names, plenty),
            fee_lamports=plenty,
            known_ns=CLOCK.now_ns(),
        )

    async def _stopped(self, *what: str) -> None:
        raise SystemExit(f"stopped: {what}")

    async def fire(self, number: int) -> None:
        """One sample: the book, the intent, both sends; back when the trade is closed."""
        from trading.effects import Execute, NoteWindow

        engine, book = firing_engine(CLOCK.now_ns(), number)
        self.refused = ""
        # Making an engine held the loop up, which no tick does: what became due goes first.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.marks.begin()
        effects = engine.handle(book)
        self.marks.note("decided")
        intent = next(each.intent for each in effects if isinstance(each, Execute))
        note = next(each for each in effects if isinstance(each, NoteWindow))
        await asyncio.create_task(self.executor.execute(intent, note))
        async with asyncio.timeout(10):
            while self.executor.open_trades:  # noqa: ASYNC110 - the product has no event for it
                await asyncio.sleep(0.001)
        if not {"kraken", "solana"} <= self.marks.wall.keys():
            raise SystemExit(f"nothing was sent: {self.refused or self.marks.wall}")


Sample = tuple[dict[str, int], dict[str, int], dict[str, int]]
"""When each stage was reached, ns: on the wall, and worked by us; and the floors beside it."""


async def sample(
    url: str, port: int, count: int, arrived: memoryview, *, is_awake: bool
) -> dict[str, list[Sample]]:
    """Fire `WARM_UP + count` times at each pace; the stages of the last `count`."""
    from trading.storage.lease import Lease

    process = Process(url, port)
    lease = Lease(url, shard="main", holder="bench")
    process.store.epoch = await lease.acquire()
    await process.store.open()
    tasks = [asyncio.create_task(each.run()) for each in (process.kraken, process.solana)]
    async with asyncio.timeout(20):
        while not (process.kraken.is_ready and process.solana.is_ready):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    engine, _ = firing_engine(CLOCK.now_ns(), 0)

    def rehearse() -> None:
        if not process.executor.is_placing:
            engine.rehearse()

    gc.collect()
    gc.freeze()
    found: dict[str, list[Sample]] = {pace: [] for pace in PACES}
    async with Floors.over(url) as floors, kept_awake(rehearse, is_awake):
        for number, (pace, turn) in enumerate(itertools.product(PACES, range(WARM_UP + count))):
            await asyncio.sleep(PACES[pace])
            await process.fire(number)
            await asyncio.sleep(PACES[pace])
            least = await floors.once()
            if turn >= WARM_UP:
                found[pace].append((*_stages(process.marks, arrived, number), least))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await process.executor.close()
    await process.transport.close()
    await process.store.close()
    await lease.release()
    return found


def _stages(
    marks: Marks, arrived: memoryview, number: int
) -> tuple[dict[str, int], dict[str, int]]:
    wall, cpu = marks.wall, marks.cpu
    for at in (wall, cpu):
        at["sent"] = max(at["kraken"], at["solana"])
    wall["kraken_got"], wall["solana_got"] = arrived[2 * number], arrived[2 * number + 1]
    wall["got"] = max(wall["kraken_got"], wall["solana_got"])
    return wall, cpu


def figures(name: str, taken: list[int], worked: list[int]) -> list[object]:
    """One row of the table, µs; no processor time is known of what others did."""
    ordered, cpu = sorted(taken), sorted(worked)
    cells: list[object] = [percentile(ordered, share) / 1e3 for share in (0.5, 0.9, 0.99)]
    cells += [percentile(cpu, share) / 1e3 if cpu else "" for share in (0.5, 0.99)]
    return [name, *cells]


def rows_of(found: list[Sample]) -> list[list[object]]:
    """A row for each stage, and one for each floor."""
    return [
        *(
            figures(
                name,
                [wall[to] - wall[begin] for wall, _, _ in found],
                [cpu[to] - cpu[begin] for _, cpu, _ in found if to in cpu],
            )
            for name, begin, to in STAGES
        ),
        *(figures(name, [least[name] for *_, least in found], []) for name in found[0][2]),
    ]


def in_inserts(rows: list[list[Any]]) -> list[list[Any]]:
    """Add to each row how many one-row inserts of the same run it takes, and may take."""
    _, p50, _, p99, *_ = rows[-1]
    return [[*row, row[1] / p50, row[3] / p99, *_target(row[0])] for row in rows]


def _target(name: str) -> tuple[object, object]:
    if name not in TARGETS_MS:
        return "", ""
    (p50, p99), (there_p50, there_p99) = TARGETS_MS[name], INSERT_THERE_MS
    return p50 / there_p50, p99 / there_p99


def main() -> None:
    """Bring up the server and the stubs, measure, print, clean up."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=500, help="measured samples (default 500)")
    parser.add_argument("--port", type=int, default=19_861, help="of the stubs")
    parser.add_argument(
        "--plain", action="store_true", help="share the processors, and let them sleep"
    )
    options = parser.parse_args()
    own = None if options.plain else leave_a_processor()
    is_awake = not options.plain and may_stay_awake()
    total = len(PACES) * (WARM_UP + options.count)
    shared = SharedMemory(create=True, size=16 * total)
    arrived = shared.buf.cast("q")
    stubs = multiprocessing.get_context("spawn").Process(
        target=run_stubs, args=(options.port, shared.name)
    )
    stubs.start()
    logging.disable(logging.INFO)
    try:
        with own_database("SOL") as url:
            take(own)
            found = uvloop.run(sample(url, options.port, options.count, arrived, is_awake=is_awake))
    finally:
        stubs.terminate()
        stubs.join(5)
        arrived.release()
        shared.close()
        shared.unlink()
    heads = ["stage", "p50", "p90", "p99", "cpu p50", "cpu p99", "p50 / insert", "p99 / insert"]
    heads += ["target p50", "target p99"]
    way = f"processor {own} its own" if own is not None else "processors shared"
    way += ", all awake" if is_awake else ""
    for pace, samples in found.items():
        title = f"Detect to both legs on the wire, {len(samples)} intents {pace}, {way}: µs"
        print_table(title, heads, in_inserts(rows_of(samples)))


if __name__ == "__main__":
    main()
