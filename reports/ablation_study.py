"""A whole ablation as it is stored and shown, and the promises judged on its markets. Pure.

Made by `manage.py ablate`, read by `study_tables` and the API.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from arbsite.clock import seeded_random
from reports import promise_errors
from reports.promises import NOTHING, Level, estimated, judged, of_share, quantile, unseen
from trading.backtest.ablation import AblationRow, Lead, PolicyRun, summarise
from trading.backtest.grid import GridCell
from trading.backtest.intervals import bootstrap, ratio_of, share
from trading.backtest.policies import FIXED, FULL, WAITING

# What choosing the size must be worth; choosing the moment is another matter, without a target.
LEAST_GAIN = 0.25
_GAINS: dict[str, tuple[str, float | None]] = {
    FIXED: ("PnL over the best fixed size", LEAST_GAIN),
    WAITING: ("PnL over the best fixed size that waits", None),
}


class ScenarioPromises(msgspec.Struct, frozen=True):
    """The promises on one scenario, kept by the full system or not."""

    scenario: str
    levels: list[Level]


class AblationResult(msgspec.Struct, frozen=True):
    """Everything an ablation found. Studies stored earlier have no leads and no promises."""

    rows: list[AblationRow]
    grid: list[GridCell]
    best_fixed: dict[str, str]
    leads: list[Lead] = []
    promises: list[ScenarioPromises] = []


def result_of(runs: Sequence[PolicyRun], grid: list[GridCell], seed: int) -> AblationResult:
    """Put runs of all policies and the grid together; `seed` draws the bootstraps."""
    rows, leads = summarise(runs, seeded_random(seed))
    best = {lead.scenario: lead.policy for lead in leads if lead.kind == FIXED}
    promises = [
        ScenarioPromises(
            scenario,
            [
                *levels_of([run for run in runs if (run.scenario, run.policy) == (scenario, FULL)]),
                *(gain_level(lead) for lead in leads if lead.scenario == scenario),
            ],
        )
        for scenario in dict.fromkeys(run.scenario for run in runs)
    ]
    return AblationResult(rows, grid, best, leads, promises)


def levels_of(runs: Sequence[PolicyRun]) -> list[Level]:
    """The promises that a model of fills can answer, over all seeds of one scenario."""
    fills = [value for run in runs for value in run.evidence.fills_ms]
    naked = [value for run in runs for value in run.evidence.naked_s]
    worth = [pair for run in runs for pair in run.worth_by_block]
    trades = sum(len(run.trade_pnl) for run in runs)
    eligible = sum(run.eligible for run in runs)
    rng = seeded_random("promises")
    value = bootstrap(worth, ratio_of, rng)
    return [
        quantile("detect → both fills p50", fills, 0.5, 700, "ms"),
        quantile("detect → both fills p95", fills, 0.95, 1_500, "ms"),
        of_share(
            "capture of eligible windows",
            share(sum(run.captured for run in runs), eligible),
            0.60,
            is_floor=True,
        ),
        estimated("value captured, of an oracle that lands", value, eligible, ".1%"),
        of_share(
            "partial or hedged",
            share(sum(run.partials for run in runs), trades),
            0.10,
            is_floor=False,
        ),
        *promise_errors.levels([each for run in runs for each in run.evidence.predictions]),
        quantile("naked time p99", naked, 0.99, 30, "s"),
        unseen("verified", "≥ 99%", "a model has no venue records"),
    ]


def gain_level(lead: Lead) -> Level:
    """How much more the full system earns; `n` counts its trades."""
    name, least = _GAINS[lead.kind]
    target, found = NOTHING if least is None else f"≥ +{least:.0%}", lead.gain
    if found.value is None or found.low is None or found.high is None:
        return unseen(name, target)
    return Level(
        name,
        target,
        f"{found.value:+.1%} ({lead.policy})",
        lead.trades,
        f"{found.low:+.1%} – {found.high:+.1%}",
        judged(least is None or found.value >= least, lead.trades),
    )
