"""What a landed transaction did to us, from the chain's own record.

Balance changes come from pre/postTokenBalances as integers, never from a quote; an
account missing before counts 0, missing after was closed. Wrapped SOL inside the
transaction does not show, which is why a persistent wSOL account is used. No I/O.
Called by `trading.receipt`.
"""

from __future__ import annotations

import base64
import struct
from typing import Literal

from solders.transaction import VersionedTransaction

from arbsite.errors import FeedCorrupt
from feeds.venues.base import DexReceipt
from feeds.venues.solana import rpc_wire
from feeds.venues.solana.programs import SYSTEM_PROGRAM
from feeds.venues.solana.rpc_wire import TokenBalanceMeta, TransactionResult

_NS = 1_000_000_000
_TRANSFER = struct.Struct("<IQ")
_SYSTEM_TRANSFER = 2
_RAN_OUT = ("exceeded CUs meter", "ComputationalBudgetExceeded")


def receipt_of(
    signature: str,
    record: TransactionResult,
    *,
    commitment: Literal["confirmed", "finalized"],
    wallet: str,
    own_accounts: frozenset[str],
    tip_accounts: frozenset[str],
) -> DexReceipt:
    """Read a getTransaction record; FeedCorrupt when it is not that of `signature`."""
    meta = record.meta
    if meta is None:
        raise FeedCorrupt(f"transaction {signature}: no meta")
    transaction = _transaction_of(signature, record)
    keys = [str(key) for key in transaction.message.account_keys]
    deltas: dict[str, int] = {}
    tip_lamports = 0
    if meta.err is None:
        deltas = _deltas(meta, keys, wallet, own_accounts)
        tip_lamports = _tips(transaction, keys, tip_accounts)
    return DexReceipt(
        signature=signature,
        slot=record.slot,
        commitment=commitment,
        error=rpc_wire.error_text(meta.err),
        error_code=rpc_wire.custom_code(meta.err),
        deltas_raw=deltas,
        fee_lamports=meta.fee,
        tip_lamports=tip_lamports,
        block_at_ns=(record.block_time or 0) * _NS,
        failure=_failure_of(meta),
    )


def _failure_of(meta: rpc_wire.TransactionMeta) -> Literal["", "compute_exceeded", "program_error"]:
    """Name the failure: a program stopped by its meter fails like one that broke, the log tells."""
    if meta.err is None:
        return ""
    said = [rpc_wire.error_text(meta.err) or "", *(meta.log_messages or ())]
    ran_out = any(word in line for line in said for word in _RAN_OUT)
    return "compute_exceeded" if ran_out else "program_error"


def _transaction_of(signature: str, record: TransactionResult) -> VersionedTransaction:
    """Decode the transaction and verify that it is the one that was signed."""
    try:
        raw = base64.b64decode(record.transaction[0], validate=True)
        transaction = VersionedTransaction.from_bytes(raw)
    except ValueError as error:
        raise FeedCorrupt(f"transaction {signature}: not decodable") from error
    if [str(one) for one in transaction.signatures[:1]] != [signature]:
        raise FeedCorrupt(f"transaction {signature}: the record is of another")
    if not all(transaction.verify_with_results()):
        raise FeedCorrupt(f"transaction {signature}: the record was altered")
    return transaction


def _deltas(
    meta: rpc_wire.TransactionMeta, keys: list[str], wallet: str, own_accounts: frozenset[str]
) -> dict[str, int]:
    """Sum post − pre by mint over our token accounts; zero changes are left out."""
    deltas: dict[str, int] = {}
    for sign, rows in ((-1, meta.pre_token_balances), (1, meta.post_token_balances)):
        for row in rows or ():
            if _is_ours(row, keys, wallet, own_accounts):
                amount = sign * _raw(row.ui_token_amount.amount)
                deltas[row.mint] = deltas.get(row.mint, 0) + amount
    return {mint: delta for mint, delta in deltas.items() if delta}


def _is_ours(
    row: TokenBalanceMeta, keys: list[str], wallet: str, own_accounts: frozenset[str]
) -> bool:
    if row.owner is not None:
        return row.owner == wallet
    # Old nodes leave the owner out.
    return row.account_index < len(keys) and keys[row.account_index] in own_accounts


def _raw(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise FeedCorrupt(f"token amount {text[:40]!r}")
    return int(text)


def _tips(transaction: VersionedTransaction, keys: list[str], tip_accounts: frozenset[str]) -> int:
    """Sum the native transfers to tip accounts; they happen only on success."""
    total = 0
    for instruction in transaction.message.instructions:
        data = bytes(instruction.data)
        if keys[instruction.program_id_index] != SYSTEM_PROGRAM or len(data) != _TRANSFER.size:
            continue
        kind, lamports = _TRANSFER.unpack(data)
        if kind == _SYSTEM_TRANSFER and keys[instruction.accounts[1]] in tip_accounts:
            total += lamports
    return total
