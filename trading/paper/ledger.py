"""The paper desk's own balances and its day: separate from the live ledger, never summed with it.

Opens with given balances, takes booked trades, and says what the engine has to know:
`HoldingsKnown` and `DayUsage`. With `Rebalancing` it moves inventory between the venues as
a stated model (the product's planner is not asked). Pure, exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from arbsite.units import int_from_decimal_floor
from feeds.market.spec import MarketSpec
from trading.inputs import DayUsage, HoldingsKnown
from trading.paper.trade import PaperTrade

_ZERO = Decimal(0)
_DAY_NS = 86_400_000_000_000
SOL_DIGITS = 9
_TRANSFER_STEP = Decimal("0.000001")


class Rebalancing(msgspec.Struct, frozen=True):
    """A model of moving inventory back to the opening split when it has left its band.

    `band_pct` is of the opening Kraken balance. `transit_s`: deposit confirmations and
    Kraken's credit. `cost_usd`: withdrawal and network fees of one transfer. `check_s`
    between two looks.
    """

    band_pct: Decimal = Decimal(40)
    transit_s: float = 120.0
    cost_usd: Decimal = Decimal("0.60")
    check_s: float = 30.0


class Transit(msgspec.Struct, frozen=True):
    """A transfer under way: `kraken` and `solana` are what arrives there."""

    arrives_ns: int
    kraken_asset: str
    kraken: Decimal
    solana_asset: str
    solana: Decimal


class PaperLedger:
    """Balances by venue and asset in whole units, and each asset's running UTC day."""

    def __init__(
        self,
        specs: Mapping[str, MarketSpec],
        kraken: Mapping[str, Decimal],
        solana: Mapping[str, Decimal],
        rebalancing: Rebalancing | None = None,
    ) -> None:
        self._specs = specs
        self._opened = dict(kraken)
        self.kraken = dict(kraken)
        self.solana = dict(solana)
        self._decimals = {spec.asset: spec.base_decimals for spec in specs.values()}
        self._decimals |= {spec.pool_quote: spec.quote_decimals for spec in specs.values()}
        self._decimals.setdefault("SOL", SOL_DIGITS)
        self._rebalancing = rebalancing
        self._transits: list[Transit] = []
        self._look_ns = 0
        self._day = -1
        self._usage: dict[str, tuple[Decimal, Decimal, int]] = {}
        self.rebalances = 0
        self.rebalance_cost_usd = _ZERO

    def book(self, trade: PaperTrade) -> None:
        """Take a trade's fills into the balances and its notional and loss into its day."""
        for fill in trade.fills:
            side = self.kraken if fill.venue == "kraken" else self.solana
            for asset, delta in (
                (trade.asset, fill.base_delta),
                (fill.quote_asset, fill.quote_delta),
                (fill.fee_asset, -fill.fee),
            ):
                side[asset] = side.get(asset, _ZERO) + delta
        self._roll(trade.closed_ns)
        notional, loss, count = self._usage.get(trade.asset, (_ZERO, _ZERO, 0))
        used = trade.notional_usd if trade.fills else _ZERO
        self._usage[trade.asset] = (notional + used, loss - trade.realised_usd, count + 1)

    def usage(self, asset: str, at_ns: int) -> DayUsage:
        """The asset's day as the engine wants it."""
        self._roll(at_ns)
        notional, loss, count = self._usage.get(asset, (_ZERO, _ZERO, 0))
        return DayUsage(asset, notional_usd=notional, loss_usd=loss, trades=count, at_ns=at_ns)

    def holdings(self, at_ns: int) -> HoldingsKnown:
        """What may be spent; a transfer under way is on neither venue."""
        return HoldingsKnown(
            kraken=dict(self.kraken),
            solana_raw={
                asset: int_from_decimal_floor(amount, self._decimals[asset])
                for asset, amount in self.solana.items()
                if asset in self._decimals
            },
            at_ns=at_ns,
        )

    def rebalance(self, at_ns: int, marks_usd: Mapping[str, Decimal]) -> bool:
        """Let transfers arrive and start new ones; whether any balance changed."""
        rules = self._rebalancing
        if rules is None or at_ns < self._look_ns:
            return False
        self._look_ns = at_ns + round(rules.check_s * 1e9)
        changed = self._arrive(at_ns)
        if self._transits:
            return changed
        for kraken_asset, solana_asset in sorted(self._pairs()):
            changed = self._even_out(kraken_asset, solana_asset, rules, at_ns, marks_usd) or changed
        return changed

    def _pairs(self) -> set[tuple[str, str]]:
        """What faces what: a base itself, each book's dollar the pools' dollar."""
        pairs = {(spec.asset, spec.asset) for spec in self._specs.values()}
        return pairs | {(spec.cex_quote, spec.pool_quote) for spec in self._specs.values()}

    def _even_out(
        self,
        kraken_asset: str,
        solana_asset: str,
        rules: Rebalancing,
        at_ns: int,
        marks_usd: Mapping[str, Decimal],
    ) -> bool:
        """Move what a Kraken balance has left its opening by, as far as the source has it."""
        opened = self._opened.get(kraken_asset, _ZERO)
        gap = self.kraken.get(kraken_asset, _ZERO) - opened
        if abs(gap) * 100 <= rules.band_pct * opened:
            return False
        rate = marks_usd.get(kraken_asset, Decimal(1)) / marks_usd.get(solana_asset, Decimal(1))
        there = self.solana.get(solana_asset, _ZERO)
        moved = gap if gap > 0 else -min(-gap, there / rate / 2)
        moved = moved.quantize(_TRANSFER_STEP)
        other = (moved * rate).quantize(_TRANSFER_STEP)
        if moved > 0:
            self.kraken[kraken_asset] -= moved
        else:
            self.solana[solana_asset] = there + other
        self._transits.append(
            Transit(
                arrives_ns=at_ns + round(rules.transit_s * 1e9),
                kraken_asset=kraken_asset,
                kraken=max(-moved, _ZERO),
                solana_asset=solana_asset,
                solana=max(other, _ZERO),
            )
        )
        self.rebalances += 1
        self.rebalance_cost_usd += rules.cost_usd
        return True

    def _arrive(self, at_ns: int) -> bool:
        arrived = [transit for transit in self._transits if transit.arrives_ns <= at_ns]
        for transit in arrived:
            self._transits.remove(transit)
            for side, asset, amount in (
                (self.kraken, transit.kraken_asset, transit.kraken),
                (self.solana, transit.solana_asset, transit.solana),
            ):
                if amount:
                    side[asset] = side.get(asset, _ZERO) + amount
        return bool(arrived)

    def _roll(self, at_ns: int) -> None:
        day = at_ns // _DAY_NS
        if day != self._day:
            self._day = day
            self._usage = {}
