"""JSON-RPC and pub/sub messages of a Solana node: encode requests, decode what comes back.

Pure of I/O. Every decoder raises `FeedCorrupt` on anything that is not the documented
shape, however hostile; nothing else escapes. Only fields we use are modelled. Called by
`rpc` and `pubsub`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.venues.solana.accounts import RawAccount

Commitment = Literal["processed", "confirmed", "finalized"]

U64 = Annotated[int, msgspec.Meta(ge=0)]
T = TypeVar("T")


class RpcErrorBody(msgspec.Struct, frozen=True):
    """The `error` member of a reply."""

    code: int
    message: str = ""


class Frame(msgspec.Struct, frozen=True):
    """Any message of a node: a reply (id), or a notification (method, params)."""

    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: RpcErrorBody | None = None
    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"")


class Context(msgspec.Struct, frozen=True):
    """The bank a reply was read from."""

    slot: U64


class AccountValue(msgspec.Struct, frozen=True):
    """One account as base64."""

    lamports: U64
    data: tuple[str, Literal["base64"]]
    owner: str


class AccountResult(msgspec.Struct, frozen=True):
    """Reply or notification about one account; None = it does not exist."""

    context: Context
    value: AccountValue | None


class AccountsResult(msgspec.Struct, frozen=True):
    """Reply of getMultipleAccounts: one bank, one slot."""

    context: Context
    value: list[AccountValue | None]


class BlockhashValue(msgspec.Struct, frozen=True, rename="camel"):
    """A blockhash and the last block height at which it is valid."""

    blockhash: str
    last_valid_block_height: U64


class BlockhashResult(msgspec.Struct, frozen=True):
    """Reply of getLatestBlockhash."""

    context: Context
    value: BlockhashValue


class StatusValue(msgspec.Struct, frozen=True, rename="camel"):
    """What a node knows of one signature."""

    slot: U64
    err: Any = None
    confirmations: int | None = None
    confirmation_status: Commitment | None = None


class StatusesResult(msgspec.Struct, frozen=True):
    """Reply of getSignatureStatuses."""

    context: Context
    value: list[StatusValue | None]


class UiAmount(msgspec.Struct, frozen=True):
    """Token amount; only the raw integer text is used, never the float beside it."""

    amount: str


class TokenAmountResult(msgspec.Struct, frozen=True):
    """Reply of getTokenAccountBalance."""

    context: Context
    value: UiAmount


class LamportsResult(msgspec.Struct, frozen=True):
    """Reply of getBalance."""

    context: Context
    value: U64


class TokenBalanceMeta(msgspec.Struct, frozen=True, rename="camel"):
    """One row of pre- or postTokenBalances."""

    account_index: U64
    mint: str
    ui_token_amount: UiAmount
    owner: str | None = None


class TransactionMeta(msgspec.Struct, frozen=True, rename="camel"):
    """What executing a transaction did."""

    fee: U64
    err: Any = None
    pre_balances: list[U64] = []
    post_balances: list[U64] = []
    pre_token_balances: list[TokenBalanceMeta] | None = None
    post_token_balances: list[TokenBalanceMeta] | None = None
    log_messages: list[str] | None = None


class TransactionResult(msgspec.Struct, frozen=True, rename="camel"):
    """Reply of getTransaction with base64 encoding."""

    slot: U64
    transaction: tuple[str, Literal["base64"]]
    meta: TransactionMeta | None
    block_time: int | None = None


class PriorityFee(msgspec.Struct, frozen=True, rename="camel"):
    """The least priority fee that landed in one slot, micro-lamports per compute unit."""

    slot: U64
    prioritization_fee: U64


class SimulationValue(msgspec.Struct, frozen=True, rename="camel"):
    """Outcome of simulateTransaction."""

    err: Any = None
    logs: list[str] | None = None
    units_consumed: U64 | None = None
    accounts: list[AccountValue | None] | None = None


class SimulationResult(msgspec.Struct, frozen=True):
    """Reply of simulateTransaction."""

    context: Context
    value: SimulationValue


class Notification(msgspec.Struct, frozen=True):
    """`params` of a notification; `result` is decoded by what was subscribed."""

    subscription: int
    result: msgspec.Raw


class SlotNotice(msgspec.Struct, frozen=True):
    """A new slot began on this node, on top of `parent`."""

    slot: U64
    parent: U64 | None = None


class SignatureResult(msgspec.Struct, frozen=True):
    """The one notification of signatureSubscribe; `value` has `err`, or is plain text."""

    context: Context
    value: Any


def request(number: int, method: str, params: list[Any] | msgspec.Raw) -> bytes:
    """Encode one JSON-RPC request."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


_FRAMES = msgspec.json.Decoder(Frame)
_NOTIFICATIONS = msgspec.json.Decoder(Notification)
_ACCOUNTS = msgspec.json.Decoder(AccountResult)


def frame(text: bytes) -> Frame:
    """Decode the envelope of any message."""
    return _guarded(_FRAMES.decode, text, "message")


def notification(params: msgspec.Raw) -> Notification:
    """Decode the envelope of a notification."""
    return _guarded(_NOTIFICATIONS.decode, params, "notification")


def account_result(raw: msgspec.Raw) -> AccountResult:
    """Decode an account notification's result."""
    return _guarded(_ACCOUNTS.decode, raw, "account")


def typed(raw: msgspec.Raw | bytes, kind: type[T], what: str) -> T:
    """Decode a result into `kind`."""
    return _guarded(lambda text: msgspec.json.decode(text, type=kind), raw, what)


def _guarded(decode: Callable[[msgspec.Raw | bytes], T], text: msgspec.Raw | bytes, what: str) -> T:
    try:
        return decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise FeedCorrupt(f"{what}: {error}") from error


def raw_account(address: str, value: AccountValue | None) -> RawAccount | None:
    """Turn an account value into bytes; None stays None."""
    if value is None:
        return None
    try:
        data = base64.b64decode(value.data[0], validate=True)
    except ValueError as error:
        raise FeedCorrupt(f"account {address}: not base64") from error
    return RawAccount(address, value.owner, value.lamports, data)


def error_text(err: Any) -> str | None:
    """Render a transaction error as stable JSON text; None when there is none."""
    return None if err is None else msgspec.json.encode(err, order="sorted").decode()


def custom_code(err: Any) -> int | None:
    """Return n of {"InstructionError": [i, {"Custom": n}]}, None for any other error."""
    if not isinstance(err, dict):
        return None
    match err.get("InstructionError"):
        case [int(), {"Custom": int(code)}]:
            return code
    return None
