"""A venue's record put to a trade by its id: re-read from the venue, never typed in.

For what was done past the engine: an order a person placed on Kraken, a swap sent by hand,
or an execution of ours that no proof had found. The whole order is taken with its fees, so
the ledger still equals the venue's own. Caller: `trading.execution.ways_out`.
"""

from __future__ import annotations

from decimal import Decimal

from arbsite import keys
from feeds.venues.base import CexFill, DexReceipt, TxSighting
from trading.execution.booking import (
    fill_from_cex,
    fill_from_receipt,
    ledger_of_cex_fill,
    ledger_of_receipt,
)
from trading.execution.open_trade import OpenTrade
from trading.records import AttemptRecord, FillRecord, PersonsOrder

LOOK_BACK_NS = 60_000_000_000


class NotAttached(Exception):
    """The record cannot be this trade's; the text says why."""


class Attaching:
    """Attaches records to one trade."""

    def __init__(self, hand: OpenTrade) -> None:
        self._hand = hand
        self._desk = hand.desk

    async def attach(self, order: PersonsOrder) -> str:
        """Attach what the order names; raises NotAttached, or QueryFailed to be asked again."""
        if order.venue == "kraken":
            return await self._attach_order(order)
        return await self._attach_swap(order)

    async def _attach_order(self, order: PersonsOrder) -> str:
        intent = self._hand.trade.intent
        records = await self._desk.kraken.fills(since_ns=intent.detect_ns - LOOK_BACK_NS)
        named = [r for r in records if order.reference in (r.fill_id, r.order_id)]
        if not named:
            raise NotAttached("Kraken's records since this trade do not have it")
        order_id = named[0].order_id
        fills = [record for record in records if record.order_id == order_id]
        if any(fill.symbol != intent.spec.cex_symbol for fill in fills):
            raise NotAttached(f"it traded {fills[0].symbol}, not {intent.spec.cex_symbol}")
        for leg in self._hand.cex.values():
            if leg.attempt.order_id == order_id:
                for fill in fills:
                    leg.see_fill(fill)
                return "it is an order of this trade"
        await self._refuse_if_known("kraken", order_id, [fill.fill_id for fill in fills])
        self._add_order(order, order_id, fills)
        return f"{len(fills)} executions of order {order_id} were attached"

    def _add_order(self, order: PersonsOrder, order_id: str, fills: list[CexFill]) -> None:
        trade = self._hand.trade
        booked = [fill_from_cex(fill) for fill in fills]
        base = sum((fill.base_delta for fill in booked), Decimal(0))
        attempt = self._attempt(order, "kraken", base, booked, [f.venue_at_ns for f in fills])
        attempt.order_id = order_id
        for fill in booked:
            trade.lines += ledger_of_cex_fill(trade.intent, fill)
        self._hand.adopt(attempt)

    async def _attach_swap(self, order: PersonsOrder) -> str:
        trade = self._hand.trade
        receipt = await self._desk.solana.receipt(order.reference, commitment="finalized")
        if receipt is None:
            raise NotAttached("no finalized transaction has this signature")
        for leg in self._hand.dex.values():
            if leg.attempt.signature == order.reference:
                leg.see(self._sighting(receipt))
                return "it is a swap of this trade"
        fill = fill_from_receipt(trade.intent, receipt, booked=True)
        if fill is None:
            raise NotAttached(f"it moved no {trade.intent.asset} of ours")
        await self._refuse_if_known("solana", order.reference, [order.reference])
        attempt = self._attempt(order, "solana", fill.base_delta, [fill], [receipt.block_at_ns])
        attempt.signature = order.reference
        trade.lines += ledger_of_receipt(trade.intent, receipt)
        self._hand.adopt(attempt)
        return f"the swap of slot {receipt.slot} was attached"

    def _sighting(self, receipt: DexReceipt) -> TxSighting:
        return TxSighting(
            signature=receipt.signature,
            slot=receipt.slot,
            commitment="finalized",
            error=receipt.error,
            error_code=receipt.error_code,
            recv_ns=self._desk.clock.now_ns(),
        )

    async def _refuse_if_known(self, venue: str, reference: str, fill_ids: list[str]) -> None:
        """A record belongs to one trade: its fills are booked once."""
        if await self._desk.store.knows_record(venue, reference, fill_ids):
            raise NotAttached("this record belongs to another trade")

    def _attempt(
        self,
        order: PersonsOrder,
        venue: str,
        base: Decimal,
        fills: list[FillRecord],
        times_ns: list[int],
    ) -> AttemptRecord:
        """A finished hedge that the engine did not send."""
        trade = self._hand.trade
        seq = 1 + sum(1 for attempt in trade.attempts if attempt.leg == "hedge")
        attempt = AttemptRecord(
            id=keys.leg_id(trade.intent.intent_key, "hedge", seq),
            leg="hedge",
            seq=seq,
            venue=venue,
            side="buy" if base > 0 else "sell",
            qty=abs(base),
            state="done",
            sent_ns=min(times_ns),
            filled_ns=max(times_ns),
            filled_base=abs(base),
            is_booked=True,
            evidence=[
                {
                    "event": "attached",
                    "at_ns": self._desk.clock.now_ns(),
                    "answer": f"{order.reference} by {order.person}",
                }
            ],
            fills={fill.venue_fill_id: fill for fill in fills},
        )
        trade.attempts.append(attempt)
        return attempt
