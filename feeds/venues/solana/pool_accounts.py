"""Which accounts make up one pool, and the pool state they make together.

A pool is several accounts: a Whirlpool with the tick arrays around its price (and its
oracle), a CPMM pool with its vaults and fee configuration, an AMM v4 pool with its vaults.
Decoding is per account and
cached by the caller; assembling trusts that all parts are true at the slot it is told.
Pure of I/O and of any notion of endpoints. Called by `pool_view` and `feed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.market.pools import AdaptiveFee, AmmV4Pool, CpmmPool, Pool, TickArray, Whirlpool
from feeds.market.ticks import MAX_TICK, MIN_TICK, TICKS_PER_ARRAY, array_start_of
from feeds.venues.solana import layouts
from feeds.venues.solana.layouts import (
    AmmConfig,
    AmmV4State,
    CpmmState,
    RawAccount,
    TokenAccount,
)
from feeds.venues.solana.programs import (
    PoolKind,
    ProgramIds,
    ammv4_authority,
    oracle_address,
    tick_array_address,
)

Part = (
    Whirlpool | TickArray | AdaptiveFee | CpmmState | AmmConfig | AmmV4State | TokenAccount | None
)

WINDOW_RADIUS = 3
"""Arrays on either side of the price's own: a swap reads up to three ahead of it, and one
more lets the price move on by an array before the new window is loaded."""


class PoolAccounts(Protocol):
    """The account set of one pool."""

    @property
    def address(self) -> str: ...

    @property
    def watched(self) -> tuple[str, ...]:
        """Accounts to subscribe to; the pool's own first."""

    @property
    def checked(self) -> tuple[str, ...]:
        """Accounts that are only read and verified (their changes do not matter)."""

    def decode(self, address: str, account: RawAccount | None) -> Part:
        """Decode one of them; FeedCorrupt when it is not what belongs there."""

    def assemble(self, parts: Mapping[str, Part], *, slot: int) -> Pool:
        """Make the pool of parts that are all true at `slot`."""

    def moved(self, state: Pool) -> PoolAccounts | None:
        """Return the set to watch instead when the price left the middle, else None."""


def accounts_of(
    kind: PoolKind, address: str, account: RawAccount | None, ids: ProgramIds
) -> PoolAccounts:
    """Learn a pool's account set from its own account; FeedCorrupt when it is none."""
    if account is None:
        raise FeedCorrupt(f"pool {address} does not exist")
    if kind == "whirlpool":
        pool = layouts.decode_whirlpool(account, program=ids.whirlpool)
        return WhirlpoolAccounts.around(pool, ids)
    if kind == "ammv4":
        return AmmV4Accounts(layouts.decode_ammv4_state(account, program=ids.ammv4), ids)
    state = layouts.decode_cpmm_state(account, program=ids.cpmm)
    if (state.token_program_a, state.token_program_b) != (ids.token, ids.token):
        raise FeedCorrupt(f"cpmm pool {address}: not both mints are classic SPL tokens")
    return CpmmAccounts(state, ids)


class WhirlpoolAccounts:
    """A Whirlpool, the tick arrays in its window, its oracle, and its vaults to check."""

    def __init__(self, pool: Whirlpool, starts: tuple[int, ...], ids: ProgramIds) -> None:
        self.address = pool.address
        self.starts = starts
        self.is_adaptive = pool.fee_tier_index != pool.tick_spacing
        self.oracle = oracle_address(pool.address, ids)
        self.arrays = {tick_array_address(pool.address, start, ids): start for start in starts}
        oracle = (self.oracle,) if self.is_adaptive else ()
        self.watched = (pool.address, *self.arrays, *oracle)
        self.checked = (pool.vault_a, pool.vault_b)
        self._spacing = pool.tick_spacing
        self._mints = {pool.vault_a: pool.mint_a, pool.vault_b: pool.mint_b}
        self._ids = ids

    @classmethod
    def around(cls, pool: Whirlpool, ids: ProgramIds) -> WhirlpoolAccounts:
        """Choose the window around the pool's current tick."""
        span = TICKS_PER_ARRAY * pool.tick_spacing
        centre = array_start_of(pool.tick_current_index, pool.tick_spacing)
        starts = (centre + step * span for step in range(-WINDOW_RADIUS, WINDOW_RADIUS + 1))
        kept = tuple(s for s in starts if s + span > MIN_TICK and s <= MAX_TICK)
        return cls(pool, kept, ids)

    def covers(self, pool: Whirlpool) -> bool:
        """Whether the price is inside the window."""
        span = TICKS_PER_ARRAY * self._spacing
        return self.starts[0] <= pool.tick_current_index < self.starts[-1] + span

    def decode(self, address: str, account: RawAccount | None) -> Part:
        """Decode the pool, a tick array, the oracle or a vault."""
        start = self.arrays.get(address)
        if start is not None:
            return self._decode_array(address, start, account)
        if account is None:
            raise FeedCorrupt(f"account {address} of pool {self.address} is gone")
        if address == self.address:
            return self._decode_pool(account)
        if address == self.oracle:
            return layouts.decode_oracle(
                account, program=self._ids.whirlpool, whirlpool=self.address
            )
        # Another token program means a mint that may take a fee on transfer: not quoted.
        vault = layouts.decode_token_account(account, program=self._ids.token)
        if vault.mint != self._mints[address]:
            raise FeedCorrupt(f"vault {address} holds mint {vault.mint}")
        # Its balance does not enter a quote; keeping it would look like a pool change.
        return TokenAccount(vault.mint, vault.owner, 0)

    def _decode_pool(self, account: RawAccount) -> Whirlpool:
        pool = layouts.decode_whirlpool(account, program=self._ids.whirlpool)
        is_same = pool.tick_spacing == self._spacing and self._mints == {
            pool.vault_a: pool.mint_a,
            pool.vault_b: pool.mint_b,
        }
        if not is_same:
            raise FeedCorrupt(f"whirlpool {self.address} changed its identity")
        return pool

    def _decode_array(self, address: str, start: int, account: RawAccount | None) -> TickArray:
        # A PDA that was never created, or was closed, counts as all-uninitialised.
        if account is None or (account.owner != self._ids.whirlpool and not account.data):
            return TickArray(start, exists=False)
        array = layouts.decode_tick_array(
            account,
            program=self._ids.whirlpool,
            whirlpool=self.address,
            tick_spacing=self._spacing,
        )
        if array.start_index != start:
            raise FeedCorrupt(f"tick array {address} starts at {array.start_index}, not {start}")
        return array

    def assemble(self, parts: Mapping[str, Part], *, slot: int) -> Whirlpool:
        """Make the pool with its window of arrays and its oracle."""
        pool = parts[self.address]
        oracle = parts[self.oracle] if self.is_adaptive else None
        arrays = tuple(part for a in self.arrays if isinstance(part := parts[a], TickArray))
        if not isinstance(pool, Whirlpool):
            raise FeedCorrupt(f"pool {self.address} is missing")
        if oracle is not None and not isinstance(oracle, AdaptiveFee):
            raise FeedCorrupt(f"oracle of {self.address} is missing")
        return msgspec.structs.replace(pool, tick_arrays=arrays, oracle=oracle, slot=slot)

    def moved(self, state: Pool) -> PoolAccounts | None:
        """Return the window around the new price, None while it is still in the middle."""
        if not isinstance(state, Whirlpool):
            return None
        centred = WhirlpoolAccounts.around(state, self._ids)
        return centred if centred.starts != self.starts else None


