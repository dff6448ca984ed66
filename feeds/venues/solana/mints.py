"""What a token mint is: its decimals, and whether moving it moves what we think it moves.

A Token-2022 mint may take a fee on transfer or call a hook: the swap math quotes such
pools, the desk does not trade them. Layouts: SPL Token's 82-byte mint; Token-2022 puts an
account type at byte 165 and then (type u16, length u16, value) entries.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.venues.solana.accounts import RawAccount

TOKEN_2022: Final = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105 - a program id
MINT_LEN: Final = 82
_EXTENSIONS_AT: Final = 166
_DECIMALS_AT: Final = 44
_INITIALISED_AT: Final = 45
_ENTRY = struct.Struct("<HH")
_NAMES: Final = {1: "transfer-fee", 14: "transfer-hook"}


class MintFacts(msgspec.Struct, frozen=True):
    """Decimals of a mint, and the reason it may not be traded ("" when it may)."""

    decimals: int
    refusal: str


def mint_facts(account: RawAccount, *, token_program: str) -> MintFacts:
    """Read a mint of either token program; FeedCorrupt when it is none."""
    data = account.data
    if account.owner not in (token_program, TOKEN_2022):
        raise FeedCorrupt(f"mint {account.address}: owned by {account.owner}")
    is_classic = account.owner == token_program
    if len(data) < MINT_LEN or (is_classic and len(data) != MINT_LEN):
        raise FeedCorrupt(f"mint {account.address}: length {len(data)}")
    if data[_INITIALISED_AT] != 1:
        raise FeedCorrupt(f"mint {account.address}: not initialised")
    refusal = "" if is_classic else f"{_kind(data)} mint {account.address}"
    return MintFacts(data[_DECIMALS_AT], refusal)


def _kind(data: bytes) -> str:
    """Name the extension that matters most, or the program itself."""
    at = _EXTENSIONS_AT
    while at + _ENTRY.size <= len(data):
        kind, length = _ENTRY.unpack_from(data, at)
        if kind in _NAMES:
            return _NAMES[kind]
        if kind == 0:
            break
        at += _ENTRY.size + length
    return "Token-2022"
