"""What a residual of one asset would meet right now, out of the engine's own state.

Callers: the host (for its desk). Not here: what to do about it (`residual`).
"""

from __future__ import annotations

from decimal import Decimal

from arbsite.units import decimal_from_int
from feeds.market.spec import MarketSpec
from trading.compute_units import PRIOR_UNITS
from trading.engine.engine_state import EngineState
from trading.execution.residual import HedgeMarket
from trading.pricing import chain_fee_usd

BASE_FEE_LAMPORTS = 5_000


def hedge_market(state: EngineState, spec: MarketSpec, now_ns: int) -> HedgeMarket | None:
    """The book, pool, fees and balances of an asset; None while its book is unusable."""
    feeds = state.feeds
    book, mark = feeds.books.get(spec.cex_symbol), feeds.mark_of(spec.cex_quote)
    if book is None or feeds.book_fault(spec.cex_symbol) or mark is None:
        return None
    pool_mark = feeds.mark_of(spec.pool_quote)
    curve = None if feeds.pool_fault(spec.pool) else feeds.curves.get(spec.pool)
    fees, held = state.fees, state.reservations.holdings
    raw = held.solana_raw.get(spec.asset) if held else None
    return HedgeMarket(
        bid_ticks=book.bids[0][0],
        ask_ticks=book.asks[0][0],
        cex_quote_usd=mark.usd,
        bids=book.bids,
        asks=book.asks,
        taker=fees.taker.get(spec.cex_symbol) if fees else None,
        pool=curve.state if curve is not None and pool_mark is not None else None,
        pool_quote_usd=pool_mark.usd if pool_mark is not None else Decimal(0),
        chain_fee_usd=_swap_fee_usd(state, spec),
        kraken_base=held.kraken.get(spec.asset) if held else None,
        solana_base=None if raw is None else decimal_from_int(raw, spec.base_decimals),
        at_s=now_ns // 1_000_000_000,
    )


def _swap_fee_usd(state: EngineState, spec: MarketSpec) -> Decimal:
    """Base, priority and tip of one swap at the asset's settings; 0 while SOL has no mark."""
    sol, settings = state.feeds.mark_of("SOL"), state.assets[spec.asset].settings
    if sol is None or settings is None:
        return Decimal(0)
    return chain_fee_usd(
        base_fee_lamports=BASE_FEE_LAMPORTS,
        cu_limit=PRIOR_UNITS,
        cu_price_micro_lamports=settings.cu_price_micro_lamports,
        tip_lamports=settings.tip_lamports,
        sol_usd=sol.usd,
    )
