"""Our wallets' entries in the truth ledger, from what transactions really did.

One entry per asset a landed transaction changed, fee and tip apart. A transaction that a
fork took back is entered again with the opposite sign, so sums stay true in an
append-only ledger. Called by solana_chain before its commit.
"""

from __future__ import annotations

from collections.abc import Sequence

from arbsite.units import text_from_int
from feeds.sim import seeding
from feeds.sim.solana.accounts import Ledger
from feeds.sim.solana.runtime import Meta
from feeds.sim.solana.transactions import parse
from feeds.sim.truth import LedgerEntry, TruthStore

_SOL_DECIMALS = 9
VENUE = "solana"
NATIVE = "SOL"


class WalletBooks:
    """The truth ledger of some wallets; asset is the mint, or "SOL" for native lamports."""

    def __init__(
        self, truth: TruthStore, wallets: Sequence[str], tip_accounts: frozenset[str]
    ) -> None:
        self._truth = truth
        self._wallets = tuple(wallets)
        self.tip_accounts = tip_accounts

    def open(self, accounts: Ledger, at_ns: int) -> None:
        """Enter the opening balances."""
        for wallet in self._wallets:
            for mint, raw in self.balances_raw(wallet, accounts).items():
                self._enter(at_ns, wallet, mint, raw, "opening", "opening")

    def balances_raw(self, wallet: str, accounts: Ledger) -> dict[str, int]:
        """Raw balances by mint, "SOL" for lamports; only accounts that exist."""
        found = {NATIVE: accounts.lamports(wallet)}
        for mint in sorted(seeding.wallet_opening()):
            address = seeding.token_account_of(wallet, mint)
            if accounts.get(address) is not None:
                found[mint] = accounts.raw(address)
        return found

    def balances(self, wallet: str, accounts: Ledger) -> dict[str, str]:
        """Balances as exact decimal text in whole units, by mint or "SOL"."""
        return {
            mint: text_from_int(raw, _decimals(mint))
            for mint, raw in self.balances_raw(wallet, accounts).items()
        }

    def book(self, signature: str, raw: bytes, meta: Meta, at_ns: int, sign: int = 1) -> None:
        """Enter what a landed transaction did to our wallets."""
        transaction = parse(raw)
        for wallet in self._wallets:
            deltas: dict[str, int] = {}
            for row in meta.post_tokens:
                if row.owner == wallet:
                    deltas[row.mint] = deltas.get(row.mint, 0) + row.raw
            for row in meta.pre_tokens:
                if row.owner == wallet:
                    deltas[row.mint] = deltas.get(row.mint, 0) - row.raw
            for mint, delta in deltas.items():
                self._enter(at_ns, wallet, mint, sign * delta, "trade", signature)
            if wallet not in transaction.keys:
                continue
            place = transaction.keys.index(wallet)
            native = meta.post_lamports[place] - meta.pre_lamports[place]
            fee = meta.fee_lamports if wallet == transaction.payer else 0
            is_payer = wallet == transaction.payer and meta.error is None
            tip = transaction.tip_lamports(self.tip_accounts) if is_payer else 0
            self._enter(at_ns, wallet, NATIVE, -sign * fee, "fee", signature)
            self._enter(at_ns, wallet, NATIVE, -sign * tip, "tip", signature)
            self._enter(at_ns, wallet, NATIVE, sign * (native + fee + tip), "transfer", signature)

    def take_back(self, signature: str, raw: bytes, meta: Meta, at_ns: int) -> None:
        """Enter the opposite: a fork abandoned the block."""
        self.book(signature, raw, meta, at_ns, sign=-1)

    def _enter(
        self, at_ns: int, wallet: str, mint: str, raw: int, kind: str, reference: str
    ) -> None:
        if raw:
            delta = text_from_int(raw, _decimals(mint))
            self._truth.record(LedgerEntry(at_ns, VENUE, wallet, mint, delta, kind, reference))


def _decimals(mint: str) -> int:
    return _SOL_DECIMALS if mint == NATIVE else seeding.decimals_of(mint)
