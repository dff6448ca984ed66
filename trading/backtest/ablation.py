"""What each part of the policy is worth: the full desk against worse ones on the same facts.

Every policy meets the same seeded markets and the same luck, so differences are paired:
the intervals are bootstraps over blocks of market time. Also the grid that names where
each promise fails. Pure; `manage.py ablate` spreads the jobs over processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from arbsite.clock import seeded_random
from feeds.market.spec import MarketSpec
from trading.backtest.desk import BacktestDesk, DeskSetup, Reshape
from trading.backtest.figures import Figures, figures_of, tail_mean
from trading.backtest.intervals import Estimate, Picks, Share, bootstrap, ratio_of, share
from trading.backtest.parameters import setup_from
from trading.backtest.reshaping import FixedSize, PercentSlippage
from trading.backtest.run import run_desks
from trading.backtest.simulated import SimulatedMarket, opening_balances
from trading.engine_state import EngineModel

FULL = "full system"
FIXED_SIZES_USD = (2_500, 5_000, 10_000, 15_000, 20_000, 30_000)
# A fixed size that may look again later in a window waits for a bigger edge: another policy.
WAITING_SIZE_USD = 20_000
# The reference configuration of these studies: depth and inventory bound the size, not a cap
# on a trade or a day (which would stop the best policy first); a swap may tip.
REFERENCE = {
    "fee_tier": "10",
    "max_notional_usd": "100000",
    "tip_lamports": "200000",
    "daily_notional_cap_usd": "1000000000",
    "daily_trades_cap": "1000000",
}
# Opening inventory in multiples of the demonstration desk's $50k an asset and venue: so much
# that sizing is what is compared. What rebalancing is worth is asked of the small desk.
_INVENTORY = 10
# Limits so loose that no gate that reads one ever refuses.
_NO_GATES = {
    "min_edge_bps": "0",
    "min_profit_usd": "0.000001",
    "haircut_bps": "0",
    "max_frame_age_ms": "1000000000",
    "max_slot_lag": "30000",
    "daily_loss_cap_usd": "1000000000000",
}
_OPEN_MODEL = EngineModel(max_balances_age_ms=10**12, max_fees_age_ms=10**12, max_gap_bps=1e9)
_BLOCK_NS = 300_000_000_000


class Job(msgspec.Struct, frozen=True):
    """One seeded market on which every policy runs."""

    scenario: str
    seed: int
    minutes: float


class PolicyRun(msgspec.Struct, frozen=True):
    """One policy on one market: PnL by block of market time, and what intervals need."""

    policy: str
    scenario: str
    seed: int
    hours: float
    pnl_by_block: list[float]
    naked_by_block: list[float]
    trade_pnl: list[float]
    captured: int
    eligible: int
    partials: int
    rebalance_cost: float


class AblationRow(msgspec.Struct, frozen=True):
    """One policy on one scenario. `of_full` is its PnL as a share of the full system's."""

    scenario: str
    policy: str
    trades: int
    capture: Share
    partials: Share
    pnl_per_hour: Estimate
    of_full: Estimate
    tail1_usd: Estimate
    naked_usd_s_per_hour: Estimate


class GridCell(msgspec.Struct, frozen=True):
    """One cell of competitor strength x chance of landing x fee tier, and what fails there."""

    strength: float
    land_p: float
    fee_bps: float
    trades: int
    capture: Share
    partials: Share
    pnl_usd: str
    bias: float | None
    wape: float | None
    median_error: float | None
    fills_p50_ms: float | None
    fills_p95_ms: float | None
    fails: list[str]


class AblationResult(msgspec.Struct, frozen=True):
    """Everything an ablation found."""

    rows: list[AblationRow]
    grid: list[GridCell]
    best_fixed: dict[str, str]


# ---- one market ---------------------------------------------------------------------


