"""Accounts of the simulated chain as values, and the bank that holds their versions.

A state is a small immutable record; `encode` turns it into the bytes the real programs
would have written. The bank keeps the newest version for execution, older ones for nodes
that lag or read at `finalized`, and the values before the last slot so that a fork can
abandon it. Not here: who may change what (solana_runtime), when (solana_chain).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator

import msgspec

from feeds.market.clmm import arrays_for_swap
from feeds.market.pools import AmmV4Pool, CpmmPool, Pool, TickArray, Whirlpool
from feeds.sim import seeding
from feeds.venues.solana import layouts

_RENT_LAMPORTS_PER_BYTE = 6_960
_RENT_OVERHEAD_BYTES = 128
_MINT = struct.Struct("<I32sQBBI32s")

# Nodes lag by a few slots and finality by 32: nothing reads further back than this.
KEPT_SLOTS = 80


class Wallet(msgspec.Struct, frozen=True, tag="wallet"):
    """A system account that holds native lamports only."""

    lamports: int


class Token(msgspec.Struct, frozen=True, tag="token"):
    """A classic SPL token account."""

    mint: str
    owner: str
    raw: int


class Core(msgspec.Struct, frozen=True, tag="core"):
    """A pool's own account: no tick arrays, no vault balances inside."""

    pool: Pool


class Array(msgspec.Struct, frozen=True, tag="array"):
    """One tick array of a Whirlpool, in the fixed or the dynamic layout."""

    whirlpool: str
    tick_spacing: int
    is_dynamic: bool
    array: TickArray


class Config(msgspec.Struct, frozen=True, tag="config"):
    """A CPMM fee configuration."""

    trade_fee_rate: int
    protocol_fee_rate: int
    fund_fee_rate: int


class Mint(msgspec.Struct, frozen=True, tag="mint"):
    """A classic SPL mint without authorities."""

    decimals: int
    supply_raw: int


class Opaque(msgspec.Struct, frozen=True, tag="opaque"):
    """An account whose content nobody reads: programs, the CPMM observation."""

    owner: str
    size: int
    is_executable: bool = False


State = Wallet | Token | Core | Array | Config | Mint | Opaque


class Encoded(msgspec.Struct, frozen=True):
    """An account as RPC shows it."""

    owner: str
    lamports: int
    data: bytes
    is_executable: bool = False


def encode(address: str, state: State) -> Encoded:
    """Return the account's owner, lamports (rent included) and exact bytes."""
    if isinstance(state, Wallet):
        return Encoded(seeding.SYSTEM_PROGRAM, state.lamports, b"")
    if isinstance(state, Token):
        token = layouts.TokenAccount(state.mint, state.owner, state.raw)
        return _rented(seeding.SPL_PROGRAM, layouts.encode_token_account(token))
    if isinstance(state, Array):
        write = (
            layouts.encode_dynamic_tick_array
            if state.is_dynamic
            else layouts.encode_fixed_tick_array
        )
        data = write(state.array, whirlpool=state.whirlpool, tick_spacing=state.tick_spacing)
        return _rented(seeding.WHIRLPOOL_PROGRAM, data)
    if isinstance(state, Core):
        if isinstance(state.pool, Whirlpool):
            return _rented(seeding.WHIRLPOOL_PROGRAM, layouts.encode_whirlpool(state.pool))
        if isinstance(state.pool, AmmV4Pool):
            data = layouts.encode_ammv4_state(_ammv4_state(state.pool))
            return _rented(seeding.AMMV4_PROGRAM, data)
        return _rented(seeding.CPMM_PROGRAM, layouts.encode_cpmm_state(_cpmm_state(state.pool)))
    if isinstance(state, Config):
        rates = layouts.AmmConfig(
            0, state.trade_fee_rate, state.protocol_fee_rate, state.fund_fee_rate
        )
        return _rented(seeding.CPMM_PROGRAM, layouts.encode_amm_config(rates))
    if isinstance(state, Mint):
        data = _MINT.pack(0, bytes(32), state.supply_raw, state.decimals, 1, 0, bytes(32))
        return _rented(seeding.SPL_PROGRAM, data)
    return _rented(state.owner, bytes(state.size), state.is_executable)


