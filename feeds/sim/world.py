"""The one simulated world: the venues, their participants, one seed, one event clock.

Builds the Kraken exchange and the Solana chain over one truth store and plans everything
that happens by itself: reference prices, quotes, slots, noise, competitors, liquidity.
The same seed gives the same path until a client trades. Hosted by `run_simulator` and by
tests (sockets or pipes). Not here: protocols, parameters (scenarios), addresses (seeding).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from arbsite.clock import Clock, seeded_random
from feeds.sim import seeding
from feeds.sim.competitors import Competitor, NoiseFlow, Providers, opening_positions
from feeds.sim.faults import FaultBoard
from feeds.sim.jupiter.server import API_LATENCY, JupiterServer
from feeds.sim.kraken.exchange import KrakenExchange
from feeds.sim.kraken.latency import Latency
from feeds.sim.kraken.records import AccountSpec, ExchangeEvent, PairSpec, Printed, Side, opposite
from feeds.sim.kraken.server import KrakenServer
from feeds.sim.makers import LadderMaker
from feeds.sim.reference import AssetPrice, StablePrice
from feeds.sim.scenarios import MakerParams, Scenario, StableParams
from feeds.sim.schedule import Schedule, Stream
from feeds.sim.seeding import SimMarket
from feeds.sim.solana.accounts import State
from feeds.sim.solana.blocks import Bid
from feeds.sim.solana.chain import SolanaChain
from feeds.sim.solana.landing import LandingSettings
from feeds.sim.solana.market import Position, opening_accounts
from feeds.sim.solana.server import RPC_LATENCY, SolanaServer
from feeds.sim.solana.view import NodeView
from feeds.sim.truth import TruthStore

REFERENCE_STEP_NS = 100_000_000
# How much later than the first node the second one hears of a block.
NODE_B_DELAY_MS = 25.0
# A competitor's Kraken order follows its transaction by about a round trip.
_HEDGE_DELAY_MS = (15.0, 60.0)
_HEDGE_REACH = 0.002
_STABLE_PAIRS = (
    PairSpec("USDC/USD", "USDC", "USD", 4, 8, "5", "0.5"),
    PairSpec("USDT/USD", "USDT", "USD", 5, 8, "5", "0.5"),
)


class Saved(msgspec.Struct):
    """What the world itself must remember across a restart."""

    starts: int
    usd: dict[str, float]
    positions: dict[str, list[Position]]


class Latencies(msgspec.Struct, frozen=True):
    """Delays of the venues' wires; tests take them out."""

    kraken: Latency = Latency()
    solana: Latency = RPC_LATENCY
    jupiter: Latency = API_LATENCY