class CpmmAccounts:
    """A CPMM pool, its vaults and its fee configuration."""

    def __init__(self, state: CpmmState, ids: ProgramIds) -> None:
        self.address = state.address
        self.vault_a = state.vault_a
        self.vault_b = state.vault_b
        self.config = state.amm_config
        self.watched = (state.address, state.vault_a, state.vault_b, state.amm_config)
        self.checked: tuple[str, ...] = ()
        self._identity = _identity(state)
        self._ids = ids

    def decode(self, address: str, account: RawAccount | None) -> Part:
        """Decode the pool, a vault or the configuration."""
        if account is None:
            raise FeedCorrupt(f"account {address} of pool {self.address} is gone")
        if address == self.address:
            state = layouts.decode_cpmm_state(account, program=self._ids.cpmm)
            if _identity(state) != self._identity:
                raise FeedCorrupt(f"cpmm pool {self.address} changed its identity")
            return state
        if address == self.config:
            return layouts.decode_amm_config(account, program=self._ids.cpmm)
        return layouts.decode_token_account(account, program=self._ids.token)

    def assemble(self, parts: Mapping[str, Part], *, slot: int) -> CpmmPool:
        """Make the pool with its reserves and fees."""
        state, config = parts[self.address], parts[self.config]
        vault_a, vault_b = parts[self.vault_a], parts[self.vault_b]
        if not (
            isinstance(state, CpmmState)
            and isinstance(config, AmmConfig)
            and isinstance(vault_a, TokenAccount)
            and isinstance(vault_b, TokenAccount)
        ):
            raise FeedCorrupt(f"pool {self.address} is missing a part")
        return layouts.assemble_cpmm(state, config, vault_a, vault_b, slot=slot)

    def moved(self, state: Pool) -> PoolAccounts | None:
        """A CPMM pool has one account set for life."""
        return None


class AmmV4Accounts:
    """An AMM v4 pool and its vaults."""

    def __init__(self, state: AmmV4State, ids: ProgramIds) -> None:
        self.address = state.address
        self.vault_a = state.vault_a
        self.vault_b = state.vault_b
        self.watched = (state.address, state.vault_a, state.vault_b)
        self.checked: tuple[str, ...] = ()
        self._mints = (state.mint_a, state.mint_b)
        self._ids = ids

    def decode(self, address: str, account: RawAccount | None) -> Part:
        """Decode the pool or a vault."""
        if account is None:
            raise FeedCorrupt(f"account {address} of pool {self.address} is gone")
        if address != self.address:
            vault = layouts.decode_token_account(account, program=self._ids.token)
            if vault.owner != ammv4_authority(self._ids):
                raise FeedCorrupt(f"vault {address} belongs to {vault.owner}")
            return vault
        state = layouts.decode_ammv4_state(account, program=self._ids.ammv4)
        identity = (state.vault_a, state.vault_b, state.mint_a, state.mint_b)
        if identity != (self.vault_a, self.vault_b, *self._mints):
            raise FeedCorrupt(f"amm v4 pool {self.address} changed its identity")
        return state

    def assemble(self, parts: Mapping[str, Part], *, slot: int) -> AmmV4Pool:
        """Make the pool with its reserves."""
        state = parts[self.address]
        vault_a, vault_b = parts[self.vault_a], parts[self.vault_b]
        if not (
            isinstance(state, AmmV4State)
            and isinstance(vault_a, TokenAccount)
            and isinstance(vault_b, TokenAccount)
        ):
            raise FeedCorrupt(f"pool {self.address} is missing a part")
        return layouts.assemble_ammv4(state, vault_a, vault_b, slot=slot)

    def moved(self, state: Pool) -> PoolAccounts | None:
        """An AMM v4 pool has one account set for life."""
        return None


def _identity(state: CpmmState) -> tuple[str, ...]:
    return (
        state.amm_config, state.vault_a, state.vault_b, state.mint_a, state.mint_b,
        state.token_program_a, state.token_program_b,
    )  # fmt: skip
