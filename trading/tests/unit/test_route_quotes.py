"""The poller: whom it asks, how often, and what the engine hears of it."""

from __future__ import annotations

import asyncio

from arbsite.clock import LoopClock
from feeds.sim.virtual_loop import run_virtual
from feeds.venues.base import SwapRoute
from feeds.venues.jupiter.quotes import BoundRoute, RouteAsk, RouteQuote
from trading.inputs import EngineInput
from trading.process.route_quotes import RouteQuotes
from trading.route_quoted import RouteQuoted
from trading.tests.routing import without_pool

from .desk import FAIR, MS, Market


class Answering:
    """A source that answers every ask alike, or none."""

    every_s = 2.0

    def __init__(self, clock: LoopClock, *, answers: bool = True) -> None:
        self.asked: list[tuple[float, RouteAsk]] = []
        self._clock = clock
        self._answers = answers

    async def bound(self, ask: RouteAsk) -> BoundRoute | None:
        self.asked.append((asyncio.get_running_loop().time(), ask))
        if not self._answers:
            return None
        now_ns = self._clock.now_ns()
        route = SwapRoute("id", "JUP", (), b"", now_ns, None)
        quote = RouteQuote(
            ask,
            1000,
            999,
            "id",
            ("Whirlpool",),
            (ask.pool,),
            None,
            self._clock.now_ns(),
            7.0,
            route,
        )
        return BoundRoute(quote, slot=990, tick_array_starts=(0,), delta_bps=None)


def polled(
    market: Market, seconds: float, *, answers: bool = True
) -> tuple[Answering, list[EngineInput]]:
    heard: list[EngineInput] = []

    async def body() -> Answering:
        clock = LoopClock(market.at_ns)
        source = Answering(clock, answers=answers)
        quotes = RouteQuotes(source, market.engine.state, clock, heard.append)
        running = asyncio.create_task(quotes.run())
        await asyncio.sleep(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return source

    return run_virtual(body()), heard


def test_directions_take_turns_at_the_rate_of_the_account() -> None:
    market = without_pool(Market())
    source, heard = polled(market, 9.0)
    assert [at for at, _ in source.asked] == [2.0, 4.0, 6.0, 8.0]
    ways = [ask.mint_in for _, ask in source.asked]
    assert sorted(ways[:2]) == ["MINT-SOL", "MINT-USDC"]
    assert ways[2:] == ways[:2]
    assert all(isinstance(event, RouteQuoted) for event in heard)
    (first, *_) = heard
    assert isinstance(first, RouteQuoted)
    assert (first.amount_out, first.min_out, first.slot) == (1000, 999, 990)
    assert first.expires_ns - first.route.asked_at_ns == 1_500 * MS
    assert first.at_ns == market.at_ns + 2_000 * MS


def test_no_answer_is_told_to_nobody_and_asked_again_later() -> None:
    source, heard = polled(without_pool(Market()), 5.0, answers=False)
    assert (len(source.asked), heard) == (2, [])


def test_nobody_is_asked_while_the_pool_has_a_quote() -> None:
    market = Market()
    market.book(FAIR)
    source, heard = polled(market, 60.0)
    assert (source.asked, heard) == ([], [])
