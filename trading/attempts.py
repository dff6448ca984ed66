"""Makes the attempts of a trade: both first legs, a shrunken swap, a hedge.

Plain construction from an intent and a signature; nothing here sends, stores or decides.
Callers: the executor (first legs), the runner (what follows).
"""

from __future__ import annotations

from decimal import Decimal

from arbsite import keys
from feeds.venues.base import DexSwap, DexTrading, Side
from trading.intent import Intent
from trading.ports import HedgeMarket
from trading.records import AttemptRecord


def first_cex(intent: Intent, *, now_ns: int, is_first: bool) -> AttemptRecord:
    """The Kraken order; PLANNED and without a deadline while it waits for the swap."""
    spec = intent.spec
    attempt_id = keys.leg_id(intent.intent_key, "cex", 1)
    return AttemptRecord(
        id=attempt_id,
        leg="cex",
        seq=1,
        venue="kraken",
        side=intent.cex_side,
        qty=Decimal(intent.qty_lots).scaleb(-spec.qty_precision),
        state="sending" if is_first else "planned",
        limit_price=Decimal(intent.cex_limit_ticks).scaleb(-spec.price_precision),
        cl_ord_id=str(attempt_id),
        deadline_ns=now_ns + intent.order_deadline_ms * 1_000_000 if is_first else None,
        sent_ns=now_ns if is_first else None,
    )


def first_dex(intent: Intent, solana: DexTrading, *, now_ns: int, is_first: bool) -> AttemptRecord:
    """The swap, signed; raises NotSent when it cannot be."""
    attempt = _swap(
        intent, solana, seq=1, base_raw=intent.base_raw, threshold_raw=intent.dex_threshold_raw
    )
    if is_first:
        attempt.state, attempt.sent_ns = "sending", now_ns
    return attempt


def smaller_dex(intent: Intent, solana: DexTrading, *, seq: int, base: Decimal) -> AttemptRecord:
    """A new swap for exactly `base`, after a first leg that filled in part; raises NotSent.

    The threshold shrinks in proportion, rounded against us by at most one unit.
    """
    base_raw = int(base.scaleb(intent.spec.base_decimals))
    scaled = intent.dex_threshold_raw * base_raw
    threshold = -(-scaled // intent.base_raw) if intent.dex_exact_in else scaled // intent.base_raw
    return _swap(intent, solana, seq=seq, base_raw=base_raw, threshold_raw=threshold)


def _swap(
    intent: Intent, solana: DexTrading, *, seq: int, base_raw: int, threshold_raw: int
) -> AttemptRecord:
    spec = intent.spec
    signed = solana.sign(
        DexSwap(
            pool=spec.pool,
            pool_kind=spec.pool_kind,
            a_to_b=intent.dex_a_to_b,
            exact_in=intent.dex_exact_in,
            amount_raw=base_raw,
            threshold_raw=threshold_raw,
            tick_array_starts=intent.tick_array_starts,
            cu_price_micro_lamports=intent.cu_price_micro_lamports,
            tip_lamports=intent.tip_lamports,
        )
    )
    return AttemptRecord(
        id=keys.leg_id(intent.intent_key, "dex", seq),
        leg="dex",
        seq=seq,
        venue="solana",
        side="buy" if intent.cex_side == "sell" else "sell",
        qty=Decimal(base_raw).scaleb(-spec.base_decimals),
        state="planned",
        signature=signed.signature,
        raw_tx=signed.raw,
        last_valid_height=signed.last_valid_height,
        threshold_raw=threshold_raw,
    )


def hedge(
    intent: Intent,
    market: HedgeMarket,
    *,
    seq: int,
    side: Side,
    lots: int,
    slip_bps: int,
    now_ns: int,
) -> AttemptRecord:
    """An IOC on Kraken that reaches `slip_bps` beyond the touch, on the price grid."""
    spec = intent.spec
    if side == "sell":
        ticks = market.bid_ticks * (10_000 - slip_bps) // 10_000
    else:
        ticks = -(-market.ask_ticks * (10_000 + slip_bps) // 10_000)
    ticks -= ticks % spec.price_increment_ticks
    attempt_id = keys.leg_id(intent.intent_key, "hedge", seq)
    return AttemptRecord(
        id=attempt_id,
        leg="hedge",
        seq=seq,
        venue="kraken",
        side=side,
        qty=Decimal(lots).scaleb(-spec.qty_precision),
        state="sending",
        limit_price=Decimal(ticks).scaleb(-spec.price_precision),
        cl_ord_id=str(attempt_id),
        deadline_ns=now_ns + intent.order_deadline_ms * 1_000_000,
        sent_ns=now_ns,
    )
