"""Our own accounts on chain: which they are and what was last heard of each.

One associated token account per mint (kept open; no wrapping in the hot path) and the
wallet itself for native lamports. Orders what several endpoints say by slot and reports
changes only. No I/O; `trading` brings notifications and reads.
"""

from __future__ import annotations

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.venues.base import TokenBalance
from feeds.venues.solana.accounts import RawAccount, decode_token_account
from feeds.venues.solana.programs import (
    SYSTEM_PROGRAM,
    ProgramIds,
    associated_token_address,
)

NATIVE = "SOL"
READ = "read"


class _Heard(msgspec.Struct, frozen=True):
    raw: int
    slot: int
    speaker: str


class Wallet:
    """Addresses and last known raw balances of one owner's accounts."""

    def __init__(self, owner: str, mints: tuple[str, ...], ids: ProgramIds) -> None:
        self.owner = owner
        self.mint_of = {associated_token_address(owner, mint, ids): mint for mint in mints}
        self.mint_of[owner] = NATIVE
        self.addresses = tuple(self.mint_of)
        self._ids = ids
        self._heard: dict[str, _Heard] = {}

    def raw_of(self, address: str, account: RawAccount | None) -> int:
        """Decode one of our accounts; a missing one holds 0.

        FeedCorrupt when a token account there is not ours or of another mint.
        """
        if account is None:
            return 0
        if address == self.owner:
            return account.lamports
        if account.owner == SYSTEM_PROGRAM and not account.data:
            return 0
        token = decode_token_account(account, program=self._ids.token)
        if (token.mint, token.owner) != (self.mint_of[address], self.owner):
            raise FeedCorrupt(f"account {address} holds {token.mint} of {token.owner}")
        return token.amount_raw

    def hear(
        self, address: str, account: RawAccount | None, *, slot: int, speaker: str, recv_ns: int
    ) -> TokenBalance | None:
        """Take a notification or read; returns the balance when it is new.

        Older slots are dropped. At one slot the first endpoint to notify may correct itself
        and a read (`speaker` READ), and nobody else: one behind would undo what was seen.
        """
        raw = self.raw_of(address, account)
        last = self._heard.get(address)
        if last is not None:
            is_late = slot == last.slot and last.speaker not in (speaker, READ)
            if slot < last.slot or is_late:
                return None
        self._heard[address] = _Heard(raw, slot, speaker)
        if last is not None and last.raw == raw:
            return None
        return TokenBalance(self.mint_of[address], raw, slot, recv_ns)
