"""Raydium AMM v4 layout: the 752-byte pool account and the pool it makes with its vaults.

Decode and encode, nothing else; offsets are facts of the deployed program, checked on a
recorded account. The account has no discriminator: owner, length and plausible fields are
all that tells it. It holds no reserves: pool and both vaults must be read at ONE slot,
which is the caller's duty. Imported through `layouts`.
"""

from __future__ import annotations

import struct

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.market.pools import AmmV4Pool
from feeds.venues.solana.accounts import (
    RawAccount,
    TokenAccount,
    blank,
    expect_owner,
    key_bytes,
    key_text,
)

AMMV4_LEN = 752

_STATUS = struct.Struct("<QQ")  # bytes 0..16: status, nonce
_DECIMALS = struct.Struct("<QQ")  # bytes 32..48: coin, pc
_SWAP = struct.Struct("<QQQQ")  # bytes 176..208: fee as a fraction, profit to take coin / pc
_OPEN_TIME = struct.Struct("<Q")  # byte 224
_KEYS = (336, 368, 400, 432)  # coin vault, pc vault, coin mint, pc mint
_LAST_STATUS = 7
_MAX_DECIMALS = 18


class AmmV4State(msgspec.Struct, frozen=True, gc=False):
    """The pool account alone; a is the program's "coin" side, b its "pc" side."""

    address: str
    status: int
    nonce: int
    decimals_a: int
    decimals_b: int
    swap_fee_numerator: int
    swap_fee_denominator: int
    need_take_pnl_a: int
    need_take_pnl_b: int
    open_time: int
    vault_a: str
    vault_b: str
    mint_a: str
    mint_b: str


def decode_ammv4_state(account: RawAccount, *, program: str) -> AmmV4State:
    """Decode a pool account; FeedCorrupt when owner, length or a field cannot be its."""
    what = f"amm v4 pool {account.address}"
    expect_owner(account, program, "amm v4 pool")
    data = account.data
    if len(data) != AMMV4_LEN:
        raise FeedCorrupt(f"{what}: length {len(data)}, not {AMMV4_LEN}")
    status, nonce = _STATUS.unpack_from(data, 0)
    decimals_a, decimals_b = _DECIMALS.unpack_from(data, 32)
    numerator, denominator, pnl_a, pnl_b = _SWAP.unpack_from(data, 176)
    if not 0 < status <= _LAST_STATUS:
        raise FeedCorrupt(f"{what}: status {status}")
    if nonce > 255 or max(decimals_a, decimals_b) > _MAX_DECIMALS:
        raise FeedCorrupt(f"{what}: nonce {nonce}, decimals {decimals_a}/{decimals_b}")
    if numerator >= denominator:
        raise FeedCorrupt(f"{what}: fee {numerator}/{denominator}")
    vault_a, vault_b, mint_a, mint_b = (key_text(data[at : at + 32]) for at in _KEYS)
    if mint_a == mint_b or vault_a == vault_b:
        raise FeedCorrupt(f"{what}: both sides are the same token")
    return AmmV4State(
        address=account.address,
        status=status,
        nonce=nonce,
        decimals_a=decimals_a,
        decimals_b=decimals_b,
        swap_fee_numerator=numerator,
        swap_fee_denominator=denominator,
        need_take_pnl_a=pnl_a,
        need_take_pnl_b=pnl_b,
        open_time=_OPEN_TIME.unpack_from(data, 224)[0],
        vault_a=vault_a,
        vault_b=vault_b,
        mint_a=mint_a,
        mint_b=mint_b,
    )


def encode_ammv4_state(state: AmmV4State, template: bytes | None = None) -> bytes:
    """Encode a 752-byte pool account over `template` (zeros if None)."""
    data = blank(template, AMMV4_LEN)
    _STATUS.pack_into(data, 0, state.status, state.nonce)
    _DECIMALS.pack_into(data, 32, state.decimals_a, state.decimals_b)
    _SWAP.pack_into(
        data, 176,
        state.swap_fee_numerator, state.swap_fee_denominator,
        state.need_take_pnl_a, state.need_take_pnl_b,
    )  # fmt: skip
    _OPEN_TIME.pack_into(data, 224, state.open_time)
    keys = (state.vault_a, state.vault_b, state.mint_a, state.mint_b)
    for at, key in zip(_KEYS, keys, strict=True):
        data[at : at + 32] = key_bytes(key)
    return bytes(data)


def assemble_ammv4(
    state: AmmV4State, vault_a: TokenAccount, vault_b: TokenAccount, *, slot: int
) -> AmmV4Pool:
    """Put one pool together from accounts true at `slot`; FeedCorrupt when they disagree."""
    if (vault_a.mint, vault_b.mint) != (state.mint_a, state.mint_b):
        raise FeedCorrupt(f"amm v4 pool {state.address}: vaults hold other mints")
    if vault_a.amount_raw < state.need_take_pnl_a or vault_b.amount_raw < state.need_take_pnl_b:
        raise FeedCorrupt(f"amm v4 pool {state.address}: a vault holds less than is owed")
    return AmmV4Pool(
        address=state.address,
        mint_a=state.mint_a,
        mint_b=state.mint_b,
        vault_a=state.vault_a,
        vault_b=state.vault_b,
        vault_a_raw=vault_a.amount_raw,
        vault_b_raw=vault_b.amount_raw,
        need_take_pnl_a=state.need_take_pnl_a,
        need_take_pnl_b=state.need_take_pnl_b,
        swap_fee_numerator=state.swap_fee_numerator,
        swap_fee_denominator=state.swap_fee_denominator,
        status=state.status,
        open_time=state.open_time,
        slot=slot,
    )
