"""Program ids, derived addresses and instruction bytes of what we call on Solana.

Facts of the deployed Orca Whirlpool and Raydium programs: account order, argument
layout, seeds. Nothing here signs, sends or decides; `transactions` builds messages from
it, `firewall` checks them against it, the simulator parses with the same constants.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from typing import Literal

import msgspec
from solders.compute_budget import ID as COMPUTE_BUDGET_ID
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_ID

from feeds.market.pools import AmmV4Pool, Pool, Whirlpool

COMPUTE_BUDGET = str(COMPUTE_BUDGET_ID)
SYSTEM_PROGRAM = str(SYSTEM_ID)

PoolKind = Literal["whirlpool", "cpmm", "ammv4"]


def anchor_discriminator(name: str) -> bytes:
    """Return the first 8 bytes of sha256("global:<name>"), Anchor's instruction tag."""
    return hashlib.sha256(f"global:{name}".encode()).digest()[:8]


SWAP_V2_DISC = anchor_discriminator("swap_v2")
SWAP_BASE_INPUT_DISC = anchor_discriminator("swap_base_input")
SWAP_BASE_OUTPUT_DISC = anchor_discriminator("swap_base_output")

SWAP_V2_ARGS = struct.Struct("<8sQQQQ??")  # amount, threshold, limit lo/hi, exact in, a to b
CPMM_ARGS = struct.Struct("<8sQQ")
AMMV4_ARGS = struct.Struct("<BQQ")
AMMV4_SWAP_IN, AMMV4_SWAP_OUT = 16, 17
_SUPPLEMENTAL_TICK_ARRAYS = 6
_MAX_SUPPLEMENTAL = 3
_SWAP_V2_TICK_ARRAYS = 3


class ProgramIds(msgspec.Struct, frozen=True):
    """Program addresses; the defaults are mainnet's."""

    whirlpool: str = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
    cpmm: str = "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C"
    ammv4: str = "675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8"
    jupiter: str = "JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4"
    token: str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105 - a program id
    memo: str = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
    associated_token: str = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"  # noqa: S105


MAINNET = ProgramIds()


class PoolRef(msgspec.Struct, frozen=True):
    """The accounts of one pool that never change: all a swap instruction needs.

    Classic SPL tokens on both sides: pools with Token-2022 mints are not traded.
    """

    address: str
    kind: PoolKind
    mint_a: str
    mint_b: str
    vault_a: str
    vault_b: str
    tick_spacing: int = 0
    amm_config: str = ""
    observation: str = ""

    @classmethod
    def from_pool(cls, pool: Pool) -> PoolRef:
        """Take the static part of a pool state."""
        if isinstance(pool, Whirlpool):
            return cls(
                pool.address, "whirlpool", pool.mint_a, pool.mint_b, pool.vault_a, pool.vault_b,
                tick_spacing=pool.tick_spacing,
            )  # fmt: skip
        if isinstance(pool, AmmV4Pool):
            return cls(pool.address, "ammv4", pool.mint_a, pool.mint_b, pool.vault_a, pool.vault_b)
        return cls(
            pool.address, "cpmm", pool.mint_a, pool.mint_b, pool.vault_a, pool.vault_b,
            amm_config=pool.amm_config, observation=pool.observation,
        )  # fmt: skip


@lru_cache(maxsize=4096)
def derived_address(program: str, *seeds: bytes) -> str:
    """Return the program-derived address of `seeds` (canonical bump)."""
    return str(Pubkey.find_program_address(seeds, Pubkey.from_string(program))[0])


@lru_cache(maxsize=4096)
def key_of(text: str) -> Pubkey:
    """Return the key of a base58 text; ValueError when it is none."""
    return Pubkey.from_string(text)


def _raw(text: str) -> bytes:
    return bytes(key_of(text))


def tick_array_address(whirlpool: str, start_index: int, ids: ProgramIds = MAINNET) -> str:
    """Return the PDA of a tick array; the start index is a seed in decimal text."""
    return derived_address(ids.whirlpool, b"tick_array", _raw(whirlpool), str(start_index).encode())


