"""Everybody else who trades on the simulated pools: noise, arbitrageurs, providers.

Each is a `chain.actors` entry: asked at a slot's start, it answers with bids to act in
that slot. They swap through the same math as transactions (solana_market); arbitrageurs
also hedge on the Kraken book. Not here: prices (reference), quotes (makers).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from feeds.market.curve import fee_fraction, product_reserves
from feeds.market.pools import Pool, QuoteRefused, Swap, Whirlpool
from feeds.market.ticks import MAX_SQRT_PRICE, MIN_SQRT_PRICE
from feeds.sim.kraken.records import Side
from feeds.sim.scenarios import CompetitorParams, FlowParams, ProviderParams
from feeds.sim.schedule import Stream
from feeds.sim.seeding import SimMarket, sqrt_price_of
from feeds.sim.solana.accounts import Bank, Ledger
from feeds.sim.solana.blocks import Bid
from feeds.sim.solana.market import (
    Position,
    band,
    change_liquidity,
    scale_reserves,
    swap_as_flow,
)

_SLOT_MINUTES = 0.4 / 60
_FLOW_BID_LAMPORTS = 8_000
_BIG_AMOUNT = 10**17

CexBest = Callable[[], tuple[float, float]]
"""Kraken's best (bid, ask) in the pool's quote asset."""
Hedge = Callable[[Side, int], None]
"""Take a base quantity (raw units of the chain) from the Kraken book."""


def pool_price(pool: Pool, market: SimMarket) -> float:
    """Marginal price before fees: quote units per whole base unit."""
    spec = market.spec
    if isinstance(pool, Whirlpool):
        b_per_a = (pool.sqrt_price / 2**64) ** 2
    else:
        reserve_a, reserve_b = product_reserves(pool)
        b_per_a = reserve_b / reserve_a
    raw = b_per_a if spec.base_is_a else 1 / b_per_a
    return float(raw * 10.0 ** (spec.base_decimals - spec.quote_decimals))


def swap_to_price(
    accounts: Ledger, market: SimMarket, price: float, now_s: int, share: float = 1.0
) -> Swap | QuoteRefused | None:
    """Swap until the pool stands at `price` (quote per base), or `share` of the way."""
    pool = accounts.pool(market.spec.pool)
    here = pool_price(pool, market)
    price = here * (price / here) ** share
    target = sqrt_price_of(price, market.spec)
    if isinstance(pool, Whirlpool):
        limit = min(max(target, MIN_SQRT_PRICE), MAX_SQRT_PRICE)
        if limit == pool.sqrt_price:
            return None
        return swap_as_flow(
            accounts, pool.address, _BIG_AMOUNT, exact_in=True,
            a_to_b=limit < pool.sqrt_price, now_s=now_s, sqrt_price_limit=limit,
        )  # fmt: skip
    reserve_a, reserve_b = product_reserves(pool)
    invariant, root = math.sqrt(reserve_a) * math.sqrt(reserve_b), target / 2**64
    gap_a, gap_b = invariant / root - reserve_a, invariant * root - reserve_b
    a_to_b = gap_a > 0
    amount = int(max(gap_a, gap_b) / (1 - fee_fraction(pool)))
    if amount <= 0:
        return None
    return swap_as_flow(accounts, pool.address, amount, exact_in=True, a_to_b=a_to_b, now_s=now_s)


class NoiseFlow:
    """Uninformed swaps on one pool."""

    def __init__(self, market: SimMarket, params: FlowParams, rng: Stream) -> None:
        self._market = market
        self._params = params
        self._rng = rng

    def __call__(self, slot: int, at_ns: int) -> list[Bid]:
        """The swaps of one slot: at most one of each kind, which is what such rates mean."""
        params, bids = self._params, []
        for per_minute, size_bps, sigma in (
            (params.retail_per_minute, params.retail_bps, 0.6),
            (params.shocks_per_minute, params.shock_bps, params.shock_sigma),
        ):
            if self._rng.random() < per_minute * _SLOT_MINUTES:
                bids.append(self._bid(size_bps * math.exp(self._rng.gauss(0, sigma))))
        return bids

    def _bid(self, size_bps: float) -> Bid:
        sign = 1 if self._rng.random() < 0.5 else -1
        move = math.exp(sign * size_bps / 1e4)

        def act(accounts: Ledger, now_s: int) -> None:
            here = pool_price(accounts.pool(self._market.spec.pool), self._market)
            swap_to_price(accounts, self._market, here * move, now_s)

        return Bid(round(_FLOW_BID_LAMPORTS * math.exp(self._rng.gauss(0, 0.8))), act)


class Competitor:
    """One arbitrageur on one asset."""

    def __init__(
        self,
        market: SimMarket,
        params: CompetitorParams,
        bank: Bank,
        cex_best: CexBest,
        hedge: Hedge,
        rng: Stream,
    ) -> None:
        self._market = market
        self._params = params
        self._bank = bank
        self._cex_best = cex_best
        self._hedge = hedge
        self._rng = rng
        self._seen_slots = 0
        self.trades = 0

    def __call__(self, slot: int, at_ns: int) -> list[Bid]:
        """Bid when a gap has stood long enough for this competitor to have seen it."""
        if self._target(self._bank) is None:
            self._seen_slots = 0
            return []
        self._seen_slots += 1
        if self._seen_slots < self._params.delay_slots:
            return []
        if self._rng.random() >= self._params.act_p:
            return []
        lamports = self._params.bid_lamports * math.exp(self._rng.gauss(0, 0.5))
        return [Bid(round(lamports), self._act)]

    def _target(self, accounts: Ledger) -> float | None:
        """The price to bring the pool to; None when nothing is left after costs."""
        bid, ask = self._cex_best()
        pool = accounts.pool(self._market.spec.pool)
        here, fee = pool_price(pool, self._market), fee_fraction(pool)
        cost = (self._params.taker_bps + self._params.band_bps) / 1e4
        rich, poor = bid * (1 - cost) * (1 - fee), ask * (1 + cost) / (1 - fee)
        if bid and here < rich:
            return rich
        if ask and here > poor:
            return poor
        return None

    def _act(self, accounts: Ledger, now_s: int) -> None:
        target = self._target(accounts)  # others may have been first in this slot
        if target is None:
            return
        is_bought = target > pool_price(accounts.pool(self._market.spec.pool), self._market)
        done = swap_to_price(accounts, self._market, target, now_s, self._rng.uniform(0.8, 1.0))
        if not isinstance(done, Swap):
            return
        self.trades += 1
        self._seen_slots = 0
        base_raw = done.amount_out if is_bought else done.amount_in
        self._hedge("sell" if is_bought else "buy", int(base_raw * self._params.hedge_share))


class Providers:
    """Passive liquidity of one pool: a wide base, and bands that come, move and go."""

    def __init__(self, market: SimMarket, params: ProviderParams, bank: Bank, rng: Stream) -> None:
        self._market = market
        self._params = params
        self._bank = bank
        self._rng = rng
        self.positions: list[Position] = []
        self._before: list[Position] = []

    def __call__(self, slot: int, at_ns: int) -> list[Bid]:
        """Change something now and then."""
        self._before = list(self.positions)
        if self._rng.random() >= self._params.changes_per_minute * _SLOT_MINUTES:
            return []
        return [Bid(round(_FLOW_BID_LAMPORTS * self._rng.uniform(0.5, 1.5)), self._act)]

    def forget_last_slot(self) -> None:
        """A fork took the last slot back."""
        self.positions = list(self._before)

    def _act(self, accounts: Ledger, now_s: int) -> None:
        pool = accounts.pool(self._market.spec.pool)
        if not isinstance(pool, Whirlpool):
            ppm = round(self._rng.uniform(500, 3_000))
            scale_reserves(accounts, pool.address, ppm if self._rng.random() < 0.5 else -ppm)
            return
        visitors = [p for p in self.positions if p.upper - p.lower < _VISITOR_TICKS]
        is_dynamic = self._market.has_dynamic_arrays
        if len(visitors) > 3 or (visitors and self._rng.random() < 0.5):
            oldest = visitors[0]
            if change_liquidity(accounts, oldest, is_added=False, is_dynamic=is_dynamic):
                self.positions.remove(oldest)
            return
        liquidity = round(
            base_liquidity(pool, self._market, self._params) * self._rng.uniform(0.05, 0.2)
        )
        width = self._rng.uniform(60, 300)
        new = band(pool, width, liquidity, shift_bps=self._rng.uniform(-0.3, 0.3) * width)
        if change_liquidity(accounts, new, is_added=True, is_dynamic=is_dynamic):
            self.positions.append(new)


_VISITOR_TICKS = 1_000


def base_liquidity(pool: Whirlpool, market: SimMarket, params: ProviderParams) -> int:
    """Liquidity at which `depth_usd_per_10bps` of flow moves the price by 10 bps."""
    quote_raw = params.depth_usd_per_10bps * 10**market.spec.quote_decimals
    root = pool.sqrt_price / 2**64
    # Quote moved by a price move d is L·s·d/2 where the quote is b, L/s·d/2 where it is a.
    per_liquidity = (root if market.spec.base_is_a else 1 / root) * 0.001 / 2
    return int(quote_raw / per_liquidity)


def opening_positions(market: SimMarket, params: ProviderParams) -> list[Position]:
    """The liquidity a Whirlpool opens with: a wide base, more in steps inwards."""
    pool = market.pool
    if not isinstance(pool, Whirlpool):
        return []
    whole = base_liquidity(pool, market, params)
    shape = ((9_400.0, 0.25), (3_000.0, 0.35), (1_500.0, 0.25), (1_000.0, 0.15))
    return [band(pool, width, round(whole * share)) for width, share in shape]
