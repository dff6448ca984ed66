"""OBSERVE on real venues: decisions shown to both venues, and nothing traded at either."""

from __future__ import annotations

import asyncio

from trading.process.sampling import REFUSALS_IN_A_ROW, Sampler
from trading.tests.stories.desk import Scene, replace, story


class Told:
    """What was reported, and the sampler that reports it."""

    def __init__(self, engine, share: float = 1.0) -> None:  # type: ignore[no-untyped-def]
        self.words: list[str] = []
        self.engine = engine
        self.sampler = Sampler(
            engine.kraken,
            engine.solana,
            engine.store,
            engine.desk.clock,
            share=share,
            report=self.report,
        )

    async def report(self, text: str, value: str, limit: str) -> None:
        self.words.append(text)

    async def store_and_sample(self, intent) -> None:  # type: ignore[no-untyped-def]
        stored = asyncio.create_task(self.engine.executor.execute(intent))
        await self.sampler.sample(intent)
        await stored


async def kept(scene: Scene) -> list[dict]:  # type: ignore[type-arg]
    found = await scene.rows("SELECT sample FROM trading_opportunity ORDER BY decided_ns")
    return [row["sample"] for row in found]


@story
async def test_what_both_venues_would_take_is_kept_with_the_exact_amount(scene: Scene) -> None:
    engine = await scene.engine()
    told = Told(engine)
    for is_buying in (True, False):
        intent = replace(scene.intent(is_buying_dex=is_buying), mode="observe")
        assert told.sampler.wants(intent)
        await told.store_and_sample(intent)
    samples = await kept(scene)
    for sample in samples:
        assert (sample["cex_refusal"], sample["dex_refusal"]) == ("", "")
        assert sample["dex_quote_raw"] == sample["dex_expected_raw"]
    assert len(samples) == 2
    assert scene.venues.exchange.accounts.orders == {}
    assert scene.venues.true_sums() == {}
    assert await scene.rows("SELECT 1 FROM trading_trade") == []
    assert told.words == []


@story
async def test_refusals_in_a_row_are_reported_once(scene: Scene) -> None:
    engine = await scene.engine()
    told = Told(engine)
    for turn in range(REFUSALS_IN_A_ROW + 1):
        # The node refuses: more quote is asked than the pool gives.
        intent = replace(scene.intent(is_buying_dex=False), mode="observe")
        intent = replace(intent, dex_threshold_raw=2 * intent.dex_expected_quote_raw)
        await told.store_and_sample(intent)
        assert len(told.words) == (turn + 1 >= REFUSALS_IN_A_ROW)
    assert told.words[0].startswith(f"{REFUSALS_IN_A_ROW} sampled decisions")
    assert all(sample["dex_refusal"] for sample in await kept(scene))


@story
async def test_a_venue_that_refuses_the_order_is_named(scene: Scene) -> None:
    engine = await scene.engine()
    told = Told(engine)
    intent = replace(scene.intent(), mode="observe", qty_lots=1)
    await told.store_and_sample(intent)
    (sample,) = await kept(scene)
    assert sample["cex_refusal"].startswith("EGeneral") or sample["cex_refusal"].startswith(
        "EOrder"
    )


@story
async def test_only_a_share_of_what_is_only_stored_is_sampled(scene: Scene) -> None:
    engine = await scene.engine()
    intents = [replace(scene.intent(), mode="observe") for _ in range(400)]
    some = Told(engine, share=0.25).sampler
    taken = [intent for intent in intents if some.wants(intent)]
    assert 50 < len(taken) < 150
    assert [intent for intent in intents if some.wants(intent)] == taken
    assert not any(Told(engine, share=0.0).sampler.wants(intent) for intent in intents)
    everything = Told(engine).sampler
    assert not everything.wants(replace(intents[0], mode="live"))
    assert not everything.wants(replace(intents[0], mode="paper"))
    assert not everything.wants(replace(intents[0], quote_source="jupiter"))