def oracle_address(whirlpool: str, ids: ProgramIds = MAINNET) -> str:
    """Return the PDA of a pool's oracle; every swap_v2 names it, most pools have none."""
    return derived_address(ids.whirlpool, b"oracle", _raw(whirlpool))


def whirlpool_address(
    config: str, mint_a: str, mint_b: str, fee_tier_index: int, ids: ProgramIds = MAINNET
) -> str:
    """Return the PDA of a Whirlpool."""
    tier = fee_tier_index.to_bytes(2, "little")
    return derived_address(
        ids.whirlpool, b"whirlpool", _raw(config), _raw(mint_a), _raw(mint_b), tier
    )


def cpmm_authority(ids: ProgramIds = MAINNET) -> str:
    """Return the PDA that owns every CPMM vault."""
    return derived_address(ids.cpmm, b"vault_and_lp_mint_auth_seed")


def ammv4_authority(ids: ProgramIds = MAINNET) -> str:
    """Return the PDA that owns every AMM v4 vault."""
    return derived_address(ids.ammv4, b"amm authority")


def jupiter_event_authority(ids: ProgramIds = MAINNET) -> str:
    """Return the PDA that every Jupiter route names for its events."""
    return derived_address(ids.jupiter, b"__event_authority")


def observation_address(pool: str, ids: ProgramIds = MAINNET) -> str:
    """Return the PDA of a CPMM pool's observation account."""
    return derived_address(ids.cpmm, b"observation", _raw(pool))


def associated_token_address(owner: str, mint: str, ids: ProgramIds = MAINNET) -> str:
    """Return the associated token account of `owner` for a classic SPL mint."""
    return derived_address(ids.associated_token, _raw(owner), _raw(ids.token), _raw(mint))


def swap_v2(
    ref: PoolRef,
    owner: str,
    *,
    amount_raw: int,
    threshold_raw: int,
    exact_in: bool,
    a_to_b: bool,
    tick_array_starts: tuple[int, ...],
    supplemental_starts: tuple[int, ...] = (),
    sqrt_price_limit: int = 0,
    ids: ProgramIds = MAINNET,
) -> Instruction:
    """Build a Whirlpool swap_v2 through the owner's associated token accounts.

    `threshold_raw` is min out (exact in) or max in (exact out). Fewer than three tick
    arrays are filled up by repeating the last, which the program de-duplicates.
    ValueError on no array, more than three, or more than three supplemental ones.
    """
    if not 1 <= len(tick_array_starts) <= _SWAP_V2_TICK_ARRAYS:
        raise ValueError("a swap names one to three tick arrays")
    if len(supplemental_starts) > _MAX_SUPPLEMENTAL:
        raise ValueError("at most three supplemental tick arrays")
    data = SWAP_V2_ARGS.pack(
        SWAP_V2_DISC, amount_raw, threshold_raw,
        sqrt_price_limit & (1 << 64) - 1, sqrt_price_limit >> 64, exact_in, a_to_b,
    )  # fmt: skip
    if supplemental_starts:
        many = len(supplemental_starts)
        data += struct.pack("<BIBB", 1, 1, _SUPPLEMENTAL_TICK_ARRAYS, many)
    else:
        data += b"\0"
    metas = _swap_v2_metas(ref, owner, tick_array_starts, supplemental_starts, ids)
    return Instruction(key_of(ids.whirlpool), data, metas)


@lru_cache(maxsize=1024)
def _swap_v2_metas(
    ref: PoolRef,
    owner: str,
    tick_array_starts: tuple[int, ...],
    supplemental_starts: tuple[int, ...],
    ids: ProgramIds,
) -> tuple[AccountMeta, ...]:
    """The accounts of a swap_v2: the same ones for as long as the price stays in its arrays."""
    missing = _SWAP_V2_TICK_ARRAYS - len(tick_array_starts)
    starts = tick_array_starts + tick_array_starts[-1:] * missing
    return (
        _readonly(ids.token),
        _readonly(ids.token),
        _readonly(ids.memo),
        AccountMeta(key_of(owner), is_signer=True, is_writable=False),
        _writable(ref.address),
        _readonly(ref.mint_a),
        _readonly(ref.mint_b),
        _writable(associated_token_address(owner, ref.mint_a, ids)),
        _writable(ref.vault_a),
        _writable(associated_token_address(owner, ref.mint_b, ids)),
        _writable(ref.vault_b),
        *(_writable(tick_array_address(ref.address, start, ids)) for start in starts),
        _writable(oracle_address(ref.address, ids)),
        *(_writable(tick_array_address(ref.address, s, ids)) for s in supplemental_starts),
    )


