"""The fixed simulated day: a seeded world, both feeds, one engine, virtual time, one hash.

Every run of the same code makes the same decisions to the last byte, on any machine; CI
holds their hash against `DAY_FILE`. Venues answer from memory, trades end by a script (the
engine decides, nothing is executed), and the whole is journaled as a live run is. Not a
back-test: nothing here is a result about trading. Called by `manage.py replay --day` and
its test.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import hashlib
from collections.abc import AsyncIterator, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from arbsite.clock import Clock, LoopClock, ManualClock, seeded_random
from arbsite.errors import SetupError
from feeds.market.spec import MARK_SYMBOLS, MarketSpec
from feeds.sim.control import routes
from feeds.sim.hosting import PipeTransport
from feeds.sim.scenarios import scenario_of
from feeds.sim.truth import TruthStore
from feeds.sim.virtual_loop import run_virtual
from feeds.sim.world import World
from feeds.venues.base import MarketFeed
from feeds.venues.kraken.feed import KrakenFeed
from feeds.venues.kraken.framed import FrameInHand
from feeds.venues.solana.feed import SolanaFeed
from feeds.venues.solana.rpc_channel import RpcEndpoint
from trading.effects import Execute, NoteWindow
from trading.inputs import (
    EngineInput,
    FeesKnown,
    HoldingsKnown,
    ModeApplied,
    SettingsApplied,
    TimerFired,
    TradeClosed,
    TradeProgressed,
    VenuesReady,
)
from trading.intent import AssetSettings, Intent
from trading.journal.format import DECISION, DIGEST_BYTES, EngineSetup, decode_decision
from trading.journal.keeper import start_journal
from trading.journal.replaying import open_journal

DAY_FILE: Final = Path(__file__).with_name("day.txt")
ASSETS: Final = ("JUP", "SOL", "WIF")
SCENARIO: Final = "busy"
SEED: Final = 7
MINUTES: Final = 5.0
START_NS: Final = 1_790_000_000_000_000_000
_DEPTH: Final = 10
_UNPINNED: Final = "unpinned"
_TAKER: Final = Decimal("0.0010")
_SETTLES_AFTER_S: Final = 1.2
_ENDPOINTS: Final = tuple(
    RpcEndpoint(label, "simulator", f"http://{label}", f"ws://{label}")
    for label in ("sim-a", "sim-b")
)


class Day(msgspec.Struct, frozen=True):
    """The hash of all decisions, and one short line for each, so that a diff can be read."""

    decisions_hash: str
    lines: tuple[str, ...] = ()

    @property
    def is_pinned(self) -> bool:
        """Whether a hash is in force at all."""
        return self.decisions_hash != _UNPINNED

    def text(self) -> str:
        """The content of `DAY_FILE`."""
        return "\n".join((f"decisions {self.decisions_hash}", *self.lines)) + "\n"


def record_day(folder: Path, minutes: float = MINUTES) -> Day:
    """Simulate the day and journal it into `folder`."""
    decisions_hash = run_virtual(_day(folder, minutes))
    journal = open_journal(folder)
    texts = (r.payload[DIGEST_BYTES:] for r in journal.records() if r.kind == DECISION)
    return Day(decisions_hash, tuple(_line(number, text) for number, text in enumerate(texts, 1)))


def pinned_day() -> Day:
    """The day in force; SetupError when its file cannot be read."""
    try:
        first, *lines = DAY_FILE.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise SetupError(f"{DAY_FILE} cannot be read; run manage.py replay --day --pin.") from error
    return Day(first.removeprefix("decisions "), tuple(lines))


def differences(pinned: Day, found: Day) -> list[str]:
    """A unified diff of the decisions' lines, three lines of context."""
    return list(
        difflib.unified_diff(pinned.lines, found.lines, "pinned day", "this code", lineterm="", n=3)
    )


def _line(number: int, text: bytes) -> str:
    """Number, kind, asset, what matters to a reader, and eight digits of its own hash."""
    effect = decode_decision(text)
    if isinstance(effect, Execute):
        intent = effect.intent
        words = (
            f"execute {intent.asset} {intent.direction} lots={intent.qty_lots} "
            f"limit={intent.cex_limit_ticks} threshold={intent.dex_threshold_raw} "
            f"order={intent.verdict.order} expected={intent.pnl.expected:.4f}"
        )
    elif isinstance(effect, NoteWindow):
        row = effect.window
        words = (
            f"window {row.asset} {row.direction} {str(row.window_id)[:8]}.{row.version} "
            f"{effect.decision} {effect.gate or '-'} {row.close_cause or 'open'}"
        )
    else:
        words = f"{type(effect).__name__} {effect.scope} {effect.rule}"
    return f"{number} {words} {hashlib.sha256(text).hexdigest()[:8]}"


