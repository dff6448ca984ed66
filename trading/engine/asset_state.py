"""One asset inside the engine: its settings, windows, trades in flight, last evaluation.

A record with small rules of its own; the engine drives it. Pure.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from arbsite.events import Mode
from arbsite.units import int_from_decimal_ceil, int_from_decimal_exact
from feeds.market.events import BookUpdated, InstrumentUpdated
from feeds.market.spec import DIRECTIONS, MARK_SYMBOLS, Direction, MarketSpec
from risk.anomaly import BasisDetector, BasisModel
from risk.gates import GateLimits
from trading.bidding import Congestion, OddsTable
from trading.effects import Execute
from trading.engine.anchor import Anchor
from trading.engine.evaluation import Sized
from trading.engine.feed_state import SOL_SYMBOL, PoolCurve
from trading.engine.integrity import IntegrityWatch
from trading.engine.looks import Look, edge_bounds, look
from trading.engine.projection import OwnTrades
from trading.engine.staleness import StalenessModel, StalenessWatch
from trading.engine.terms import Terms
from trading.inputs import DayUsage
from trading.intent import AssetSettings, SlackSplit
from trading.landing import FILLING_PRIOR, Posterior
from trading.legs import OrderModel
from trading.openings import Opening, SharedOdds
from trading.route_quoted import RouteQuoted
from trading.windows import Source, WindowTracker

Decision = Literal["taken", "stored", "refused", "watched"]
_ZERO = Decimal(0)


class Said(msgspec.Struct, frozen=True):
    """The decision last noted on a window."""

    window_id: UUID
    decision: Decision
    gate: str


class AssetState:
    """Everything the engine keeps per asset."""

    def __init__(
        self,
        spec: MarketSpec,
        staleness: StalenessModel,
        basis: BasisModel,
        shared: SharedOdds | None = None,
    ) -> None:
        self.spec = spec
        self.settings: AssetSettings | None = None
        self.windows: dict[Direction, WindowTracker] = {
            direction: WindowTracker(spec, direction) for direction in DIRECTIONS
        }
        self._rising, self._falling = (self.windows[direction] for direction in DIRECTIONS)
        self.trades = OwnTrades()
        self.watch = StalenessWatch(spec.asset, staleness)
        self.integrity = IntegrityWatch(spec.asset)
        self.basis = BasisDetector(basis)
        self.landing = OddsTable(shared)
        self.filling: Posterior = FILLING_PRIOR
        self.slack: SlackSplit | None = None
        self.cooldown_until_ns = 0
        self.usage = DayUsage(
            asset=spec.asset, notional_usd=_ZERO, loss_usd=_ZERO, trades=0, at_ns=0
        )
        self.paper_usage = msgspec.structs.replace(self.usage, book="paper")
        self.loss_trip_asked = False
        # The cached costs; None = to be built again. `unit` is the value of a tick.
        self.terms: Terms | None = None
        self.unit = 0.0
        # Why nothing can be priced, and the feeds' revision that was judged; None = judge again.
        self.fault = "no data yet"
        self.judged: int | None = None
        # The last evaluation, for the views.
        self._looked: tuple[BookUpdated, PoolCurve, float, Terms] | None = None
        self._looks: tuple[Look, ...] | None = ()
        self._bounds: tuple[PoolCurve, Terms, float, float] | None = None
        self._limits: tuple[AssetSettings, GateLimits] | None = None
        # The books that give this asset's marks; its quote assets never change.
        self.quotes = quotes = tuple(dict.fromkeys((spec.cex_quote, spec.pool_quote)))
        self.mark_symbols = tuple(
            sorted({SOL_SYMBOL} | {MARK_SYMBOLS[name] for name in quotes if name in MARK_SYMBOLS})
        )
        # Gross gaps as the newest slot began, bps; empty where nothing could be seen.
        self.gaps_before: dict[Direction, float] = {}
        self.sized: Sized | None = None
        # The last quote an aggregator bound itself to, where the pool had none.
        self.routes: dict[Direction, RouteQuoted] = {}
        self.anchors: dict[Direction, Anchor] = {}
        self.quote_refusal = ""
        self.refusal: tuple[str, str, str] | None = None
        self.has_edge = False
        # What was last noted per direction, so that only changes are noted again.
        self.said: dict[Direction, Said] = {}

    @property
    def has_open_window(self) -> bool:
        """Whether a window of either direction is open, or in a gap that may be merged."""
        return self._rising.row is not None or self._falling.row is not None

    def needs_sample(self, at_ns: int, source: Source) -> bool:
        """Whether a moment without an edge would change a window of either direction."""
        return self._rising.needs_sample(at_ns, source) or self._falling.needs_sample(at_ns, source)

    # ---- the tops -------------------------------------------------------------------

    def look_at(self, book: BookUpdated, curve: PoolCurve, terms: Terms) -> None:
        """Remember what the looks are taken from; they are worked out when somebody asks."""
        self._looked, self._looks = (book, curve, self.unit, terms), None

    def look_away(self) -> None:
        """Nothing can be seen, nor how a gap comes."""
        self._looked, self._looks = None, ()
        self.gaps_before = {}

    @property
    def looks(self) -> tuple[Look, ...]:
        """Both directions as last seen, `DIRECTIONS` order; empty while nothing can be seen."""
        if self._looks is None:
            assert self._looked is not None
            book, curve, unit, terms = self._looked
            self._looks = (
                look(book, curve, unit, terms, rising=True),
                look(book, curve, unit, terms, rising=False),
            )
        return self._looks

    def note_gaps(self) -> None:
        """A slot has begun: what stands now was there for everybody a slot ago."""
        self.gaps_before = {seen.direction: seen.gross_bps for seen in self.looks}

    def can_have_edge(self, book: BookUpdated, curve: PoolCurve, terms: Terms) -> bool:
        """Whether a first unit might pay; False only where no look would say so."""
        bounds = self._bounds
        if bounds is None or bounds[0] is not curve or bounds[1] is not terms:
            bounds = self._bounds = (curve, terms, *edge_bounds(curve, self.unit, terms))
        return book.bids[0][0] > bounds[2] or book.asks[0][0] < bounds[3]

    def limits(
        self,
        *,
        max_balances_age_ms: int,
        max_fees_age_ms: int,
        max_gap_bps: float,
        max_kraken_skew_ms: float,
        max_solana_skew_ms: float,
        max_depeg_bps: dict[str, float],
    ) -> GateLimits:
        """The settings in force, as the gates want them; made once per configuration."""
        settings = self.settings
        assert settings is not None
        if self._limits is not None and self._limits[0] is settings:
            return self._limits[1]
        limits = GateLimits(
            max_kraken_skew_ms=max_kraken_skew_ms,
            max_solana_skew_ms=max_solana_skew_ms,
            max_depeg_bps=max_depeg_bps,
            max_frame_age_ms=settings.max_frame_age_ms,
            max_slot_lag=settings.max_slot_lag,
            max_balances_age_ms=max_balances_age_ms,
            max_fees_age_ms=max_fees_age_ms,
            max_gap_bps=max_gap_bps,
            intents_per_window=settings.intents_per_window,
            daily_notional_cap_usd=settings.daily_notional_cap_usd,
            daily_loss_cap_usd=settings.daily_loss_cap_usd,
            daily_trades_cap=settings.daily_trades_cap,
            max_notional_usd=settings.max_notional_usd,
            min_profit_usd=settings.min_profit_usd,
        )
        self._limits = (settings, limits)
        return limits

    def count_use(self, effect: Execute) -> None:
        """Count an intent against the day until the store's own figures arrive."""
        used = self.usage_of(effect.intent.mode)
        self.take_usage(
            msgspec.structs.replace(
                used,
                notional_usd=used.notional_usd + effect.intent.notional_usd,
                trades=used.trades + 1,
            )
        )

    def usage_of(self, mode: Mode) -> DayUsage:
        """The day's use of the book that decisions in `mode` count against."""
        return self.paper_usage if mode == "paper" else self.usage

    def take_usage(self, usage: DayUsage) -> None:
        """Replace the day's use of one book."""
        if usage.book == "paper":
            self.paper_usage = usage
        else:
            self.usage = usage

    def learn(
        self,
        *,
        tip_lamports: int,
        congestion: Congestion,
        opening: Opening,
        dex_landed: bool | None,
        cex_filled_ratio: float | None,
        model: OrderModel,
        at_ns: int,
    ) -> None:
        """Update the odds of both legs from a closed trade; None = that leg was not sent."""
        if dex_landed is not None:
            self.landing.learn(
                tip_lamports,
                congestion,
                opening,
                landed=dex_landed,
                memory=model.memory,
                at_ns=at_ns,
            )
        if cex_filled_ratio is not None:
            self.filling = self.filling.after(cex_filled_ratio >= 0.9, memory=model.memory)
        self.terms = None


def spec_from_instrument(spec: MarketSpec, event: InstrumentUpdated) -> MarketSpec:
    """Put the venue's precisions and minima in force; minima and steps rounded up."""
    price, qty = event.price_precision, event.qty_precision
    return MarketSpec(
        asset=spec.asset,
        cex_symbol=spec.cex_symbol,
        cex_quote=spec.cex_quote,
        price_precision=price,
        qty_precision=qty,
        price_increment_ticks=int_from_decimal_exact(Decimal(event.price_increment), price),
        qty_increment_lots=int_from_decimal_exact(Decimal(event.qty_increment), qty),
        qty_min_lots=int_from_decimal_ceil(Decimal(event.qty_min), qty),
        cost_min=event.cost_min,
        pool=spec.pool,
        pool_kind=spec.pool_kind,
        pool_quote=spec.pool_quote,
        base_mint=spec.base_mint,
        quote_mint=spec.quote_mint,
        base_is_a=spec.base_is_a,
        base_decimals=spec.base_decimals,
        quote_decimals=spec.quote_decimals,
    )
