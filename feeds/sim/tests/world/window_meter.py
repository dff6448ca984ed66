"""Measures a simulated world the way the desk would see it, without the desk's code.

At every change it computes the best profit of both directions by walking Kraken's ladder
against the pool, opens and closes windows with hysteresis as domain §1 defines them, and
can let a model desk send real signed transactions. For calibration and its test only.
Run as a program it prints a report:  python -m feeds.sim.tests.world.window_meter busy 10
"""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, field

from arbsite.clock import ManualClock
from feeds.market.clmm import arrays_for_swap
from feeds.market.curve import fee_fraction, segments
from feeds.market.pools import Swap, Whirlpool
from feeds.market.quote import quote
from feeds.sim.scenarios import scenario_of
from feeds.sim.seeding import SimMarket
from feeds.sim.tests.solana.chain_bench import signed_swap
from feeds.sim.truth import TruthStore
from feeds.sim.world import World

TAKER = 0.0010
# The desk's first configuration: 1 bp haircut and 2 bps of edge beyond all costs.
HAIRCUT = 0.0003
OPEN_USD = 0.05
CLOSE_USD = 0.025
MERGE_NS = 400_000_000
STEP_NS = 25_000_000
MAX_BASE_USD = 5_000.0


@dataclass
class Window:
    asset: str
    direction: str
    opened_ns: int
    closed_ns: int = 0
    peak_usd: float = 0.0
    is_traded: bool = False
    is_captured: bool = False

    @property
    def life_s(self) -> float:
        return (self.closed_ns - self.opened_ns) / 1e9


