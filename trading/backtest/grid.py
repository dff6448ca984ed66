"""Where each promise fails: rivals' strength x chance of landing x fee tier.

Every cell is the full system on one seeded market; the rivals' strength makes another market,
the chance of landing and the fee tier another model on the same one. The chance is that of a slot
for the highest of bids: the desk tips well above the reference bid, so a chance at that bid alone
would hardly be felt. Pure; `manage.py ablate`
spreads the markets over processes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from arbsite.clock import seeded_random
from trading.backtest.ablation import Job
from trading.backtest.desk import BacktestDesk
from trading.backtest.figures import Figures, figures_of
from trading.backtest.intervals import Share
from trading.backtest.parameters import setup_from
from trading.backtest.policies import REFERENCE, inventory
from trading.backtest.run import Progress, run_desks
from trading.backtest.simulated import SimulatedMarket
from trading.paper.model import LandingModel

STRENGTHS = (0.5, 1.0, 2.0)
LAND_PS = (0.5, 0.7, 0.85)
FEE_TIERS_BPS = (6, 10, 26)


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


def run_grid(
    job: Job,
    strength: float,
    land_ps: Sequence[float] = LAND_PS,
    fees_bps: Sequence[int] = FEE_TIERS_BPS,
    *,
    progress: Progress | None = None,
) -> list[GridCell]:
    """Every chance of landing and fee tier on one market with rivals of that strength.

    Which windows there are hangs on the fee: desks of one fee share a shadow.
    """
    market = SimulatedMarket(job.scenario, job.seed, job.minutes, strength=strength)
    kraken, solana = inventory()
    cells = [(land_p, fee) for land_p in land_ps for fee in fees_bps]
    desks: list[BacktestDesk] = []
    first: dict[int, BacktestDesk] = {}
    for land_p, fee in cells:
        values = {**REFERENCE, **_landing(land_p), "fee_tier": str(fee)}
        desk = BacktestDesk(
            market.specs,
            setup_from(values, market.specs, kraken=kraken, solana=solana),
            lambda name: seeded_random(f"{job.seed}/{name}"),
            shadow_of=first.get(fee),
        )
        first.setdefault(fee, desk)
        desks.append(desk)
    run_desks(market, desks, progress=progress)
    return [
        _cell(strength, land_p, fee, figures_of(desk, seeded_random(0)))
        for (land_p, fee), desk in zip(cells, desks, strict=True)
    ]


def _landing(top: float) -> dict[str, str]:
    """A chain on which no bid buys more than `top` a slot; a usual bid keeps its share of it."""
    usual = LandingModel()
    at_reference = top * usual.land_p / usual.top_land_p
    return {"landing.land_p": str(at_reference), "landing.top_land_p": str(top)}


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
