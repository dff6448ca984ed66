"""How a gap came, and what the whole desk has seen become of swaps sent at each kind.

A gap that opens at once is news to everybody in the same slot. One that grew past our costs
was there for those who pay less before it was there for us, so they are ahead in the race:
their odds differ, and so does the money, for a gap that grew pays little by the time it
pays us. Counts of all assets, tips and congestion levels are shared here, because one
asset's own are too few on most days. Pure; called by `bidding` (learning, expectation) and
`scene` (naming). Not here: an asset's own counts and every bound that gates read
(`bidding.OddsTable`), what is done with a probability.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from trading.landing import Fading, Posterior

Opening = Literal["sudden", "slow"]
OPENINGS: Final[tuple[Opening, ...]] = ("sudden", "slow")


def opening_of(gross_bps: float, before_bps: float | None) -> Opening:
    """Name how a gap came: at once if at most half of it stood a slot ago.

    Both in bps before costs, of the same direction. A gap nobody saw coming because nothing
    could be seen counts as slow.
    """
    return "sudden" if before_bps is not None and 2 * before_bps <= gross_bps else "slow"


def opening_named(word: str) -> Opening:
    """The opening a stored word names; an unknown one counts as slow."""
    return "sudden" if word == "sudden" else "slow"


class _Count(msgspec.Struct):
    """Outcomes of one opening: `failed` swaps, all `tried`, and `against`.

    `against` sums, over the swaps that landed, the prior odds AGAINST their tip: a swap that
    lands with a tip that was thought sure says less than one that was thought doubtful.
    """

    failed: float = 0.0
    tried: float = 0.0
    against: float = 0.0

    def scale(self, by: float) -> None:
        self.failed *= by
        self.tried *= by
        self.against *= by


class SharedOdds:
    """What all outcomes of a desk say about each opening, whatever the asset and the tip.

    One factor per opening multiplies the prior's odds against every tip, so the tips keep
    their order. It solves Σ failed = factor · Σ over landed of the prior odds against, and
    the prior's own pseudo-counts stand in both sums: with outcomes of a single tip the
    answer is that tip's Beta mean exactly. `revision` moves with every change.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._counts: dict[Opening, _Count] = {opening: _Count() for opening in OPENINGS}
        self._fading = Fading()

    def learn(self, opening: Opening, prior: Posterior, *, landed: bool, memory: float) -> None:
        """Count one outcome of a tip with this prior; above `memory` counts fade in proportion."""
        count = self._counts[opening]
        count.tried += 1
        if landed:
            count.against += prior.beta / prior.alpha
        else:
            count.failed += 1
        count.scale(min(1.0, memory / count.tried))
        self.revision += 1

    def fade(self, now_ns: int) -> None:
        """Let what was learnt fall back towards the prior, by whole minutes."""
        kept = self._fading.kept(now_ns)
        if kept == 1:
            return
        for count in self._counts.values():
            count.scale(kept)
        self.revision += 1

    def chance(self, opening: Opening, prior: Posterior) -> float:
        """The expected chance of a tip with this prior, before its asset's own outcomes."""
        count = self._counts[opening]
        factor = (count.failed + prior.beta) / (count.against + prior.beta)
        return prior.alpha / (prior.alpha + prior.beta * factor)
