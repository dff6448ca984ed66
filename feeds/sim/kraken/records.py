"""What the simulated Kraken exchange keeps and says: specs, orders, trades, events, refusals.

Plain records shared by the matching core, the socket sessions and REST. No behaviour of
the venue lives here beyond names: REST spells some assets and pairs differently from the
WebSocket. Not the adapter's records (feeds/venues/base.py): the simulator knows no adapter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec

Side = Literal["buy", "sell"]
Level = tuple[int, int]
"""(price in ticks, quantity in lots)."""

SYSTEM_STATUSES = ("online", "maintenance", "cancel_only", "post_only")

# The venue's old REST spellings; every newer asset has the same name everywhere.
_REST_ASSET_IDS = {
    "USD": "ZUSD",
    "EUR": "ZEUR",
    "GBP": "ZGBP",
    "JPY": "ZJPY",
    "BTC": "XXBT",
    "ETH": "XETH",
    "DOGE": "XXDG",
}
_ALTNAMES = {"BTC": "XBT", "DOGE": "XDG"}


class OrderRefused(Exception):
    """The venue's definite refusal; `args[0]` is the error string exactly as sent."""

    @property
    def error(self) -> str:
        return str(self.args[0])


def opposite(side: Side) -> Side:
    """Return the other side."""
    return "sell" if side == "buy" else "buy"


def rest_asset_id(asset: str) -> str:
    """Return REST's id of an asset (`ZUSD`); the WebSocket name when there is no old one."""
    return _REST_ASSET_IDS.get(asset, asset)


def altname(asset: str) -> str:
    """Return REST's alternative name (`XBT`)."""
    return _ALTNAMES.get(asset, asset)


class PairSpec(msgspec.Struct, frozen=True):
    """One pair. Increments are 10^-precision; minima are decimal text in whole units.

    `cost_precision` is the number of decimals at which cost and fee are booked in the quote
    asset, rounded half up (the venue's own rounding is not published).
    """

    symbol: str
    base: str
    quote: str
    price_precision: int
    qty_precision: int
    qty_min: str
    cost_min: str
    status: str = "online"
    cost_precision: int = 8

    @property
    def altname(self) -> str:
        """REST's alternative name (`XBTUSD`)."""
        return altname(self.base) + altname(self.quote)

    @property
    def rest_key(self) -> str:
        """The key REST files the pair under (`XXBTZUSD`, but `SOLUSD`)."""
        both_old = self.base in _REST_ASSET_IDS and self.quote in _REST_ASSET_IDS
        if both_old or (self.base, self.quote) == ("USDT", "USD"):
            return rest_asset_id(self.base) + rest_asset_id(self.quote)
        return self.altname


class RateTier(msgspec.Struct, frozen=True):
    """Limits of one verification tier: trading engine per pair, and REST per key."""

    max_count: int
    decay_per_s: float
    max_open_orders: int
    rest_max: int
    rest_decay_per_s: float


RATE_TIERS = {
    "starter": RateTier(60, 1.0, 60, 15, 0.33),
    "intermediate": RateTier(125, 2.34, 80, 20, 0.5),
    "pro": RateTier(180, 3.75, 225, 20, 1.0),
}


class AccountSpec(msgspec.Struct, frozen=True):
    """One account. Fees are fractions (0.001 = 10 bps); `balances` are the opening ones.

    `other_keys` maps further API keys of the same account to their secrets: nonces are
    per key, money is per account.
    """

    secret: str
    balances: dict[str, str]
    taker_fee: str = "0.0010"
    maker_fee: str = "0.0000"
    rate_tier: Literal["starter", "intermediate", "pro"] = "pro"
    other_keys: dict[str, str] = {}

    @property
    def limits(self) -> RateTier:
        return RATE_TIERS[self.rate_tier]


class OrderRequest(msgspec.Struct, frozen=True):
    """One limit order as it reached the engine; numbers as the client wrote them.

    `deadline_ns` is absolute; matching after it is refused.
    """

    symbol: str
    side: Side
    qty: Decimal
    limit_price: Decimal
    deadline_ns: int
    time_in_force: Literal["ioc", "gtc"] = "ioc"
    cl_ord_id: str = ""
    userref: int = 0
    is_post_only: bool = False


class Order(msgspec.Struct):
    """One accepted order, updated in place and stored whole after each change."""

    order_id: str
    account: str
    symbol: str
    side: Side
    qty: Decimal
    limit_price: Decimal
    time_in_force: Literal["ioc", "gtc"]
    opened_ns: int
    cl_ord_id: str = ""
    userref: int = 0
    filled_qty: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    status: Literal["open", "filled", "canceled"] = "open"
    reason: str = ""
    closed_ns: int = 0
    trade_ids: list[str] = []

    @property
    def is_open(self) -> bool:
        return self.status == "open"

    @property
    def left_qty(self) -> Decimal:
        return self.qty - self.filled_qty


class Trade(msgspec.Struct, frozen=True):
    """One execution of one account's order; `fee` is in the quote asset."""

    txid: str
    trade_id: int
    order_id: str
    account: str
    symbol: str
    side: Side
    price: Decimal
    qty: Decimal
    cost: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Literal["t", "m"]
    at_ns: int


class BookChanged(msgspec.Struct, frozen=True):
    """The whole resting liquidity of a pair, best first, after a change."""

    symbol: str
    bids: list[Level]
    asks: list[Level]
    at_ns: int


class Printed(msgspec.Struct, frozen=True):
    """A public trade; `side` is the taker's."""

    symbol: str
    side: Side
    ticks: int
    lots: int
    trade_id: int
    at_ns: int


ExecType = Literal["pending_new", "new", "trade", "filled", "canceled"]


class Executed(msgspec.Struct, frozen=True):
    """One step of one order's life. `order` is a copy taken at that step."""

    exec_type: ExecType
    order: Order
    trade: Trade | None
    at_ns: int


class BalanceMoved(msgspec.Struct, frozen=True):
    """One balance after one trade; `amount` is gross, the fee stands beside it."""

    account: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal
    ledger_id: str
    ref_id: str
    at_ns: int


class BalancesMoved(msgspec.Struct, frozen=True):
    """The two entries of one trade."""

    account: str
    entries: tuple[BalanceMoved, BalanceMoved]


class PairChanged(msgspec.Struct, frozen=True):
    """A pair's specification changed; `is_rescaled` means its book text is void."""

    spec: PairSpec
    is_rescaled: bool


class SystemChanged(msgspec.Struct, frozen=True):
    """The engine's state word changed."""

    status: str


ExchangeEvent = BookChanged | Printed | Executed | BalancesMoved | PairChanged | SystemChanged
Listener = Callable[[ExchangeEvent], None]

_HEX_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def client_id_key(cl_ord_id: str) -> str:
    """Return the form client ids are compared in: a UUID is one number, however spelt.

    Raises OrderRefused on anything but a UUID, 32 hex digits or up to 18 ASCII characters.
    """
    lowered = cl_ord_id.lower()
    if _HEX_ID.fullmatch(lowered):
        return lowered.replace("-", "")
    if not cl_ord_id or len(cl_ord_id) > 18 or not cl_ord_id.isascii():
        raise OrderRefused("EGeneral:Invalid arguments:cl_ord_id")
    return cl_ord_id
