"""The ports a venue adapter fills, and the records that cross them.

One CEX folder fills `CexTrading`, one DEX folder `DexTrading`; both feeds are plain
objects that call a `sink` with market events. The executor knows only this file.
Quantities and prices are `Decimal` in whole units for the CEX (its API is decimal text)
and raw integers for the chain. Errors: `NotSent`, `Rejected`, `OutcomeUnknown` for
sends, `QueryFailed` for reads (arbsite/errors.py).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from feeds.market.events import MarketEvent

Side = Literal["buy", "sell"]
MarketSink = Callable[[MarketEvent], None]


class MarketFeed(Protocol):
    """A running market-data feed; hosts call `run` as a task and cancel it to stop."""

    async def run(self) -> None:
        """Connect, subscribe, publish to the sink, reconnect for ever until cancelled."""


class CexOrder(msgspec.Struct, frozen=True):
    """One IOC limit order. `deadline_ns` is absolute UTC: the venue refuses matching later."""

    cl_ord_id: str
    symbol: str
    side: Side
    qty: Decimal
    limit_price: Decimal
    deadline_ns: int
    validate: bool = False


class CexAck(msgspec.Struct, frozen=True):
    """The venue accepted the order. Not a fill."""

    cl_ord_id: str
    order_id: str
    recv_ns: int


class CexFill(msgspec.Struct, frozen=True, tag="cex_fill"):
    """One execution. `source` tells an observed stream frame from a booked trade record."""

    fill_id: str
    order_id: str
    cl_ord_id: str | None
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    cost: Decimal
    fee: Decimal
    fee_asset: str
    venue_at_ns: int
    recv_ns: int
    source: Literal["stream", "record"]


class CexOrderState(msgspec.Struct, frozen=True, tag="cex_order_state"):
    """What the venue says of one order. Terminal = filled | canceled | expired.

    Decide by `filled_qty`, never by the word: a partly filled IOC is "canceled".
    """

    order_id: str
    cl_ord_id: str | None
    symbol: str
    status: Literal["pending", "open", "filled", "canceled", "expired"]
    qty: Decimal
    filled_qty: Decimal
    cost: Decimal
    fee: Decimal
    reason: str
    recv_ns: int
    trade_ids: tuple[str, ...] = ()

    @property
    def is_terminal(self) -> bool:
        """Whether the order can never fill again."""
        return self.status in ("filled", "canceled", "expired")


class CexBalance(msgspec.Struct, frozen=True, tag="cex_balance"):
    """Balance of one asset by the stream (holds not subtracted)."""

    asset: str
    balance: Decimal
    recv_ns: int


class CexLinkState(msgspec.Struct, frozen=True, tag="cex_link_state"):
    """The private socket is up (subscribed, snapshot seen) or down.

    `gap` asks for a REST back-fill: reconnect, sequence gap, or a lost delta.
    """

    is_up: bool
    gap: bool
    reason: str
    recv_ns: int


CexEvent = CexFill | CexOrderState | CexBalance | CexLinkState


class CexTrading(Protocol):
    """The trading side of a CEX. Events go to the sink given at construction."""

    async def run(self) -> None:
        """Keep the private socket subscribed (token, executions, balances) until cancelled."""

    @property
    def is_ready(self) -> bool:
        """Whether an order can be sent now: socket up and token valid."""

    def make_ready(self, order: CexOrder) -> None:
        """Do beforehand what `submit` of this order can; sends nothing and promises nothing."""

    async def submit(self, order: CexOrder) -> CexAck:
        """Send once. NotSent | Rejected | OutcomeUnknown; never retries by itself."""

    async def find_orders(
        self, cl_ord_id: str, *, since_ns: int, is_over: bool = False
    ) -> list[CexOrderState]:
        """Open and closed orders with that client id, by REST. QueryFailed on any doubt.

        `is_over`: closed ones are enough, it is known to have ended. A success is a later
        call than the send on the same key with a higher nonce.
        """

    async def fills(self, *, since_ns: int) -> list[CexFill]:
        """All trade records since then (every page), by REST, source="record"."""

    def shown_fills(self, *, since_ns: int) -> list[CexFill] | None:
        """All fills since then as the private stream has told them; asks nothing.

        None unless the stream itself shows that none can be missing.
        """

    async def balances(self) -> dict[str, Decimal]:
        """Available balance per asset (v2 names), by REST."""

    @property
    def shows_balances(self) -> bool:
        """Whether every available balance has come by the private stream and still does."""

    async def taker_fees(self, symbols: list[str]) -> dict[str, Decimal]:
        """Taker fee per symbol as a fraction (0.001 = 10 bps), from the account."""

    async def cancel_all_after(self, timeout_s: int) -> None:
        """Arm (0 disarms) the venue's dead-man switch."""


class RouteAccount(msgspec.Struct, frozen=True):
    """One account of a pre-built instruction, as its builder asks for it."""

    address: str
    is_signer: bool
    is_writable: bool


