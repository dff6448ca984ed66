"""What each part of the policy is worth: the full desk against worse ones on the same facts.

Every policy meets the same seeded markets and the same luck, so differences are paired:
the intervals are bootstraps over blocks of market time. Pure; `manage.py ablate` spreads the
jobs over processes. Not here: what the policies are (`policies`), where promises fail (`grid`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from arbsite.clock import seeded_random
from trading.backtest.desk import BacktestDesk
from trading.backtest.errors import Prediction
from trading.backtest.figures import WindowLine, prediction_of, tail_mean, window_lines
from trading.backtest.intervals import Estimate, Picks, Share, bootstrap, ratio_of, share
from trading.backtest.policies import FIXED, FULL, WAITING, policies
from trading.backtest.run import Progress, run_desks
from trading.backtest.simulated import SimulatedMarket
from trading.paper.trade import PaperTrade

# Windows last a second: what happens in neighbouring minutes is nearly independent.
_BLOCK_NS = 60_000_000_000
_HOURS_A_BLOCK = _BLOCK_NS / 3.6e12
_PARTIAL = ("partial", "hedged", "operator")


class Job(msgspec.Struct, frozen=True):
    """One seeded market on which every policy runs."""

    scenario: str
    seed: int
    minutes: float


class Evidence(msgspec.Struct, frozen=True):
    """What the promises are judged by; times of trades with both legs filled, ms and s."""

    fills_ms: list[float]
    naked_s: list[float]
    predictions: list[Prediction]


class PolicyRun(msgspec.Struct, frozen=True):
    """One policy on one market: sums by block of market time, and what intervals need.

    `worth_by_block` is (realised, oracle) of the eligible windows that opened in the block.
    """

    policy: str
    scenario: str
    seed: int
    hours: float
    pnl_by_block: list[float]
    naked_by_block: list[float]
    worth_by_block: list[tuple[float, float]]
    trade_pnl: list[float]
    captured: int
    eligible: int
    partials: int
    rebalance_cost: float
    evidence: Evidence

    @property
    def net_by_block(self) -> list[float]:
        """PnL less transfers; their cost belongs to no block, so it is spread over all."""
        each = self.rebalance_cost / len(self.pnl_by_block)
        return [value - each for value in self.pnl_by_block]


class AblationRow(msgspec.Struct, frozen=True):
    """One policy on one scenario. `of_full` is its PnL as a share of the full system's.

    `value_capture` is realised PnL over the oracle's on eligible windows.
    """

    scenario: str
    policy: str
    trades: int
    capture: Share
    partials: Share
    pnl_per_hour: Estimate
    of_full: Estimate
    tail1_usd: Estimate
    naked_usd_s_per_hour: Estimate
    value_capture: Estimate = Estimate(None, None, None, 0)


class Lead(msgspec.Struct, frozen=True):
    """How much more the full system earns than the best policy of a kind, as a share of that.

    `kind` is "fixed" (size alone) or "waits for" (size and moment); `gain.n` counts minutes,
    `trades` those of the full system.
    """

    scenario: str
    kind: str
    policy: str
    gain: Estimate
    trades: int


# ---- one market ---------------------------------------------------------------------


def run_job(job: Job, progress: Progress | None = None) -> list[PolicyRun]:
    """Run every policy over one market, side by side.

    What would have been there without us is the same for all: the full system's shadow
    watches for everybody.
    """
    market = SimulatedMarket(job.scenario, job.seed, job.minutes)
    desks: list[BacktestDesk] = []
    for setup, reshape in policies(dict(market.specs)):
        desks.append(
            BacktestDesk(
                market.specs,
                setup,
                lambda name: seeded_random(f"{job.seed}/{name}"),
                reshape,
                shadow_of=desks[0] if desks else None,
            )
        )
    run_desks(market, desks, progress=progress)
    start_ns = market.span_ns[0]
    return [_policy_run(desk, job, start_ns) for desk in desks]


def _policy_run(desk: BacktestDesk, job: Job, start_ns: int) -> PolicyRun:
    trades = sorted(desk.trades, key=lambda trade: trade.detect_ns)
    eligible = [line for line in window_lines(desk, trades) if line.is_eligible]
    count = max(1, round(job.minutes * 60e9 / _BLOCK_NS))

    def block_of(at_ns: int) -> int:
        return max(0, min(count - 1, (at_ns - start_ns) // _BLOCK_NS))

    pnl, naked = [0.0] * count, [0.0] * count
    for trade in trades:
        pnl[block_of(trade.detect_ns)] += float(trade.realised_usd)
        naked[block_of(trade.detect_ns)] += trade.naked_usd_s
    worth = [(0.0, 0.0)] * count
    for line in eligible:
        made, best = worth[block_of(line.opened_at_ns)]
        worth[block_of(line.opened_at_ns)] = (
            made + float(line.realised_usd),
            best + max(0.0, float(line.oracle_usd)),
        )
    return PolicyRun(
        policy=desk.setup.label,
        scenario=job.scenario,
        seed=job.seed,
        hours=job.minutes / 60,
        pnl_by_block=pnl,
        naked_by_block=naked,
        worth_by_block=worth,
        trade_pnl=[float(trade.realised_usd) for trade in trades],
        captured=_captured(eligible),
        eligible=len(eligible),
        partials=sum(trade.outcome in _PARTIAL for trade in trades),
        rebalance_cost=float(desk.ledger.rebalance_cost_usd),
        evidence=_evidence(trades),
    )


def _captured(lines: Sequence[WindowLine]) -> int:
    return sum(line.outcome == "both" for line in lines)


def _evidence(trades: Sequence[PaperTrade]) -> Evidence:
    return Evidence(
        fills_ms=[
            (trade.both_filled_ns - trade.detect_ns) / 1e6
            for trade in trades
            if trade.both_filled_ns is not None
        ],
        naked_s=[trade.naked_s for trade in trades if trade.naked_s],
        predictions=[prediction_of(trade) for trade in trades],
    )


# ---- tables -------------------------------------------------------------------------


def summarise(runs: Sequence[PolicyRun], rng: Picks) -> tuple[list[AblationRow], list[Lead]]:
    """Rows by scenario and policy, and the full system's lead over the best of each kind."""
    rows: list[AblationRow] = []
    leads: list[Lead] = []
    for scenario in dict.fromkeys(run.scenario for run in runs):
        here: dict[str, list[PolicyRun]] = {}
        for run in runs:
            if run.scenario == scenario:
                here.setdefault(run.policy, []).append(run)
        full = here[FULL]
        rows += [_row(scenario, each, full, rng) for each in here.values()]
        leads += [
            _lead(scenario, kind, [each for name, each in here.items() if name.startswith(kind)],
                  full, rng)
            for kind in (FIXED, WAITING)
        ]  # fmt: skip
    return rows, leads


