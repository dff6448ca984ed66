"""The best size of a two-venue trade: a float walk that finds it, exact integers that decide.

Book levels and pool segments are merged with two pointers until the marginal profit is
nil or a cap binds (domain "optimal size"); the marginal profit only falls, so the answer
is the global optimum in O(levels + segments). The size is then floored to whole lots and
both legs are quoted again with the exact integer rules. Called by the engine and by the
back-test. Not here: what the trade is worth (`pricing`), whether it may be done (gates).

Units of the walk: base in raw units, values in raw units of the POOL's quote asset (book
prices are converted at the marks), s = sqrt(quote_raw / base_raw).
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Final

import msgspec

from feeds.market.curve import Pieces, Segment
from feeds.market.events import Level
from feeds.market.pools import QuoteRefused
from feeds.market.quoter import Quoter
from feeds.market.spec import Direction, MarketSpec
from trading.intent import AssetSettings
from trading.pricing import LegQuotes


class Ladder(msgspec.Struct, frozen=True, gc=False):
    """One side of the book in the walk's units.

    `tick_value` is the pool-quote value of one raw base unit at a price of one tick,
    `lot_raw` the base units of a lot, `take` what remains of a book price after all that
    is proportional to it: 1 - t - h when we sell there, 1 + t + h when we buy.
    """

    levels: tuple[Level, ...]
    tick_value: float
    lot_raw: float
    take: float


class Caps(msgspec.Struct, frozen=True, gc=False):
    """What may bind beside the optimum, each with the name it is reported by."""

    base_raw: float = inf
    base_cause: str = ""
    cex_value: float = inf
    cex_cause: str = ""
    dex_quote: float = inf
    dex_cause: str = ""
    impact: float = inf


class BestSize(msgspec.Struct, frozen=True, gc=False):
    """The walk's answer: base, value of the book leg before fees, quote of the pool leg."""

    base_raw: float
    cex_value: float
    dex_quote: float
    limited_by: str


# So little that any base at all moves the price beyond every bound.
_NOTHING: Final = 1e-300
NO_SIZE = BestSize(0.0, 0.0, 0.0, "optimum")


def tick_value(spec: MarketSpec, cex_quote_usd: float, pool_quote_usd: float) -> float:
    """Pool-quote raw per base raw of a book price of one tick, converted at the marks."""
    scale = 10.0 ** (spec.quote_decimals - spec.base_decimals - spec.price_precision)
    return scale * (cex_quote_usd / pool_quote_usd)


def lot_raw(spec: MarketSpec) -> float:
    """Base units of one lot, as a float."""
    return float(10.0 ** (spec.base_decimals - spec.qty_precision))


def has_edge(root: float, fee: float, ladder: Ladder, *, rising: bool) -> bool:
    """Whether the first unit already pays for all proportional costs: the early exit."""
    if not ladder.levels:
        return False
    net = ladder.levels[0][0] * ladder.tick_value * ladder.take
    return net * (1 - fee) > root * root if rising else net < root * root * (1 - fee)


def best_size(pieces: Pieces, fee: float, ladder: Ladder, caps: Caps, *, rising: bool) -> BestSize:
    """Walk to the best size; `rising` when base is bought from the pool.

    Returns what stopped the walk in `limited_by`: `optimum`, `cex_depth` or
    `dex_liquidity` where the visible book or the loaded tick arrays end, else a cap's name.

    The place in the pool is y = 1/s when rising, -1/s when falling: either way y falls,
    within a piece by base / depth. At `goal` the pool's price equals this level's worth.
    """
    first = pieces.piece(0)
    if first is None or not ladder.levels:
        return NO_SIZE
    pool = _PoolWalk(pieces, first, fee, caps, rising)
    depth, end, y, sign = pool.depth, pool.end, pool.y, pool.sign
    unit, lot = ladder.tick_value, ladder.lot_raw
    worth = ladder.take * (1 - fee if rising else 1 / (1 - fee))
    signed_worth = sign * worth
    base = value = 0.0
    base_cap, value_cap = caps.base_raw, caps.cex_value
    for ticks, lots in ladder.levels:
        # A float on the left: the interpreter multiplies an int from there without a detour.
        left, price = lot * lots, unit * ticks
        after, base_after, value_after = y - left / depth, base + left, value + left * price
        # Most levels are taken whole: within the piece, above `goal` (squared), below all caps.
        if (
            after >= end
            and after * after * price * signed_worth >= sign
            and base_after <= base_cap
            and value_after <= value_cap
        ):
            y, base, value = after, base_after, value_after
            continue
        cap = ""
        if base_after > base_cap:
            left, cap = max(0.0, base_cap - base), caps.base_cause
        if value + left * price > value_cap:
            left, cap = max(0.0, (value_cap - value) / price), caps.cex_cause
        pool.y = y
        taken, cause = pool.take(left, sign / sqrt(price * worth))
        depth, end, y = pool.depth, pool.end, pool.y
        base += taken
        value += taken * price
        if cause or cap:
            return BestSize(base, value, pool.quote_at(y), cause or cap)
    return BestSize(base, value, pool.quote_at(y), "cex_depth")


