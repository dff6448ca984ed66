"""Hold a listing against the exchange's pairs and the chain's accounts.

Every account of a pool is read at one slot and from two endpoints where there are two;
what they say of it that never changes must be the same. The answer is `Verified`, with
all that a Market row needs, or `Refused`, with the reason in words. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from arbsite.errors import FeedCorrupt
from arbsite.units import int_from_decimal_ceil, int_from_decimal_exact
from feeds.listing.file import Listing
from feeds.market.pools import CpmmPool, Pool, Whirlpool
from feeds.market.spec import MARK_SYMBOLS
from feeds.venues.kraken.messages import Pair
from feeds.venues.solana.accounts import RawAccount, key_bytes
from feeds.venues.solana.mints import mint_facts
from feeds.venues.solana.pool_accounts import accounts_of
from feeds.venues.solana.programs import PoolRef, ProgramIds
from feeds.venues.solana.rpc import SolanaRpc
from feeds.venues.solana.rpc_channel import RpcEndpoint

WITNESSES: Final = 2
# CPMM status bits: deposit, withdraw, swap.
_CPMM_NO_SWAP: Final = 4


class Verified(msgspec.Struct, frozen=True):
    """A listing that both venues confirm; `slot` is the chain's when it was read."""

    listing: Listing
    pair: Pair
    ref: PoolRef
    base_is_a: bool
    base_decimals: int
    quote_decimals: int
    price_increment_ticks: int
    qty_increment_lots: int
    qty_min_lots: int
    slot: int
    witnesses: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True):
    """A listing that may not be traded, and why."""

    listing: Listing
    reason: str


class _OnChain(msgspec.Struct, frozen=True):
    """What one endpoint says of a pool that never changes; compared between endpoints."""

    ref: PoolRef
    base_decimals: int
    quote_decimals: int


class _Refusal(Exception):
    """Carries a reason out of the steps below."""


async def verify(
    listing: Listing, pairs: Mapping[str, Pair], rpc: SolanaRpc, ids: ProgramIds
) -> Verified | Refused:
    """Check one listing. QueryFailed when an endpoint cannot be asked: that is no verdict."""
    try:
        _refuse_typos(listing)
        pair = _pair(listing, pairs)
        units = _units(pair)
        witnesses = _two_providers(rpc.endpoints)
        seen = [await _look(listing, rpc, endpoint, ids) for endpoint in witnesses]
        slots, facts = zip(*seen, strict=True)
        if any(fact != facts[0] for fact in facts):
            raise _Refusal("the RPC endpoints disagree about this pool")
    except (_Refusal, FeedCorrupt) as error:
        return Refused(listing, str(error))
    found: _OnChain = facts[0]
    return Verified(
        listing, pair, found.ref,
        base_is_a=found.ref.mint_a == listing.base_mint,
        base_decimals=found.base_decimals, quote_decimals=found.quote_decimals,
        price_increment_ticks=units[0], qty_increment_lots=units[1], qty_min_lots=units[2],
        slot=min(slots), witnesses=tuple(endpoint.label for endpoint in witnesses),
    )  # fmt: skip


def _two_providers(endpoints: tuple[RpcEndpoint, ...]) -> tuple[RpcEndpoint, ...]:
    """Choose endpoints of different providers: two nodes of one may share a fault."""
    by_provider = {endpoint.provider: endpoint for endpoint in reversed(endpoints)}
    return tuple(e for e in endpoints if by_provider[e.provider] is e)[:WITNESSES]


def _refuse_typos(listing: Listing) -> None:
    """An RPC node answers a malformed address with an error that names nothing."""
    for address in (listing.pool, listing.base_mint, listing.quote_mint):
        try:
            key_bytes(address)
        except ValueError as error:
            raise _Refusal(f"{address!r} is not an address") from error


def _pair(listing: Listing, pairs: Mapping[str, Pair]) -> Pair:
    base, slash, quote = listing.cex_symbol.partition("/")
    if not slash or not base or not quote:
        raise _Refusal(f"{listing.cex_symbol} is not a pair such as SOL/USD")
    for name in (quote, listing.pool_quote):
        if name != "USD" and name not in MARK_SYMBOLS:
            raise _Refusal(f"quote asset {name} has no USD feed of its own")
    pair = pairs.get(listing.cex_symbol)
    if pair is None:
        raise _Refusal(f"Kraken lists no pair {listing.cex_symbol}")
    if pair.status != "online":
        raise _Refusal(f"Kraken says {listing.cex_symbol} is {pair.status}")
    return pair


def _units(pair: Pair) -> tuple[int, int, int]:
    """Price step in ticks, quantity step and minimum in lots (the minimum rounded up)."""
    try:
        return (
            int_from_decimal_exact(Decimal(pair.price_increment), pair.price_precision),
            int_from_decimal_exact(Decimal(pair.qty_increment), pair.qty_precision),
            max(1, int_from_decimal_ceil(Decimal(pair.qty_min), pair.qty_precision)),
        )
    except (ValueError, InvalidOperation) as error:
        raise _Refusal(f"Kraken's units of {pair.symbol} cannot be read: {error}") from error


async def _look(
    listing: Listing, rpc: SolanaRpc, endpoint: RpcEndpoint, ids: ProgramIds
) -> tuple[int, _OnChain]:
    """Read a pool with everything around it from one endpoint, at one slot."""
    mints = [listing.base_mint, listing.quote_mint]
    first = await rpc.multiple_accounts(
        [*mints, listing.pool], commitment="confirmed", endpoint=endpoint
    )
    *mint_accounts, pool_account = first.accounts
    # The mints first: a pool of a refused mint may not even decode as one we trade.
    pairs = zip(mints, mint_accounts, strict=True)
    base_decimals, quote_decimals = (_decimals(mint, account, ids) for mint, account in pairs)
    parts = accounts_of(listing.pool_kind, listing.pool, pool_account, ids)
    addresses = [*parts.watched, *parts.checked]
    read = await rpc.multiple_accounts(
        addresses, commitment="confirmed", min_context_slot=first.slot, endpoint=endpoint
    )
    accounts = zip(addresses, read.accounts, strict=True)
    decoded = {address: parts.decode(address, account) for address, account in accounts}
    pool = parts.assemble(decoded, slot=read.slot)
    _refuse_pool(pool, listing)
    return read.slot, _OnChain(PoolRef.from_pool(pool), base_decimals, quote_decimals)


def _refuse_pool(pool: Pool, listing: Listing) -> None:
    if {pool.mint_a, pool.mint_b} != {listing.base_mint, listing.quote_mint}:
        raise _Refusal(f"the pool's mints are {pool.mint_a} and {pool.mint_b}")
    if isinstance(pool, CpmmPool):
        if pool.enable_creator_fee:
            raise _Refusal("the pool takes a creator fee")
        if pool.status & _CPMM_NO_SWAP:
            raise _Refusal("the pool's swaps are switched off")
    if isinstance(pool, Whirlpool) and not pool.liquidity:
        raise _Refusal("the pool has no liquidity at its price")


def _decimals(mint: str, account: RawAccount | None, ids: ProgramIds) -> int:
    if account is None:
        raise _Refusal(f"mint {mint} does not exist")
    facts = mint_facts(account, token_program=ids.token)
    if facts.refusal:
        raise _Refusal(f"{facts.refusal} is not traded")
    return facts.decimals