def _lead(
    scenario: str,
    kind: str,
    rivals: Sequence[Sequence[PolicyRun]],
    full: Sequence[PolicyRun],
    rng: Picks,
) -> Lead:
    """Against the best in hindsight, which favours it; paired by block."""
    best = max(rivals, key=lambda runs: sum(_blocks(runs)))
    pairs = list(zip(_blocks(full), _blocks(best), strict=True))

    def more(some: Sequence[tuple[float, float]]) -> float | None:
        ratio = ratio_of(some)
        return None if ratio is None else ratio - 1

    trades = sum(len(run.trade_pnl) for run in full)
    return Lead(scenario, kind, best[0].policy, bootstrap(pairs, more, rng), trades)


def _blocks(runs: Sequence[PolicyRun]) -> list[float]:
    return [value for run in runs for value in run.net_by_block]


def _row(
    scenario: str, runs: Sequence[PolicyRun], full: Sequence[PolicyRun], rng: Picks
) -> AblationRow:
    net, full_net = _blocks(runs), _blocks(full)
    naked = [value for run in runs for value in run.naked_by_block]
    worth = [pair for run in runs for pair in run.worth_by_block]
    trades = [value for run in runs for value in run.trade_pnl]
    return AblationRow(
        scenario=scenario,
        policy=runs[0].policy,
        trades=len(trades),
        capture=share(sum(run.captured for run in runs), sum(run.eligible for run in runs)),
        partials=share(sum(run.partials for run in runs), len(trades)),
        pnl_per_hour=bootstrap(net, _an_hour, rng),
        of_full=bootstrap(list(zip(net, full_net, strict=True)), ratio_of, rng),
        tail1_usd=bootstrap(trades, _tail, rng, draws=200),
        naked_usd_s_per_hour=bootstrap(naked, _an_hour, rng),
        value_capture=bootstrap(worth, ratio_of, rng),
    )


def _an_hour(values: Sequence[float]) -> float:
    return sum(values) / len(values) / _HOURS_A_BLOCK if values else 0.0


def _tail(values: Sequence[float]) -> float | None:
    if not values:
        return None
    return float(tail_mean([Decimal(repr(value)) for value in values]))