def _rented(owner: str, data: bytes, is_executable: bool = False) -> Encoded:
    lamports = (len(data) + _RENT_OVERHEAD_BYTES) * _RENT_LAMPORTS_PER_BYTE
    return Encoded(owner, lamports, data, is_executable)


def _cpmm_state(pool: CpmmPool) -> layouts.CpmmState:
    return layouts.CpmmState(
        address=pool.address,
        amm_config=pool.amm_config,
        vault_a=pool.vault_a,
        vault_b=pool.vault_b,
        mint_a=pool.mint_a,
        mint_b=pool.mint_b,
        token_program_a=seeding.SPL_PROGRAM,
        token_program_b=seeding.SPL_PROGRAM,
        observation=pool.observation,
        status=pool.status,
        decimals_a=seeding.decimals_of(pool.mint_a),
        decimals_b=seeding.decimals_of(pool.mint_b),
        protocol_fees_a=pool.protocol_fees_a,
        protocol_fees_b=pool.protocol_fees_b,
        fund_fees_a=pool.fund_fees_a,
        fund_fees_b=pool.fund_fees_b,
        open_time=pool.open_time,
        creator_fee_on=pool.creator_fee_on,
        enable_creator_fee=pool.enable_creator_fee,
        creator_fees_a=pool.creator_fees_a,
        creator_fees_b=pool.creator_fees_b,
    )


def _ammv4_state(pool: AmmV4Pool) -> layouts.AmmV4State:
    return layouts.AmmV4State(
        address=pool.address,
        status=pool.status,
        nonce=seeding.AMMV4_NONCE,
        decimals_a=seeding.decimals_of(pool.mint_a),
        decimals_b=seeding.decimals_of(pool.mint_b),
        swap_fee_numerator=pool.swap_fee_numerator,
        swap_fee_denominator=pool.swap_fee_denominator,
        need_take_pnl_a=pool.need_take_pnl_a,
        need_take_pnl_b=pool.need_take_pnl_b,
        open_time=pool.open_time,
        vault_a=pool.vault_a,
        vault_b=pool.vault_b,
        mint_a=pool.mint_a,
        mint_b=pool.mint_b,
    )


class Ledger:
    """Accounts under change: reads fall through to what lies below, writes stay on top.

    A transaction works on one and is applied only when it succeeds.
    """

    def __init__(self, below: Ledger | None = None) -> None:
        self._below = below
        self.written: dict[str, State] = {}

    def get(self, address: str) -> State | None:
        """The newest state, None where no account lies."""
        found = self.written.get(address)
        if found is None and self._below is not None:
            return self._below.get(address)
        return found

    def put(self, address: str, state: State) -> None:
        """Write one account."""
        self.written[address] = state

    def raw(self, address: str) -> int:
        """Balance of a token account; KeyError when it is none."""
        state = self.get(address)
        if not isinstance(state, Token):
            raise KeyError(address)
        return state.raw

    def lamports(self, address: str) -> int:
        """Native lamports of a wallet; 0 where none lies."""
        state = self.get(address)
        return state.lamports if isinstance(state, Wallet) else 0

    def move_token(self, source: str, target: str, raw: int) -> None:
        """Move token units; the caller has checked that `source` holds them."""
        giver, taker = self.get(source), self.get(target)
        if not isinstance(giver, Token) or not isinstance(taker, Token):
            raise KeyError(source if not isinstance(giver, Token) else target)
        if giver.mint != taker.mint or raw > giver.raw or raw < 0:
            raise ValueError(f"cannot move {raw} from {source} to {target}")
        self.put(source, msgspec.structs.replace(giver, raw=giver.raw - raw))
        taker = self.get(target)  # the same account may stand on both sides
        assert isinstance(taker, Token)
        self.put(target, msgspec.structs.replace(taker, raw=taker.raw + raw))

    def move_lamports(self, source: str, target: str, lamports: int) -> None:
        """Move native lamports; the caller has checked that `source` holds them."""
        held = self.lamports(source)
        if not 0 <= lamports <= held:
            raise ValueError(f"cannot move {lamports} lamports from {source}")
        self.put(source, Wallet(held - lamports))
        self.put(target, Wallet(self.lamports(target) + lamports))

    def pool(self, address: str) -> Pool:
        """The pool with all it needs for a swap of either direction; KeyError when none."""
        core = self.get(address)
        if not isinstance(core, Core):
            raise KeyError(address)
        if not isinstance(core.pool, Whirlpool):
            return msgspec.structs.replace(
                core.pool,
                vault_a_raw=self.raw(core.pool.vault_a),
                vault_b_raw=self.raw(core.pool.vault_b),
            )
        return msgspec.structs.replace(core.pool, tick_arrays=self._arrays_around(core.pool))

    def array(self, whirlpool: str, start_index: int) -> TickArray:
        """One tick array; `exists=False` where the account was never made."""
        state = self.get(seeding.tick_array_of(whirlpool, start_index))
        return state.array if isinstance(state, Array) else TickArray(start_index, exists=False)

    def _arrays_around(self, pool: Whirlpool) -> tuple[TickArray, ...]:
        starts = {*arrays_for_swap(pool, True), *arrays_for_swap(pool, False)}
        return tuple(self.array(pool.address, start) for start in sorted(starts))

    def put_pool(self, pool: Pool) -> None:
        """Write a pool's own account back; balances and arrays are written elsewhere."""
        if isinstance(pool, Whirlpool):
            core: Pool = msgspec.structs.replace(pool, tick_arrays=())
        else:
            core = msgspec.structs.replace(pool, vault_a_raw=0, vault_b_raw=0)
        self.put(pool.address, Core(core))


