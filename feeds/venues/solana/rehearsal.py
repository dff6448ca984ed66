"""A swap signed and run by a node without being sent: what it would do to our own accounts.

The bytes pass the signing firewall like any other and are forgotten. Called by the engine's
canaries and by the sampling of OBSERVE. Not here: sending, judging the outcome.
"""

from __future__ import annotations

import msgspec

from feeds.venues.base import DexSwap
from feeds.venues.solana.rpc_wire import error_text, raw_account
from feeds.venues.solana.trading import SolanaTrading


class Rehearsed(msgspec.Struct, frozen=True):
    """What a node says: `error` None = it would succeed; changes of our balances by mint, raw."""

    error: str | None
    deltas_raw: dict[str, int]


async def rehearse(solana: SolanaTrading, swap: DexSwap) -> Rehearsed:
    """Sign a swap and have it simulated on the newest state.

    NotSent when it cannot be signed, QueryFailed or FeedCorrupt when the node does not
    answer. Fees are in the change of "SOL".
    """
    wallet = solana.wallet
    addresses = list(wallet.addresses)
    signed = solana.sign(swap)
    before = await solana.rpc.multiple_accounts(addresses, commitment="processed")
    answer = await solana.rpc.simulate_transaction(signed.raw, addresses)
    if answer.err is not None or answer.accounts is None:
        return Rehearsed(error_text(answer.err) or "the node shows no accounts", {})
    deltas = {}
    pairs = zip(addresses, before.accounts, answer.accounts, strict=True)
    for address, had, left in pairs:
        raw = wallet.raw_of(address, raw_account(address, left)) - wallet.raw_of(address, had)
        deltas[wallet.mint_of[address]] = raw
    return Rehearsed(None, deltas)
