"""From venue records to fills, ledger entries and realised PnL.

Booking uses only what a venue itself says afterwards: Kraken trade records and the chain's
finalized meta. Observed fills (stream frames, processed sightings) drive the hedge and the
console; they become booked here, once, by the venue's own id. Callers: the runner's legs.
"""

from __future__ import annotations

from decimal import Decimal

from arbsite.clock import Clock
from feeds.venues.base import CexFill, CexTrading, DexReceipt
from trading.execution.residual import HedgeMarket
from trading.intent import Intent
from trading.records import AttemptRecord, FillRecord, LedgerLine, TradeRecord

LAMPORT_DECIMALS = 9
SOL = "SOL"


def fill_from_cex(fill: CexFill) -> FillRecord:
    """The record of one Kraken execution; a buy adds base and takes quote."""
    sign = 1 if fill.side == "buy" else -1
    return FillRecord(
        venue="kraken",
        venue_fill_id=fill.fill_id,
        status="booked" if fill.source == "record" else "observed",
        base_delta=sign * fill.qty,
        quote_delta=-sign * fill.cost,
        quote_asset=fill.symbol.split("/")[1],
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        at_ns=fill.venue_at_ns,
    )


def ledger_of_cex_fill(intent: Intent, fill: FillRecord) -> list[LedgerLine]:
    """Three lines: base, quote, fee (a zero fee has no line)."""
    moved = [
        (intent.asset, fill.base_delta, "trade"),
        (fill.quote_asset, fill.quote_delta, "trade"),
        (fill.fee_asset, -fill.fee, "fee"),
    ]
    return [
        LedgerLine(
            venue="kraken",
            venue_asset=asset,
            asset=asset,
            delta=delta,
            kind="trade" if kind == "trade" else "fee",
            reference=fill.venue_fill_id,
            at_ns=fill.at_ns,
        )
        for asset, delta, kind in moved
        if delta
    ]


def fill_from_receipt(intent: Intent, receipt: DexReceipt, *, booked: bool) -> FillRecord | None:
    """The swap's amounts from the chain's own meta; None for a failed transaction."""
    spec = intent.spec
    base_raw = receipt.deltas_raw.get(spec.base_mint, 0)
    quote_raw = receipt.deltas_raw.get(spec.quote_mint, 0)
    if receipt.error is not None or not base_raw:
        return None
    return FillRecord(
        venue="solana",
        venue_fill_id=receipt.signature,
        status="booked" if booked else "observed",
        base_delta=Decimal(base_raw).scaleb(-spec.base_decimals),
        quote_delta=Decimal(quote_raw).scaleb(-spec.quote_decimals),
        quote_asset=spec.pool_quote,
        fee=Decimal(receipt.fee_lamports + receipt.tip_lamports).scaleb(-LAMPORT_DECIMALS),
        fee_asset=SOL,
        at_ns=receipt.block_at_ns,
    )


def expected_dex_fill(intent: Intent, attempt: AttemptRecord, at_ns: int) -> FillRecord:
    """A processed sighting: base exact by construction, quote as quoted until the meta.

    A purchase by route may have brought a little more: its meta tells.
    """
    spec = intent.spec
    sign = 1 if attempt.side == "buy" else -1
    share = attempt.qty / (Decimal(intent.base_raw).scaleb(-spec.base_decimals))
    quote = Decimal(intent.dex_expected_quote_raw).scaleb(-spec.quote_decimals) * share
    return FillRecord(
        venue="solana",
        venue_fill_id=attempt.signature or "",
        status="observed",
        base_delta=sign * attempt.qty,
        quote_delta=(-sign * quote).quantize(Decimal(1).scaleb(-spec.quote_decimals)),
        quote_asset=spec.pool_quote,
        fee=Decimal(0),
        fee_asset=SOL,
        at_ns=at_ns,
    )


