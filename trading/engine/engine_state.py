"""All that the engine knows at one moment, in one record.

`engine` updates it, `decision` and `board` read it. Pure; no rules of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from arbsite.events import Mode
from feeds.market.spec import MarketSpec
from risk.anomaly import BasisModel
from risk.candidate import DeskRoom, GateLimits
from trading.bidding import congestion_named
from trading.effects import Effect
from trading.engine.asset_state import AssetState
from trading.engine.controls import Controls
from trading.engine.feed_state import FeedState
from trading.engine.projection import Reservations
from trading.engine.staleness import StalenessModel
from trading.inputs import ChainFeesKnown, DeskUsage, FeesKnown, LandingOutcome, VenuesReady
from trading.intent import AssetSettings, Intent
from trading.legs import OrderModel
from trading.openings import SharedOdds, opening_named

Takers = dict[type, Callable[[Any], list[Effect]]]
"""Who takes which of the engine's inputs into this state, and says what has to be done."""


class EngineModel(msgspec.Struct, frozen=True):
    """Figures of the whole engine that no operator edits per asset.

    `max_balances_age_ms`: balances older than this are not spent. `max_fees_age_ms`: taker
    fees older than this are not believed. `max_gap_bps`: a wider gap is an anomaly.
    `rebalance_bps`: what moving inventory back costs. Clock skews beyond the limits stop
    trading: Kraken's bounds the order deadline; the chain's own time is seconds off at best.
    `max_depeg_bps`: how far a quote asset's mark may be from a dollar; one without a limit
    of its own is not traded in.
    """

    max_balances_age_ms: int = 60_000
    max_fees_age_ms: int = 900_000
    max_gap_bps: float = 500.0
    max_kraken_skew_ms: float = 500.0
    max_solana_skew_ms: float = 15_000.0
    max_depeg_bps: dict[str, float] = msgspec.field(
        default_factory=lambda: {"USD": 0.0, "USDC": 100.0, "USDT": 100.0}
    )
    rebalance_bps: Decimal = Decimal(2)
    order: OrderModel = OrderModel()
    basis: BasisModel = BasisModel()


class EngineState:
    """Feeds, controls, balances, fees, assets, and the engine's own time."""

    def __init__(
        self, specs: Mapping[str, MarketSpec], staleness: StalenessModel, model: EngineModel
    ) -> None:
        self.model = model
        self.stale_pause_ns = staleness.pause_ns
        self.feeds = FeedState()
        self.controls = Controls()
        self.reservations = Reservations()
        # What assets in PAPER may spend: a model's money, seeded from real balances.
        self.paper_reservations = Reservations()
        self.fees: FeesKnown | None = None
        self.chain_fees: ChainFeesKnown | None = None
        self.ready: VenuesReady | None = None
        # All shards' use of the desk's limits; None in a process that is no desk.
        self.desk: DeskUsage | None = None
        self.now_ns = 0
        self.started_ns: int | None = None
        shared = SharedOdds()
        self.assets: dict[str, AssetState] = {
            asset: AssetState(specs[asset], staleness, model.basis, shared)
            for asset in sorted(specs)
        }
        # An asset's mode, with the settings and the controls' revision it was found from.
        self._modes: dict[str, tuple[AssetSettings | None, int, Mode]] = {}

    def learn(self, outcome: LandingOutcome) -> None:
        """Update the odds by how one trade's legs went; every asset expects otherwise then."""
        state = self.assets.get(outcome.asset)
        if state is None:
            return
        state.learn(
            tip_lamports=outcome.tip_lamports,
            congestion=congestion_named(outcome.congestion),
            opening=opening_named(outcome.opening),
            dex_landed=outcome.dex_landed,
            cex_filled_ratio=outcome.cex_filled_ratio,
            model=self.model.order,
            at_ns=outcome.at_ns,
        )
        for other in self.assets.values():
            other.terms = None

    def mode_of(self, asset: str) -> Mode:
        """The strictest of desk, asset control and setting; refusing while unconfigured."""
        settings, revision = self.assets[asset].settings, self.controls.revision
        known = self._modes.get(asset)
        if known is not None and known[0] is settings and known[1] == revision:
            return known[2]
        mode = self.controls.effective(asset, settings.mode if settings else "stop_new")
        self._modes[asset] = (settings, revision, mode)
        return mode

    def reservations_of(self, asset: str) -> Reservations:
        """The money an asset's next decision may spend: real, or the paper desk's."""
        is_paper = self.mode_of(asset) == "paper"
        return self.paper_reservations if is_paper else self.reservations

    def desk_room_of(self, asset: str) -> DeskRoom | None:
        """What the desk's limits leave an asset's next decision; None on paper, or of no desk."""
        if self.desk is None or self.mode_of(asset) == "paper":
            return None
        return self.desk.room

    def fee_lamports_free(self, asset: str) -> int | None:
        """Native SOL for fees, above the floor and promised to nobody; None without a wallet."""
        lamports = self.reservations_of(asset).lamports_free
        floor = self.desk.fee_floor_lamports if self.desk is not None else 0
        return None if lamports is None else max(0, lamports - floor)

    def count_on_desk(self, intent: Intent) -> None:
        """Count a live intent against the desk until its own figures are read again."""
        if self.desk is None or intent.mode != "live":
            return
        room, more = self.desk.room, intent.notional_usd
        room = msgspec.structs.replace(
            room, open_usd=room.open_usd + more, day_usd=room.day_usd + more
        )
        self.desk = msgspec.structs.replace(self.desk, room=room)

    def limits_of(self, asset: AssetState) -> GateLimits:
        """The limits in force for an asset, as the gates want them."""
        return asset.limits(
            max_balances_age_ms=self.model.max_balances_age_ms,
            max_fees_age_ms=self.model.max_fees_age_ms,
            max_gap_bps=self.model.max_gap_bps,
            max_kraken_skew_ms=self.model.max_kraken_skew_ms,
            max_solana_skew_ms=self.model.max_solana_skew_ms,
            max_depeg_bps=self.model.max_depeg_bps,
        )
