"""Trades in which both venues do what they were asked, in every order of the legs."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise

from trading.effects import NoteWindow
from trading.inputs import TradeProgressed
from trading.intent import LegOrder
from trading.records import DayRelease, TradeRecord
from trading.storage.store import TradeStore
from trading.tests.intents import make_window
from trading.tests.stories.desk import Scene, story


@story
async def test_both_legs_sent_at_once_fill(scene: Scene) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    trade = await scene.trade()
    assert (trade["state"], trade["outcome"], trade["is_verified"]) == ("closed", "both", True)
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "done"}
    assert trade["residual_base"] == 0
    assert trade["realised_pnl_usd"] > Decimal(1)
    assert trade["both_filled_ns"] - trade["detect_ns"] < 1_500_000_000
    (closed,) = engine.closed
    assert (closed.outcome, closed.dex_landed, closed.cex_filled_ratio) == ("both", True, 1.0)
    assert closed.landed_slot is not None
    assert closed.cex_fill_ns is not None


@story
async def test_the_window_is_stored_with_the_intent_and_the_commit_is_timed(scene: Scene) -> None:
    engine = await scene.engine()
    took_ns: list[int] = []
    engine.desk.intent_committed = took_ns.append
    intent = scene.intent()
    window = make_window(intent.window_id)
    await engine.executor.execute(intent, NoteWindow(window, "taken", "", "", ""))
    (stored,) = await scene.rows("SELECT window_id, decision FROM trading_window")
    assert (stored["window_id"], stored["decision"]) == (intent.window_id, "taken")
    assert len(took_ns) == 1
    await engine.until_idle()


@story
async def test_the_engine_is_told_of_the_end_before_the_books_are_closed(scene: Scene) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent())
    while not engine.closed:
        await asyncio.sleep(0.05)
    trade = await scene.trade()
    assert (trade["state"], trade["is_settled"]) == ("open", True)
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "acked"}
    await engine.until_idle()
    assert len(engine.closed) == 1


@story
async def test_the_book_leg_waits_for_the_swap_when_solana_goes_first(scene: Scene) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent("dex_first"))
    assert await scene.attempts() == {"cex#1": "planned", "dex#1": "sending"}
    assert scene.venues.exchange.accounts.orders == {}
    await engine.until_idle()
    cex, dex = await scene.rows("SELECT * FROM trading_attempt ORDER BY leg")
    assert cex["sent_ns"] >= dex["filled_ns"]
    assert cex["deadline_ns"] - cex["sent_ns"] == 1_000_000_000
    assert (await scene.trade())["outcome"] == "both"


@story
async def test_the_swap_waits_for_the_book_when_kraken_goes_first(scene: Scene) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent("cex_first"))
    assert await scene.attempts() == {"cex#1": "sending", "dex#1": "planned"}
    await engine.until_idle()
    cex, dex = await scene.rows("SELECT * FROM trading_attempt ORDER BY leg")
    assert dex["sent_ns"] >= cex["filled_ns"]
    assert (await scene.trade())["outcome"] == "both"


@story
async def test_the_other_direction_buys_on_kraken_and_sells_on_solana(scene: Scene) -> None:
    scene.venues.quote(bid=14_800)
    engine = await scene.engine()
    await engine.executor.execute(scene.intent(is_buying_dex=False))
    await engine.until_idle()
    trade = await scene.trade()
    assert (trade["outcome"], trade["residual_base"]) == ("both", 0)
    assert trade["realised_pnl_usd"] > Decimal(1)


@story
async def test_a_swap_shrinks_to_what_kraken_filled(scene: Scene) -> None:
    scene.venues.exchange.quote_ladder("SOL/USD", [(15_150, 40_000_000)], [(15_151, 10**9)])
    engine = await scene.engine()
    await engine.executor.execute(scene.intent("cex_first"))
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "stale", "dex#2": "done"}
    trade = await scene.trade()
    assert (trade["residual_base"], trade["state"]) == (0, "closed")
    (second,) = await scene.rows("SELECT * FROM trading_attempt WHERE leg = 'dex' AND seq = 2")
    assert second["filled_base"] == Decimal("0.4")


@story
async def test_nothing_is_swapped_when_kraken_fills_nothing(scene: Scene) -> None:
    engine = await scene.engine()
    scene.faults.set("kraken.zero_fill_p", 1.0)
    await engine.executor.execute(scene.intent("cex_first"))
    await engine.until_idle()
    assert await scene.attempts() == {"cex#1": "done", "dex#1": "stale"}
    trade = await scene.trade()
    assert (trade["outcome"], trade["state"]) == ("missed", "closed")
    (closed,) = engine.closed
    assert (closed.outcome, closed.dex_landed, closed.cex_filled_ratio) == ("missed", None, 0.0)


@story
async def test_progress_is_told_for_the_projection(scene: Scene) -> None:
    engine = await scene.engine()
    await engine.executor.execute(scene.intent("dex_first"))
    await engine.until_idle()
    told = [event for event in engine.heard if isinstance(event, TradeProgressed)]
    states = [(event.cex_state, event.dex_state) for event in told]
    assert states[0] == ("planned", "sending")
    assert ("sending", "acked") in states
    assert all(b.landed_slot for a, b in pairwise(told) if a.landed_slot)


@story
async def test_two_assets_sides_do_not_wait_for_each_other(scene: Scene) -> None:
    engine = await scene.engine()
    first = scene.intent(sol="1")
    scene.venues.quote(bid=14_800)
    second = scene.intent(sol="0.5", is_buying_dex=False)
    scene.venues.quote()
    third = scene.intent(sol="2")
    for intent in (first, second, third):
        await engine.executor.execute(intent)
    await engine.until_idle()
    rows = await scene.rows("SELECT direction, outcome FROM trading_trade ORDER BY direction")
    assert [row["direction"] for row in rows] == ["buy_cex_sell_dex", "buy_dex_sell_cex"]
    (refused,) = [event for event in engine.heard if type(event).__name__ == "IntentRefused"]
    assert refused.reason == "busy"


async def wired_legs(scene: Scene, order: LegOrder) -> set[str]:
    """Trade in that order; the legs that waited for none, the last of which is `wired_ns`."""
    engine = await scene.engine()
    left: dict[str, int] = {}
    engine.desk.first_sent = left.__setitem__
    intent = scene.intent(order)
    await engine.executor.execute(intent)
    await engine.until_idle()
    assert (await scene.trade())["wired_ns"] - intent.detect_ns == max(left.values())
    return set(left)


@story
async def test_wired_is_when_the_later_of_both_legs_left(scene: Scene) -> None:
    assert await wired_legs(scene, "concurrent") == {"cex", "dex"}


@story
async def test_wired_is_when_the_swap_left_that_goes_first(scene: Scene) -> None:
    assert await wired_legs(scene, "dex_first") == {"dex"}


@story
async def test_wired_is_when_the_order_left_that_goes_first(scene: Scene) -> None:
    assert await wired_legs(scene, "cex_first") == {"cex"}


@story
async def test_nothing_is_saved_before_a_venue_has_answered(scene: Scene) -> None:
    answers: list[int] = []

    class Counting(TradeStore):
        async def commit(self, trade: TradeRecord, *, release: DayRelease | None = None) -> None:
            counted = engine.kraken.counters.orders_acked, engine.solana.counters.accepted_sends
            answers.append(sum(counted))
            await super().commit(trade, release=release)

    engine = await scene.engine(Counting)
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert answers[0] > 0
