"""A swap asks for the compute units it was measured to need, or fails and asks for more."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from feeds.market.events import PoolUpdated
from feeds.sim import seeding
from feeds.sim.solana.transactions import parse
from feeds.venues.base import LandingFee
from feeds.venues.solana.compute_gauge import ComputeGauge
from feeds.venues.solana.programs import PoolRef
from trading.compute_units import PRIOR_UNITS, ComputeLimit, ComputeLimits
from trading.engine.core import Engine
from trading.inputs import ChainFeesKnown
from trading.intent import Intent
from trading.process.chain_fees import ChainFees
from trading.process.compute_sampling import ComputeSampler
from trading.tests.stories.desk import EngineProcess, Scene, story
from trading.tests.unit.desk import Market

PRICE = 100_000


class Measured:
    """An engine that knows the simulated market, and what its process measures for it."""

    def __init__(self, scene: Scene, process: EngineProcess) -> None:
        venues, spec = scene.venues, scene.venues.spec
        market = Market(Engine({"SOL": spec}))
        pool = venues.chain.bank.pool(spec.pool)
        market.tell(PoolUpdated(spec.pool, pool.slot, pool, market.at_ns))
        self.engine = market.engine
        self.told: list[ChainFeesKnown] = []
        limits = ComputeLimits()
        gauge = ComputeGauge(
            process.solana.rpc,
            {spec.pool: PoolRef.from_pool(venues.market.pool)}.get,
            wallet=process.solana.wallet.owner,
            tip_account=seeding.tip_accounts()[0],
        )
        self.sampler = ComputeSampler(gauge.units, market.engine.state, limits, venues.clock)
        self.fees = ChainFees(self._read, venues.clock, self.hear, can_tip=True, compute=limits)
        process.desk.compute_exceeded = self.fees.compute_exceeded

    async def _read(self) -> dict[str, LandingFee]:
        return {}

    def hear(self, news: ChainFeesKnown) -> None:
        self.told.append(news)
        self.engine.handle(news)

    def limit(self, intent: Intent) -> ComputeLimit:
        return self.told[-1].compute[intent.spec.pool][intent.direction]


def landed(scene: Scene, signature: str) -> tuple[Any, Any]:
    """The transaction as it was sent, and what the chain recorded of it."""
    record = scene.venues.chain.record(signature)
    assert record is not None
    return parse(record.raw), record.meta


async def swaps(scene: Scene) -> list[dict[str, Any]]:
    return await scene.rows(
        "SELECT a.signature, a.filled_base, a.evidence, o.intent FROM trading_attempt a"
        " JOIN trading_trade t ON t.id = a.trade_id"
        " JOIN trading_opportunity o USING (intent_key) WHERE a.leg = 'dex' ORDER BY t.detect_ns"
    )


@story
async def test_a_swap_asks_for_what_it_was_measured_to_need_and_pays_for_no_more(
    scene: Scene,
) -> None:
    process = await scene.engine()
    measured = Measured(scene, process)
    for _ in range(4):
        await measured.sampler.sample()
    await measured.fees.tell()
    # Nothing of what was measured could have been sent.
    assert scene.venues.true_sums() == {}
    for is_buying in (True, False):
        intent = scene.intent(is_buying_dex=is_buying)
        limit = measured.limit(intent)
        assert (limit.source, limit.samples) == ("simulation", 2)
        assert 40_000 < limit.largest < limit.units < PRIOR_UNITS
        intent = scene.intent(is_buying_dex=is_buying, compute=limit, cu_price_micro_lamports=PRICE)
        await process.executor.execute(intent)
        await process.until_idle()
    for row in await swaps(scene):
        sent, meta = landed(scene, row["signature"])
        stored = row["intent"]["compute"]["units"]
        assert sent.cu_limit == stored
        assert meta.error is None
        assert 0.5 * stored < meta.units < stored
        assert meta.fee_lamports == 5_000 + -(-stored * PRICE // 1_000_000)
        assert row["filled_base"] == Decimal(1)


@story
async def test_a_swap_that_runs_out_is_named_and_the_next_one_asks_for_enough(
    scene: Scene,
) -> None:
    process = await scene.engine()
    measured = Measured(scene, process)
    await measured.sampler.sample()
    tight = ComputeLimit(30_000, "simulation", 20, 24_000, scene.venues.clock.now_ns())
    await process.executor.execute(scene.intent("dex_first", compute=tight))
    await process.until_idle()
    (failed,) = await swaps(scene)
    _, meta = landed(scene, failed["signature"])
    assert meta.units == 30_000
    named = [item for item in failed["evidence"] if item["event"] == "compute_exceeded"]
    assert [item["answer"] for item in named] == ["ran out of 30000 compute units"]
    assert failed["filled_base"] == 0
    again = scene.intent("dex_first")
    raised = measured.limit(again)
    assert (raised.units, raised.source) == (PRIOR_UNITS, "failure")
    known = measured.engine.state.chain_fees
    assert known is not None
    assert known.compute[again.spec.pool][again.direction] == raised
    await process.executor.execute(scene.intent("dex_first", compute=raised))
    await process.until_idle()
    assert (await swaps(scene))[-1]["filled_base"] == Decimal(1)


@story
async def test_a_hedge_on_the_pool_never_asks_for_less_than_the_prior(scene: Scene) -> None:
    process = await scene.engine()
    heard: list[tuple[str, int]] = []
    process.desk.compute_exceeded = lambda _, side, limit: heard.append((side, limit))
    tight = ComputeLimit(30_000, "simulation", 20, 24_000, scene.venues.clock.now_ns())
    pool = scene.venues.chain.bank.pool(scene.venues.spec.pool)
    # Kraken's book is empty on the side that would take the rest back.
    scene.market = {
        "taker": Decimal("0.01"), "pool": pool, "pool_quote_usd": Decimal(1),
        "chain_fee_usd": Decimal("0.001"), "kraken_base": Decimal(100), "solana_base": Decimal(100),
    }  # fmt: skip
    await process.executor.execute(scene.intent(compute=tight))
    await process.until_idle()
    assert heard == [("buy", 30_000)]
    hedges = await scene.rows(
        "SELECT venue, signature FROM trading_attempt WHERE leg = 'hedge' ORDER BY seq"
    )
    assert [row["venue"] for row in hedges] == ["solana"]
    sent, meta = landed(scene, hedges[0]["signature"])
    assert (sent.cu_limit, meta.error) == (PRIOR_UNITS, None)
