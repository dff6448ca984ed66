"""What our own trades in flight have taken: money, and liquidity not yet seen as gone.

Two rules. Money: what an intent may spend is subtracted from the balances until the trade
is over AND balances read later than that are known. Liquidity: an asset is busy from the
intent until a book frame later than our fill and a pool slot at or after our landing have
been seen, so that one edge is never fired at twice. Pure; called by the engine.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import msgspec

from arbsite.units import decimal_from_int
from feeds.market.events import BookUpdated
from trading.compute_units import PRIOR_UNITS
from trading.inputs import HoldingsKnown, TradeClosed, TradeProgressed
from trading.intent import Intent

_ZERO = Decimal(0)
_SIGNATURE_LAMPORTS = 5_000


class Reservation(msgspec.Struct, frozen=True):
    """What one intent may spend on each venue; `over_ns` is when its trade was over.

    `fee_lamports` is the most its swaps can cost in native SOL: base, priority and tip.
    """

    kraken_asset: str
    kraken_amount: Decimal
    solana_asset: str
    solana_raw: int
    over_ns: int | None = None
    fee_lamports: int = 0


def swaps_of(max_hedges: int) -> int:
    """How many swaps a trade may send at most: its leg, and each hedge if it goes by the pool."""
    return 1 + max_hedges


def fee_bound_lamports(
    cu_limit: int, cu_price_micro_lamports: int, tip_lamports: int, *, swaps: int
) -> int:
    """The most that `swaps` transactions can cost: base, priority (rounded up) and tip each.

    A hedge asks for the prior limit at least, so no swap is counted with less.
    """
    priority = -(-max(PRIOR_UNITS, cu_limit) * cu_price_micro_lamports // 1_000_000)
    return swaps * (_SIGNATURE_LAMPORTS + priority + tip_lamports)


def reservation_of(intent: Intent, taker: Decimal, swaps: int) -> Reservation:
    """The most an intent may spend: base on the selling venue, quote at the limit on the other.

    And the fees of as many `swaps` as its trade may send.
    """
    spec = intent.spec
    fees = fee_bound_lamports(
        intent.cu_limit, intent.cu_price_micro_lamports, intent.tip_lamports, swaps=swaps
    )
    qty = decimal_from_int(intent.qty_lots, spec.qty_precision)
    if intent.cex_side == "sell":
        return Reservation(
            spec.asset, qty, spec.pool_quote, intent.dex_threshold_raw, fee_lamports=fees
        )
    limit = decimal_from_int(intent.cex_limit_ticks, spec.price_precision)
    cost = qty * limit * (1 + taker)
    return Reservation(spec.cex_quote, cost, spec.asset, intent.base_raw, fee_lamports=fees)


class Reservations:
    """All amounts promised to intents, over all assets (the quote assets are shared)."""

    def __init__(self) -> None:
        self._held: dict[UUID, Reservation] = {}
        self._holdings: HoldingsKnown | None = None
        # What is free, summed when first asked after a change.
        self._kraken_free: dict[str, Decimal] = {}
        self._solana_free: dict[str, int] = {}
        self._fees_held: int | None = None

    @property
    def holdings(self) -> HoldingsKnown | None:
        """Balances as last read."""
        return self._holdings

    def hold(self, key: UUID, reservation: Reservation) -> None:
        """Promise money to an intent."""
        self._held[key] = reservation
        self._forget_sums()

    def release(self, key: UUID, at_ns: int) -> None:
        """The trade is over; the money is free once balances read after `at_ns` are known."""
        held = self._held.get(key)
        if held is not None:
            self._held[key] = msgspec.structs.replace(held, over_ns=at_ns)

    def take_holdings(self, event: HoldingsKnown) -> None:
        """Replace the balances and drop every promise they already show."""
        if self._holdings is not None and event.at_ns < self._holdings.at_ns:
            return
        self._holdings = event
        self._held = {
            key: held
            for key, held in self._held.items()
            if held.over_ns is None or held.over_ns >= event.at_ns
        }
        self._forget_sums()

    def kraken_free(self, asset: str) -> Decimal | None:
        """Whole units on Kraken that nobody was promised, None while balances are unknown."""
        if self._holdings is None:
            return None
        free = self._kraken_free.get(asset)
        if free is None:
            held = sum(
                (r.kraken_amount for r in self._held.values() if r.kraken_asset == asset), _ZERO
            )
            free = max(_ZERO, self._holdings.kraken.get(asset, _ZERO) - held)
            self._kraken_free[asset] = free
        return free

    def solana_free(self, asset: str) -> int | None:
        """Raw units on chain that nobody was promised, None while balances are unknown."""
        if self._holdings is None:
            return None
        free = self._solana_free.get(asset)
        if free is None:
            held = sum(r.solana_raw for r in self._held.values() if r.solana_asset == asset)
            free = max(0, self._holdings.solana_raw.get(asset, 0) - held)
            self._solana_free[asset] = free
        return free

    @property
    def lamports_free(self) -> int | None:
        """Native SOL that no intent's fees were promised; None while unknown."""
        if self._holdings is None or self._holdings.lamports is None:
            return None
        if self._fees_held is None:
            self._fees_held = sum(held.fee_lamports for held in self._held.values())
        return self._holdings.lamports - self._fees_held

    def _forget_sums(self) -> None:
        self._kraken_free.clear()
        self._solana_free.clear()
        self._fees_held = None


class OwnTrades:
    """One asset's trades in flight and fills not yet seen in book and pool."""

    __slots__ = ("_cex_fill_ns", "_landed_slot", "_open", "_restored")

    def __init__(self) -> None:
        self._open: dict[UUID, UUID] = {}
        self._restored = False
        self._cex_fill_ns: int | None = None
        self._landed_slot: int | None = None

    @property
    def open_windows(self) -> tuple[UUID, ...]:
        """Windows that trades in flight were fired from."""
        return tuple(self._open.values())

    @property
    def open_count(self) -> int:
        """Trades in flight, one found at the start included."""
        return len(self._open) + self._restored

    def restore(self) -> None:
        """A trade of this asset was found open at the start."""
        self._restored = True

    def start(self, key: UUID, window: UUID) -> None:
        """An intent was handed over."""
        self._open[key] = window

    def progress(self, event: TradeProgressed) -> None:
        """A leg filled: remember from when on the market must show it."""
        self._remember(event.cex_fill_ns, event.landed_slot)

    def finish(self, key: UUID) -> UUID | None:
        """A trade is over (or was refused); returns the window it was fired from."""
        window = self._open.pop(key, None)
        if window is None:
            self._restored = False
        return window

    def close(self, event: TradeClosed) -> UUID | None:
        """A trade closed; its fills still have to be seen."""
        self._remember(event.cex_fill_ns, event.landed_slot)
        return self.finish(event.intent_key)

    def busy_reason(self, book: BookUpdated | None, pool_slot: int | None) -> str:
        """Why the asset must wait, or nothing."""
        if self._open or self._restored:
            return "trade open"
        fill_ns, slot = self._cex_fill_ns, self._landed_slot
        if fill_ns is not None and (book is None or book.recv_ns <= fill_ns):
            return "own fill not in the book yet"
        if slot is not None and (pool_slot is None or pool_slot < slot):
            return "own swap not in the pool yet"
        return ""

    def _remember(self, cex_fill_ns: int | None, landed_slot: int | None) -> None:
        if cex_fill_ns is not None:
            self._cex_fill_ns = max(cex_fill_ns, self._cex_fill_ns or 0)
        if landed_slot is not None:
            self._landed_slot = max(landed_slot, self._landed_slot or 0)
