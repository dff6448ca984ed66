"""The simulated router: which pool gives most for an input, and the instruction that says so.

One hop through one pool, quoted by `feeds.market` on the chain as of a slot. The swap
instruction is written here from Jupiter's published layout, not with any code of the
trading side, so that building and reading prove each other. Not here: HTTP (server),
execution (program).
"""

from __future__ import annotations

import struct
from typing import Literal

import msgspec

from feeds.market.clmm import arrays_for_swap
from feeds.market.pools import AmmV4Pool, CpmmPool, Pool, Swap, Whirlpool
from feeds.market.quote import quote
from feeds.sim import seeding
from feeds.sim.jupiter.program import (
    RAYDIUM,
    RAYDIUM_CP,
    ROUTE,
    ROUTE_V2,
    WHIRLPOOL_SWAP_V2,
)
from feeds.sim.solana.accounts import Bank, Core, Ledger, State
from feeds.sim.solana.swaps import MEMO_PROGRAM

Form = Literal["route", "route_v2"]


class PastLedger(Ledger):
    """The chain's accounts as of the end of one slot."""

    def __init__(self, bank: Bank, slot: int) -> None:
        super().__init__()
        self._bank = bank
        self._slot = slot

    def get(self, address: str) -> State | None:
        """The account at that slot."""
        return self._bank.at(address, self._slot)


class Hop(msgspec.Struct, frozen=True):
    """The best pool for an ask, with its exact swap."""

    label: str
    pool: Pool
    a_to_b: bool
    swap: Swap


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    pubkey: str
    is_signer: bool
    is_writable: bool


class InstructionJson(msgspec.Struct, frozen=True, rename="camel"):
    """An instruction as the API writes it; `data` becomes base64."""

    program_id: str
    accounts: list[Meta]
    data: bytes


def label_of(pool: Pool) -> str:
    """Jupiter's name of the exchange a pool belongs to."""
    if isinstance(pool, Whirlpool):
        return "Whirlpool"
    return "Raydium" if isinstance(pool, AmmV4Pool) else "Raydium CP"


def best_hop(
    ledger: Ledger,
    pools: list[str],
    mint_in: str,
    mint_out: str,
    amount: int,
    labels: frozenset[str],
    now_s: int,
) -> Hop | None:
    """Quote every pool of the pair and take the one that gives most; None when none does."""
    found: list[Hop] = []
    for address in pools:
        pool = ledger.pool(address)
        is_pair = {pool.mint_a, pool.mint_b} == {mint_in, mint_out}
        if not is_pair or (labels and label_of(pool) not in labels):
            continue
        a_to_b = mint_in == pool.mint_a
        swap = quote(pool, amount, exact_in=True, a_to_b=a_to_b, now_s=now_s)
        if isinstance(swap, Swap) and swap.amount_in == amount:
            found.append(Hop(label_of(pool), pool, a_to_b, swap))
    return max(found, key=lambda hop: hop.swap.amount_out, default=None)


def pools_of(bank: Bank) -> list[str]:
    """Every pool on the chain, in a fixed order."""
    return sorted(address for address, state in bank.items() if isinstance(state, Core))


def swap_instruction(
    form: Form,
    pool: Pool,
    taker: str,
    *,
    a_to_b: bool,
    amount_in: int,
    quoted_out: int,
    slippage_bps: int,
) -> InstructionJson:
    """Write the swap of one hop through the taker's own token accounts."""
    mint_in, mint_out = (pool.mint_a, pool.mint_b) if a_to_b else (pool.mint_b, pool.mint_a)
    source, target = (seeding.token_account_of(taker, mint) for mint in (mint_in, mint_out))
    jupiter, spl = seeding.JUPITER_PROGRAM, seeding.SPL_PROGRAM
    kind, accounts = _hop_accounts(pool, taker, source, target, a_to_b)
    if form == "route":
        plan = struct.pack("<I", 1) + kind + bytes((100, 0, 1))
        data = ROUTE + plan + struct.pack("<QQHB", amount_in, quoted_out, slippage_bps, 0)
        head = [
            _read(spl), Meta(taker, True, False), _write(source), _write(target), _read(jupiter),
            _read(mint_out), _read(jupiter),
        ]  # fmt: skip
    else:
        plan = struct.pack("<I", 1) + kind + struct.pack("<HBB", 10_000, 0, 1)
        data = ROUTE_V2 + struct.pack("<QQHHH", amount_in, quoted_out, slippage_bps, 0, 0) + plan
        head = [
            Meta(taker, True, False), _write(source), _write(target), _read(mint_in),
            _read(mint_out), _read(spl), _read(spl), _read(jupiter),
        ]  # fmt: skip
    tail = [_read(seeding.jupiter_event_authority()), _read(jupiter)]
    return InstructionJson(jupiter, [*head, *tail, *accounts], data)


def open_account_instruction(taker: str, mint: str) -> InstructionJson:
    """Create the taker's token account of a mint unless it exists."""
    accounts = [
        Meta(taker, True, True), _write(seeding.token_account_of(taker, mint)), _read(taker),
        _read(mint), _read(seeding.SYSTEM_PROGRAM), _read(seeding.SPL_PROGRAM),
    ]  # fmt: skip
    return InstructionJson(seeding.ATA_PROGRAM, accounts, b"\x01")


def _read(address: str) -> Meta:
    return Meta(address, False, False)


def _write(address: str) -> Meta:
    return Meta(address, False, True)


def _hop_accounts(
    pool: Pool, taker: str, source: str, target: str, a_to_b: bool
) -> tuple[bytes, list[Meta]]:
    """The swap kind's bytes and its accounts: the exchange's program, then its own order."""
    spl = seeding.SPL_PROGRAM
    vault_in, vault_out = (pool.vault_a, pool.vault_b) if a_to_b else (pool.vault_b, pool.vault_a)
    if isinstance(pool, Whirlpool):
        own_a, own_b = (source, target) if a_to_b else (target, source)
        starts = arrays_for_swap(pool, a_to_b)
        arrays = [seeding.tick_array_of(pool.address, start) for start in starts]
        arrays += arrays[-1:] * (3 - len(arrays))
        return bytes((WHIRLPOOL_SWAP_V2, a_to_b, 0)), [
            _read(seeding.WHIRLPOOL_PROGRAM), _read(spl), _read(spl), _read(MEMO_PROGRAM),
            Meta(taker, True, False), _write(pool.address), _read(pool.mint_a),
            _read(pool.mint_b), _write(own_a), _write(pool.vault_a), _write(own_b),
            _write(pool.vault_b), *(_write(each) for each in arrays),
            _write(seeding.oracle_of(pool.address)),
        ]  # fmt: skip
    if isinstance(pool, CpmmPool):
        mints = (pool.mint_a, pool.mint_b) if a_to_b else (pool.mint_b, pool.mint_a)
        return bytes((RAYDIUM_CP,)), [
            _read(seeding.CPMM_PROGRAM), Meta(taker, True, False),
            _read(seeding.cpmm_authority()), _read(pool.amm_config), _write(pool.address),
            _write(source), _write(target), _write(vault_in), _write(vault_out), _read(spl),
            _read(spl), _read(mints[0]), _read(mints[1]), _write(pool.observation),
        ]  # fmt: skip
    return bytes((RAYDIUM,)), [
        _read(seeding.AMMV4_PROGRAM), _read(spl), _write(pool.address),
        _read(seeding.ammv4_authority()), _write(pool.vault_a), _write(pool.vault_b),
        _write(source), _write(target), Meta(taker, True, False),
    ]  # fmt: skip
