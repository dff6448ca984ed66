"""One model trade: what its legs did, what it came to. Plain records and exact arithmetic.

`Running` is the trade while its legs are under way, `PaperTrade` the booked result. The
executor moves the first and makes the second. Pure.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Literal
from uuid import UUID

import msgspec

from arbsite.units import EXACT, decimal_from_int
from feeds.market.spec import Direction
from feeds.venues.base import Side
from trading.inputs import TradeClosed
from trading.intent import AssetSettings, Intent, LegOrder, PnlTerms
from trading.paper.book import Met
from trading.paper.draws import Stream
from trading.pricing import LAMPORTS_PER_SOL_DIGITS, realised_pnl

Outcome = Literal["both", "partial", "missed", "hedged", "operator", "stale"]
LegState = Literal["planned", "sending", "done", "dead", "stale"]
ENDED: frozenset[LegState] = frozenset({"done", "dead", "stale"})
FULL_FILL = Decimal("0.9")
SOL = "SOL"
_ZERO = Decimal(0)
_HALF_UP = Context(prec=60, rounding=ROUND_HALF_UP)


class PaperFill(msgspec.Struct, frozen=True):
    """One execution, or the fee of a swap that failed. Deltas in whole units, signed.

    `fee` is positive and was paid in `fee_asset`; `fee_usd` is its worth at the decision's
    mark (None in rows stored before it was kept).
    """

    leg: Literal["cex", "dex", "hedge"]
    venue: Literal["kraken", "solana"]
    base_delta: Decimal
    quote_delta: Decimal
    quote_asset: str
    fee: Decimal
    fee_asset: str
    at_ns: int
    fee_usd: Decimal | None = None


class PaperTrade(msgspec.Struct, frozen=True):
    """A booked model trade. Money in USD at the decision's marks.

    `naked_usd_s` is the integral of the unhedged notional over time, `cex_slip_usd` and
    `dex_slip_usd` what each leg's walk gave beyond its quote (negative: worse),
    `fee_slip_usd` predicted minus paid fees; they are 0 unless both legs filled.
    """

    intent_key: UUID
    window_id: UUID
    asset: str
    direction: Direction
    order: LegOrder
    outcome: Outcome
    fills: tuple[PaperFill, ...]
    notional_usd: Decimal
    size_base: Decimal
    pnl: PnlTerms
    realised_usd: Decimal
    residual_base: Decimal
    reason: str
    detect_ns: int
    wired_ns: int | None
    both_filled_ns: int | None
    naked_s: float
    naked_usd_s: float
    cex_slip_usd: Decimal
    dex_slip_usd: Decimal
    fee_slip_usd: Decimal
    closed_ns: int
    gross_bps: float
    limited_by: str


class Running:
    """A trade whose legs are under way."""

    def __init__(
        self, intent: Intent, settings: AssetSettings, taker: Decimal, luck: Stream
    ) -> None:
        self.intent = intent
        self.settings = settings
        self.taker = taker
        self.luck = luck
        self.fills: list[PaperFill] = []
        self.cex: LegState = "planned"
        self.dex: LegState = "planned"
        self.cex_lots = 0
        self.dex_base_raw = 0
        self.cex_was_sent = False
        self.dex_was_sent = False
        self.sent_ns: list[int] = []
        self.cex_filled_ns: int | None = None
        self.dex_filled_ns: int | None = None
        self.landed_slot: int | None = None
        self.hedges = 0
        self.hedged_lots = 0
        self.reason = ""

    # ---- fills ----------------------------------------------------------------------

    def add_kraken(
        self, leg: Literal["cex", "hedge"], side: Side, met: list[Met], places: int, at_ns: int
    ) -> int:
        """Book what an order met, level by level as the venue does; the lots in total."""
        spec = self.intent.spec
        sign = 1 if side == "buy" else -1
        unit = Decimal(1).scaleb(-places)
        for one in met:
            qty = decimal_from_int(one.lots, spec.qty_precision)
            price = decimal_from_int(one.ticks, spec.price_precision)
            cost = EXACT.multiply(price, qty).quantize(unit, context=_HALF_UP)
            fee = EXACT.multiply(cost, self.taker).quantize(unit, context=_HALF_UP)
            self.fills.append(
                PaperFill(
                    leg=leg,
                    venue="kraken",
                    base_delta=sign * qty,
                    quote_delta=-sign * cost,
                    quote_asset=spec.cex_quote,
                    fee=fee,
                    fee_asset=spec.cex_quote,
                    at_ns=at_ns,
                    fee_usd=fee * self.intent.marks_usd[spec.cex_quote],
                )
            )
        lots = sum(one.lots for one in met)
        if leg == "cex":
            self.cex_lots += lots
            self.cex_filled_ns = at_ns if lots else self.cex_filled_ns
        else:
            self.hedged_lots += lots
        return lots

    def add_swap(self, base_raw: int, quote_raw: int, lamports: int, at_ns: int) -> None:
        """Book a landed swap (both positive raw amounts), or with zeros a failed one's fee."""
        spec, intent = self.intent.spec, self.intent
        sign = 1 if intent.cex_side == "sell" else -1
        fee = decimal_from_int(lamports, LAMPORTS_PER_SOL_DIGITS)
        self.fills.append(
            PaperFill(
                leg="dex",
                venue="solana",
                base_delta=sign * decimal_from_int(base_raw, spec.base_decimals),
                quote_delta=-sign * decimal_from_int(quote_raw, spec.quote_decimals),
                quote_asset=spec.pool_quote,
                fee=fee,
                fee_asset=SOL,
                at_ns=at_ns,
                fee_usd=fee * intent.marks_usd[SOL],
            )
        )
        if base_raw:
            self.dex_base_raw += base_raw
            self.dex_filled_ns = at_ns

    # ---- what it comes to -----------------------------------------------------------

    @property
    def is_known(self) -> bool:
        """Whether both legs have ended."""
        return self.cex in ENDED and self.dex in ENDED

    @property
    def residual_base(self) -> Decimal:
        """Base bought minus base sold, both venues together."""
        return sum((fill.base_delta for fill in self.fills), _ZERO)

    def outcome(self) -> Outcome:
        """The word for how it ended, as the executor of real trades says it."""
        spec = self.intent.spec
        wanted = decimal_from_int(self.intent.qty_lots, spec.qty_precision)
        cex = decimal_from_int(self.cex_lots, spec.qty_precision)
        dex = decimal_from_int(self.dex_base_raw, spec.base_decimals)
        if self.hedged_lots:
            return "hedged"
        if min(cex, dex) >= FULL_FILL * wanted:
            return "both"
        return "partial" if cex or dex else "missed"

    def deltas(self) -> dict[str, Decimal]:
        """Ledger deltas by asset, fees included."""
        return deltas_of(self.fills, self.intent.asset)

    def closed(self, outcome: Outcome, at_ns: int) -> TradeClosed:
        """What the engine is told at the end."""
        intent = self.intent
        return TradeClosed(
            intent_key=intent.intent_key,
            asset=intent.asset,
            outcome=outcome,
            realised_usd=realised_pnl(self.deltas(), intent.marks_usd),
            dex_landed=bool(self.dex_base_raw) if self.dex_was_sent else None,
            cex_filled_ratio=self.cex_lots / intent.qty_lots if self.cex_was_sent else None,
            cex_fill_ns=self.cex_filled_ns,
            landed_slot=self.landed_slot,
            at_ns=at_ns,
            tip_lamports=intent.tip_lamports,
            congestion=intent.verdict.congestion,
            opening=intent.verdict.opening,
        )

    def booked(self, outcome: Outcome, at_ns: int) -> PaperTrade:
        """The whole trade as a record."""
        intent = self.intent
        naked_s, naked_usd_s = self._naked(at_ns)
        slips = self._slips() if outcome == "both" else (_ZERO, _ZERO, _ZERO)
        both_ns = None
        if outcome == "both" and self.cex_filled_ns and self.dex_filled_ns:
            both_ns = max(self.cex_filled_ns, self.dex_filled_ns)
        return PaperTrade(
            intent_key=intent.intent_key,
            window_id=intent.window_id,
            asset=intent.asset,
            direction=intent.direction,
            order=intent.verdict.order,
            outcome=outcome,
            fills=tuple(self.fills),
            notional_usd=intent.notional_usd,
            size_base=decimal_from_int(intent.qty_lots, intent.spec.qty_precision),
            pnl=intent.pnl,
            realised_usd=realised_pnl(self.deltas(), intent.marks_usd),
            residual_base=self.residual_base,
            reason=self.reason,
            detect_ns=intent.detect_ns,
            wired_ns=max(self.sent_ns, default=None),
            both_filled_ns=both_ns,
            naked_s=naked_s,
            naked_usd_s=naked_usd_s,
            cex_slip_usd=slips[0],
            dex_slip_usd=slips[1],
            fee_slip_usd=slips[2],
            closed_ns=at_ns,
            gross_bps=intent.gross_bps,
            limited_by=intent.limited_by,
        )

    def _naked(self, until_ns: int) -> tuple[float, float]:
        """Seconds with an open residual, and USD·seconds of it, from the fills themselves."""
        intent = self.intent
        mark = float(intent.marks_usd[intent.asset])
        dust = float(decimal_from_int(intent.spec.qty_min_lots, intent.spec.qty_precision))
        seconds = usd_s = 0.0
        open_base, since_ns = _ZERO, 0
        for fill in [*sorted(self.fills, key=_time_of), None]:
            now_ns = until_ns if fill is None else fill.at_ns
            if abs(float(open_base)) >= dust:
                passed = max(0, now_ns - since_ns) / 1e9
                seconds += passed
                usd_s += passed * abs(float(open_base)) * mark
            since_ns = now_ns
            open_base += fill.base_delta if fill is not None else _ZERO
        return seconds, usd_s

    def _slips(self) -> tuple[Decimal, Decimal, Decimal]:
        """Kraken walk, pool and fees: realised minus predicted, in USD at the marks."""
        marks, pnl = self.intent.marks_usd, self.intent.pnl
        walked = {"kraken": _ZERO, "solana": _ZERO}
        paid = _ZERO
        for fill in self.fills:
            walked[fill.venue] += fill.quote_delta * marks[fill.quote_asset]
            paid += fill.fee * marks[fill.fee_asset]
        sells = self.intent.cex_side == "sell"
        cex = pnl.sell_proceeds if sells else -pnl.buy_cost
        dex = -pnl.buy_cost if sells else pnl.sell_proceeds
        stated = pnl.cex_fee + pnl.chain_fee
        return walked["kraken"] - cex, walked["solana"] - dex, stated - paid


def deltas_of(fills: list[PaperFill] | tuple[PaperFill, ...], asset: str) -> dict[str, Decimal]:
    """Sum fills into ledger deltas by asset, fees included."""
    found: dict[str, Decimal] = {}
    for fill in fills:
        for name, delta in (
            (asset, fill.base_delta),
            (fill.quote_asset, fill.quote_delta),
            (fill.fee_asset, -fill.fee),
        ):
            found[name] = found.get(name, _ZERO) + delta
    return found


def _time_of(fill: PaperFill) -> int:
    return fill.at_ns