class _PoolWalk:
    """The pool's pieces, one at a time, cut short where a cap of the pool's side binds."""

    __slots__ = (
        "_at",
        "_bound",
        "_cause",
        "_kept",
        "_liquidity",
        "_money",
        "_money_cause",
        "_paid",
        "_pieces",
        "_start",
        "depth",
        "end",
        "sign",
        "y",
    )

    def __init__(
        self, pieces: Pieces, first: Segment, fee: float, caps: Caps, rising: bool
    ) -> None:
        self._pieces = pieces
        self._kept = 1 - fee
        self.sign = sign = 1.0 if rising else -1.0
        moved = 1 + sign * caps.impact
        self._bound = sign / (first[1] * sqrt(moved)) if moved > 0 else -inf
        self._money = caps.dex_quote if rising else inf
        self._money_cause = caps.dex_cause
        self._paid = 0.0
        self._at = 0
        self.y = self.end = self.depth = 0.0
        self._enter()

    def take(self, base: float, goal: float) -> tuple[float, str]:
        """Take `base` over as many pieces as it needs; return what was taken, and why no more."""
        left = base
        while True:
            after = self.y - left / self.depth
            if after >= goal and after >= self.end:
                self.y = after
                return base, ""
            # The piece, or the profit, ends first.
            stop = max(goal, self.end)
            if stop < self.y:
                left -= (self.y - stop) * self.depth
                self.y = stop
            cause = "optimum" if goal >= self.end else self._enter_next()
            if cause:
                return base - left, cause

    def _enter_next(self) -> str:
        """Leave a piece at its end; returns why the walk is over there, or nothing."""
        if self._cause or not self._liquidity:
            return self._cause or "dex_liquidity"
        self._paid = self.quote_at(self.end)
        self._at += 1
        self._enter()
        return ""

    def quote_at(self, y: float) -> float:
        """Quote exchanged with the pool, fee inside, up to a place in the present piece."""
        moved = self._liquidity * (1 / y - self.sign * self._start)
        return self._paid + (moved / self._kept if self.sign > 0 else moved)

    def _enter(self) -> None:
        """Begin the next piece that has liquidity: others only move the price."""
        pieces, sign = self._pieces, self.sign
        while (piece := pieces.piece(self._at)) is not None and piece[0] <= 0:
            self._at += 1
        self._cause = ""
        if piece is None:
            # Nothing is left to trade with: the walk ends at the end of the last piece.
            last = pieces.piece(self._at - 1)
            assert last is not None
            self._liquidity, self._start = 0.0, last[2]
            self.depth, self.y = _NOTHING, sign / self._start
            self.end = self.y
            return
        liquidity, start, end = piece
        self._liquidity, self._start = liquidity, start
        self.depth = liquidity if sign > 0 else liquidity / self._kept
        self.y, self.end = sign / start, sign / end
        if self.end < self._bound:
            self.end, self._cause = self._bound, "dex_impact"
        if self._money < inf:
            affordable = start + max(0.0, self._money - self._paid) * self._kept / liquidity
            if 1 / affordable > self.end:
                self.end, self._cause = 1 / affordable, self._money_cause


class SizeLimits(msgspec.Struct, frozen=True, gc=False):
    """The settings that shape a size, as floats: fractions, USD."""

    cex_depth: float
    slippage: float
    max_notional_usd: float
    impact: float


def size_limits(settings: AssetSettings) -> SizeLimits:
    """Read the size's limits from the settings, once per configuration."""
    return SizeLimits(
        cex_depth=float(settings.cex_depth_cap),
        slippage=float(settings.slippage_cap_bps) * 1e-4,
        max_notional_usd=float(settings.max_notional_usd),
        impact=float(settings.dex_impact_cap_bps) * 1e-4,
    )


