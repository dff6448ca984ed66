"""What to do with a residual: the cheapest of hedge, cross back, wait, and keep.

Pure. The book, the pool, the taker fee and the limits come in; out come the verdict and
the cost of every way, so that both can be stored with the trade and shown. Costs are USD
against the middle of the book, positive = lost; a way that is not open now has no cost but
a reason. Not here: sending, saving, clocks. Caller: `trading.execution.hedging`, and the engine's
previews for a person.
"""

from __future__ import annotations

from decimal import Decimal
from math import sqrt
from typing import Literal

import msgspec

from arbsite.units import decimal_from_int
from feeds.market.pools import Pool, QuoteRefused
from feeds.market.quote import quote
from feeds.market.spec import MarketSpec
from feeds.venues.base import Side
from trading.intent import AssetSettings

Act = Literal["flat", "dust", "hedge", "cross_back", "wait", "keep", "operator"]
Venue = Literal["kraken", "solana", ""]
Levels = tuple[tuple[int, int], ...]
_ZERO = Decimal(0)


class HedgeMarket(msgspec.Struct, frozen=True):
    """What a residual of one asset would meet now.

    Touch prices in ticks, the levels behind them as (ticks, lots), best first, and the USD
    mark of the book's quote asset. `pool` is None where a swap must not be considered.
    `chain_fee_usd` is what one swap costs. Balances are whole base units, None = not known.
    """

    bid_ticks: int
    ask_ticks: int
    cex_quote_usd: Decimal
    bids: Levels = ()
    asks: Levels = ()
    taker: Decimal | None = None
    pool: Pool | None = None
    pool_quote_usd: Decimal = _ZERO
    chain_fee_usd: Decimal = _ZERO
    kraken_base: Decimal | None = None
    solana_base: Decimal | None = None
    at_s: int = 0

    @property
    def middle_ticks(self) -> Decimal:
        """Half way between the touch prices."""
        return Decimal(self.bid_ticks + self.ask_ticks) / 2


class ResidualLimits(msgspec.Struct, frozen=True):
    """Bounds of the automatic acts, for one residual and for all of them together.

    `max_provisional_usd`: above it nothing is hedged before every attempt is proven over.
    `max_keep_usd`: what may stay as inventory inside the asset's band. `max_wait_s` and
    `stop_bps` end a wait. `max_naked_usd` (all residuals) and `max_naked_s` are the desk's.
    """

    max_provisional_usd: Decimal = Decimal(5_000)
    max_keep_usd: Decimal = Decimal(100)
    max_wait_s: float = 2.0
    stop_bps: float = 10.0
    max_naked_usd: Decimal = Decimal(20_000)
    max_naked_s: float = 120.0


class ResidualModel(msgspec.Struct, frozen=True):
    """What the costs assume, in bps of notional.

    `drift_bps` is the book's typical move in one second (0.9 bps per 400 ms slot at 80 % a
    year), `calm_spread_bps` what an ordinary book costs beside the taker fee, `p_swap` how
    often a second swap succeeds after a first one did not, `swap_s` until it is seen and
    `swap_proof_s` until its failure is known, `keep_s` until kept inventory is netted.
    """

    drift_bps: float = 1.42
    calm_spread_bps: float = 1.0
    default_taker_bps: float = 26.0
    p_swap: float = 0.6
    swap_s: float = 1.0
    swap_proof_s: float = 17.0
    keep_s: float = 300.0

    def drift_usd(self, notional_usd: Decimal, seconds: float) -> Decimal:
        """The typical move of a notional within so many seconds, in USD."""
        return notional_usd * Decimal(self.drift_bps * sqrt(max(seconds, 0.0)) / 1e4)


class Naked(msgspec.Struct, frozen=True):
    """The residual and what was done about it so far.

    `lots` positive = long base (to sell). `is_proven`: every attempt is over by proof.
    `filled_on` is the venue whose fill left it. `swaps_left` is 0 while an earlier swap may
    still land. `waited_s` and `moved_bps` (positive =
    against us) count from the first wait. `ticks` stands in for a missing book.
    """

    lots: int
    ticks: Decimal
    quote_usd: Decimal
    filled_on: Venue = "solana"
    is_proven: bool = True
    attempts_left: int = 1
    swaps_left: int = 0
    naked_s: float = 0.0
    waited_s: float = 0.0
    moved_bps: float = 0.0


class Way(msgspec.Struct, frozen=True):
    """One way out: its cost in USD, or None and why it is not open."""

    act: Act
    venue: Venue
    cost_usd: Decimal | None
    why: str = ""