class World:
    """Everything that is simulated. `start` plans it, `schedule` runs it."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        truth: TruthStore,
        clock: Clock,
        *,
        latencies: Latencies = Latencies(),  # noqa: B008  (immutable)
        landing: LandingSettings = LandingSettings(),  # noqa: B008  (immutable)
    ) -> None:
        self.scenario = scenario
        self.truth = truth
        self.faults = FaultBoard()
        self.schedule = Schedule(clock.now_ns())
        self.markets = seeding.simulated_markets()
        self.credentials = seeding.simulated_credentials()
        self._seed = seed
        self._quote_streams: dict[str, Stream] = {}
        self._saved = self._recall()
        self.exchange = self._open_exchange(clock)
        self.chain = self._open_chain(landing)
        self.prices = self._open_prices()
        self.makers = {spec.symbol: self._maker(spec) for spec in self._pairs()}
        self.providers: dict[str, Providers] = {}
        self.competitors: list[Competitor] = []
        for market in self.markets:
            self._open_market(market)
        self.chain.actors.append(self._remember)
        self.chain.fork_listeners.append(self._forget_last_slot)
        self.exchange.listen(self._hear)
        self.kraken = KrakenServer(
            self.exchange, self.faults, clock, self._stream("kraken wire"), latencies.kraken
        )
        self.views = (
            self._view("sim-a", 0.0, is_faulty=False),
            self._view("sim-b", NODE_B_DELAY_MS, is_faulty=True),
        )
        self.nodes = tuple(
            SolanaServer(view, self.faults, self._stream(view.label), latencies.solana)
            for view in self.views
        )
        self.jupiter = JupiterServer(
            self.chain, self.faults, clock, self._stream("jupiter wire"), latencies.jupiter
        )

    # ------------------------------------------------------------- building

    def _stream(self, name: str) -> Stream:
        """A private random stream; a restart continues with other draws, not the same ones."""
        return seeded_random(f"{self._seed}/{self._saved.starts}/{name}")

    def _recall(self) -> Saved:
        stored = self.truth.get("world", "saved")
        if stored is None:
            usd = {market.spec.asset: market.start_usd for market in self.markets}
            saved = Saved(0, usd, {})
            for market in self.markets:
                params = self.scenario.assets[market.spec.asset].providers
                saved.positions[market.spec.asset] = opening_positions(market, params)
            return saved
        saved = msgspec.json.decode(stored, type=Saved)
        saved.starts += 1
        return saved

    def _pairs(self) -> list[PairSpec]:
        pairs = [
            PairSpec(
                symbol=market.spec.cex_symbol,
                base=market.spec.asset,
                quote=market.spec.cex_quote,
                price_precision=market.spec.price_precision,
                qty_precision=market.spec.qty_precision,
                qty_min=str(Decimal(market.spec.qty_min_lots).scaleb(-market.spec.qty_precision)),
                cost_min=market.spec.cost_min,
            )
            for market in self.markets
        ]
        return [*pairs, *_STABLE_PAIRS]

    def _open_exchange(self, clock: Clock) -> KrakenExchange:
        account = AccountSpec(
            secret=self.credentials.kraken_secret,
            balances=seeding.KRAKEN_OPENING,
            taker_fee="0.0010",
        )
        accounts = {self.credentials.kraken_key: account}
        return KrakenExchange(self._pairs(), accounts, self.truth, clock)

    def _open_chain(self, landing: LandingSettings) -> SolanaChain:
        wallet = self.credentials.wallet
        positions = [each for rows in self._saved.positions.values() for each in rows]

        def opening() -> dict[str, State]:
            lamports = {wallet: seeding.WALLET_OPENING_LAMPORTS}
            return opening_accounts(self.markets, positions, lamports)

        return SolanaChain(
            self.truth,
            self.schedule,
            self.faults,
            self._stream("landing"),
            landing,
            opening,
            [wallet],
        )

    def _open_prices(self) -> dict[str, AssetPrice | StablePrice]:
        prices: dict[str, AssetPrice | StablePrice] = {}
        for market in self.markets:
            asset = market.spec.asset
            params = self.scenario.assets[asset].price
            prices[asset] = AssetPrice(market.start_usd, params, self._stream(f"price {asset}"))
        for symbol, stable in self.scenario.stables.items():
            asset = symbol.partition("/")[0]
            prices[asset] = StablePrice(stable, self._stream(f"price {asset}"))
        for asset, price in prices.items():
            price.usd = self._saved.usd.get(asset, price.usd)
        return prices

    def _maker(self, pair: PairSpec) -> LadderMaker:
        stable = self.scenario.stables.get(pair.symbol)
        params = (
            _stable_maker(stable, pair.price_precision)
            if stable
            else self.scenario.assets[pair.base].maker
        )
        usd = self.prices[pair.base].usd
        return LadderMaker(pair, params, usd, self._stream(f"maker {pair.symbol}"))

    def _open_market(self, market: SimMarket) -> None:
        asset = market.spec.asset
        params = self.scenario.assets[asset]
        bank = self.chain.bank
        self.chain.actors.append(NoiseFlow(market, params.flow, self._stream(f"flow {asset}")))
        providers = Providers(market, params.providers, bank, self._stream(f"providers {asset}"))
        providers.positions = list(self._saved.positions.get(asset, []))
        self.providers[asset] = providers
        self.chain.actors.append(providers)
        for each in params.competitors:
            competitor = Competitor(
                market,
                each,
                bank,
                self._cex_best_of(market),
                self._hedge_of(market, self._stream(f"hedge {each.name} {asset}")),
                self._stream(f"competitor {each.name} {asset}"),
            )
            self.competitors.append(competitor)
            self.chain.actors.append(competitor)

    def _view(self, label: str, delay_ms: float, *, is_faulty: bool) -> NodeView:
        return NodeView(
            label,
            self.chain,
            self.schedule,
            self.faults,
            delay_ms=delay_ms,
            is_faulty=is_faulty,
        )

    # ------------------------------------------------------------- life

    def start(self) -> None:
        """Put up the first quotes and plan everything; the schedule does the rest."""
        for symbol in self.makers:
            self._quote(symbol, 1.0)
            self._plan_quote(symbol)
        self.schedule.after(REFERENCE_STEP_NS, self._step_prices)
        self.chain.start()

    def stop(self) -> None:
        """Cancel what the venues armed on the loop and close the truth."""
        self.kraken.stop()
        self.faults.reset()
        self.truth.close()

    def _step_prices(self, at_ns: int) -> None:
        for price in self.prices.values():
            price.step(at_ns, REFERENCE_STEP_NS / 1e9)
        self.schedule.after(REFERENCE_STEP_NS, self._step_prices)

    def _plan_quote(self, symbol: str) -> None:
        rate = self._updates_per_s(symbol)
        stream = self._quote_streams.setdefault(symbol, self._stream(f"quotes {symbol}"))
        wait_s = stream.expovariate(rate)

        def requote(_: int) -> None:
            self._quote(symbol, wait_s)
            self._plan_quote(symbol)

        self.schedule.after(round(wait_s * 1e9), requote)

    def _updates_per_s(self, symbol: str) -> float:
        stable = self.scenario.stables.get(symbol)
        if stable:
            return stable.updates_per_s
        return self.scenario.assets[symbol.partition("/")[0]].maker.updates_per_s

    def _quote(self, symbol: str, elapsed_s: float) -> None:
        base, _, quote = symbol.partition("/")
        fair = self.prices[base].usd / self.usd_of(quote)
        bids, asks = self.makers[symbol].update(fair, elapsed_s)
        self.exchange.quote_ladder(symbol, bids, asks)

    def usd_of(self, asset: str) -> float:
        """Reference price of an asset in USD."""
        return 1.0 if asset == "USD" else self.prices[asset].usd

    def _hear(self, event: ExchangeEvent) -> None:
        if isinstance(event, Printed):
            self.makers[event.symbol].eat(opposite(event.side), event.ticks, event.lots)

    def _cex_best_of(self, market: SimMarket) -> Callable[[], tuple[float, float]]:
        spec = market.spec

        def best() -> tuple[float, float]:
            rate = self.usd_of(spec.cex_quote) / self.usd_of(spec.pool_quote)
            bid, ask = self.makers[spec.cex_symbol].best
            return bid * rate, ask * rate

        return best

    def _hedge_of(self, market: SimMarket, rng: Stream) -> Callable[[Side, int], None]:
        spec = market.spec
        shift = spec.base_decimals - spec.qty_precision

        def hedge(side: Side, base_raw: int) -> None:
            def take(_: int) -> None:
                bid, ask = self.makers[spec.cex_symbol].best
                edge = ask * (1 + _HEDGE_REACH) if side == "buy" else bid * (1 - _HEDGE_REACH)
                limit_ticks = round(edge * 10**spec.price_precision)
                self.exchange.take(spec.cex_symbol, side, base_raw // 10**shift, limit_ticks)

            self.schedule.after(round(rng.uniform(*_HEDGE_DELAY_MS) * 1e6), take)

        return hedge

    # ------------------------------------------------------------- memory

    def _remember(self, slot: int, at_ns: int) -> list[Bid]:
        """Stage the world's memory; the chain commits it with the slot."""
        usd = {asset: price.usd for asset, price in self.prices.items()}
        positions = {asset: each.positions for asset, each in self.providers.items()}
        self.truth.put("world", "saved", Saved(self._saved.starts, usd, positions))
        return []

    def _forget_last_slot(self) -> None:
        for providers in self.providers.values():
            providers.forget_last_slot()

    def summary(self) -> dict[str, object]:
        """The truth in short: our balances as exact text, and how much happened."""
        key, wallet = self.credentials.kraken_key, self.credentials.wallet
        balances = self.exchange.balances(key)
        return {
            "scenario": self.scenario.name,
            "parameters_version": self.scenario.version,
            "seed": self._seed,
            "starts": self._saved.starts + 1,
            "kraken": {
                "account": key,
                "balances": {asset: format(each, "f") for asset, each in sorted(balances.items())},
                "trades": len(self.exchange.true_trades(key)),
            },
            "solana": {
                "account": wallet,
                "balances": self.chain.books.balances(wallet, self.chain.bank),
                "landed": self.chain.landed_count,
                "slot": self.chain.slot,
                "block_height": self.chain.height,
            },
            "competitor_trades": sum(each.trades for each in self.competitors),
        }


def _stable_maker(params: StableParams, price_precision: int) -> MakerParams:
    """A dollar token's book: deep, one grid step of about a basis point."""
    return MakerParams(
        half_spread_bps=params.spread_bps / 2,
        levels=10,
        grid_ticks=max(1, 10 ** (price_precision - 4)),
        level_usd=params.level_usd,
        depth_growth=1.1,
        updates_per_s=params.updates_per_s,
    )