UNBOUND: Final = 1e30
"""More of anything than there is: a cap that never binds."""


class Available(msgspec.Struct, frozen=True, gc=False):
    """What the direction may spend: whole units on Kraken, raw on chain, USD for the day.

    Selling on Kraken spends base there and quote on chain; buying the other way round.
    """

    cex_units: float
    dex_raw: float
    daily_usd: float
    pool_quote_usd: float
    daily_cause: str = "daily_notional"


def caps_from(
    spec: MarketSpec,
    limits: SizeLimits,
    ladder: Ladder,
    available: Available,
    *,
    taker: float,
    rising: bool,
) -> Caps:
    """Turn limits and balances into the walk's caps; of each kind the tightest counts.

    Balances that pay for a buy keep a margin of the slippage cap (and the taker fee), so
    that the limit, not only the expected price, can be paid.
    """
    visible_lots = 0
    for _, lots in ladder.levels:
        visible_lots += lots
    base_raw, base_cause = visible_lots * ladder.lot_raw * limits.cex_depth, "cex_depth"
    margin = 1 + limits.slippage
    per_usd = 10.0**spec.quote_decimals / available.pool_quote_usd
    cex_value, cex_cause = limits.max_notional_usd * per_usd, "max_notional"
    daily = max(0.0, available.daily_usd) * per_usd
    if daily < cex_value:
        cex_value, cex_cause = daily, available.daily_cause
    dex_quote, dex_cause = inf, ""
    if rising:
        held = available.cex_units * 10.0**spec.base_decimals
        if held < base_raw:
            base_raw, base_cause = held, "inventory_kraken"
        dex_quote, dex_cause = available.dex_raw / margin, "inventory_solana"
    else:
        if available.dex_raw < base_raw:
            base_raw, base_cause = available.dex_raw, "inventory_solana"
        # Raw value of one whole unit of the book's quote asset.
        unit = ladder.tick_value * 10.0 ** (spec.price_precision + spec.base_decimals)
        held = available.cex_units * unit / (margin * (1 + taker))
        if held < cex_value:
            cex_value, cex_cause = held, "inventory_kraken"
    return Caps(
        base_raw=base_raw,
        base_cause=base_cause,
        cex_value=cex_value,
        cex_cause=cex_cause,
        dex_quote=dex_quote,
        dex_cause=dex_cause,
        impact=limits.impact,
    )


# ---- exact integers -----------------------------------------------------------------


def lots_floor(base_raw: float, spec: MarketSpec) -> int:
    """Whole steps below the walk's size, in lots; a step is whole on both venues."""
    step = spec.step_lots
    return int(base_raw / (lot_raw(spec) * step)) * step


def walk_book(levels: tuple[Level, ...], lots: int) -> tuple[int, int] | None:
    """Exact (Σ ticks·lots, worst ticks) of taking `lots`; None when the book is too thin."""
    left, value = lots, 0
    for ticks, available in levels:
        taken = min(left, available)
        value += ticks * taken
        left -= taken
        if not left:
            return value, ticks
    return None


def quote_exactly(
    spec: MarketSpec,
    pool: Quoter,
    levels: tuple[Level, ...],
    direction: Direction,
    lots: int,
    now_s: int,
) -> LegQuotes | QuoteRefused:
    """Quote both legs of `lots` with the exact rules of book and chain.

    `pool` quotes the direction's own way through the pool (`PoolCurve.quoter`).

    The base quantity is fixed on both legs: exact out when buying from the pool, exact in
    when selling to it. An order the pool would fill in part is refused.
    """
    walked = walk_book(levels, lots)
    if walked is None:
        return QuoteRefused("book_too_thin")
    base_raw = spec.raw_from_lots(lots)
    exact_in = direction == "buy_cex_sell_dex"
    swap = pool.quote(base_raw, exact_in, now_s)
    if isinstance(swap, QuoteRefused):
        return swap
    if (swap.amount_in if exact_in else swap.amount_out) != base_raw:
        return QuoteRefused("partial_fill")
    return LegQuotes(
        lots=lots,
        base_raw=base_raw,
        cex_value_ticklots=walked[0],
        cex_worst_ticks=walked[1],
        dex_quote_raw=swap.amount_out if exact_in else swap.amount_in,
    )