@dataclass
class Meter:
    """Windows of a world, seen through node sim-a and the Kraken book."""

    world: World
    trades: bool = False
    open: dict[str, Window] = field(default_factory=dict)
    done: list[Window] = field(default_factory=list)
    sent: dict[str, tuple[Window, int]] = field(default_factory=dict)
    fills: int = 0
    failed: int = 0
    latencies: list[float] = field(default_factory=list)

    def run(self, clock: ManualClock, minutes: float) -> None:
        end = clock.now_ns() + int(minutes * 60e9)
        while clock.now_ns() < end:
            clock.advance_ns(STEP_NS)
            self.world.schedule.run_until(clock.now_ns())
            for market in self.world.markets:
                self._look(market, clock.now_ns())
            self._check_sent(clock.now_ns())

    def _pool(self, market: SimMarket):
        """The pool as sim-a sees it now."""
        view = self.world.views[0]
        bank = self.world.chain.bank

        class Seen(type(bank).__mro__[1]):  # a Ledger that reads at the view's slot
            def get(self, address):
                return bank.at(address, view.slot)

        return Seen().pool(market.spec.pool)

    def best(self, market: SimMarket, direction: str) -> tuple[float, float]:
        """(profit USD, base units) of the best size."""
        spec, world = market.spec, self.world
        pool = self._pool(market)
        bids, asks = world.exchange.levels(spec.cex_symbol)
        buys_dex = direction == "buy_dex_sell_cex"
        levels = bids if buys_dex else asks
        rate = world.usd_of(spec.cex_quote)
        usdc = world.usd_of("USDC")
        fee = fee_fraction(pool)
        scale = 10.0 ** (spec.base_decimals - spec.quote_decimals)
        profit = base_done = 0.0
        pieces = list(segments(pool, buys_base=buys_dex, base_is_a=spec.base_is_a))
        here = pieces[0][1] if pieces else 0.0
        at = 0
        for ticks, lots in levels[:10]:
            price = ticks * 10.0**-spec.price_precision * rate
            left = lots / 10**spec.qty_precision
            edge = price * (1 - TAKER - HAIRCUT) if buys_dex else price * (1 + TAKER + HAIRCUT)
            # marginal pool price in USD per base: s^2 * scale * usdc, fee on the input
            stop2 = edge / (scale * usdc) * ((1 - fee) if buys_dex else 1 / (1 - fee))
            stop = stop2**0.5
            while left > 0 and at < len(pieces):
                liquidity, _, to = pieces[at]
                goal = min(to, stop) if buys_dex else max(to, stop)
                if (goal <= here) if buys_dex else (goal >= here):
                    return profit, base_done
                base = abs(liquidity * (1 / here - 1 / goal)) / 10**spec.base_decimals
                if not buys_dex:
                    base /= 1 - fee
                if base > left:
                    share = left * 10**spec.base_decimals
                    if buys_dex:
                        goal = 1 / (1 / here - share / liquidity)
                    else:
                        goal = 1 / (1 / here + share * (1 - fee) / liquidity)
                    base = left
                quote_raw = abs(liquidity * (goal - here)) / 10**spec.quote_decimals
                cost = quote_raw / (1 - fee) if buys_dex else quote_raw
                gain = base * edge - cost * usdc
                profit += gain if buys_dex else -gain
                base_done += base
                left -= base
                here = goal
                if goal == to:
                    at += 1
                if base_done * price > MAX_BASE_USD:
                    return profit, base_done
        return profit, base_done

    def _look(self, market: SimMarket, now_ns: int) -> None:
        for direction in ("buy_dex_sell_cex", "buy_cex_sell_dex"):
            key = f"{market.spec.asset} {direction}"
            profit, base = self.best(market, direction)
            window = self.open.get(key)
            if window is None and profit > OPEN_USD:
                last = next((w for w in reversed(self.done) if w.asset == market.spec.asset), None)
                if last and last.direction == direction and now_ns - last.closed_ns < MERGE_NS:
                    self.done.remove(last)
                    window = last
                else:
                    window = Window(market.spec.asset, direction, now_ns)
                self.open[key] = window
                if self.trades and not window.is_traded:
                    self._send(market, direction, window, profit, base, now_ns)
            elif window is not None and profit < CLOSE_USD:
                window.closed_ns = now_ns
                self.done.append(self.open.pop(key))
            if window is not None:
                window.peak_usd = max(window.peak_usd, profit)

    def _send(
        self,
        market: SimMarket,
        direction: str,
        window: Window,
        profit: float,
        base: float,
        now_ns: int,
    ) -> None:
        """A model desk: DEX first, threshold at half the edge, one attempt a window."""
        spec, pool = market.spec, self._pool(market)
        raw = int(base * 10**spec.base_decimals)
        if raw <= 0:
            return
        a_to_b = spec.sells_a(direction)
        exact_in = direction == "buy_cex_sell_dex"
        found = quote(pool, raw, exact_in=exact_in, a_to_b=a_to_b, now_s=now_ns // 10**9)
        if not isinstance(found, Swap):
            return
        # The DEX leg may give away most of the edge: the rest pays for the other leg's slip.
        slack = 0.7 * profit / (base * self.world.usd_of(spec.asset))
        threshold = (
            int(found.amount_out * (1 - slack)) if exact_in else int(found.amount_in * (1 + slack))
        )
        starts = arrays_for_swap(pool, a_to_b) if isinstance(pool, Whirlpool) else ()
        raw_bytes = signed_swap(
            self.world, market, raw, threshold, exact_in=exact_in, a_to_b=a_to_b, starts=starts,
            cu_price=100_000, tip=0,
        )  # fmt: skip
        transaction = self.world.chain.submit(raw_bytes)
        window.is_traded = True
        self.sent[transaction.signature] = (window, now_ns)

    def _check_sent(self, now_ns: int) -> None:
        view = self.world.views[0]
        for signature, (window, sent_ns) in list(self.sent.items()):
            record = view.record(signature, "processed")
            if record is None:
                continue
            del self.sent[signature]
            self.latencies.append((now_ns - sent_ns) / 1e6)
            if record.meta.error is None:
                window.is_captured = True
                self.fills += 1
            else:
                self.failed += 1


def report(name: str, minutes: float, seed: int, trades: bool) -> dict[str, float]:
    """Figures of one run, per asset and minute."""
    clock = ManualClock(1_790_000_000_000_000_000 + seed * 3_600_000_000_000)
    world = World(scenario_of(name), seed, TruthStore(), clock)
    world.start()
    meter = Meter(world, trades=trades)
    meter.run(clock, minutes)
    lives = [w.life_s for w in meter.done] or [0.0]
    long = [w for w in meter.done if w.life_s >= 0.4 or w.is_traded]
    return {
        "windows_per_minute_per_asset": round(len(meter.done) / minutes / 3, 4),
        "median_life_s": round(statistics.median(lives), 2),
        "p90_life_s": round(statistics.quantiles(lives, n=10)[-1], 2) if len(lives) > 1 else 0.0,
        "at_least_400ms_share": round(sum(x >= 0.4 for x in lives) / len(lives), 2),
        "median_peak_usd": round(statistics.median([w.peak_usd for w in meter.done] or [0]), 2),
        "competitor_trades_per_minute": round(
            sum(c.trades for c in world.competitors) / minutes, 1
        ),
        "sent": sum(w.is_traded for w in meter.done),
        "filled": meter.fills,
        "failed": meter.failed,
        "captured_share": round(sum(w.is_captured for w in long) / max(1, len(long)), 2),
        "dex_fill_p50_ms": round(statistics.median(meter.latencies or [0])),
        "dex_fill_p95_ms": round(
            statistics.quantiles(meter.latencies, n=20)[-1] if len(meter.latencies) > 1 else 0
        ),
    }


if __name__ == "__main__":
    scenario, length = sys.argv[1], float(sys.argv[2])
    for is_trading in (False, True):
        print(
            scenario,
            "with a desk" if is_trading else "alone",
            report(scenario, length, 7, is_trading),
        )