def policies(
    specs: dict[str, MarketSpec],
) -> list[tuple[DeskSetup, Reshape | None]]:
    """Every policy with the change it makes to an intent."""
    taker = Decimal(REFERENCE["fee_tier"]) / 10_000

    def setup(label: str, times: int = _INVENTORY, **changes: Any) -> DeskSetup:
        kraken, solana = _inventory(times)
        return setup_from(
            {**REFERENCE, **changes}, specs, kraken=kraken, solana=solana, label=label
        )

    waiting = setup(f"waits for {WAITING_SIZE_USD} USD", intents_per_window="10000")
    ungated: dict[str, Any] = dict(_NO_GATES)
    loose = msgspec.structs.replace(setup("no gates", **ungated), engine_model=_OPEN_MODEL)
    return [
        (setup(FULL), None),
        *(
            (setup(f"fixed {size} USD"), FixedSize(Decimal(size), taker))
            for size in FIXED_SIZES_USD
        ),
        (waiting, FixedSize(Decimal(WAITING_SIZE_USD), taker)),
        (setup("always concurrent", leg_order="concurrent"), None),
        (setup("1 % slippage", slippage_cap_bps="100"), PercentSlippage(100)),
        (loose, None),
        (setup("small inventory", 1), None),
        (setup("small, no rebalancing", 1, rebalancing="off"), None),
    ]


def _inventory(times: int) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    kraken, solana = opening_balances()
    return (
        {asset: amount * times for asset, amount in kraken.items()},
        {asset: amount * times for asset, amount in solana.items()},
    )


def run_job(job: Job) -> list[PolicyRun]:
    """Run every policy over one market, side by side."""
    market = SimulatedMarket(job.scenario, job.seed, job.minutes)
    chosen = policies(dict(market.specs))
    desks = [
        BacktestDesk(market.specs, setup, lambda name: seeded_random(f"{job.seed}/{name}"), reshape)
        for setup, reshape in chosen
    ]
    run_desks(market, desks)
    start_ns = market.span_ns[0]
    return [_policy_run(desk, job, start_ns) for desk in desks]


