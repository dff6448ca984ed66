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

import msgspec

from feeds.market.curve import Segment
from feeds.market.events import Level
from feeds.market.pools import Pool, QuoteRefused
from feeds.market.quote import quote
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


def best_size(
    segments: list[Segment], fee: float, ladder: Ladder, caps: Caps, *, rising: bool
) -> BestSize:
    """Walk to the best size; `rising` when base is bought from the pool.

    Returns what stopped the walk in `limited_by`: `optimum`, `cex_depth` or
    `dex_liquidity` where the visible book or the loaded tick arrays end, else a cap's name.
    """
    if not segments or not ladder.levels:
        return NO_SIZE
    walk = _Walk(segments[0][1], fee, caps, rising)
    level = piece = 0
    while True:
        ticks, lots = ladder.levels[level]
        price = ticks * ladder.tick_value
        goal = sqrt(price * ladder.take * walk.kept if rising else price * ladder.take / walk.kept)
        left = lots * ladder.lot_raw
        while True:
            left, stop = walk.step(segments[piece], goal, price, left)
            if stop:
                return walk.result(stop)
            if left <= 0:
                break
            piece += 1
            if piece == len(segments):
                return walk.result("dex_liquidity")
        level += 1
        if level == len(ladder.levels):
            return walk.result("cex_depth")


class _Walk:
    """Where the two pointers stand, and what has been exchanged so far."""

    __slots__ = ("base", "bound", "caps", "cex_value", "dex_quote", "kept", "rising", "s", "sign")

    def __init__(self, s: float, fee: float, caps: Caps, rising: bool) -> None:
        self.s = s
        self.kept = 1 - fee
        self.caps = caps
        self.rising = rising
        self.sign = 1.0 if rising else -1.0
        self.bound = s * sqrt(max(0.0, 1 + self.sign * caps.impact))
        self.base = self.cex_value = self.dex_quote = 0.0

    def result(self, limited_by: str) -> BestSize:
        return BestSize(self.base, self.cex_value, self.dex_quote, limited_by)

    def step(self, segment: Segment, goal: float, price: float, left: float) -> tuple[float, str]:
        """Advance to whatever comes first; what is left of the level, and why to stop."""
        liquidity, _, end = segment
        target, stop = self._nearest(liquidity, end, goal)
        if (target - self.s) * self.sign < 0:
            return left, stop
        to_target = liquidity * abs(1 / self.s - 1 / target)
        if not self.rising:
            to_target /= self.kept
        most, cap = self._most(left, price)
        if to_target > most:
            target, stop, to_target = self._after(liquidity, most), cap, most
            left = 0.0 if not cap else left - most
        else:
            left -= to_target
        moved = liquidity * abs(target - self.s)
        self.dex_quote += moved / self.kept if self.rising else moved
        self.base += to_target
        self.cex_value += to_target * price
        self.s = target
        return left, stop

    def _nearest(self, liquidity: float, end: float, goal: float) -> tuple[float, str]:
        """The first s to stop at: segment end (no cause), optimum, impact or pool money."""
        target, stop = end, ""
        if (target - goal) * self.sign > 0:
            target, stop = goal, "optimum"
        if (target - self.bound) * self.sign > 0:
            target, stop = self.bound, "dex_impact"
        money = self.caps.dex_quote - self.dex_quote
        if self.rising and liquidity > 0 and self.s + money * self.kept / liquidity < target:
            target, stop = self.s + max(0.0, money) * self.kept / liquidity, self.caps.dex_cause
        return target, stop

    def _most(self, left: float, price: float) -> tuple[float, str]:
        """The most base this level and the caps allow now; the cap's name if it binds."""
        most, cause = left, ""
        if self.caps.base_raw - self.base < most:
            most, cause = self.caps.base_raw - self.base, self.caps.base_cause
        if self.caps.cex_value - self.cex_value < most * price:
            most, cause = (self.caps.cex_value - self.cex_value) / price, self.caps.cex_cause
        return max(0.0, most), cause

    def _after(self, liquidity: float, base: float) -> float:
        """Where s stands after `base` more within a piece."""
        if self.rising:
            return 1 / (1 / self.s - base / liquidity)
        return 1 / (1 / self.s + base * self.kept / liquidity)


class Available(msgspec.Struct, frozen=True, gc=False):
    """What the direction may spend: whole units on Kraken, raw on chain, USD for the day.

    Selling on Kraken spends base there and quote on chain; buying the other way round.
    """

    cex_units: float
    dex_raw: float
    daily_usd: float
    pool_quote_usd: float


def caps_from(
    spec: MarketSpec,
    settings: AssetSettings,
    ladder: Ladder,
    available: Available,
    *,
    taker: float,
    rising: bool,
) -> Caps:
    """Turn settings and balances into the walk's caps; of each kind the tightest counts.

    Balances that pay for a buy keep a margin of the slippage cap (and the taker fee), so
    that the limit, not only the expected price, can be paid.
    """
    visible_raw = sum(lots for _, lots in ladder.levels) * ladder.lot_raw
    depth_raw = visible_raw * float(settings.cex_depth_cap)
    margin = 1 + float(settings.slippage_cap_bps) * 1e-4
    per_usd = 10.0**spec.quote_decimals / available.pool_quote_usd
    bases = [(depth_raw, "cex_depth")]
    values = [
        (float(settings.max_notional_usd) * per_usd, "max_notional"),
        (max(0.0, available.daily_usd) * per_usd, "daily_notional"),
    ]
    dex_quote, dex_cause = inf, ""
    if rising:
        bases.append((available.cex_units * 10.0**spec.base_decimals, "inventory_kraken"))
        dex_quote, dex_cause = available.dex_raw / margin, "inventory_solana"
    else:
        bases.append((available.dex_raw, "inventory_solana"))
        # Raw value of one whole unit of the book's quote asset.
        unit = ladder.tick_value * 10.0 ** (spec.price_precision + spec.base_decimals)
        values.append((available.cex_units * unit / (margin * (1 + taker)), "inventory_kraken"))
    base_raw, base_cause = min(bases)
    cex_value, cex_cause = min(values)
    return Caps(
        base_raw=base_raw,
        base_cause=base_cause,
        cex_value=cex_value,
        cex_cause=cex_cause,
        dex_quote=dex_quote,
        dex_cause=dex_cause,
        impact=float(settings.dex_impact_cap_bps) * 1e-4,
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
    pool: Pool,
    levels: tuple[Level, ...],
    direction: Direction,
    lots: int,
    now_s: int,
) -> LegQuotes | QuoteRefused:
    """Quote both legs of `lots` with the exact rules of book and chain.

    The base quantity is fixed on both legs: exact out when buying from the pool, exact in
    when selling to it. An order the pool would fill in part is refused.
    """
    walked = walk_book(levels, lots)
    if walked is None:
        return QuoteRefused("book_too_thin")
    base_raw = spec.raw_from_lots(lots)
    exact_in = direction == "buy_cex_sell_dex"
    swap = quote(pool, base_raw, exact_in=exact_in, a_to_b=spec.sells_a(direction), now_s=now_s)
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