def ledger_of_receipt(intent: Intent, receipt: DexReceipt) -> list[LedgerLine]:
    """Every mint that moved, the fee (failed transactions pay it too), and the tip."""
    spec = intent.spec
    names = {
        spec.base_mint: (intent.asset, spec.base_decimals),
        spec.quote_mint: (spec.pool_quote, spec.quote_decimals),
    }
    lines = [
        _line(receipt, mint, names[mint][0], Decimal(raw).scaleb(-names[mint][1]), "trade")
        for mint, raw in receipt.deltas_raw.items()
        if raw and mint in names
    ]
    lines.append(
        _line(receipt, SOL, SOL, -Decimal(receipt.fee_lamports).scaleb(-LAMPORT_DECIMALS), "fee")
    )
    if receipt.tip_lamports:
        tip = -Decimal(receipt.tip_lamports).scaleb(-LAMPORT_DECIMALS)
        lines.append(_line(receipt, SOL, SOL, tip, "tip"))
    return lines


def _line(
    receipt: DexReceipt, venue_asset: str, asset: str, delta: Decimal, kind: str
) -> LedgerLine:
    return LedgerLine(
        venue="solana",
        venue_asset=venue_asset,
        asset=asset,
        delta=delta,
        kind="trade" if kind == "trade" else "fee" if kind == "fee" else "tip",
        reference=receipt.signature,
        at_ns=receipt.block_at_ns,
    )


def realised_usd(trade: TradeRecord) -> Decimal:
    """Σ of the trade's ledger deltas at the decision's marks (domain: predicted PnL)."""
    marks = trade.intent.marks_usd
    return sum((line.delta * marks[line.asset] for line in trade.lines), Decimal(0))


def observed_usd(trade: TradeRecord) -> Decimal:
    """The same sum over fills seen so far: provisional, for the engine's own state."""
    marks = trade.intent.marks_usd
    total = Decimal(0)
    for attempt in trade.attempts:
        for fill in attempt.fills.values():
            total += fill.base_delta * marks[trade.intent.asset]
            total += fill.quote_delta * marks[fill.quote_asset]
            total -= fill.fee * marks[fill.fee_asset]
    return total


def marked_usd(trade: TradeRecord, market: HedgeMarket | None) -> Decimal:
    """`observed_usd` with the residual at the middle of the book instead of the decision's mark.

    Without a book the decision's mark stands: then nothing better is known.
    """
    intent, residual = trade.intent, trade.residual_base
    if market is None or not residual:
        return observed_usd(trade)
    now_usd = market.middle_ticks.scaleb(-intent.spec.price_precision) * market.cex_quote_usd
    return observed_usd(trade) + residual * (now_usd - intent.marks_usd[intent.asset])


class TradeRecords:
    """Kraken trade records by order id, read once for every trade that waits for one.

    The venue's counter allows about one history call every two seconds, so all runners
    share this cache; a failed read raises QueryFailed and is asked again later.
    """

    def __init__(self, kraken: CexTrading, clock: Clock, *, spacing_s: float) -> None:
        self._kraken = kraken
        self._clock = clock
        self._spacing_ns = int(spacing_s * 1e9)
        self._by_order: dict[str, dict[str, CexFill]] = {}
        self._since_ns: dict[str, int] = {}
        self._read_ns: int | None = None

    async def of_order(self, order_id: str, *, since_ns: int) -> list[CexFill]:
        """All records of one order known now; reads the history when the last is old."""
        self._since_ns[order_id] = since_ns
        now_ns = self._clock.monotonic_ns()
        if self._read_ns is None or now_ns - self._read_ns >= self._spacing_ns:
            self._read_ns = now_ns
            # One read serves everybody who waits, so it goes back to the oldest of them.
            for fill in await self._kraken.fills(since_ns=min(self._since_ns.values())):
                if fill.order_id in self._since_ns:
                    self._by_order.setdefault(fill.order_id, {})[fill.fill_id] = fill
        return list(self._by_order.get(order_id, {}).values())

    def forget(self, order_id: str) -> None:
        """Drop a booked order's records."""
        self._by_order.pop(order_id, None)
        self._since_ns.pop(order_id, None)
