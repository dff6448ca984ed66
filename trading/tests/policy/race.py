"""A desk that races for real against the frozen opponents, in virtual time and one thread.

The real `Engine` over the simulated world without wires: venue changes reach it after the
reference latencies, its intents become signed transactions and Kraken orders of the same
world, and what came of them goes back as `TradeClosed`. For measuring the landing and order
policy; the protocol itself is told in `stories`. As a program it prints a table:
python -m trading.tests.policy.race busy 10
"""

from __future__ import annotations

import statistics
import sys
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from arbsite.clock import ManualClock, seeded_random
from feeds.market.events import (
    BookUpdated,
    PoolUpdated,
    SlotAdvanced,
    VenueStatus,
)
from feeds.sim import seeding
from feeds.sim.kraken.latency import Latency
from feeds.sim.kraken.records import BookChanged, OrderRefused, OrderRequest
from feeds.sim.scenarios import scenario_of
from feeds.sim.solana.blocks import Block
from feeds.sim.solana.server import RPC_LATENCY
from feeds.sim.tests.solana.chain_bench import signed_swap
from feeds.sim.truth import TruthStore
from feeds.sim.world import World
from trading.effects import Execute, NoteWindow
from trading.engine.core import Engine
from trading.inputs import (
    ChainFeesKnown,
    EngineInput,
    FeesKnown,
    HoldingsKnown,
    SettingsApplied,
    TradeClosed,
    VenuesReady,
)
from trading.intent import Intent, WindowRow
from trading.tests.unit.desk import MS, heartbeat, instrument, mode, settings_of

START_NS = 1_790_000_000_000_000_000
STEP_NS = 50 * MS
# What our own process adds: the durable intent, and the hand-over to the wire.
OWN_MS = 4.0
BOOK_DEPTH = 10
GIVE_UP_BLOCKS = 40


@dataclass
class Attempt:
    """One intent and what became of it."""

    intent: Intent
    signature: str
    sent_slot: int
    outcome: str = ""
    cause: str = ""
    landed_slot: int = 0
    done_ns: int = 0
    realised_usd: Decimal = Decimal(0)
    dex_slip_usd: Decimal = Decimal(0)
    cex_slip_usd: Decimal = Decimal(0)
    deltas: dict[str, Decimal] = field(default_factory=dict)

    @property
    def expected_usd(self) -> Decimal:
        return self.intent.pnl.expected


