"""JSON shapes of a landed transaction: its meta and its message, as getTransaction has them."""

from __future__ import annotations

import base64

from solders.transaction import VersionedTransaction

from arbsite.units import text_from_int
from feeds.sim import seeding
from feeds.sim.solana.runtime import Meta, TokenRow
from feeds.sim.solana.transactions import Transaction


def meta_json(meta: Meta) -> dict[str, object]:
    """The `meta` member."""
    return {
        "err": meta.error,
        "status": {"Ok": None} if meta.error is None else {"Err": meta.error},
        "fee": meta.fee_lamports,
        "preBalances": meta.pre_lamports,
        "postBalances": meta.post_lamports,
        "preTokenBalances": [_token_json(row) for row in meta.pre_tokens],
        "postTokenBalances": [_token_json(row) for row in meta.post_tokens],
        "innerInstructions": [],
        "logMessages": meta.logs,
        "loadedAddresses": {"readonly": [], "writable": []},
        "rewards": [],
        "computeUnitsConsumed": meta.units,
    }


def _token_json(row: TokenRow) -> dict[str, object]:
    decimals = seeding.decimals_of(row.mint)
    text = text_from_int(row.raw, decimals)
    return {
        "accountIndex": row.account_index,
        "mint": row.mint,
        "owner": row.owner,
        "programId": seeding.SPL_PROGRAM,
        "uiTokenAmount": {
            "amount": str(row.raw),
            "decimals": decimals,
            "uiAmount": float(text),
            "uiAmountString": text.rstrip("0").rstrip("."),
        },
    }


def transaction_json(transaction: Transaction, encoding: str) -> object:
    """The `transaction` member in base64 or as plain JSON."""
    if encoding == "base64":
        return [base64.b64encode(transaction.raw).decode(), "base64"]
    message = VersionedTransaction.from_bytes(transaction.raw).message
    header = message.header
    return {
        "signatures": [transaction.signature],
        "message": {
            "accountKeys": list(transaction.keys),
            "header": {
                "numRequiredSignatures": header.num_required_signatures,
                "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
                "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
            },
            "recentBlockhash": transaction.blockhash,
            "instructions": [
                {
                    "programIdIndex": instruction.program_id_index,
                    "accounts": list(bytes(instruction.accounts)),
                    "data": base58_text(bytes(instruction.data)),
                    "stackHeight": None,
                }
                for instruction in message.instructions
            ],
        },
    }


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58_text(data: bytes) -> str:
    """Bytes of any length in base58."""
    number, digits = int.from_bytes(data), ""
    while number:
        number, rest = divmod(number, 58)
        digits = _BASE58[rest] + digits
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + digits
