"""A small market around a real engine, for tests that read as prose."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from feeds.market.events import (
    BookUpdated,
    FeedProof,
    InstrumentUpdated,
    PoolUpdated,
    SlotAdvanced,
    VenueStatus,
)
from feeds.market.pools import Whirlpool
from trading.effects import Effect, Execute, NoteWindow
from trading.engine.core import Engine
from trading.inputs import (
    EngineInput,
    FeesKnown,
    HoldingsKnown,
    ModeApplied,
    SettingsApplied,
    TimerFired,
    TradeClosed,
    VenuesReady,
    WindowsRestored,
)
from trading.intent import AssetSettings, Intent, WindowRow

from .builders import make_spec, make_whirlpool

MS = 1_000_000
START_NS = 1_700_000_000 * 1_000_000_000
# The pool of `make_whirlpool(-18_970)` is worth about 150.03 quote per base.
FAIR = 15_003


def settings_of(**changes: Any) -> AssetSettings:
    # Five cents: these tests shrink a trade by each limit, down to a few dollars' worth.
    least = Decimal("0.05")
    fields = {"asset": "SOL", "version": 1, "mode": "live", "min_profit_usd": least, **changes}
    return AssetSettings(**fields)


def book(at_ns: int, mid: int = FAIR, *, symbol: str = "SOL/USD", lots: int = 10**9) -> BookUpdated:
    """Five levels a side around `mid` ticks of 0.01."""
    return BookUpdated(
        symbol=symbol,
        bids=tuple((mid - 1 - i, lots) for i in range(5)),
        asks=tuple((mid + 1 + i, lots) for i in range(5)),
        price_precision=2,
        qty_precision=8,
        checksum=mid * 31 + lots,
        venue_at_ns=at_ns - 2 * MS,
        recv_ns=at_ns,
    )


def mark(at_ns: int, symbol: str = "USDC/USD", mid: int = 10_000) -> BookUpdated:
    return BookUpdated(
        symbol=symbol,
        bids=((mid - 1, 10**12),),
        asks=((mid + 1, 10**12),),
        price_precision=4,
        qty_precision=8,
        checksum=mid,
        venue_at_ns=at_ns,
        recv_ns=at_ns,
    )


def pool(at_ns: int, *, tick: int = -18_970, slot: int = 1000) -> PoolUpdated:
    state = make_whirlpool(tick, liquidity=3 * 10**13, slot=slot)
    return PoolUpdated(pool="POOL-SOL", slot=slot, state=state, recv_ns=at_ns)


def mode(
    at_ns: int, word: str, *, scope: str = "*", version: int = 1, rule: str = "desk"
) -> ModeApplied:
    return ModeApplied(
        scope=scope,
        mode=word,  # type: ignore[arg-type]
        version=version,
        command_id=f"command-{scope}-{version}",
        rule=rule,
        text=f"{word} by {rule}",
        at_ns=at_ns,
    )


def instrument(
    at_ns: int,
    symbol: str = "SOL/USD",
    *,
    price_precision: int = 2,
    qty_precision: int = 8,
    qty_min: str = "0.02",
    cost_min: str = "0.5",
) -> InstrumentUpdated:
    """A pair that trades in steps of its last places."""
    return InstrumentUpdated(
        symbol=symbol,
        status="online",
        price_precision=price_precision,
        qty_precision=qty_precision,
        price_increment=f"{Decimal(1).scaleb(-price_precision):f}",
        qty_increment=f"{Decimal(1).scaleb(-qty_precision):f}",
        qty_min=qty_min,
        cost_min=cost_min,
        recv_ns=at_ns,
    )


def heartbeat(at_ns: int) -> list[EngineInput]:
    """Both feeds prove themselves, and the timer fires."""
    return [
        FeedProof(venue="kraken", scope="*", recv_ns=at_ns),
        FeedProof(venue="solana", scope="*", recv_ns=at_ns),
        TimerFired(at_ns=at_ns),
    ]


def holdings(at_ns: int, **changes: Any) -> HoldingsKnown:
    fields = {
        "kraken": {"SOL": Decimal(1000), "USD": Decimal(150_000)},
        "solana_raw": {"SOL": 1000 * 10**9, "USDC": 150_000 * 10**6},
        "at_ns": at_ns,
    }
    return HoldingsKnown(**{**fields, **changes})


def setup_events(at_ns: int, **changes: Any) -> list[EngineInput]:
    """Everything an engine needs before it may trade, market included."""
    return [
        mode(at_ns, "live"),
        SettingsApplied(settings=settings_of(**changes), at_ns=at_ns),
        FeesKnown(taker={"SOL/USD": Decimal("0.001")}, base_fee_lamports=5000, at_ns=at_ns),
        VenuesReady(kraken=True, solana=True, at_ns=at_ns),
        holdings(at_ns),
        VenueStatus("kraken", "online", rtt_ms=20.0, recv_ns=at_ns, clock_skew_ms=0.0),
        VenueStatus(venue="solana", status="online", rtt_ms=None, recv_ns=at_ns),
        instrument(at_ns),
        SlotAdvanced(slot=1000, lag_slots=0, recv_ns=at_ns),
        mark(at_ns),
        book(at_ns),
        pool(at_ns),
    ]


class Market:
    """An engine, a moving clock, and everything the engine has said so far."""

    def __init__(self, engine: Engine | None = None, **changes: Any) -> None:
        self.engine = engine or Engine({"SOL": make_spec()})
        self.at_ns = START_NS
        self.effects: list[Effect] = []
        for event in setup_events(self.at_ns, **changes):
            self.tell(event)

    def tell(self, event: EngineInput) -> list[Effect]:
        said = self.engine.handle(event)
        self.effects += said
        return said

    def after(self, ms: float) -> int:
        """Let time pass and return it."""
        self.at_ns += round(ms * MS)
        return self.at_ns

    def book(self, mid: int = FAIR, *, after_ms: float = 10, **more: Any) -> list[Effect]:
        return self.tell(book(self.after(after_ms), mid, **more))

    def pool(self, tick: int = -18_970, *, slot: int = 1000, after_ms: float = 10) -> list[Effect]:
        return self.tell(pool(self.after(after_ms), tick=tick, slot=slot))

    def alive(self, after_ms: float = 100) -> list[Effect]:
        said = []
        for event in heartbeat(self.after(after_ms)):
            said += self.tell(event)
        return said

    def timer(self, after_ms: float = 100) -> list[Effect]:
        return self.tell(TimerFired(at_ns=self.after(after_ms)))

    def close_trade(self, intent: Intent, **changes: Any) -> list[Effect]:
        now = self.after(changes.pop("after_ms", 200))
        fields: dict[str, Any] = {
            "intent_key": intent.intent_key,
            "asset": intent.asset,
            "outcome": "both",
            "realised_usd": Decimal("0.5"),
            "dex_landed": True,
            "cex_filled_ratio": 1.0,
            "cex_fill_ns": now,
            "landed_slot": 1001,
            "at_ns": now,
        }
        return self.tell(TradeClosed(**{**fields, **changes}))

    @property
    def intents(self) -> list[Intent]:
        return [effect.intent for effect in self.effects if isinstance(effect, Execute)]

    @property
    def notes(self) -> list[NoteWindow]:
        return [effect for effect in self.effects if isinstance(effect, NoteWindow)]

    def last_rows(self) -> dict[UUID, WindowRow]:
        """The windows as a database would hold them: highest version wins."""
        return latest_rows(self.effects)


def latest_rows(effects: list[Effect]) -> dict[UUID, WindowRow]:
    rows: dict[UUID, WindowRow] = {}
    for effect in effects:
        if isinstance(effect, NoteWindow):
            known = rows.get(effect.window.window_id)
            if known is None or known.version < effect.window.version:
                rows[effect.window.window_id] = effect.window
    return rows


def restored(effects: list[Effect], busy: bool, at_ns: int) -> WindowsRestored:
    """What a restarted engine is told from the rows the old one noted."""
    return WindowsRestored(
        windows=tuple(latest_rows(effects).values()),
        busy_assets=("SOL",) if busy else (),
        at_ns=at_ns,
    )


def shifted(update: PoolUpdated, **changes: Any) -> PoolUpdated:
    """The same pool with other fields of its state."""
    assert isinstance(update.state, Whirlpool)
    return msgspec.structs.replace(update, state=msgspec.structs.replace(update.state, **changes))
