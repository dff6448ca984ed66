"""How a parked trade leaves OPERATOR: what a person ordered, carried out by the engine.

A preview prices a flatten on the live book; a flatten sends one order at the previewed
limit; attaching re-reads a record from its venue by id; keeping accepts the residual as
inventory; proving asks the venues about every attempt again; "stop re-sending" ends the
broadcasts of a swap that may still land (nothing can cancel it). Each answer is written in
the transaction of what it reports. Caller: the runner.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation

from arbsite.errors import QueryFailed
from arbsite.logs import event_logger
from trading.execution import attempts
from trading.execution.attaching import Attaching, NotAttached
from trading.execution.cex_leg import CexLeg
from trading.execution.dex_leg import DexLeg
from trading.execution.hedging import FLATTEN_ORDERED, Hedging
from trading.execution.open_trade import OpenTrade
from trading.execution.residual import Way
from trading.execution.settling import Settling
from trading.records import RESEND_STOPPED, AttemptRecord, OrderAnswer, PersonsOrder

log = event_logger(__name__)


class WaysOut:
    """Carries out the orders about one trade, one at a time."""

    def __init__(self, hand: OpenTrade, settling: Settling, hedging: Hedging) -> None:
        self._hand = hand
        self._desk = hand.desk
        self._settling = settling
        self._hedging = hedging
        self._attaching = Attaching(hand)
        self._orders: deque[PersonsOrder] = deque()
        self._acts: dict[str, Callable[[PersonsOrder], Awaitable[None]]] = {
            "preview": self._preview,
            "flatten": self._flatten,
            "attach": self._attach,
            "keep": self._keep,
            "prove": self._prove,
            "stop_resending": self._stop_resending,
        }

    @property
    def is_idle(self) -> bool:
        """Whether nothing is ordered."""
        return not self._orders

    def order(self, order: PersonsOrder) -> None:
        """Queue an order for the next turn."""
        self._orders.append(order)
        self._hand.wake.set()

    async def carry_out(self) -> None:
        """Carry out what was ordered; each order is answered exactly once."""
        while self._orders:
            order = self._orders.popleft()
            trade = self._hand.trade
            if order.act != "stop_resending" and trade.state != "operator":
                await self._answer(order, "refused", f"the trade is {trade.state}, not parked")
                continue
            try:
                await self._acts[order.act](order)
            except QueryFailed as error:
                await self._answer(order, "refused", f"the venue did not answer: {error}")
            except NotAttached as error:
                await self._answer(order, "refused", str(error))

    async def _answer(
        self, order: PersonsOrder, state: str, words: str, detail: dict[str, str] | None = None
    ) -> None:
        """Write the answer in one transaction with everything the act changed."""
        trade = self._hand.trade
        log.info("order.answered", act=order.act, by=order.person, state=state, words=words[:200])
        at_ns = self._desk.clock.now_ns()
        answer = OrderAnswer(order.id, state, words[:500], detail or order.detail, at_ns)
        trade.answers.append(answer)
        await self._hand.save()
        trade.answers.clear()

    # ---- flatten --------------------------------------------------------------------

    async def _preview(self, order: PersonsOrder) -> None:
        """Price, limit and cost of flattening now, and what keeping would risk."""
        trade, intent = self._hand.trade, self._hand.trade.intent
        market = self._desk.hedge_market(intent.asset)
        verdict = self._hedging.look(market, is_ordered=True)
        if verdict.act in ("flat", "dust"):
            await self._answer(order, "refused", f"{verdict.reason}: keep it")
            return
        if market is None:
            await self._answer(order, "refused", "no usable book now")
            return
        slip_bps = self._desk.protocol.hedge_slip_bps
        limit = attempts.hedge_limit(intent, market, verdict.side, slip_bps)
        touch = market.bid_ticks if verdict.side == "sell" else market.ask_ticks
        detail = {
            "venue": "kraken",
            "side": verdict.side,
            "qty": str(Decimal(verdict.lots).scaleb(-intent.spec.qty_precision)),
            "residual_base": str(trade.residual_base),
            "price": str(Decimal(touch).scaleb(-intent.spec.price_precision)),
            "limit_price": str(limit),
            "notional_usd": f"{verdict.notional_usd:.2f}",
            "cost_usd": _cost(verdict.ways, "kraken"),
            "suggestion": verdict.suggestion,
        }
        words = (
            f"{verdict.side} {detail['qty']} at {detail['price']}, limit {detail['limit_price']}"
        )
        await self._answer(order, "done", words, detail)

    async def _flatten(self, order: PersonsOrder) -> None:
        """One IOC at the previewed limit; what it leaves is a person's again."""
        trade, clock = self._hand.trade, self._desk.clock
        market = self._desk.hedge_market(trade.intent.asset)
        verdict = self._hedging.look(market, is_ordered=True)
        if market is None or not self._desk.kraken.is_ready:
            await self._answer(order, "refused", "Kraken is not ready; nothing was sent")
            return
        if _decimal(order.detail.get("residual_base")) != trade.residual_base:
            await self._answer(order, "refused", "the residual moved since the preview")
            return
        seq = 1 + sum(1 for attempt in trade.attempts if attempt.leg == "hedge")
        wanted = attempts.Hedge(seq, verdict.side, verdict.lots)
        attempt = attempts.hedge(trade.intent, market, wanted, slip_bps=0, now_ns=clock.now_ns())
        attempt.limit_price = _decimal(order.detail.get("limit_price"))
        attempt.evidence.append(_event("ordered", clock.now_ns(), f"by {order.person}"))
        # Settled stays true: the asset was given free and may be in another trade by now.
        trade.is_settled = True
        self._settling.settled_residual = trade.residual_base
        self._hand.move("flatten_ordered")
        trade.reason = f"flatten ordered by {order.person}"
        self._hedging.keep(verdict, act=FLATTEN_ORDERED, reason=trade.reason)
        trade.attempts.append(attempt)
        self._hand.adopt(attempt)
        await self._answer(order, "done", f"order hedge#{seq} was sent")
        self._hand.send(attempt)

    # ---- keep, attach, prove ---------------------------------------------------------

    async def _keep(self, order: PersonsOrder) -> None:
        """Accept the residual as inventory; the trade closes when its records are booked."""
        self._resolve(f"kept as inventory by {order.person}")
        await self._answer(order, "done", self._hand.trade.reason)

    async def _attach(self, order: PersonsOrder) -> None:
        """Take a record by its venue's id; the trade closes when nothing is left over."""
        words = await self._attaching.attach(order)
        left = self._resolve_if_flat(f"resolved by a record {order.person} attached")
        await self._answer(order, "done", f"{words}; {left}")

    async def _prove(self, order: PersonsOrder) -> None:
        """Ask the venues about every attempt again, those proven dead included."""
        before = self._hand.trade.residual_base
        asked = 0
        legs: list[CexLeg | DexLeg] = [*self._hand.cex.values(), *self._hand.dex.values()]
        for leg in legs:
            if leg.attempt.cl_ord_id or leg.attempt.signature:
                asked += 1
                await leg.prove()
        found = "a late fill was found" if self._hand.trade.residual_base != before else "no news"
        left = self._resolve_if_flat(f"resolved by a proof {order.person} ordered")
        await self._answer(order, "done", f"asked about {asked} attempts: {found}; {left}")

    def _resolve_if_flat(self, why: str) -> str:
        verdict = self._hedging.look(self._desk.hedge_market(self._hand.trade.intent.asset))
        if verdict.act in ("flat", "dust"):
            self._resolve(why)
            return "nothing is left over"
        left = f"{self._hand.trade.residual_base} left over"
        self._hand.trade.reason = left
        return left

    def _resolve(self, why: str) -> None:
        self._hand.move("resolved")
        self._settling.settle("")
        self._hand.trade.reason = why

    # ---- a swap that may still land ---------------------------------------------------

    async def _stop_resending(self, order: PersonsOrder) -> None:
        stopped: list[AttemptRecord] = []
        for leg in self._hand.dex.values():
            attempt = leg.attempt
            if attempt.is_live and not attempt.is_resend_stopped:
                at_ns = self._desk.clock.now_ns()
                attempt.evidence.append(_event(RESEND_STOPPED, at_ns, f"by {order.person}"))
                stopped.append(attempt)
        if not stopped:
            await self._answer(order, "refused", "no swap of this trade is being sent")
            return
        words = "not sent again from now on; it may still land until its last valid height"
        await self._answer(order, "done", words)


def _event(event: str, at_ns: int, answer: str) -> dict[str, str | int]:
    return {"event": event, "at_ns": at_ns, "answer": answer}


def _cost(ways: tuple[Way, ...], venue: str) -> str:
    found = [way.cost_usd for way in ways if way.venue == venue and way.cost_usd is not None]
    return f"{found[0]:.4f}" if found else ""


def _decimal(text: object) -> Decimal | None:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None