class Race:
    """One world, one engine, and the attempts it made."""

    def __init__(self, scenario: str, seed: int, **settings: Any) -> None:
        self.clock = ManualClock(START_NS + seed * 3_600_000_000_000)
        self.world = World(scenario_of(scenario), seed, TruthStore(), self.clock)
        self.rng = seeded_random(f"race/{seed}")
        self.specs = {m.spec.asset: m.spec for m in self.world.markets}
        self.markets = {m.spec.asset: m for m in self.world.markets}
        self.engine = Engine(self.specs)
        self.attempts: list[Attempt] = []
        self.windows: dict[Any, WindowRow] = {}
        self.gates: Counter[str] = Counter()
        self._pending: dict[str, Attempt] = {}
        self._settings = settings
        self._kraken_wire, self._rpc_wire = Latency(), RPC_LATENCY
        self._seen: dict[str, int] = {}
        self._ahead: dict[Any, list[tuple[str, Any]]] = {}

    # ---- running --------------------------------------------------------------------

    def run(self, minutes: float) -> None:
        self.world.exchange.listen(self._hear_book)
        self.world.views[0].listeners.append(self._hear_block)
        self.world.start()
        self._open_desk()
        end = self.clock.now_ns() + int(minutes * 60e9)
        while self.clock.now_ns() < end:
            self._drain(self.clock.now_ns() + STEP_NS)
            now = self.clock.now_ns()
            for event in heartbeat(now):
                self.tell(event)

    def _drain(self, until_ns: int) -> None:
        """Run the world's events one by one with the clock standing at each of them."""
        schedule = self.world.schedule
        while schedule.next_ns is not None and schedule.next_ns <= until_ns:
            ahead = schedule.next_ns - self.clock.now_ns()
            if ahead > 0:
                self.clock.advance_ns(ahead)
            schedule.run_next()
        self.clock.advance_ns(max(0, until_ns - self.clock.now_ns()))

    def tell(self, event: EngineInput) -> None:
        for effect in self.engine.handle(event):
            if isinstance(effect, Execute):
                self._execute(effect.intent)
            elif isinstance(effect, NoteWindow):
                self.windows[effect.window.window_id] = effect.window
                if effect.decision == "refused":
                    self.gates[effect.gate] += 1

    def _open_desk(self) -> None:
        now = self.clock.now_ns()
        self.tell(mode(now, "live"))
        for spec in self.specs.values():
            settings = settings_of(asset=spec.asset, **self._settings)
            self.tell(SettingsApplied(settings=settings, at_ns=now))
            pair = self.world.exchange.pairs[spec.cex_symbol]
            self.tell(
                instrument(
                    now, spec.cex_symbol,
                    price_precision=pair.price_precision, qty_precision=pair.qty_precision,
                    qty_min=pair.qty_min, cost_min=pair.cost_min,
                )
            )  # fmt: skip
            self._tell_pool(spec.asset, self.world.views[0].slot)
        taker = {spec.cex_symbol: Decimal("0.001") for spec in self.specs.values()}
        self.tell(FeesKnown(taker=taker, base_fee_lamports=5_000, at_ns=now))
        self.tell(VenuesReady(kraken=True, solana=True, at_ns=now))
        for venue in ("kraken", "solana"):
            self.tell(VenueStatus(venue, "online", 20.0, now, clock_skew_ms=0.0))
        self._tell_holdings()
        self._tell_chain_fees()

    def _tell_chain_fees(self) -> None:
        now = self.clock.now_ns()
        chain = self.world.chain
        prices = [b.priority_price for b in chain.blocks_since(chain.slot - 150)]
        recent = percentile(prices[-20:], 75)
        pools = [spec.pool for spec in self.specs.values()]
        self.tell(
            ChainFeesKnown(
                price=dict.fromkeys(pools, recent),
                usual=dict.fromkeys(pools, percentile(prices, 75)),
                can_tip=True, at_ns=now,
            )
        )  # fmt: skip
        self._later(2.0, self._tell_chain_fees)

    def _tell_holdings(self) -> None:
        credentials = self.world.credentials
        bank = self.world.chain.bank
        mints = {spec.base_mint: name for name, spec in self.specs.items()}
        mints |= {spec.quote_mint: spec.pool_quote for spec in self.specs.values()}
        self.tell(
            HoldingsKnown(
                kraken=dict(self.world.exchange.balances(credentials.kraken_key)),
                solana_raw={
                    name: bank.raw(seeding.token_account_of(credentials.wallet, mint))
                    for mint, name in mints.items()
                },
                at_ns=self.clock.now_ns(),
            )
        )

    # ---- what the venues show ---------------------------------------------------------

    def _later(self, seconds: float, call: Any) -> None:
        self.world.schedule.after(max(0, round(seconds * 1e9)), lambda _: call())

    def _hear_book(self, event: Any) -> None:
        if not isinstance(event, BookChanged):
            return
        pair = self.world.exchange.pairs[event.symbol]
        bids, asks = tuple(event.bids[:BOOK_DEPTH]), tuple(event.asks[:BOOK_DEPTH])

        def arrive() -> None:
            if event.at_ns < self._seen.get(event.symbol, 0):
                return
            self._seen[event.symbol] = event.at_ns
            now = self.clock.now_ns()
            self.tell(
                BookUpdated(
                    symbol=event.symbol, bids=bids, asks=asks,
                    price_precision=pair.price_precision, qty_precision=pair.qty_precision,
                    checksum=hash((bids, asks)) & 0xFFFFFFFF, venue_at_ns=event.at_ns,
                    recv_ns=now,
                )
            )  # fmt: skip

        self._later(self._kraken_wire.one_way_s(self.rng), arrive)

    def _hear_block(self, block: Block) -> None:
        def arrive() -> None:
            now = self.clock.now_ns()
            self.tell(SlotAdvanced(slot=block.slot, lag_slots=0, recv_ns=now))
            for asset, market in self.markets.items():
                pool = market.pool
                if block.changed & {pool.address, pool.vault_a, pool.vault_b}:
                    self._tell_pool(asset, block.slot)
            self._look_for_ours(block)

        self._later(self._rpc_wire.one_way_s(self.rng), arrive)

    def _pool_at(self, asset: str, slot: int) -> Any:
        bank = self.world.chain.bank

        class Seen(type(bank).__mro__[1]):  # a Ledger that reads at a slot
            def get(self, address):
                return bank.at(address, slot)

        return Seen().pool(self.specs[asset].pool)

    def _tell_pool(self, asset: str, slot: int) -> None:
        self.tell(
            PoolUpdated(
                pool=self.specs[asset].pool, slot=slot, state=self._pool_at(asset, slot),
                recv_ns=self.clock.now_ns(),
            )
        )  # fmt: skip

    # ---- carrying intents out ---------------------------------------------------------

    def _execute(self, intent: Intent) -> None:
        chain = self.world.chain
        raw = signed_swap(
            self.world, self.markets[intent.asset], intent.base_raw, intent.dex_threshold_raw,
            exact_in=intent.dex_exact_in, a_to_b=intent.dex_a_to_b,
            starts=intent.tick_array_starts, cu_price=intent.cu_price_micro_lamports,
            tip=intent.tip_lamports,
        )  # fmt: skip

        def send() -> None:
            transaction = chain.submit(raw)
            attempt = Attempt(intent, transaction.signature, chain.slot)
            attempt.deltas["height"] = Decimal(chain.newest.height)
            self.attempts.append(attempt)
            self._pending[attempt.signature] = attempt
            self._rebroadcast(attempt, raw)

        self._later(OWN_MS / 1e3 + self._rpc_wire.one_way_s(self.rng), send)
        if intent.verdict.order == "concurrent":
            self._later(
                OWN_MS / 1e3 + self._kraken_wire.one_way_s(self.rng), lambda: self._early(intent)
            )

    def _early(self, intent: Intent) -> None:
        """The Kraken leg of a concurrent trade: filled or not, the swap does not wait."""
        spec = intent.spec
        qty = Decimal(intent.qty_lots).scaleb(-spec.qty_precision)
        order = self._place(intent, intent.cex_side, qty, intent.cex_limit_ticks)
        self._ahead[intent.intent_key] = [(intent.cex_side, order)]

    def _rebroadcast(self, attempt: Attempt, raw: bytes) -> None:
        def again() -> None:
            if attempt.signature in self._pending:
                self.world.chain.submit(raw)
                self._rebroadcast(attempt, raw)

        self._later(1.0, again)

    def _look_for_ours(self, block: Block) -> None:
        for signature, attempt in list(self._pending.items()):
            record = self.world.chain.record(signature)
            if record is not None and record.slot <= block.slot:
                del self._pending[signature]
                self._landed(attempt, record)
            elif block.height - int(attempt.deltas["height"]) > GIVE_UP_BLOCKS:
                del self._pending[signature]
                attempt.deltas.clear()
                self._unwind(attempt, "never landed")

    def _landed(self, attempt: Attempt, record: Any) -> None:
        attempt.landed_slot = record.slot
        intent, meta = attempt.intent, record.meta
        paid = -Decimal(meta.fee_lamports).scaleb(-9)
        if meta.error is not None:
            attempt.deltas = {"SOL ": paid}
            self._unwind(attempt, self._why_failed(attempt, record.slot))
            return
        tip = Decimal(intent.tip_lamports).scaleb(-9)
        attempt.deltas = {"SOL ": paid - tip}
        spec = intent.spec
        for name, mint, decimals in (
            (intent.asset, spec.base_mint, spec.base_decimals),
            (spec.pool_quote, spec.quote_mint, spec.quote_decimals),
        ):
            moved = sum(r.raw for r in meta.post_tokens if _is_ours(r, mint, self))
            moved -= sum(r.raw for r in meta.pre_tokens if _is_ours(r, mint, self))
            attempt.deltas[name] = Decimal(moved).scaleb(-decimals)
        got = attempt.deltas[spec.pool_quote]
        wanted = Decimal(intent.dex_expected_quote_raw).scaleb(-spec.quote_decimals)
        wanted = -wanted if intent.cex_side == "sell" else wanted
        attempt.dex_slip_usd = (got - wanted) * intent.marks_usd[spec.pool_quote]
        self._later(
            OWN_MS / 1e3 + self._kraken_wire.one_way_s(self.rng), lambda: self._order(attempt)
        )

    def _why_failed(self, attempt: Attempt, slot: int) -> str:
        before = self._pool_at(attempt.intent.asset, slot - 1)
        decided = self._pool_at(attempt.intent.asset, attempt.intent.pool_slot)
        gap = slot - attempt.sent_slot
        moved = getattr(before, "sqrt_price", None) != getattr(decided, "sqrt_price", None)
        if not hasattr(before, "sqrt_price"):
            moved = before.vault_a_raw != decided.vault_a_raw
        where = "pool moved before our slot" if moved else "outbid inside the slot"
        return f"{where} (+{gap})"

    def _place(self, intent: Intent, side: str, qty: Decimal, ticks: int) -> Any:
        spec, exchange = intent.spec, self.world.exchange
        request = OrderRequest(
            symbol=spec.cex_symbol, side=side, qty=qty,
            limit_price=Decimal(ticks).scaleb(-spec.price_precision),
            deadline_ns=self.clock.now_ns() + 1_000_000_000,
        )  # fmt: skip
        return exchange.place(exchange.accounts.owner(self.world.credentials.kraken_key), request)

    def _at_market(self, intent: Intent, side: str, qty: Decimal) -> list[tuple[str, Any]]:
        if int(qty.scaleb(intent.spec.qty_precision)) < intent.spec.qty_min_lots:
            return []
        bids, asks = self.world.exchange.levels(intent.spec.cex_symbol)
        far = asks[0][0] * 101 // 100 if side == "buy" else bids[0][0] * 99 // 100
        try:
            return [(side, self._place(intent, side, qty, far))]
        except OrderRefused:
            # The account is short of what the far limit would cost: the base stays.
            return []

    def _unwind(self, attempt: Attempt, cause: str) -> None:
        """The swap came to nothing: what an order sent ahead of it filled is given back."""
        intent = attempt.intent
        orders = self._ahead.pop(intent.intent_key, [])
        filled = sum((order.filled_qty for _, order in orders), Decimal(0))
        back = "sell" if intent.cex_side == "buy" else "buy"
        orders += self._at_market(intent, back, filled)
        self._count(attempt, orders)
        self._finish(attempt, "hedged" if filled else "missed", cause)

    def _order(self, attempt: Attempt) -> None:
        intent = attempt.intent
        spec = intent.spec
        qty = Decimal(intent.qty_lots).scaleb(-spec.qty_precision)
        orders = self._ahead.pop(intent.intent_key, None)
        if orders is None:
            try:
                order = self._place(intent, intent.cex_side, qty, intent.cex_limit_ticks)
            except OrderRefused as error:
                self._finish(attempt, "refused", str(error))
                return
            orders = [(intent.cex_side, order)]
        rest = qty - orders[0][1].filled_qty
        outcome = "hedged" if rest > qty / 10 else "both"
        orders += self._at_market(intent, intent.cex_side, rest)
        self._count(attempt, orders)
        sign = 1 if intent.cex_side == "buy" else -1
        walk = intent.pnl.sell_proceeds if intent.cex_side == "sell" else intent.pnl.buy_cost
        cost = sum((order.cost for _, order in orders), Decimal(0))
        attempt.cex_slip_usd = (cost * intent.marks_usd[spec.cex_quote] - walk) * -sign
        self._later(
            self._kraken_wire.one_way_s(self.rng), lambda: self._finish(attempt, outcome, outcome)
        )

    def _count(self, attempt: Attempt, orders: list[tuple[str, Any]]) -> None:
        spec = attempt.intent.spec
        for side, order in orders:
            sign = 1 if side == "buy" else -1
            for key, delta in (
                (spec.asset, sign * order.filled_qty),
                (spec.cex_quote + " cex", -sign * order.cost - order.fee),
            ):
                attempt.deltas[key] = attempt.deltas.get(key, Decimal(0)) + delta

    def _finish(self, attempt: Attempt, outcome: str, cause: str) -> None:
        now = self.clock.now_ns()
        intent = attempt.intent
        attempt.outcome, attempt.cause, attempt.done_ns = outcome, cause, now
        attempt.deltas.pop("height", None)
        attempt.realised_usd = sum(
            (d * intent.marks_usd[name.split(" ")[0]] for name, d in attempt.deltas.items()),
            Decimal(0),
        )
        landed = attempt.landed_slot > 0 and intent.spec.pool_quote in attempt.deltas
        self.tell(
            TradeClosed(
                intent_key=intent.intent_key, asset=intent.asset,
                outcome=outcome if outcome in ("both", "hedged") else "missed",
                realised_usd=attempt.realised_usd, dex_landed=landed,
                cex_filled_ratio=(1.0 if outcome == "both" else 0.0) if landed else None,
                cex_fill_ns=now if outcome != "missed" else None,
                landed_slot=attempt.landed_slot if landed else None, at_ns=now,
                tip_lamports=intent.tip_lamports, congestion=intent.verdict.congestion,
                opening=intent.verdict.opening,
            )
        )  # fmt: skip
        self._tell_holdings()

    # ---- what it came to --------------------------------------------------------------

    @property
    def finished(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.outcome]

    def figures(self) -> dict[str, Any]:
        done = self.finished
        both = [a for a in done if a.outcome == "both"]
        errors = [float(a.realised_usd - a.expected_usd) for a in done]
        predicted = [float(a.expected_usd) for a in done]
        total = sum(map(abs, predicted)) or 1.0
        spans = sorted((a.done_ns - a.intent.detect_ns) / 1e6 for a in both)
        won = {a.intent.window_id for a in both}
        eligible = [w for w in self.windows.values() if w.is_eligible]
        return {
            "attempts": len(done),
            "both": len(both),
            "p": round(len(both) / max(1, len(done)), 3),
            "hedged": sum(a.outcome == "hedged" for a in done),
            "windows": len(self.windows),
            "eligible": len(eligible),
            "capture": round(sum(w.window_id in won for w in eligible) / max(1, len(eligible)), 3),
            "bias": round(sum(errors) / total, 3),
            "wape": round(sum(map(abs, errors)) / total, 3),
            "median": round(
                statistics.median(
                    abs(e) / max(abs(p), 0.05) for e, p in zip(errors, predicted, strict=True)
                ),
                3,
            )
            if errors
            else None,
            "expected_usd": round(sum(predicted), 2),
            "realised_usd": round(float(sum(a.realised_usd for a in done)), 2),
            "median_expected": round(statistics.median(predicted), 3) if predicted else None,
            "dex_slip_usd": round(float(sum(a.dex_slip_usd for a in both)), 2),
            "cex_slip_usd": round(float(sum(a.cex_slip_usd for a in both)), 2),
            "fills_p50": round(spans[len(spans) // 2]) if spans else None,
            "fills_p95": round(spans[int(len(spans) * 0.95)]) if spans else None,
            "causes": dict(Counter(a.cause for a in done).most_common()),
            "gates": dict(self.gates),
            "tips": dict(sorted(Counter(a.intent.tip_lamports for a in done).items())),
            "congestion": dict(Counter(a.intent.verdict.congestion for a in done)),
            "cu_price": statistics.median([a.intent.cu_price_micro_lamports for a in done] or [0]),
            "orders": dict(Counter(a.intent.verdict.order for a in done)),
        }


def percentile(values: list[int], percent: int) -> int:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0


def _is_ours(row: Any, mint: str, race: Race) -> bool:
    return bool(row.mint == mint and row.owner == race.world.credentials.wallet)


if __name__ == "__main__":
    changes = {}
    for part in sys.argv[4:]:
        name, _, value = part.partition("=")
        changes[name] = Decimal(value) if "." in value or "usd" in name or "bps" in name else value
        if name.endswith(("lamports", "window")):
            changes[name] = int(value)
    race = Race(sys.argv[1], int(sys.argv[3]) if len(sys.argv) > 3 else 7, **changes)
    race.run(float(sys.argv[2]))
    for name, value in race.figures().items():
        print(f"{name:18} {value}")