class SwapRoute(msgspec.Struct, frozen=True):
    """A swap instruction that an aggregator built: a claim to be judged, never trusted.

    `route_id` names the plan (a hash of its hops), `asked_at_ns` is when it was asked for;
    `context_slot` is the slot it was quoted at, None where the API does not say.
    """

    route_id: str
    program: str
    accounts: tuple[RouteAccount, ...]
    data: bytes
    asked_at_ns: int
    context_slot: int | None = None


class DexSwap(msgspec.Struct, frozen=True):
    """One swap to sign. `exact_in` fixes the input, else the output; raw units.

    `threshold_raw` is min out (exact in) or max in (exact out). `tick_array_starts` names
    the three arrays of a Whirlpool swap. Compute-unit price in micro-lamports.
    With a `route` the aggregator's instruction is signed instead of a direct swap on
    `pool`, if the signing firewall finds it to do the same thing (exact in only; the tick
    arrays are then those it may touch, any number).
    """

    pool: str
    pool_kind: Literal["whirlpool", "cpmm", "ammv4"]
    a_to_b: bool
    exact_in: bool
    amount_raw: int
    threshold_raw: int
    tick_array_starts: tuple[int, ...] = ()
    cu_limit: int = 200_000
    cu_price_micro_lamports: int = 0
    tip_lamports: int = 0
    route: SwapRoute | None = None


class SignedSwap(msgspec.Struct, frozen=True):
    """Signed bytes, to be made durable before the first send; re-sending them is safe."""

    signature: str
    raw: bytes
    blockhash: str
    last_valid_height: int
    max_fee_lamports: int


class TxSighting(msgspec.Struct, frozen=True, tag="tx_sighting"):
    """A signature was seen in a block (processed or better). `error` None = succeeded."""

    signature: str
    slot: int
    commitment: Literal["processed", "confirmed", "finalized"]
    error: str | None
    error_code: int | None
    recv_ns: int


class TokenBalance(msgspec.Struct, frozen=True, tag="token_balance"):
    """One of our own token accounts changed (processed). Mint "SOL" = native lamports."""

    mint: str
    raw: int
    slot: int
    recv_ns: int


DexEvent = TxSighting | TokenBalance


class EndpointStatus(msgspec.Struct, frozen=True):
    """What one RPC endpoint says of a signature; `sighting` None = does not know it.

    `height` is that endpoint's block height at the asked commitment, read AFTER the
    status, so "not known at height h" is evidence.
    """

    endpoint: str
    provider: str
    height: int
    sighting: TxSighting | None


class DexReceipt(msgspec.Struct, frozen=True):
    """The chain's record of a landed transaction, from its own meta.

    `deltas_raw` are changes of our token accounts by mint (post − pre); `fee_lamports` is
    meta.fee, `tip_lamports` the transfers to tip accounts. A failed one has no deltas; its
    `failure` tells running out of compute units from every other error.
    """

    signature: str
    slot: int
    commitment: Literal["confirmed", "finalized"]
    error: str | None
    error_code: int | None
    deltas_raw: dict[str, int]
    fee_lamports: int
    tip_lamports: int
    block_at_ns: int
    failure: Literal["", "compute_exceeded", "program_error"] = ""


class LandingFee(msgspec.Struct, frozen=True):
    """What landing on one pool costs, micro-lamports a compute unit: lately, and usually."""

    price: int
    usual: int


class DexTrading(Protocol):
    """The trading side of a chain. Events go to the sink given at construction."""

    async def run(self) -> None:
        """Keep blockhashes fresh and own accounts and signatures watched until cancelled."""

    @property
    def is_ready(self) -> bool:
        """Whether a swap can be signed and sent now."""

    def sign(self, swap: DexSwap) -> SignedSwap:
        """Build and sign against a blockhash from the ring (synchronous, no I/O).

        The ring chooses an aged hash so that about the configured number of blocks
        remain. NotSent when no fresh hash or pool account list is at hand, or when the
        signing firewall refuses the message.
        """

    def watch(self, signature: str) -> None:
        """Report sightings of this signature to the sink from now on."""

    def make_ready(self, raw: bytes) -> None:
        """Do beforehand what `broadcast` of these bytes can; sends nothing."""

    async def broadcast(self, raw: bytes) -> None:
        """Send the same signed bytes to every endpoint. NotSent | Rejected | OutcomeUnknown."""

    async def statuses(
        self, signature: str, *, commitment: Literal["confirmed", "finalized"]
    ) -> list[EndpointStatus]:
        """Ask every endpoint, with history search; unreachable endpoints are left out."""

    async def receipt(
        self, signature: str, *, commitment: Literal["confirmed", "finalized"]
    ) -> DexReceipt | None:
        """The landed transaction's record, None when that commitment has none (yet)."""

    async def balances(self) -> dict[str, int]:
        """Own token balances by mint, raw; "SOL" = native lamports."""
