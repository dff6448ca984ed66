"""Makes the attempts of a trade: both first legs, a shrunken swap, a hedge.

Plain construction from an intent and a signature; nothing here sends, stores or decides.
Callers: the executor (first legs), the runner (what follows).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from arbsite import keys
from arbsite.errors import NotSent
from feeds.market.clmm import arrays_for_swap
from feeds.market.pools import QuoteRefused, Whirlpool
from feeds.market.quote import quote
from feeds.venues.base import DexSwap, DexTrading, Side
from trading.compute_units import PRIOR_UNITS
from trading.execution.ports import HedgeMarket
from trading.intent import Intent
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

    The threshold shrinks in proportion, rounded against us by at most one unit. A route has
    one size: it is never shrunk.
    """
    if intent.route is not msgspec.UNSET:
        raise NotSent("a route cannot be shrunk")
    base_raw = int(base.scaleb(intent.spec.base_decimals))
    scaled = intent.dex_threshold_raw * base_raw
    threshold = -(-scaled // intent.base_raw) if intent.dex_exact_in else scaled // intent.base_raw
    return _swap(intent, solana, seq=seq, base_raw=base_raw, threshold_raw=threshold)


def _swap(
    intent: Intent, solana: DexTrading, *, seq: int, base_raw: int, threshold_raw: int
) -> AttemptRecord:
    spec = intent.spec
    swap = DexSwap(
        pool=spec.pool,
        pool_kind=spec.pool_kind,
        a_to_b=intent.dex_a_to_b,
        exact_in=intent.dex_exact_in,
        amount_raw=base_raw,
        threshold_raw=threshold_raw,
        tick_array_starts=intent.tick_array_starts,
        cu_limit=intent.cu_limit,
        cu_price_micro_lamports=intent.cu_price_micro_lamports,
        tip_lamports=intent.tip_lamports,
    )
    signed = solana.sign(_along_route(intent, swap))
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


def _along_route(intent: Intent, swap: DexSwap) -> DexSwap:
    """The swap as the intent's route does it: a purchase too is exact in what it gives."""
    if isinstance(intent.route, msgspec.UnsetType):
        return swap
    if not swap.exact_in:
        swap = msgspec.structs.replace(
            swap, exact_in=True, amount_raw=swap.threshold_raw, threshold_raw=swap.amount_raw
        )
    return msgspec.structs.replace(swap, route=intent.route.route)


def hedge_cu_limit(intent: Intent) -> int:
    """Compute units of a hedge on the pool: never fewer than the prior.

    It may go the other way than what was measured for the trade, and must not fail for want
    of units. The fees set aside for a trade (`projection`) count on this.
    """
    return max(PRIOR_UNITS, intent.cu_limit)


class Hedge(msgspec.Struct, frozen=True):
    """Which hedge of the trade this is, and what it takes from or gives to the market."""

    seq: int
    side: Side
    lots: int


def hedge(
    intent: Intent, market: HedgeMarket, wanted: Hedge, *, slip_bps: int, now_ns: int
) -> AttemptRecord:
    """An IOC on Kraken that reaches `slip_bps` beyond the touch, on the price grid."""
    spec = intent.spec
    attempt_id = keys.leg_id(intent.intent_key, "hedge", wanted.seq)
    return AttemptRecord(
        id=attempt_id,
        leg="hedge",
        seq=wanted.seq,
        venue="kraken",
        side=wanted.side,
        qty=Decimal(wanted.lots).scaleb(-spec.qty_precision),
        state="sending",
        limit_price=hedge_limit(intent, market, wanted.side, slip_bps),
        cl_ord_id=str(attempt_id),
        deadline_ns=now_ns + intent.order_deadline_ms * 1_000_000,
        sent_ns=now_ns,
    )


def hedge_limit(intent: Intent, market: HedgeMarket, side: Side, slip_bps: int) -> Decimal:
    """The limit price `slip_bps` beyond the touch, rounded down to the price grid."""
    spec = intent.spec
    if side == "sell":
        ticks = market.bid_ticks * (10_000 - slip_bps) // 10_000
    else:
        ticks = -(-market.ask_ticks * (10_000 + slip_bps) // 10_000)
    ticks -= ticks % spec.price_increment_ticks
    return Decimal(ticks).scaleb(-spec.price_precision)


def hedge_swap(
    intent: Intent,
    market: HedgeMarket,
    wanted: Hedge,
    solana: DexTrading,
    *,
    slip_bps: int,
    now_ns: int,
) -> AttemptRecord:
    """A swap of the residual on the pool of now; raises NotSent when it cannot be signed."""
    spec, sells = intent.spec, wanted.side == "sell"
    base_raw, a_to_b = spec.raw_from_lots(wanted.lots), sells == spec.base_is_a
    assert market.pool is not None
    swap = quote(market.pool, base_raw, exact_in=sells, a_to_b=a_to_b, now_s=market.at_s)
    if isinstance(swap, QuoteRefused):
        raise NotSent(f"the pool refuses the hedge: {swap.cause}")
    if sells:
        threshold = -(-swap.amount_out * (10_000 - slip_bps) // 10_000)
    else:
        threshold = swap.amount_in * (10_000 + slip_bps) // 10_000
    pool = market.pool
    starts = arrays_for_swap(pool, a_to_b) if isinstance(pool, Whirlpool) else ()
    signed = solana.sign(
        DexSwap(
            pool=spec.pool,
            pool_kind=spec.pool_kind,
            a_to_b=a_to_b,
            exact_in=sells,
            amount_raw=base_raw,
            threshold_raw=threshold,
            tick_array_starts=starts,
            cu_limit=hedge_cu_limit(intent),
            cu_price_micro_lamports=intent.cu_price_micro_lamports,
            tip_lamports=intent.tip_lamports,
        )
    )
    return AttemptRecord(
        id=keys.leg_id(intent.intent_key, "hedge", wanted.seq),
        leg="hedge",
        seq=wanted.seq,
        venue="solana",
        side=wanted.side,
        qty=Decimal(base_raw).scaleb(-spec.base_decimals),
        state="sending",
        signature=signed.signature,
        raw_tx=signed.raw,
        last_valid_height=signed.last_valid_height,
        threshold_raw=threshold,
        sent_ns=now_ns,
    )
