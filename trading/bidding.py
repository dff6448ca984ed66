"""What to bid for a place in a block: tip tiers, their odds, and the tier that pays.

Success of a swap is counted per tip tier and congestion level, one `OddsTable` per asset.
A dearer tip never lands less often, so tiers that say otherwise are pooled. What is EXPECTED
of a swap also depends on how its gap came, and starts from what the whole desk has seen
(`openings`); what is RISKED on it stays the bound of the asset's own counts. Pure; called by
`asset_state` (learning), `scene` (odds in force) and `evaluation` (the choice). Not here:
the priority price (`feeds.venues.solana.fees` reads it), the order of the legs (`legs`).
"""

from __future__ import annotations

from math import exp
from typing import Final, Literal

import msgspec

from trading.landing import Fading, Posterior
from trading.openings import OPENINGS, Opening, SharedOdds

# Lamports. Steps of about two: finer ones would share out the evidence without earning more.
TIP_TIERS: Final = (0, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000)

Congestion = Literal["low", "usual", "high"]
# The wanted priority price against its own longer past.
_LOW, _HIGH = 0.6, 1.7

# A prior that saturates: doubling a small tip helps, doubling a large one hardly does, and a
# leader drops some packets whatever is paid. Worth ten observations.
_PRIOR_TOP, _PRIOR_GAIN, _PRIOR_SCALE, _PRIOR_WEIGHT = 0.90, 0.15, 100_000.0, 10.0
_NOTHING = Posterior(0.0, 0.0)


def congestion_of(price: int, usual: int) -> Congestion:
    """Name how dear a place in a block is now, against what it usually costs."""
    if usual <= 0:
        return "usual"
    ratio = price / usual
    if ratio < _LOW:
        return "low"
    return "high" if ratio > _HIGH else "usual"


def congestion_named(word: str) -> Congestion:
    """The level a stored word names; an unknown one counts as usual."""
    return "low" if word == "low" else "high" if word == "high" else "usual"


def prior_of(tip_lamports: int) -> Posterior:
    """The odds of a tip before anything was tried."""
    mean = _PRIOR_TOP - _PRIOR_GAIN * exp(-tip_lamports / _PRIOR_SCALE)
    return Posterior(mean * _PRIOR_WEIGHT, (1 - mean) * _PRIOR_WEIGHT)