class ResidualVerdict(msgspec.Struct, frozen=True):
    """What to do, why, and what every way would cost. `lots` are what an order can take."""

    act: Act
    reason: str
    venue: Venue = ""
    side: Side = "sell"
    lots: int = 0
    notional_usd: Decimal = _ZERO
    ways: tuple[Way, ...] = ()

    @property
    def suggestion(self) -> str:
        """What a person could do, in one sentence; the cheapest open way."""
        ranked = [way for way in self.ways if way.cost_usd is not None and way.act != "wait"]
        if not ranked:
            return "flatten when the market is back, or keep it as inventory"
        best = min(ranked, key=lambda way: way.cost_usd or _ZERO)
        if best.act == "keep":
            return f"keep it as inventory, about {best.cost_usd:.2f} USD at risk"
        return f"{self.side} it on {best.venue}, about {best.cost_usd:.2f} USD"


def choose(
    naked: Naked,
    spec: MarketSpec,
    settings: AssetSettings,
    market: HedgeMarket | None,
    *,
    limits: ResidualLimits = ResidualLimits(),  # noqa: B008 - immutable
    model: ResidualModel = ResidualModel(),  # noqa: B008 - immutable
) -> ResidualVerdict:
    """Choose for one residual: the limits first, then the cheapest way that is open.

    Below the venue's minimum it is dust, netted into a later trade. Past a limit of the
    asset or the desk it is an operator's. On a tie the way that ends the exposure wins.
    """
    if naked.lots == 0:
        return ResidualVerdict("flat", "no residual")
    side: Side = "sell" if naked.lots > 0 else "buy"
    lots = abs(naked.lots) // spec.qty_increment_lots * spec.qty_increment_lots
    ticks = market.middle_ticks if market else naked.ticks
    quote_usd = market.cex_quote_usd if market else naked.quote_usd
    # What the order would meet, for the venue's minimum; the middle, for what it is worth.
    touch = naked.ticks if market is None else market.bid_ticks
    cost = Decimal(lots * int(touch)).scaleb(-(spec.price_precision + spec.qty_precision))
    notional_usd = _value(lots, ticks, spec) * quote_usd
    if lots < spec.qty_min_lots or cost < Decimal(spec.cost_min):
        return ResidualVerdict("dust", "below the venue's minimum order", "", side, abs(naked.lots))
    ways = _ways(naked, side, lots, notional_usd, spec, settings, market, limits, model)

    def say(act: Act, reason: str, venue: Venue = "") -> ResidualVerdict:
        return ResidualVerdict(act, reason, venue, side, lots, notional_usd, ways)

    if notional_usd > settings.max_naked_usd:
        return say("operator", "residual above the naked limit")
    if naked.naked_s > min(settings.max_naked_s, limits.max_naked_s):
        return say("operator", "naked for too long")
    if not naked.is_proven and notional_usd > limits.max_provisional_usd:
        return say("wait", "too large to hedge before the attempts are proven over")
    is_open = [way for way in ways if way.cost_usd is not None]
    if naked.attempts_left <= 0 and not any(way.act == "keep" for way in is_open):
        return say("operator", "no hedge attempts left")
    if not is_open:
        return say("wait", "no usable market")
    best = min(is_open, key=lambda way: (way.cost_usd, way.act == "wait", way.act == "keep"))
    return say(best.act, best.why or "residual above dust", best.venue)


def _ways(
    naked: Naked,
    side: Side,
    lots: int,
    notional_usd: Decimal,
    spec: MarketSpec,
    settings: AssetSettings,
    market: HedgeMarket | None,
    limits: ResidualLimits,
    model: ResidualModel,
) -> tuple[Way, ...]:
    kraken = _on_kraken(naked, side, lots, spec, market, model)
    swap = _on_solana(naked, side, lots, spec, market, kraken, notional_usd, model)
    wait = _wait(naked, notional_usd, market, limits, model)
    keep = _keep(naked, notional_usd, spec, settings, market, limits, model)
    return (kraken, swap, wait, keep)


