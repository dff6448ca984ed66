"""From a swap we want to the message that will be signed, and from signed bytes back.

Builds exactly one shape: compute limit, compute price, one swap, and a tip if there is
one. It checks nothing: `firewall` reads the finished bytes. No I/O. Called by `trading`.
"""

from __future__ import annotations

import struct

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.signature import Signature
from solders.system_program import TransferParams, transfer

from arbsite.errors import NotSent
from feeds.venues.base import DexSwap, SwapRoute
from feeds.venues.solana.programs import (
    PoolRef,
    ProgramIds,
    ammv4_swap,
    cpmm_swap,
    key_of,
    swap_v2,
)

BASE_FEE_LAMPORTS = 5_000
_MICRO = 1_000_000
_SIGNATURE_LEN = 64


def priority_fee_lamports(swap: DexSwap) -> int:
    """Return the priority fee, charged on failure too: ceil(limit · price / 1e6)."""
    return -(-swap.cu_limit * swap.cu_price_micro_lamports // _MICRO)


def max_fee_lamports(swap: DexSwap) -> int:
    """Return the most native lamports the transaction can cost: base, priority and tip."""
    return BASE_FEE_LAMPORTS + priority_fee_lamports(swap) + swap.tip_lamports


def swap_message(
    swap: DexSwap,
    ref: PoolRef,
    *,
    wallet: str,
    blockhash: str,
    tip_account: str,
    ids: ProgramIds,
) -> MessageV0:
    """Compile the message of one swap; NotSent when the swap cannot be expressed."""
    payer = key_of(wallet)
    try:
        instructions = [
            set_compute_unit_limit(swap.cu_limit),
            set_compute_unit_price(swap.cu_price_micro_lamports),
            _swap_instruction(swap, ref, wallet, ids),
        ]
        if swap.tip_lamports:
            target = key_of(tip_account)
            tip = TransferParams(from_pubkey=payer, to_pubkey=target, lamports=swap.tip_lamports)
            instructions.append(transfer(tip))
    except (ValueError, TypeError, OverflowError, struct.error) as error:
        raise NotSent(f"swap cannot be built: {error}") from error
    return MessageV0.try_compile(payer, instructions, [], Hash.from_string(blockhash))


def _swap_instruction(swap: DexSwap, ref: PoolRef, wallet: str, ids: ProgramIds) -> Instruction:
    if swap.route is not None:
        return _route_instruction(swap.route)
    if swap.pool_kind == "whirlpool":
        return swap_v2(
            ref, wallet,
            amount_raw=swap.amount_raw, threshold_raw=swap.threshold_raw,
            exact_in=swap.exact_in, a_to_b=swap.a_to_b,
            tick_array_starts=swap.tick_array_starts, ids=ids,
        )  # fmt: skip
    if swap.pool_kind == "ammv4":
        return ammv4_swap(
            ref, wallet,
            amount_raw=swap.amount_raw, threshold_raw=swap.threshold_raw,
            exact_in=swap.exact_in, a_to_b=swap.a_to_b, ids=ids,
        )  # fmt: skip
    return cpmm_swap(
        ref, wallet,
        amount_raw=swap.amount_raw, threshold_raw=swap.threshold_raw,
        exact_in=swap.exact_in, a_to_b=swap.a_to_b, ids=ids,
    )  # fmt: skip


def _route_instruction(route: SwapRoute) -> Instruction:
    """The aggregator's instruction as it came; no table shortens it, so all of it is seen."""
    metas = [
        AccountMeta(key_of(one.address), one.is_signer, one.is_writable) for one in route.accounts
    ]
    return Instruction(key_of(route.program), route.data, metas)


def signature_of(raw: bytes) -> str:
    """Return the first signature of signed transaction bytes; NotSent when there is none."""
    if len(raw) <= _SIGNATURE_LEN or raw[0] != 1:
        raise NotSent("not a transaction with one signature")
    return str(Signature.from_bytes(raw[1 : 1 + _SIGNATURE_LEN]))