def priority_price(percentile: int | None, ceiling: int) -> int:
    """The priority price to pay, micro-lamports a unit: what landed lately, up to the ceiling.

    Never below a tenth of the ceiling: most slots show nothing paid on a quiet pool, and a
    transaction that pays nothing is the first one dropped. Unknown pays the ceiling.
    """
    if percentile is None:
        return ceiling
    return min(ceiling, max(percentile, ceiling // 10))


class TipOdds(msgspec.Struct, frozen=True):
    """One tier and what a swap that tips it may hope for.

    `landing` is what the asset's own outcomes say, whatever the gap: its lower bound is what
    bids and gates believe. `chances` is what to expect, by how the gap came.
    """

    tip_lamports: int
    landing: Posterior
    chances: dict[Opening, float]


class OddsTable:
    """One asset's counts by congestion level and tip tier; `shared` holds the desk's."""

    def __init__(self, shared: SharedOdds | None = None) -> None:
        self._shared = shared or SharedOdds()
        self._shared_revision = 0
        self._counts: dict[tuple[Congestion, int], Posterior] = {}
        # Outcomes alone, no prior in them: it is the desk's, and that moves.
        self._by_opening: dict[tuple[Congestion, int, Opening], Posterior] = {}
        self._pooled: dict[Congestion, tuple[TipOdds, ...]] = {}
        self._fading = Fading()

    def learn(
        self,
        tip_lamports: int,
        congestion: Congestion,
        opening: Opening,
        *,
        landed: bool,
        memory: float,
        at_ns: int,
    ) -> None:
        """Count one outcome for the tier the tip belongs to, here and on the desk."""
        self.fade(at_ns)
        tier = tier_of(tip_lamports)
        prior = prior_of(tier)
        known = self._counts.get((congestion, tier), prior)
        self._counts[congestion, tier] = known.after(landed, memory=memory)
        seen = self._by_opening.get((congestion, tier, opening), _NOTHING)
        self._by_opening[congestion, tier, opening] = seen.after(
            landed, memory=memory - _PRIOR_WEIGHT
        )
        self._shared.learn(opening, prior, landed=landed, memory=memory)
        self._pooled.clear()

    def fade(self, now_ns: int) -> None:
        """Let what was learnt fall back towards the prior, by whole minutes."""
        self._shared.fade(now_ns)
        kept = self._fading.kept(now_ns)
        if kept == 1:
            return
        for (congestion, tier), known in self._counts.items():
            self._counts[congestion, tier] = _faded(known, prior_of(tier), kept)
        for key, seen in self._by_opening.items():
            self._by_opening[key] = _faded(seen, _NOTHING, kept)
        self._pooled.clear()

    def odds(self, congestion: Congestion, ceiling_lamports: int) -> tuple[TipOdds, ...]:
        """The tiers up to the ceiling (the lowest always), odds never falling with the tip."""
        if self._shared_revision != self._shared.revision:
            # What another asset learnt moves the expectations of this one.
            self._shared_revision = self._shared.revision
            self._pooled.clear()
        if congestion not in self._pooled:
            self._pooled[congestion] = self._pool(congestion)
        pooled = self._pooled[congestion]
        return tuple(one for one in pooled if one.tip_lamports <= max(0, ceiling_lamports))

    def _pool(self, congestion: Congestion) -> tuple[TipOdds, ...]:
        own = _never_falling(
            [self._counts.get((congestion, tier), prior_of(tier)) for tier in TIP_TIERS]
        )
        chances = {
            opening: [
                known.mean
                for known in _never_falling(
                    [self._expected(congestion, tier, opening) for tier in TIP_TIERS]
                )
            ]
            for opening in OPENINGS
        }
        return tuple(
            TipOdds(tier, own[place], {name: chances[name][place] for name in OPENINGS})
            for place, tier in enumerate(TIP_TIERS)
        )

    def _expected(self, congestion: Congestion, tier: int, opening: Opening) -> Posterior:
        """Own outcomes of an opening on top of the desk's, which weigh what the prior does."""
        mean = self._shared.chance(opening, prior_of(tier))
        seen = self._by_opening.get((congestion, tier, opening), _NOTHING)
        return Posterior(mean * _PRIOR_WEIGHT + seen.alpha, (1 - mean) * _PRIOR_WEIGHT + seen.beta)


def _faded(known: Posterior, prior: Posterior, kept: float) -> Posterior:
    return Posterior(
        prior.alpha + (known.alpha - prior.alpha) * kept,
        prior.beta + (known.beta - prior.beta) * kept,
    )


def tier_of(tip_lamports: int) -> int:
    """The highest tier that a tip reaches."""
    return max(tier for tier in TIP_TIERS if tier <= max(0, tip_lamports))


def _never_falling(tiers: list[Posterior]) -> list[Posterior]:
    """Pool neighbours that violate the order (isotonic regression by pool-adjacent-violators).

    Pooled tiers share their mean and the weight of the best known of them, so a few
    unlucky dear tries do not make the desk believe that paying more lands less.
    """
    blocks: list[list[Posterior]] = []
    for one in tiers:
        blocks.append([one])
        while len(blocks) > 1 and _mean(blocks[-2]) > _mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    found = []
    for block in blocks:
        mean, weight = _mean(block), max(map(_weight, block))
        found += [Posterior(mean * weight, (1 - mean) * weight)] * len(block)
    return found


def _mean(block: list[Posterior]) -> float:
    return sum(one.alpha for one in block) / sum(map(_weight, block))


def _weight(one: Posterior) -> float:
    return one.alpha + one.beta


def best_bid(
    tiers: tuple[TipOdds, ...],
    *,
    profit_usd: float,
    lamport_usd: float,
    failed_usd: float,
    level: float,
) -> TipOdds:
    """The tier of the highest expected value, by the lower bound of its odds.

    `profit_usd` is what both legs earn before the tip, `failed_usd` what a failed try
    costs; a tip is part of the transaction, so it is paid on success only. The cheaper
    tier wins a tie.
    """

    def value(one: TipOdds) -> float:
        p = one.landing.lower(level)
        return p * (profit_usd - one.tip_lamports * lamport_usd) - (1 - p) * failed_usd

    return max(tiers, key=value)