def _policy_run(desk: BacktestDesk, job: Job, start_ns: int) -> PolicyRun:
    figures = figures_of(desk, seeded_random(0))
    blocks = max(1, round(job.minutes * 60e9 / _BLOCK_NS))
    pnl, naked = [0.0] * blocks, [0.0] * blocks
    for trade in desk.trades:
        block = min(blocks - 1, (trade.detect_ns - start_ns) // _BLOCK_NS)
        pnl[block] += float(trade.realised_usd)
        naked[block] += trade.naked_usd_s
    return PolicyRun(
        policy=desk.setup.label,
        scenario=job.scenario,
        seed=job.seed,
        hours=job.minutes / 60,
        pnl_by_block=pnl,
        naked_by_block=naked,
        trade_pnl=[float(trade.realised_usd) for trade in desk.trades],
        captured=figures.capture_count.hits,
        eligible=figures.capture_count.n,
        partials=figures.partials.hits,
        rebalance_cost=float(desk.ledger.rebalance_cost_usd),
    )


# ---- tables -------------------------------------------------------------------------


def summarise(runs: Sequence[PolicyRun], rng: Picks) -> tuple[list[AblationRow], dict[str, str]]:
    """Rows by scenario and policy, and the best fixed size of each scenario."""
    rows: list[AblationRow] = []
    best: dict[str, str] = {}
    for scenario in dict.fromkeys(run.scenario for run in runs):
        here = [run for run in runs if run.scenario == scenario]
        full = [run for run in here if run.policy == FULL]
        rows += [
            _row(scenario, [run for run in here if run.policy == policy], full, rng)
            for policy in dict.fromkeys(run.policy for run in here)
        ]
        fixed = [row for row in rows if row.scenario == scenario and row.policy[:5] == "fixed"]
        best[scenario] = max(fixed, key=lambda row: row.pnl_per_hour.value or 0.0).policy
    return rows, best


def _row(
    scenario: str, runs: Sequence[PolicyRun], full: Sequence[PolicyRun], rng: Picks
) -> AblationRow:
    hours_a_block = _BLOCK_NS / 3.6e12
    cost = sum(run.rebalance_cost for run in runs)
    blocks = [value for run in runs for value in run.pnl_by_block]
    # A transfer's cost belongs to no block in particular: it is spread over all.
    net = [value - cost / len(blocks) for value in blocks]
    full_cost = sum(run.rebalance_cost for run in full)
    full_blocks = [value for run in full for value in run.pnl_by_block]
    full_net = [value - full_cost / len(full_blocks) for value in full_blocks]
    naked = [value for run in runs for value in run.naked_by_block]
    trades = [value for run in runs for value in run.trade_pnl]
    return AblationRow(
        scenario=scenario,
        policy=runs[0].policy,
        trades=len(trades),
        capture=share(sum(run.captured for run in runs), sum(run.eligible for run in runs)),
        partials=share(sum(run.partials for run in runs), len(trades)),
        pnl_per_hour=bootstrap(net, lambda some: _mean(some) / hours_a_block, rng),
        of_full=bootstrap(list(zip(net, full_net, strict=True)), ratio_of, rng),
        tail1_usd=bootstrap(trades, _tail, rng, draws=200),
        naked_usd_s_per_hour=bootstrap(naked, lambda some: _mean(some) / hours_a_block, rng),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _tail(values: Sequence[float]) -> float | None:
    if not values:
        return None
    return float(tail_mean([Decimal(repr(value)) for value in values]))


# ---- the grid -----------------------------------------------------------------------

STRENGTHS = (0.5, 1.0, 2.0)
LAND_PS = (0.5, 0.7, 0.85)
FEE_TIERS_BPS = (6, 10, 26)


def run_grid(
    job: Job,
    strength: float,
    land_ps: Sequence[float] = LAND_PS,
    fees_bps: Sequence[int] = FEE_TIERS_BPS,
) -> list[GridCell]:
    """Every chance of landing and fee tier on one market with rivals of that strength."""
    market = SimulatedMarket(job.scenario, job.seed, job.minutes, strength=strength)
    kraken, solana = _inventory(_INVENTORY)
    cells = [(land_p, fee) for land_p in land_ps for fee in fees_bps]
    desks = []
    for land_p, fee in cells:
        values = {**REFERENCE, "landing.land_p": str(land_p), "fee_tier": str(fee)}
        setup = setup_from(values, market.specs, kraken=kraken, solana=solana)
        desks.append(
            BacktestDesk(market.specs, setup, lambda name: seeded_random(f"{job.seed}/{name}"))
        )
    run_desks(market, desks)
    return [
        _cell(strength, land_p, fee, figures_of(desk, seeded_random(0)))
        for (land_p, fee), desk in zip(cells, desks, strict=True)
    ]


def _cell(strength: float, land_p: float, fee: int, figures: Figures) -> GridCell:
    errors, times = figures.errors, figures.detect_to_fills_ms
    return GridCell(
        strength=strength,
        land_p=land_p,
        fee_bps=fee,
        trades=figures.attempts,
        capture=figures.capture_count,
        partials=figures.partials,
        pnl_usd=figures.pnl_usd,
        bias=errors.bias,
        wape=errors.wape,
        median_error=errors.median,
        fills_p50_ms=times.p50,
        fills_p95_ms=times.p95,
        fails=failing(figures),
    )


def failing(figures: Figures) -> list[str]:
    """The promises (domain §8) that a run does not keep; one without data is not judged."""
    errors, times = figures.errors, figures.detect_to_fills_ms
    judged: tuple[tuple[str, float | None, float], ...] = (
        ("partials <= 10 %", figures.partials.value, 0.10),
        ("median error <= 25 %", errors.median, 0.25),
        ("|bias| <= 10 %", None if errors.bias is None else abs(errors.bias), 0.10),
        ("WAPE <= 35 %", errors.wape, 0.35),
        ("fills p50 <= 700 ms", times.p50, 700.0),
        ("fills p95 <= 1500 ms", times.p95, 1_500.0),
    )
    found = [name for name, value, limit in judged if value is not None and value > limit]
    captured = figures.capture_count.value
    if captured is not None and captured < 0.60:
        found.insert(0, "capture >= 60 %")
    return found
