"""The simulated exchange's books: balances, orders, trades, nonces and id counters.

Everything is staged in the truth store as it changes and rebuilt from it on construction;
the exchange commits before it tells anybody. The truth ledger gets one entry per balance
change, so that Σ ledger of an account and asset is its balance. Not here: matching, checks.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

import msgspec

from arbsite.units import EXACT
from feeds.sim.kraken.records import (
    AccountSpec,
    BalanceMoved,
    BalancesMoved,
    Order,
    PairSpec,
    Trade,
    client_id_key,
)
from feeds.sim.truth import LedgerEntry, TruthStore

VENUE = "kraken"
_COUNTERS = "kraken.counter"
_BALANCES = "kraken.balance"
_ORDERS = "kraken.order"
_TRADES = "kraken.trade"
_NONCES = "kraken.nonce"

# Public prints are not stored; a restart must still not reuse their numbers.
_PRINT_GAP = 1_000_000

Counter = Literal["O", "T", "L", "print"]


class Accounts:
    """All accounts of the venue. Keys are API keys; an account's name is its first key."""

    def __init__(
        self, specs: Mapping[str, AccountSpec], pairs: Mapping[str, PairSpec], truth: TruthStore
    ) -> None:
        self.specs = specs
        self._pairs = pairs
        self._truth = truth
        self._secrets = {key: spec.secret for key, spec in specs.items()}
        self._owner = {key: key for key in specs}
        for account, spec in specs.items():
            self._secrets.update(spec.other_keys)
            self._owner.update(dict.fromkeys(spec.other_keys, account))
        self._balances: dict[str, dict[str, Decimal]] = {account: {} for account in specs}
        self._nonces: dict[str, int] = {}
        self._counters: dict[str, int] = {}
        self._salt = ""
        self.orders: dict[str, Order] = {}
        self.trades: dict[str, Trade] = {}
        self._by_client: dict[tuple[str, str], list[Order]] = {}
        self._open: dict[str, dict[str, Order]] = {account: {} for account in specs}

    def restore(self, now_ns: int) -> None:
        """Read everything back, then open what the specs name and the store lacks."""
        for key, value in self._truth.items(_COUNTERS):
            self._counters[key] = msgspec.json.decode(value, type=int)
        if "print" in self._counters:
            self._counters["print"] += _PRINT_GAP
        # Ids must differ between two fresh stores: the product keys fills by them for ever.
        self._salt = str(self._counters.setdefault("salt", now_ns))
        self._truth.put(_COUNTERS, "salt", self._counters["salt"])
        for key, value in self._truth.items(_NONCES):
            self._nonces[key] = msgspec.json.decode(value, type=int)
        for key, value in self._truth.items(_BALANCES):
            account, asset = key.split("|")
            self._balances.setdefault(account, {})[asset] = msgspec.json.decode(value, type=Decimal)
        rows = [msgspec.json.decode(value, type=Order) for _, value in self._truth.items(_ORDERS)]
        for order in sorted(rows, key=lambda each: each.opened_ns):
            self._index(order)
        for _, value in self._truth.items(_TRADES):
            trade = msgspec.json.decode(value, type=Trade)
            self.trades[trade.txid] = trade
        for account, spec in self.specs.items():
            for asset, text in spec.balances.items():
                if asset not in self._balances[account]:
                    self._move(account, asset, Decimal(text), "opening", "opening", now_ns)
        self._truth.commit()

    def owner(self, api_key: str) -> str | None:
        """The account of a key, None when the venue does not know the key."""
        return self._owner.get(api_key)

    def secret(self, api_key: str) -> str:
        """The key's secret (base64 text)."""
        return self._secrets[api_key]

    def accept_nonce(self, api_key: str, nonce: int) -> bool:
        """Store a nonce if it is above every earlier one of the key; durable at once."""
        if not self._nonces.get(api_key, -1) < nonce < 1 << 64:
            return False
        self._nonces[api_key] = nonce
        self._truth.put(_NONCES, api_key, nonce)
        self._truth.commit()
        return True

    def next_number(self, counter: Counter) -> int:
        """Advance a durable counter (staged)."""
        number = self._counters.get(counter, 0) + 1
        self._counters[counter] = number
        if counter != "print":
            self._truth.put(_COUNTERS, counter, number)
        return number

    def next_id(self, counter: Literal["O", "T", "L"]) -> str:
        """A new id of the venue's shape: the letter, then 5, 5 and 6 characters."""
        number = self.next_number(counter)
        digest = hashlib.sha256(f"{self._salt}:{counter}:{number}".encode()).digest()
        text = counter + base64.b32encode(digest).decode()[:16]
        return f"{text[:6]}-{text[6:11]}-{text[11:17]}"

    def balances(self, account: str) -> dict[str, Decimal]:
        """Whole balances by asset, holds included."""
        return dict(self._balances[account])

    def holds(self, account: str) -> dict[str, Decimal]:
        """What open orders bind, by asset; buys bind their cost and taker fee."""
        held: dict[str, Decimal] = {}
        fee_rate = Decimal(self.specs[account].taker_fee)
        for order in self.open_orders(account):
            pair = self._pairs[order.symbol]
            if order.side == "sell":
                asset, amount = pair.base, order.left_qty
            else:
                asset = pair.quote
                amount = self.cost(pair, order.limit_price, order.left_qty) * (1 + fee_rate)
            held[asset] = held.get(asset, Decimal(0)) + amount
        return held

    def available(self, account: str, asset: str) -> Decimal:
        """Balance less holds."""
        held = self.holds(account).get(asset, Decimal(0))
        return self._balances[account].get(asset, Decimal(0)) - held

    def open_orders(self, account: str) -> list[Order]:
        """Open orders, oldest first."""
        return list(self._open[account].values())

    def by_client_id(self, account: str, cl_ord_id: str) -> Sequence[Order]:
        """Every order ever sent under a client id, open or closed, oldest first."""
        return self._by_client.get((account, client_id_key(cl_ord_id)), ())

    def add_order(self, order: Order) -> None:
        """Keep a new order (staged)."""
        self._index(order)
        self.save_order(order)

    def save_order(self, order: Order) -> None:
        """Store an order as it now stands (staged)."""
        if not order.is_open:
            self._open[order.account].pop(order.order_id, None)
        self._truth.put(_ORDERS, order.order_id, order)

    @staticmethod
    def cost(pair: PairSpec, price: Decimal, qty: Decimal) -> Decimal:
        """price · qty, rounded half up at the pair's cost precision."""
        return _half_up(EXACT.multiply(price, qty), pair.cost_precision)

    def book_trade(
        self,
        order: Order,
        price: Decimal,
        qty: Decimal,
        liquidity: Literal["t", "m"],
        trade_id: int,
        at_ns: int,
    ) -> tuple[Trade, BalancesMoved]:
        """Fill an order: move both balances, charge the fee in quote, stage every row."""
        pair, spec = self._pairs[order.symbol], self.specs[order.account]
        cost = self.cost(pair, price, qty)
        rate = Decimal(spec.taker_fee if liquidity == "t" else spec.maker_fee)
        fee = _half_up(EXACT.multiply(cost, rate), pair.cost_precision)
        trade = Trade(
            txid=self.next_id("T"),
            trade_id=trade_id,
            order_id=order.order_id,
            account=order.account,
            symbol=order.symbol,
            side=order.side,
            price=price,
            qty=qty,
            cost=cost,
            fee=fee,
            fee_asset=pair.quote,
            liquidity=liquidity,
            at_ns=at_ns,
        )
        order.filled_qty += qty
        order.cost += cost
        order.fee += fee
        order.trade_ids = [*order.trade_ids, trade.txid]
        self.trades[trade.txid] = trade
        self._truth.put(_TRADES, trade.txid, trade)
        sign = 1 if order.side == "buy" else -1
        moved = (
            self._settle(trade, pair.quote, -sign * cost, fee),
            self._settle(trade, pair.base, sign * qty, Decimal(0)),
        )
        return trade, BalancesMoved(order.account, moved)

    def _settle(self, trade: Trade, asset: str, amount: Decimal, fee: Decimal) -> BalanceMoved:
        account, at_ns = trade.account, trade.at_ns
        self._move(account, asset, amount, "trade", trade.txid, at_ns)
        if fee:
            self._move(account, asset, -fee, "fee", trade.txid, at_ns)
        balance = self._balances[account][asset]
        ledger_id = self.next_id("L")
        return BalanceMoved(account, asset, amount, fee, balance, ledger_id, trade.txid, at_ns)

    def move_by_hand(self, amounts: Mapping[str, Decimal], at_ns: int) -> None:
        """Credit (negative: debit) every account; one truth entry each, of kind `by_hand`."""
        for account in self._balances:
            for asset, amount in amounts.items():
                self._move(account, asset, amount, "by_hand", self.next_id("L"), at_ns)

    def _move(
        self, account: str, asset: str, delta: Decimal, kind: str, reference: str, at_ns: int
    ) -> None:
        balance = EXACT.add(self._balances[account].get(asset, Decimal(0)), delta)
        self._balances[account][asset] = balance
        self._truth.put(_BALANCES, f"{account}|{asset}", balance)
        delta_text = format(delta, "f")
        self._truth.record(LedgerEntry(at_ns, VENUE, account, asset, delta_text, kind, reference))

    def _index(self, order: Order) -> None:
        self.orders[order.order_id] = order
        if order.cl_ord_id:
            key = (order.account, client_id_key(order.cl_ord_id))
            self._by_client.setdefault(key, []).append(order)
        if order.is_open:
            self._open[order.account][order.order_id] = order


def _half_up(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=EXACT)