def cpmm_swap(
    ref: PoolRef,
    owner: str,
    *,
    amount_raw: int,
    threshold_raw: int,
    exact_in: bool,
    a_to_b: bool,
    ids: ProgramIds = MAINNET,
) -> Instruction:
    """Build swap_base_input (amount in, min out) or swap_base_output (max in, amount out)."""
    if exact_in:
        data = CPMM_ARGS.pack(SWAP_BASE_INPUT_DISC, amount_raw, threshold_raw)
    else:
        data = CPMM_ARGS.pack(SWAP_BASE_OUTPUT_DISC, threshold_raw, amount_raw)
    return Instruction(key_of(ids.cpmm), data, _cpmm_metas(ref, owner, a_to_b, ids))


@lru_cache(maxsize=1024)
def _cpmm_metas(ref: PoolRef, owner: str, a_to_b: bool, ids: ProgramIds) -> tuple[AccountMeta, ...]:
    side_a = (ref.mint_a, ref.vault_a)
    side_b = (ref.mint_b, ref.vault_b)
    (mint_in, vault_in), (mint_out, vault_out) = (side_a, side_b) if a_to_b else (side_b, side_a)
    return (
        AccountMeta(key_of(owner), is_signer=True, is_writable=False),
        _readonly(cpmm_authority(ids)),
        _readonly(ref.amm_config),
        _writable(ref.address),
        _writable(associated_token_address(owner, mint_in, ids)),
        _writable(associated_token_address(owner, mint_out, ids)),
        _writable(vault_in),
        _writable(vault_out),
        _readonly(ids.token),
        _readonly(ids.token),
        _readonly(mint_in),
        _readonly(mint_out),
        _writable(ref.observation),
    )


def ammv4_swap(
    ref: PoolRef,
    owner: str,
    *,
    amount_raw: int,
    threshold_raw: int,
    exact_in: bool,
    a_to_b: bool,
    ids: ProgramIds = MAINNET,
) -> Instruction:
    """Build SwapBaseInV2 (amount in, min out) or SwapBaseOutV2 (max in, amount out).

    The eight-account form of the program's builds without an order book; the pool itself
    tells the direction by the mints of the two own accounts.
    """
    if exact_in:
        data = AMMV4_ARGS.pack(AMMV4_SWAP_IN, amount_raw, threshold_raw)
    else:
        data = AMMV4_ARGS.pack(AMMV4_SWAP_OUT, threshold_raw, amount_raw)
    return Instruction(key_of(ids.ammv4), data, _ammv4_metas(ref, owner, a_to_b, ids))


@lru_cache(maxsize=1024)
def _ammv4_metas(
    ref: PoolRef, owner: str, a_to_b: bool, ids: ProgramIds
) -> tuple[AccountMeta, ...]:
    mint_in, mint_out = (ref.mint_a, ref.mint_b) if a_to_b else (ref.mint_b, ref.mint_a)
    return (
        _readonly(ids.token),
        _writable(ref.address),
        _readonly(ammv4_authority(ids)),
        _writable(ref.vault_a),
        _writable(ref.vault_b),
        _writable(associated_token_address(owner, mint_in, ids)),
        _writable(associated_token_address(owner, mint_out, ids)),
        AccountMeta(key_of(owner), is_signer=True, is_writable=False),
    )


def _writable(address: str) -> AccountMeta:
    return AccountMeta(key_of(address), is_signer=False, is_writable=True)


def _readonly(address: str) -> AccountMeta:
    return AccountMeta(key_of(address), is_signer=False, is_writable=False)
