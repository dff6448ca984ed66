"""The JSON-RPC methods we use: reads with failover, sends without.

Reads go to the freshest healthy endpoint and fail over; after all it is `QueryFailed`,
which is never evidence of absence. A send is performed once per endpoint and its outcome
said exactly (`SendOutcome`); what a mixture of outcomes means is decided by `trading`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from arbsite.errors import FeedCorrupt, QueryFailed
from feeds.venues.solana import rpc_wire
from feeds.venues.solana.accounts import RawAccount, key_bytes
from feeds.venues.solana.rpc_channel import (
    DEFINITE_REFUSALS,
    Parser,
    RpcChannel,
    RpcEndpoint,
    RpcFailed,
)
from feeds.venues.solana.rpc_wire import Commitment

T = TypeVar("T")

MAX_ACCOUNTS = 100
MAX_SIGNATURES = 256

SendVerdict = Literal["accepted", "refused", "not_sent", "unknown"]


class AccountsRead(msgspec.Struct, frozen=True):
    """Accounts of one bank, in the order asked; None = does not exist."""

    endpoint: str
    slot: int
    accounts: tuple[RawAccount | None, ...]


class StatusesRead(msgspec.Struct, frozen=True):
    """Statuses in the order asked and the slot of the bank that answered."""

    endpoint: str
    slot: int
    statuses: tuple[rpc_wire.StatusValue | None, ...]


class SendOutcome(msgspec.Struct, frozen=True):
    """What one endpoint did with signed bytes.

    `accepted` is a promise to forward, never a proof of landing; `refused` says it was
    not forwarded; `not_sent` that no byte left; `unknown` anything else.
    """

    endpoint: str
    verdict: SendVerdict
    reason: str = ""


class SolanaRpc(RpcChannel):
    """The methods over a channel. One object per process and role."""

    _ready: tuple[bytes, msgspec.Raw] = b"", msgspec.Raw()

    async def multiple_accounts(
        self,
        addresses: list[str],
        *,
        commitment: Commitment = "processed",
        min_context_slot: int = 0,
        endpoint: RpcEndpoint | None = None,
    ) -> AccountsRead:
        """Read up to 100 accounts at ONE slot, not older than `min_context_slot`."""
        if len(addresses) > MAX_ACCOUNTS:
            raise ValueError(f"at most {MAX_ACCOUNTS} accounts a call")
        options: dict[str, Any] = {"encoding": "base64", "commitment": commitment}
        if min_context_slot:
            options["minContextSlot"] = min_context_slot

        def parse(source: RpcEndpoint, raw: msgspec.Raw) -> AccountsRead:
            result = rpc_wire.typed(raw, rpc_wire.AccountsResult, "getMultipleAccounts")
            if len(result.value) != len(addresses):
                raise FeedCorrupt(f"{len(result.value)} accounts for {len(addresses)} addresses")
            if result.context.slot < min_context_slot:
                # Some proxies ignore minContextSlot; an old bank must not overwrite a newer.
                raise RpcFailed(f"bank {result.context.slot} is older than {min_context_slot}")
            pairs = zip(addresses, result.value, strict=True)
            accounts = tuple(rpc_wire.raw_account(address, value) for address, value in pairs)
            return AccountsRead(source.label, result.context.slot, accounts)

        return await self.read("getMultipleAccounts", [addresses, options], parse, endpoint)

    async def slot(
        self, commitment: Commitment = "processed", *, endpoint: RpcEndpoint | None = None
    ) -> int:
        """Return the current slot."""
        parse = _as(int, "getSlot")
        return await self.read("getSlot", [{"commitment": commitment}], parse, endpoint)

    async def block_time(self, slot: int, *, endpoint: RpcEndpoint | None = None) -> int:
        """Return the time of a confirmed block by the chain's own clock, Unix seconds."""
        return await self.read("getBlockTime", [slot], _as(int, "getBlockTime"), endpoint)

    async def block_height(
        self, commitment: Commitment = "confirmed", *, endpoint: RpcEndpoint | None = None
    ) -> int:
        """Return the current block height (not the slot)."""
        parse = _as(int, "getBlockHeight")
        return await self.read("getBlockHeight", [{"commitment": commitment}], parse, endpoint)

    async def latest_blockhash(
        self, commitment: Commitment = "confirmed"
    ) -> rpc_wire.BlockhashValue:
        """Return a blockhash with ITS OWN last valid height, from one reply."""

        def parse(_source: RpcEndpoint, raw: msgspec.Raw) -> rpc_wire.BlockhashValue:
            value = rpc_wire.typed(raw, rpc_wire.BlockhashResult, "getLatestBlockhash").value
            try:
                key_bytes(value.blockhash)
            except ValueError as error:
                raise FeedCorrupt("blockhash is not 32 bytes of base58") from error
            return value

        return await self.read("getLatestBlockhash", [{"commitment": commitment}], parse)

    async def signature_statuses(
        self,
        signatures: list[str],
        *,
        search_history: bool,
        endpoint: RpcEndpoint | None = None,
    ) -> StatusesRead:
        """Ask what a node knows of up to 256 signatures."""
        if len(signatures) > MAX_SIGNATURES:
            raise ValueError(f"at most {MAX_SIGNATURES} signatures a call")

        def parse(source: RpcEndpoint, raw: msgspec.Raw) -> StatusesRead:
            result = rpc_wire.typed(raw, rpc_wire.StatusesResult, "getSignatureStatuses")
            if len(result.value) != len(signatures):
                raise FeedCorrupt(f"{len(result.value)} statuses for {len(signatures)}")
            return StatusesRead(source.label, result.context.slot, tuple(result.value))

        params = [signatures, {"searchTransactionHistory": search_history}]
        return await self.read("getSignatureStatuses", params, parse, endpoint)

    async def transaction(
        self,
        signature: str,
        *,
        commitment: Literal["confirmed", "finalized"],
        endpoint: RpcEndpoint | None = None,
    ) -> rpc_wire.TransactionResult | None:
        """Return the record of a landed transaction, None when this node has none (yet)."""
        options = {
            "encoding": "base64",
            "commitment": commitment,
            "maxSupportedTransactionVersion": 0,
        }
        kind: Any = rpc_wire.TransactionResult | None
        parse: Parser[rpc_wire.TransactionResult | None] = _as(kind, "getTransaction")
        return await self.read("getTransaction", [signature, options], parse, endpoint)

    async def recent_prioritization_fees(self, accounts: list[str]) -> list[rpc_wire.PriorityFee]:
        """Return per slot the least fee that landed while locking `accounts`."""
        parse = _as(list[rpc_wire.PriorityFee], "getRecentPrioritizationFees")
        return await self.read("getRecentPrioritizationFees", [accounts], parse)

    async def simulate_transaction(
        self, raw: bytes, addresses: Sequence[str] = ()
    ) -> rpc_wire.SimulationValue:
        """Run a transaction without sending it; its blockhash is replaced.

        The answer shows `addresses` as the transaction would leave them.
        """
        options: dict[str, Any] = {
            "encoding": "base64",
            "commitment": "processed",
            "sigVerify": False,
            "replaceRecentBlockhash": True,
        }
        if addresses:
            options["accounts"] = {"encoding": "base64", "addresses": list(addresses)}
        params = [base64.b64encode(raw).decode(), options]
        parse = _as(rpc_wire.SimulationResult, "simulateTransaction")
        return (await self.read("simulateTransaction", params, parse)).value

    async def token_account_balance(
        self, address: str, commitment: Commitment = "confirmed"
    ) -> int:
        """Return the raw balance of one token account."""
        parse = _as(rpc_wire.TokenAmountResult, "getTokenAccountBalance")
        result = await self.read(
            "getTokenAccountBalance", [address, {"commitment": commitment}], parse
        )
        return _raw_amount(result.value.amount)

    async def balance(self, address: str, commitment: Commitment = "confirmed") -> int:
        """Return an account's lamports."""
        parse = _as(rpc_wire.LamportsResult, "getBalance")
        result = await self.read("getBalance", [address, {"commitment": commitment}], parse)
        return result.value

    # ---------------------------------------------------------------- sends

    def make_ready(self, raw: bytes) -> None:
        """Encode bytes that may be sent next; the last ones are kept."""
        self._ready = raw, _send_params(raw)

    async def send_transaction(self, raw: bytes, endpoint: RpcEndpoint) -> SendOutcome:
        """Hand signed bytes to one endpoint, once, without preflight or node retries."""
        params = self._ready[1] if self._ready[0] == raw else _send_params(raw)
        label = endpoint.label
        try:
            echo = rpc_wire.typed(
                await self.call(endpoint, "sendTransaction", params), str, "sendTransaction"
            )
        except RpcFailed as failed:
            if not failed.left:
                return SendOutcome(label, "not_sent", str(failed))
            is_refused = failed.code in DEFINITE_REFUSALS
            return SendOutcome(label, "refused" if is_refused else "unknown", str(failed))
        except FeedCorrupt as corrupt:
            return SendOutcome(label, "unknown", str(corrupt))
        return SendOutcome(label, "accepted", echo)


def _as(kind: type[T], what: str) -> Parser[T]:
    """Return a parser that decodes a result into `kind`."""

    def parse(_source: RpcEndpoint, raw: msgspec.Raw) -> T:
        return rpc_wire.typed(raw, kind, what)

    return parse


def _send_params(raw: bytes) -> msgspec.Raw:
    options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
    return msgspec.Raw(msgspec.json.encode([base64.b64encode(raw).decode(), options]))


def _raw_amount(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise QueryFailed(f"token amount {text[:40]!r}")
    return int(text)


def priority_fee_percentile(fees: Iterable[rpc_wire.PriorityFee], share: float) -> int:
    """Return the `share` quantile (0..1) of the non-zero fees, 0 when there are none.

    The node reports the per-slot MINIMUM that landed, often 0: a high quantile of the
    rest is what it takes. Micro-lamports per compute unit; the caller clamps.
    """
    paid = sorted(fee.prioritization_fee for fee in fees if fee.prioritization_fee)
    if not paid:
        return 0
    return paid[min(len(paid) - 1, int(share * len(paid)))]
