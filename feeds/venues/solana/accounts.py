"""A raw Solana account, its key in text and bytes, and the SPL token account layout.

The ground of the account codecs: owner, discriminator and length checks raise
`FeedCorrupt` naming the account and the cause. No I/O. Called by the layout modules,
the feed, the trading adapter and the simulator.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import msgspec
from solders.pubkey import Pubkey

from arbsite.errors import FeedCorrupt

TOKEN_ACCOUNT_LEN = 165

_U64 = struct.Struct("<Q")


class RawAccount(msgspec.Struct, frozen=True, gc=False):
    """One account as the chain hands it out; `owner` is the program that may write it."""

    address: str
    owner: str
    lamports: int
    data: bytes


class TokenAccount(msgspec.Struct, frozen=True, gc=False):
    """An SPL token account. `state`: 1 initialised, 2 frozen."""

    mint: str
    owner: str
    amount_raw: int
    state: int = 1


@lru_cache(maxsize=8192)
def key_text(key: bytes) -> str:
    """Return the base58 text of a 32-byte key."""
    return str(Pubkey.from_bytes(key))


@lru_cache(maxsize=8192)
def key_bytes(text: str) -> bytes:
    """Return the 32 bytes of a base58 key; ValueError when it is none."""
    return bytes(Pubkey.from_string(text))


def expect_owner(account: RawAccount, program: str, what: str) -> None:
    """Refuse an account another program owns: equal bytes there mean nothing."""
    if account.owner != program:
        raise FeedCorrupt(f"{what} {account.address}: owned by {account.owner}")


def expect_layout(
    account: RawAccount, program: str, discriminator: bytes, length: int, what: str
) -> None:
    """Refuse a wrong owner, discriminator or length."""
    expect_owner(account, program, what)
    found = account.data[:8]
    if found != discriminator:
        raise FeedCorrupt(f"{what} {account.address}: discriminator {found.hex()}")
    if len(account.data) != length:
        raise FeedCorrupt(f"{what} {account.address}: length {len(account.data)}, not {length}")


def blank(template: bytes | None, length: int) -> bytearray:
    """Start an encoding from `template`, or from zeros (ValueError if its size differs)."""
    if template is None:
        return bytearray(length)
    if len(template) != length:
        raise ValueError(f"template has {len(template)} bytes, the layout {length}")
    return bytearray(template)


def decode_token_account(account: RawAccount, *, program: str) -> TokenAccount:
    """Decode a classic SPL token account (165 bytes; Token-2022 extensions are refused)."""
    expect_owner(account, program, "token account")
    data = account.data
    if len(data) != TOKEN_ACCOUNT_LEN:
        raise FeedCorrupt(f"token account {account.address}: length {len(data)}")
    if data[108] not in (1, 2):
        raise FeedCorrupt(f"token account {account.address}: state {data[108]}")
    amount = int(_U64.unpack_from(data, 64)[0])
    return TokenAccount(key_text(data[0:32]), key_text(data[32:64]), amount, data[108])


def encode_token_account(token: TokenAccount, template: bytes | None = None) -> bytes:
    """Encode a 165-byte SPL token account (no delegate, no close authority)."""
    data = blank(template, TOKEN_ACCOUNT_LEN)
    data[0:32] = key_bytes(token.mint)
    data[32:64] = key_bytes(token.owner)
    _U64.pack_into(data, 64, token.amount_raw)
    data[108] = token.state
    return bytes(data)