class Bank(Ledger):
    """The chain's accounts with their recent history by slot."""

    def __init__(self) -> None:
        super().__init__()
        self._history: dict[str, list[tuple[int, State]]] = {}
        self._before: dict[str, State | None] = {}

    def load(self, accounts: Iterable[tuple[str, State]], slot: int) -> None:
        """Start from stored or opening accounts, all true at `slot`."""
        for address, state in accounts:
            self.written[address] = state
            self._history[address] = [(slot, state)]

    def apply(self, slot: int, changes: dict[str, State]) -> None:
        """Make `changes` the state after `slot`; earlier versions stay readable."""
        for address, state in changes.items():
            self._before.setdefault(address, self.written.get(address))
            self.written[address] = state
            versions = self._history.setdefault(address, [])
            if versions and versions[-1][0] == slot:
                versions[-1] = (slot, state)
            else:
                versions.append((slot, state))
            if len(versions) > 2 and versions[1][0] < slot - KEPT_SLOTS:
                del versions[0]

    def seal(self) -> set[str]:
        """End a slot: return what it changed and forget how to undo the one before."""
        changed = set(self._before)
        self._before = {}
        return changed

    def undo(self, before: dict[str, State | None], slot: int) -> None:
        """Put `before` back: `slot` was abandoned, nothing in it happened."""
        for address, state in before.items():
            versions = self._history[address]
            if versions and versions[-1][0] == slot:
                versions.pop()
            if state is None:
                del self.written[address]
            else:
                self.written[address] = state
        self._before = {}

    def before_slot(self) -> dict[str, State | None]:
        """What the slot being written has changed so far, with the values before it."""
        return dict(self._before)

    def at(self, address: str, slot: int) -> State | None:
        """The account as of the end of `slot`; None where none lay."""
        versions = self._history.get(address)
        if not versions:
            return None
        place = bisect_right(versions, slot, key=_slot_of)
        return versions[place - 1][1] if place else None

    def changed_at(self, address: str, slot: int) -> int:
        """The last slot up to `slot` that wrote the account, 0 when none did."""
        versions = self._history.get(address, [])
        place = bisect_right(versions, slot, key=_slot_of)
        return versions[place - 1][0] if place else 0

    def items(self) -> Iterator[tuple[str, State]]:
        """Every account's newest state."""
        return iter(self.written.items())

    def totals(self) -> dict[str, int]:
        """Units in existence by mint, and "SOL" for native lamports; constant by law."""
        sums: dict[str, int] = {}
        for state in self.written.values():
            if isinstance(state, Token):
                sums[state.mint] = sums.get(state.mint, 0) + state.raw
            elif isinstance(state, Wallet):
                sums["SOL"] = sums.get("SOL", 0) + state.lamports
        return sums


def _slot_of(version: tuple[int, State]) -> int:
    return version[0]
