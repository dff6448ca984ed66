"""What a trade costs whatever the tick: fees, haircut, odds, the order of the legs.

Gathered once per configuration, balance or mark (`scene.rebuild_terms`) and kept on the
asset. Pure. Called by `scene`, `looks` and `evaluation`. Not here: what one moment is worth.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final

import msgspec

from trading.bidding import Congestion, TipOdds
from trading.compute_units import ComputeLimit
from trading.intent import AssetSettings, OrderVerdict, SlackSplit
from trading.landing import Posterior
from trading.legs import OrderModel, choose_order, leg_risk_bps
from trading.openings import Opening
from trading.pricing import fraction_from_bps
from trading.sizing import SizeLimits, size_limits

_ONE: Final = Decimal(1)


class Rates(msgspec.Struct, frozen=True, gc=False):
    """What is proportional in one direction: kept of a price with and without the min edge.

    `walk` includes the minimum edge (it shapes the size), `net` only true costs (shown),
    `certain` only those that no odds and no order of the legs can spare.
    """

    walk: float
    net: float
    certain: float


class Odds(msgspec.Struct, frozen=True):
    """What the leg-order policy and the bid are chosen with.

    `tiers` are the tips allowed now, cheapest first; `cu_price` the priority price in force,
    `compute` the units each way of trading asks for, as far as measured.
    """

    taker: Decimal
    tiers: tuple[TipOdds, ...]
    congestion: Congestion
    cu_price: int
    filling: Posterior
    model: OrderModel
    compute: dict[str, ComputeLimit] = {}


class Terms(msgspec.Struct, frozen=True):
    """All that costs and sizes depend on and that does not change with every tick."""

    taker: Decimal
    taker_rate: float
    limits: SizeLimits
    base_fee_lamports: int
    odds: Odds
    haircut: Decimal
    basis: Decimal
    inventory: dict[str, Decimal]
    rates: dict[str, Rates]
    slack: SlackSplit | None = None


def terms_from(
    settings: AssetSettings,
    odds: Odds,
    *,
    base_fee_lamports: int,
    basis: Decimal,
    inventory: dict[str, Decimal],
    slack: SlackSplit | None = None,
) -> Terms:
    """Gather the proportional costs of both directions.

    The leg risk of the walk takes the failed-transaction fee as nothing: in bps of a
    notional worth trading it is below 0.1; the stored verdict counts it exactly.
    """
    verdict = verdict_of(settings, odds, odds.tiers[-1], edge_bps=0.0, fail_fee_bps=0.0)
    leg_risk = fraction_from_float(leg_risk_bps(verdict, odds.model))
    haircut = fraction_from_bps(settings.haircut_bps)
    min_edge = fraction_from_bps(settings.min_edge_bps)
    rates = {}
    for direction, sign in (("buy_dex_sell_cex", -1), ("buy_cex_sell_dex", 1)):
        certain = odds.taker + haircut + basis + inventory[direction]
        costs = certain + leg_risk
        rates[direction] = Rates(
            walk=float(_ONE + sign * (costs + min_edge)),
            net=float(_ONE + sign * costs),
            certain=float(_ONE + sign * certain),
        )
    return Terms(
        taker=odds.taker,
        taker_rate=float(odds.taker),
        limits=size_limits(settings),
        base_fee_lamports=base_fee_lamports,
        odds=odds,
        haircut=haircut,
        basis=basis,
        inventory=inventory,
        rates=rates,
        slack=slack,
    )


def verdict_of(
    settings: AssetSettings,
    odds: Odds,
    bid: TipOdds,
    *,
    edge_bps: float,
    fail_fee_bps: float,
    opening: Opening | None = None,
) -> OrderVerdict:
    """Choose the order of the legs for one tip, and say why (`legs.choose_order`).

    Without an `opening` (no gap yet) only the asset's own counts speak.
    """
    return choose_order(
        edge_bps=edge_bps,
        taker=float(odds.taker),
        fail_fee_bps=fail_fee_bps,
        landing=bid.landing,
        filling=odds.filling,
        model=odds.model,
        configured=settings.leg_order,
        congestion=odds.congestion,
        opening=opening or "slow",
        expected_p=bid.chances[opening] if opening else None,
    )


# Odds and risks are the same floats from tick to tick; reading one costs more than a quote.
@lru_cache(maxsize=1024)
def decimal_from_float(value: float) -> Decimal:
    """Return the shortest decimal that names this float."""
    return Decimal(repr(value))


@lru_cache(maxsize=1024)
def fraction_from_float(bps: float) -> Decimal:
    """Turn basis points into a fraction of the shortest decimal that names them."""
    return decimal_from_float(bps) / 10_000
