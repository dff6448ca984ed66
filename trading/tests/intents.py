"""Hand-made intents, settings and database rows for the tests of the execution core."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from arbsite import keys
from feeds.market.spec import MarketSpec
from feeds.sim import seeding
from trading.intent import (
    AssetSettings,
    DecisionAges,
    Intent,
    LegOrder,
    OrderVerdict,
    PnlTerms,
    WindowRow,
)
from trading.records import AttemptRecord

NOW_NS = 1_700_000_000_000_000_000
MARKS = {name: Decimal(usd) for name, usd in {"SOL": 150, "USD": 1, "USDC": 1, "USDT": 1}.items()}


def make_settings(**changes: Any) -> AssetSettings:
    """SOL, LIVE, version 1."""
    return AssetSettings(**{"asset": "SOL", "version": 1, "mode": "live"} | changes)


def make_verdict(order: LegOrder = "concurrent") -> OrderVerdict:
    return OrderVerdict(
        order=order,
        p_land=0.9,
        p_land_lower=0.85,
        unwind_bps=21.0,
        drift_bps=1.5,
        fail_fee_bps=0.1,
        ev_concurrent_bps=4.0,
        ev_dex_first_bps=5.0,
        ev_cex_first_bps=3.0,
        forced_by_config=True,
    )


def make_pnl(expected: Decimal = Decimal("1.5")) -> PnlTerms:
    zero = Decimal(0)
    return PnlTerms(
        sell_proceeds=Decimal(152),
        buy_cost=Decimal(150),
        cex_fee=Decimal("0.152"),
        chain_fee=Decimal("0.001"),
        failure_cost=zero,
        expected=expected,
        haircut=zero,
        basis_cost=zero,
        inventory_cost=zero,
        leg_risk=zero,
        decision_value=expected,
    )


def make_intent(
    number: int = 0,
    *,
    order: LegOrder = "concurrent",
    spec: MarketSpec | None = None,
    decided_ns: int = NOW_NS,
    **changes: Any,
) -> Intent:
    """Buy 1 SOL from the pool and sell it on Kraken; `number` tells intents apart."""
    spec = spec or seeding.market_of("SOL").spec
    window = keys.window_id(spec.cex_symbol, spec.pool, "buy_dex_sell_cex", number, NOW_NS, 7)
    fields: dict[str, Any] = {
        "intent_key": keys.intent_key(window, 0),
        "window_id": window,
        "ordinal": 0,
        "asset": spec.asset,
        "direction": "buy_dex_sell_cex",
        "mode": "live",
        "spec": spec,
        "qty_lots": 10**spec.qty_precision,
        "base_raw": 10**spec.base_decimals,
        "cex_side": "sell",
        "cex_limit_ticks": 15_150,
        "cex_expected_ticks": 15_200,
        "dex_a_to_b": spec.sells_a("buy_dex_sell_cex"),
        "dex_exact_in": False,
        "dex_expected_quote_raw": 150_100_000,
        "dex_threshold_raw": 150_400_000,
        "tick_array_starts": (0, 88, 176),
        "verdict": make_verdict(order),
        "pnl": make_pnl(),
        "notional_usd": Decimal(150),
        "min_pnl_usd": Decimal("0.5"),
        "limited_by": "peak",
        "gross_bps": 130.0,
        "net_bps": 100.5,
        "marks_usd": dict(MARKS),
        "ages": DecisionAges(1.0, 20.0, 150.0, 0, 20.0, 100.0, 1000.0),
        "book_checksum": 123456,
        "book_venue_at_ns": decided_ns - 30_000_000,
        "pool_slot": 300_000_000,
        "detect_ns": decided_ns - 1_000_000,
        "decided_ns": decided_ns,
        "config_version": 1,
        "control_version": 1,
        "cu_price_micro_lamports": 100_000,
        "tip_lamports": 0,
        "order_deadline_ms": 1000,
    }
    return Intent(**fields | changes)


def planned(intent: Intent) -> list[AttemptRecord]:
    """Both first attempts of a concurrent trade, as the executor plans them."""
    cex = AttemptRecord(
        id=keys.leg_id(intent.intent_key, "cex", 1),
        leg="cex",
        seq=1,
        venue="kraken",
        side="sell",
        qty=Decimal(1),
        state="sending",
        limit_price=Decimal("151.50"),
        cl_ord_id=str(keys.leg_id(intent.intent_key, "cex", 1)),
        deadline_ns=intent.decided_ns + 10**9,
        sent_ns=intent.decided_ns,
    )
    dex = AttemptRecord(
        id=keys.leg_id(intent.intent_key, "dex", 1),
        leg="dex",
        seq=1,
        venue="solana",
        side="buy",
        qty=Decimal(1),
        state="sending",
        signature=f"signature of {intent.intent_key}",
        raw_tx=b"\x01\x02\xff",
        last_valid_height=280_000_150,
        threshold_raw=150_400_000,
        sent_ns=intent.decided_ns,
    )
    return [cex, dex]


def make_window(window_id: UUID, version: int = 1, **changes: Any) -> WindowRow:
    fields: dict[str, Any] = {
        "window_id": window_id,
        "version": version,
        "asset": "SOL",
        "direction": "buy_dex_sell_cex",
        "opened_at_ns": NOW_NS,
        "first_slot": 300_000_000,
        "last_slot": 300_000_001,
        "peak_value_usd": Decimal("1.25"),
        "value_seconds_usd": Decimal("0.4"),
        "best_pnl_usd": Decimal("1.5"),
        "best_size_usd": Decimal(150),
        "gross_bps": 12.5,
        "net_bps": 2.5,
        "limited_by": "peak",
        "intents": 0,
        "is_eligible": True,
        "blocked_by": "",
    }
    return WindowRow(**fields | changes)


def open_desk(*assets: str, **config: Any) -> None:
    """Controls and first configurations of a LIVE desk, as `manage.py seed` leaves them."""
    from risk.models import Control, DeskLimits
    from trading.models import AssetConfig

    since_at = datetime(2026, 1, 1, tzinfo=UTC)
    DeskLimits.objects.get_or_create(
        version=1, status="in_force", defaults={"created_by": "tests", "created_at": since_at}
    )
    for scope in ("*", *assets):
        Control.objects.create(scope=scope, mode="live", since_at=since_at)
    for asset in assets:
        AssetConfig.objects.create(
            asset=asset,
            version=1,
            status="in_force",
            created_by="tests",
            created_at=since_at,
            **config,
        )