def _on_kraken(
    naked: Naked,
    side: Side,
    lots: int,
    spec: MarketSpec,
    market: HedgeMarket | None,
    model: ResidualModel,
) -> Way:
    """An IOC through the book; what the visible levels cannot take is priced at the last."""
    act: Act = "cross_back" if naked.filled_on == "kraken" else "hedge"
    if market is None:
        return Way(act, "kraken", None, "no usable book")
    if naked.attempts_left <= 0:
        return Way(act, "kraken", None, "no hedge attempts left")
    touch = market.bid_ticks if side == "sell" else market.ask_ticks
    left, value, last = lots, 0, touch
    for ticks, size in market.bids if side == "sell" else market.asks:
        taken = min(left, size)
        value, left, last = value + ticks * taken, left - taken, ticks
        if not left:
            break
    value += left * last
    paid = Decimal(value).scaleb(-(spec.price_precision + spec.qty_precision))
    worth = _value(lots, market.middle_ticks, spec)
    impact = worth - paid if side == "sell" else paid - worth
    return Way(act, "kraken", (impact + paid * _taker(market, model)) * market.cex_quote_usd)


def _on_solana(
    naked: Naked,
    side: Side,
    lots: int,
    spec: MarketSpec,
    market: HedgeMarket | None,
    kraken: Way,
    notional_usd: Decimal,
    model: ResidualModel,
) -> Way:
    """One more swap: what it pays if it lands, and the other way, later, if it does not."""
    act: Act = "cross_back" if naked.filled_on == "solana" else "hedge"
    if market is None or market.pool is None:
        return Way(act, "solana", None, "no usable pool")
    if naked.swaps_left <= 0 or naked.attempts_left <= 0:
        return Way(act, "solana", None, "no swap left to try")
    if lots % spec.step_lots:
        return Way(act, "solana", None, "not a whole number of base units")
    if kraken.cost_usd is None:
        return Way(act, "solana", None, "nothing to fall back on when it fails")
    sells = side == "sell"
    base_raw = spec.raw_from_lots(lots)
    swap = quote(
        market.pool, base_raw, exact_in=sells, a_to_b=sells == spec.base_is_a, now_s=market.at_s
    )
    if isinstance(swap, QuoteRefused):
        return Way(act, "solana", None, f"the pool refuses: {swap.cause}")
    if sells and swap.amount_in != base_raw:
        return Way(act, "solana", None, "the pool would take a part only")
    raw = swap.amount_out if sells else swap.amount_in
    paid_usd = decimal_from_int(raw, spec.quote_decimals) * market.pool_quote_usd
    lost_usd = notional_usd - paid_usd if sells else paid_usd - notional_usd
    landed = lost_usd + model.drift_usd(notional_usd, model.swap_s)
    failed = kraken.cost_usd + model.drift_usd(notional_usd, model.swap_proof_s)
    p = Decimal(model.p_swap)
    return Way(act, "solana", p * landed + (1 - p) * failed + market.chain_fee_usd)


def _wait(
    naked: Naked,
    notional_usd: Decimal,
    market: HedgeMarket | None,
    limits: ResidualLimits,
    model: ResidualModel,
) -> Way:
    """Until the book is ordinary again: its ordinary cost and the drift of the wait."""
    left_s = limits.max_wait_s - naked.waited_s
    if left_s <= 0:
        return Way("wait", "", None, "waited long enough")
    if naked.moved_bps > limits.stop_bps:
        return Way("wait", "", None, "the price moved against us")
    if market is None:
        return Way("wait", "", None, "no usable book")
    calm = _taker(market, model) + Decimal(model.calm_spread_bps / 1e4)
    cost = notional_usd * calm + model.drift_usd(notional_usd, left_s)
    return Way("wait", "", cost, "cheaper to wait for the book")


def _keep(
    naked: Naked,
    notional_usd: Decimal,
    spec: MarketSpec,
    settings: AssetSettings,
    market: HedgeMarket | None,
    limits: ResidualLimits,
    model: ResidualModel,
) -> Way:
    """As inventory, while it is small and the split of the venues stays inside the band."""
    if notional_usd > limits.max_keep_usd:
        return Way("keep", "", None, "more than may be kept")
    if market is None or market.kraken_base is None or market.solana_base is None:
        return Way("keep", "", None, "balances are not known")
    total = market.kraken_base + market.solana_base
    if total <= 0:
        return Way("keep", "", None, "nothing is held")
    drift_pct = abs(market.kraken_base - market.solana_base) * 100 / total
    if drift_pct > settings.inventory_band_pct:
        return Way("keep", "", None, f"{spec.asset} is outside its band")
    return Way("keep", "", model.drift_usd(notional_usd, model.keep_s), "kept as inventory")


def _taker(market: HedgeMarket, model: ResidualModel) -> Decimal:
    return Decimal(model.default_taker_bps / 1e4) if market.taker is None else market.taker


def _value(lots: int, ticks: Decimal, spec: MarketSpec) -> Decimal:
    return (lots * ticks).scaleb(-(spec.price_precision + spec.qty_precision))
