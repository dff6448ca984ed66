"""What a trade is expected to earn, and how much of that its limits may give away.

One function prices a trade term by term, one turns the edge into the two limits, one
values realised ledger deltas; engine, executor, back-test and reports all call these.
USD everywhere at the decision's marks. Not here: the size search (`sizing`), the order
of the legs (`legs`).

Marks: a quote asset is valued at the MID of its own book (USD is 1), so that predicted
and realised PnL are measured with the same yardstick; what it would cost to cross that
book, half its spread, is the separate term `basis_cost`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import lru_cache
from typing import Literal

import msgspec

from arbsite.units import (
    EXACT,
    decimal_from_int,
    int_from_decimal_ceil,
    int_from_decimal_floor,
)
from feeds.market.spec import Direction, MarketSpec
from trading.intent import PnlTerms

LAMPORTS_PER_SOL_DIGITS = 9
_ONE_BPS = Decimal("0.0001")
_ZERO = Decimal(0)
_PLACES = Decimal("1e-12")
# The methods themselves, called `_down(value, _PLACES)`: a trade is rounded eight times.
_down = Context(prec=60, rounding=ROUND_FLOOR).quantize
_up = Context(prec=60, rounding=ROUND_CEILING).quantize


class Mark(msgspec.Struct, frozen=True):
    """USD per unit of an asset, and half the spread of the book it comes from (fraction)."""

    usd: Decimal
    half_spread: Decimal = _ZERO


USD_MARK = Mark(Decimal(1))


class Costs(msgspec.Struct, frozen=True):
    """Everything a trade costs beside the two walks, and how likely it comes off.

    Fractions of the notional: `taker` (of the book leg's value), `haircut`, `basis`,
    `inventory` (negative = a credit for restoring balance), `drift` (the second leg's wait),
    `unwind` (what a failed swap leaves to be unwound). In USD: `chain_fee_usd` (base,
    priority, tip of a landed swap), `failed_fee_usd` (of one that landed and failed).
    `p` is the mean chance that the swap succeeds, `p_lower` its lower bound.
    """

    taker: Decimal
    haircut: Decimal
    basis: Decimal
    inventory: Decimal
    drift: Decimal
    unwind: Decimal
    chain_fee_usd: Decimal
    failed_fee_usd: Decimal
    p: Decimal
    p_lower: Decimal


def fraction_from_bps(bps: Decimal) -> Decimal:
    """Turn basis points into a fraction, exactly."""
    return bps * _ONE_BPS


def basis_fraction(cex_quote: str, pool_quote: str, marks: Mapping[str, Mark]) -> Decimal:
    """What turning one venue's quote asset into the other's costs, as a fraction.

    Nothing when both venues quote in the same asset; otherwise half the spread of each
    mark book that has to be crossed (USD has none). Raises KeyError for an unknown mark.
    """
    if cex_quote == pool_quote:
        return _ZERO
    return marks[cex_quote].half_spread + marks[pool_quote].half_spread


def inventory_fraction(
    direction: Direction,
    *,
    kraken_base: Decimal,
    solana_base: Decimal,
    band_pct: Decimal,
    rebalance_bps: Decimal,
) -> Decimal:
    """Charge a trade that pushes the base further out of its band, credit one that restores it.

    The target is an even split between the venues, drift is the distance of Kraken's share
    from one half in percent of one half. Inside the band the answer is 0.
    """
    total = kraken_base + solana_base
    if total <= 0:
        return _ZERO
    drift_pct = (kraken_base - solana_base) * 100 / total
    if abs(drift_pct) <= band_pct:
        return _ZERO
    moves_to_kraken = direction == "buy_cex_sell_dex"
    worsens = (drift_pct > 0) == moves_to_kraken
    rate = fraction_from_bps(rebalance_bps)
    return rate if worsens else -rate


def chain_fee_usd(
    *,
    base_fee_lamports: int,
    cu_limit: int,
    cu_price_micro_lamports: int,
    tip_lamports: int,
    sol_usd: Decimal,
) -> Decimal:
    """USD of base fee, priority fee (rounded up as the chain does) and tip."""
    priority = -(-cu_limit * cu_price_micro_lamports // 1_000_000)
    lamports = base_fee_lamports + priority + tip_lamports
    return _sol_from_lamports(lamports) * sol_usd


# A few tips and prices make all the fees of an hour.
@lru_cache(maxsize=1024)
def _sol_from_lamports(lamports: int) -> Decimal:
    return decimal_from_int(lamports, LAMPORTS_PER_SOL_DIGITS)


def predicted_pnl(
    direction: Direction,
    *,
    cex_value: Decimal,
    cex_mark_usd: Decimal,
    dex_value: Decimal,
    dex_mark_usd: Decimal,
    costs: Costs,
) -> PnlTerms:
    """Price a trade term by term; every term rounded against us at 12 decimals.

    `cex_value` is the exact book walk in the book's quote asset before fees, `dex_value`
    the exact pool quote in the pool's, fee inside. The notional is the book leg's value.
    `expected` = p · success - (1 - p) · (failed fee + unwind), written as the success less
    `failure_cost`. What the lower bound of p takes off beyond its mean is risk, not cash:
    it stands in `leg_risk` beside the drift, so nothing is counted twice.
    """
    sells_on_cex = direction == "buy_dex_sell_cex"
    cex_usd = cex_value * cex_mark_usd
    dex_usd = dex_value * dex_mark_usd
    sell = _down(cex_usd if sells_on_cex else dex_usd, _PLACES)
    buy = _up(dex_usd if sells_on_cex else cex_usd, _PLACES)
    cex_fee = _up(cex_usd * costs.taker, _PLACES)
    chain_fee = _up(costs.chain_fee_usd, _PLACES)
    at_stake = success_usd(sell, buy, cex_fee, chain_fee)
    at_stake += costs.failed_fee_usd + cex_usd * costs.unwind
    failure = _up((1 - costs.p) * at_stake, _PLACES)
    expected = sell - buy - cex_fee - chain_fee - failure
    haircut = _up(cex_usd * costs.haircut, _PLACES)
    basis = _up(cex_usd * costs.basis, _PLACES)
    inventory = _up(cex_usd * costs.inventory, _PLACES)
    doubt = max(_ZERO, costs.p - costs.p_lower) * max(_ZERO, at_stake)
    leg_risk = _up(cex_usd * costs.drift + doubt, _PLACES)
    return PnlTerms(
        sell_proceeds=sell,
        buy_cost=buy,
        cex_fee=cex_fee,
        chain_fee=chain_fee,
        failure_cost=failure,
        expected=expected,
        haircut=haircut,
        basis_cost=basis,
        inventory_cost=inventory,
        leg_risk=leg_risk,
        decision_value=expected - haircut - basis - inventory - leg_risk,
    )


def success_usd(sell: Decimal, buy: Decimal, cex_fee: Decimal, chain_fee: Decimal) -> Decimal:
    """What a trade earns when both legs fill as quoted: what its limits may give away of."""
    return sell - buy - cex_fee - chain_fee


def realised_pnl(deltas: Mapping[str, Decimal], marks_usd: Mapping[str, Decimal]) -> Decimal:
    """Value the ledger deltas of a trade (by asset, whole units, fees included) in USD.

    Raises KeyError when an asset that moved has no mark: a missing mark is not zero.
    """
    total = _ZERO
    for asset in sorted(deltas):
        if deltas[asset]:
            total = EXACT.add(total, EXACT.multiply(deltas[asset], marks_usd[asset]))
    return total


# ---- the edge budget ----------------------------------------------------------------


class EdgeBudget(msgspec.Struct, frozen=True):
    """Two limits that together give away at most the edge.

    `min_pnl_usd` is the PnL, all stated fees paid, when both legs fill AT their limits.
    """

    cex_limit_ticks: int
    dex_threshold_raw: int
    slack_cex_usd: Decimal
    slack_dex_usd: Decimal
    min_pnl_usd: Decimal


class LegQuotes(msgspec.Struct, frozen=True):
    """The exact quotes of one size: what the budget is taken from.

    `cex_value_ticklots` = Σ price ticks × lots of the book walk, `cex_worst_ticks` the
    last level it touches, `dex_quote_raw` what the pool pays or takes.
    """

    lots: int
    base_raw: int
    cex_value_ticklots: int
    cex_worst_ticks: int
    dex_quote_raw: int


def edge_budget(
    spec: MarketSpec,
    direction: Direction,
    quotes: LegQuotes,
    *,
    success_usd: Decimal,
    theta_min_usd: Decimal,
    cex_mark_usd: Decimal,
    dex_mark_usd: Decimal,
    taker: Decimal,
    slippage_cap_bps: Decimal,
    cex_share: Decimal = Decimal("0.5"),
) -> EdgeBudget | None:
    """Spend the edge once, over both legs; None when it cannot pay for the walk itself.

    The budget is `success_usd` − `theta_min_usd`: what filling as quoted earns, for the
    limits bind only when both legs fill. The book leg first gets what lets its
    LAST level fill in full (an IOC has one limit, not a ladder of them); the rest is split
    by `cex_share`, as measured by `slippage` (half until then: a fifth left 45 of 613
    simulated trades to be hedged, half left 3 of 620, tests/policy/race.py). What the
    slippage cap takes from the pool's part goes to nobody. A fee on the slack itself is
    counted when buying. Limits are rounded towards the expected price. The cap is measured
    from each leg's own expected value.
    """
    budget_usd = success_usd - theta_min_usd
    if budget_usd < 0:
        return None
    sells_on_cex = direction == "buy_dex_sell_cex"
    # Selling lower also lowers the fee; it is not counted, which is against us.
    fee_factor = Decimal(1) if sells_on_cex else 1 + taker
    unit_usd = decimal_from_int(1, spec.price_precision + spec.qty_precision) * cex_mark_usd
    to_worst = abs(quotes.cex_value_ticklots - quotes.cex_worst_ticks * quotes.lots)
    walk_usd = to_worst * unit_usd * fee_factor
    if walk_usd > budget_usd:
        return None
    cap = fraction_from_bps(slippage_cap_bps)
    cex_cap_usd = quotes.cex_value_ticklots * unit_usd * cap * fee_factor
    dex_unit_usd = decimal_from_int(1, spec.quote_decimals) * dex_mark_usd
    dex_cap_usd = quotes.dex_quote_raw * dex_unit_usd * cap
    spare_usd = budget_usd - walk_usd
    slack_cex = min(walk_usd + spare_usd * cex_share, cex_cap_usd)
    slack_dex = min(spare_usd * (1 - cex_share), dex_cap_usd)
    limit = _cex_limit(spec, quotes, slack_cex / (unit_usd * fee_factor), sells_on_cex)
    slack_raw = int_from_decimal_floor(slack_dex / dex_unit_usd, 0)
    threshold = quotes.dex_quote_raw + (slack_raw if sells_on_cex else -slack_raw)
    at_limit = quotes.cex_value_ticklots - limit * quotes.lots
    given_cex = (at_limit if sells_on_cex else -at_limit) * unit_usd * fee_factor
    if sells_on_cex:
        # A cap can put the limit above the expected price: that gain pays its fee.
        given_cex = max(given_cex, given_cex * (1 - taker))
    given_dex = slack_raw * dex_unit_usd
    return EdgeBudget(
        cex_limit_ticks=limit,
        dex_threshold_raw=threshold,
        slack_cex_usd=given_cex,
        slack_dex_usd=given_dex,
        min_pnl_usd=success_usd - given_cex - given_dex,
    )


def bound_budget(
    spec: MarketSpec,
    direction: Direction,
    quotes: LegQuotes,
    dex_threshold_raw: int,
    *,
    success_usd: Decimal,
    theta_min_usd: Decimal,
    cex_mark_usd: Decimal,
    dex_mark_usd: Decimal,
    taker: Decimal,
    slippage_cap_bps: Decimal,
) -> EdgeBudget | None:
    """Spend the edge where the pool leg's limit is given: it is paid first, the rest is the book's.

    None when the edge cannot pay for that limit, or the limit is beyond the slippage cap.
    """
    given_raw = abs(dex_threshold_raw - quotes.dex_quote_raw)
    if given_raw > quotes.dex_quote_raw * fraction_from_bps(slippage_cap_bps):
        return None
    given_usd = decimal_from_int(given_raw, spec.quote_decimals) * dex_mark_usd
    budget = edge_budget(
        spec,
        direction,
        quotes,
        success_usd=success_usd - given_usd,
        theta_min_usd=theta_min_usd,
        cex_mark_usd=cex_mark_usd,
        dex_mark_usd=dex_mark_usd,
        taker=taker,
        slippage_cap_bps=slippage_cap_bps,
        cex_share=Decimal(1),
    )
    if budget is None:
        return None
    return msgspec.structs.replace(
        budget, dex_threshold_raw=dex_threshold_raw, slack_dex_usd=given_usd
    )


def _cex_limit(spec: MarketSpec, quotes: LegQuotes, slack_ticklots: Decimal, sells: bool) -> int:
    """The limit, in ticks on the price grid, that gives away at most `slack_ticklots`."""
    slack = int_from_decimal_floor(slack_ticklots, 0)
    step = spec.price_increment_ticks
    if sells:
        lowest = -(-(quotes.cex_value_ticklots - slack) // quotes.lots)
        return -(-lowest // step) * step
    highest = (quotes.cex_value_ticklots + slack) // quotes.lots
    return highest // step * step


def remaining_cex_limit(
    spec: MarketSpec,
    side: Literal["buy", "sell"],
    *,
    qty_lots: int,
    dex_quote_usd: Decimal,
    fixed_costs_usd: Decimal,
    theta_min_usd: Decimal,
    cex_mark_usd: Decimal,
    taker: Decimal,
) -> int:
    """The CEX limit, in ticks, once the DEX leg has filled: the whole rest of the edge.

    `dex_quote_usd` is what the swap really paid (sell) or cost (buy side of the pool), at
    the decision's mark; `fixed_costs_usd` the chain fees. Any fill inside the limit leaves
    PnL ≥ `theta_min_usd`. Rounded towards us; at least 1 tick.
    """
    unit_usd = decimal_from_int(qty_lots, spec.price_precision + spec.qty_precision) * cex_mark_usd
    step = spec.price_increment_ticks
    if side == "sell":
        needed = (dex_quote_usd + fixed_costs_usd + theta_min_usd) / (unit_usd * (1 - taker))
        ticks = int_from_decimal_ceil(needed, 0)
        return max(1, -(-ticks // step) * step)
    affordable = (dex_quote_usd - fixed_costs_usd - theta_min_usd) / (unit_usd * (1 + taker))
    return max(1, int_from_decimal_floor(affordable, 0) // step * step)