async def _day(folder: Path, minutes: float) -> str:
    clock = LoopClock(START_NS)
    world = World(scenario_of(SCENARIO), SEED, TruthStore(), clock)
    specs = {m.spec.asset: m.spec for m in world.markets if m.spec.asset in ASSETS}
    hosts = {"kraken": routes(world, world.kraken)}
    hosts |= {
        f"sim-{letter}": routes(world, node) for letter, node in zip("ab", world.nodes, strict=True)
    }
    transport = PipeTransport(hosts)
    in_hand = FrameInHand(_DEPTH)
    desk = ScriptedDesk(specs, folder, clock, in_hand)
    feeds: list[MarketFeed] = [
        KrakenFeed(
            transport, "ws://kraken/v2", _symbols(specs),
            clock=clock, rng=seeded_random("kraken feed"), sink=in_hand.around(desk.tell),
            depth=_DEPTH, tap=in_hand.take,
        ),
        SolanaFeed(
            transport, _ENDPOINTS, [(spec.pool, spec.pool_kind) for spec in specs.values()],
            clock=clock, rng=seeded_random("solana feed"), sink=desk.tell,
        ),
    ]  # fmt: skip
    world.start()
    try:
        async with _running(world.schedule.run(clock), *(feed.run() for feed in feeds), desk.run()):
            await asyncio.sleep(minutes * 60)
    finally:
        desk.journal.close()
        await transport.close()
        world.stop()
    return desk.journal.decisions_hash


def _symbols(specs: dict[str, MarketSpec]) -> list[str]:
    quotes = {quote for spec in specs.values() for quote in (spec.cex_quote, spec.pool_quote)}
    marks = {MARK_SYMBOLS[quote] for quote in quotes if quote in MARK_SYMBOLS}
    return sorted({spec.cex_symbol for spec in specs.values()} | marks | {"SOL/USD"})


@contextlib.asynccontextmanager
async def _running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run tasks beside the block; one that fails ends the day with its reason."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in ended:
            task.result()


class ScriptedDesk:
    """A journaled engine whose surroundings follow a script instead of venues and database."""

    def __init__(
        self, specs: dict[str, MarketSpec], folder: Path, clock: Clock, in_hand: FrameInHand
    ) -> None:
        setup = EngineSetup(specs=specs)
        self.journal = start_journal(
            setup,
            folder,
            clock=ManualClock(clock.now_ns()),
            software="day",
            profile="sim",
            writer_id=0,
        )
        self._specs = specs
        self._clock = clock
        self._handle = self.journal.around(setup.build(), in_hand)

    def tell(self, event: EngineInput) -> None:
        """Hand an event to the engine and settle what it decides."""
        for effect in self._handle(event):
            if isinstance(effect, Execute) and effect.intent.mode == "live":
                loop = asyncio.get_running_loop()
                loop.call_later(_SETTLES_AFTER_S / 2, self._progress, effect.intent)
                loop.call_later(_SETTLES_AFTER_S, self._close, effect.intent)

    async def run(self) -> None:
        """What the host and the database tell an engine at its start, and then its timers."""
        now_ns = self._clock.now_ns()
        self.tell(ModeApplied("*", "live", 1, "day", "desk", "the scripted day", now_ns))
        for asset in self._specs:
            settings = AssetSettings(asset=asset, version=1, mode="live")
            self.tell(SettingsApplied(settings, now_ns))
        symbols = [spec.cex_symbol for spec in self._specs.values()]
        self.tell(FeesKnown(dict.fromkeys(symbols, _TAKER), 5_000, now_ns))
        beat = 0
        while True:
            now_ns = self._clock.now_ns()
            if beat % 50 == 0:
                self.tell(self._holdings(now_ns))
            if beat % 2 == 0:
                self.tell(VenuesReady(kraken=True, solana=True, at_ns=now_ns))
            self.tell(TimerFired(now_ns))
            beat += 1
            await asyncio.sleep(0.1)

    def _holdings(self, now_ns: int) -> HoldingsKnown:
        kraken = {quote: Decimal(150_000) for quote in ("USD", "USDC", "USDT")}
        raw = {"USDC": 150_000 * 10**6, "SOL": 1_000 * 10**9}
        for spec in self._specs.values():
            kraken[spec.asset] = Decimal(100_000)
            raw[spec.asset] = 100_000 * 10**spec.base_decimals
        return HoldingsKnown(kraken, raw, now_ns)

    def _progress(self, intent: Intent) -> None:
        now_ns = self._clock.now_ns()
        self.tell(
            TradeProgressed(
                intent_key=intent.intent_key,
                asset=intent.asset,
                cex_state="done",
                dex_state="live",
                cex_fill_ns=now_ns,
                landed_slot=None,
                at_ns=now_ns,
            )
        )

    def _close(self, intent: Intent) -> None:
        """End a trade: every third swap failed, the others landed."""
        has_landed = intent.decided_ns // 1_000_000 % 3 != 0
        now_ns = self._clock.now_ns()
        self.tell(
            TradeClosed(
                intent_key=intent.intent_key,
                asset=intent.asset,
                outcome="both" if has_landed else "hedged",
                realised_usd=intent.pnl.expected if has_landed else Decimal("-0.5"),
                dex_landed=has_landed,
                cex_filled_ratio=1.0,
                cex_fill_ns=now_ns,
                landed_slot=intent.pool_slot + 2 if has_landed else None,
                at_ns=now_ns,
            )
        )
