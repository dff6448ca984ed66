"""When a venue goes quiet for too long: ask for a stop, and lift it after clean time.

One watch per asset. What counts is proof that the asset's subscriptions are alive, not
how often its book moves. Pure and driven by the timer; only the control service stops
anything, and only its answer (`ModeApplied`) counts here. Called by the engine.
"""

from __future__ import annotations

from typing import Final, get_args

from feeds.market.events import VenueName
from trading.effects import RequestResume, RequestStop
from trading.inputs import ModeApplied

VENUES: Final[tuple[VenueName, ...]] = get_args(VenueName)
RULES: Final[dict[VenueName, str]] = {"kraken": "kraken_stale", "solana": "solana_stale"}
_NAMES: Final[dict[VenueName, str]] = {"kraken": "Kraken", "solana": "Solana"}


class StalenessModel:
    """After how long a silence stops an asset, and how long a clean feed lifts it again.

    Clean means that no proof is older than `clean_ns`, which is more than a heartbeat
    (1 s on Kraken) and less than what anybody would call an outage.
    """

    __slots__ = ("clean_ns", "pause_ns", "resume_ns")

    def __init__(self, pause_ns: int, resume_ns: int, clean_ns: int = 3_000_000_000) -> None:
        self.pause_ns = pause_ns
        self.resume_ns = resume_ns
        self.clean_ns = clean_ns


class StalenessWatch:
    """Watches both venues for one asset."""

    __slots__ = ("_asset", "_clean_since", "_model", "_resuming", "_tripped")

    def __init__(self, asset: str, model: StalenessModel) -> None:
        self._asset = asset
        self._model = model
        # Rules asked for or seen in force, and those whose lifting was asked for.
        self._tripped: set[str] = set()
        self._resuming: set[str] = set()
        self._clean_since: dict[VenueName, int | None] = dict.fromkeys(VENUES)

    def apply(self, row: ModeApplied) -> None:
        """Learn what is in force: a row names one tripped rule, or none when none is left."""
        self._resuming.clear()
        if row.rule in RULES.values():
            self._tripped.add(row.rule)
        else:
            self._tripped.clear()

    def check(
        self, venue: VenueName, proof_ns: int, has_valid_state: bool, at_ns: int
    ) -> RequestStop | RequestResume | None:
        """Judge one venue at a timer beat; each request is made once until it is answered.

        `proof_ns` is the last proof of life, or the engine's start when there was none.
        """
        age_ns = at_ns - proof_ns
        rule = RULES[venue]
        if age_ns > self._model.clean_ns or not has_valid_state:
            self._clean_since[venue] = None
        elif self._clean_since[venue] is None:
            self._clean_since[venue] = at_ns
        if age_ns > self._model.pause_ns:
            return self._stop(venue, rule, age_ns, at_ns)
        clean_since = self._clean_since[venue]
        if rule not in self._tripped or rule in self._resuming or clean_since is None:
            return None
        if at_ns - clean_since < self._model.resume_ns:
            return None
        self._resuming.add(rule)
        return RequestResume(scope=self._asset, rule=rule, at_ns=at_ns)

    def _stop(self, venue: VenueName, rule: str, age_ns: int, at_ns: int) -> RequestStop | None:
        if rule in self._tripped:
            return None
        self._tripped.add(rule)
        limit_s = self._model.pause_ns / 1e9
        return RequestStop(
            scope=self._asset,
            rule=rule,
            text=f"{_NAMES[venue]} feed silent for more than {limit_s:g} s",
            value=f"{age_ns / 1e9:.1f} s",
            limit=f"{limit_s:g} s",
            at_ns=at_ns,
        )
